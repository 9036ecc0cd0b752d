"""`ReportPanel`: how good a model is on a split: numbers, curve, worst images, and the report as files."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.gui.close_guard import CloseGuard
from napari_landmarker.gui.evaluating import Reported, make_report, parse_radii, save_report
from napari_landmarker.gui.file_choice import choose_new_file
from napari_landmarker.gui.glance import Glance
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.model_box import ModelBox
from napari_landmarker.gui.rater_summary import RaterSummary
from napari_landmarker.gui.report_export import KINDS, export, exports_of
from napari_landmarker.gui.report_results import ReportResults
from napari_landmarker.gui.scroll_panel import ScrollPanel, choice, wrapped
from napari_landmarker.gui.tasks import Job, Task
from napari_landmarker.state.session import Session

_SPLITS = {
    Split.TEST: "test: images kept apart for this",
    Split.VALIDATION: "validation: images that helped to choose the model",
    Split.CALIBRATION: "calibration: images that regions were learnt from",
    Split.TRAIN: "train: images it learnt from (flattering)",
}


class ReportPanel(ScrollPanel):
    """Judges a model on the annotated images of a split, shows and saves the report, and compares two raters.

    Args:
        session: what is open.
        parent: as in Qt.
    """

    looked = Signal(str)
    """The open image is to be looked at there, at this landmark."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.task: Task | None = None
        self.reported: Reported | None = None
        self.glance = Glance(session, self)
        self._rater = ""
        layout = self.body
        self.models = ModelBox(session)
        layout.addWidget(self.models)
        layout.addLayout(self._make_choices())
        self._make_going()
        layout.addWidget(self._make_result())
        self.raters = RaterSummary(session)
        self.raters.opened.connect(self._open_compared)
        layout.addWidget(self.raters)
        layout.addStretch(1)
        follow(self, session.project_changed, self._project_changed)
        follow(self, session.predictions_changed, self._refresh)
        follow(self, session.access_changed, self._refresh)
        follow(self, session.rater_changed, self._rater_changed)
        self._refresh()

    # ---- making it

    def _make_choices(self) -> QFormLayout:
        self.split = choice()
        for split, text in _SPLITS.items():
            self.split.addItem(text, split.value)
        self.split.setToolTip("Which images the model is judged on. Only images with annotations count.")
        self.radii = QLineEdit()
        self.radii.setPlaceholderText("usual: 2, 2.5, 3, 4 mm or 5, 10, 20, 40 px")
        self.radii.setToolTip(
            "A point counts as found if it lies within this distance of the true one. Several, with commas between;\n"
            "in millimetres if the images state their spacing, else in pixels."
        )
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Images", self.split)
        form.addRow("Radii", self.radii)
        return form

    def _make_going(self) -> None:
        self.make = QPushButton("Make report")
        self.make.clicked.connect(self.make_report)
        self.bar = QProgressBar()
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop; no report is made.")
        self.cancel.clicked.connect(self.cancel_task)
        self.told = wrapped()
        going = QHBoxLayout()
        going.addWidget(self.bar, 1)
        going.addWidget(self.cancel)
        self.body.addWidget(self.make)
        self.body.addLayout(going)
        self.body.addWidget(self.told)

    def _make_result(self) -> QWidget:
        self.result = QWidget()
        self.results = ReportResults()
        self.results.opened.connect(self._open_judged)
        self.headline, self.table, self.curve = self.results.headline, self.results.table, self.results.curve
        self.open = QPushButton("Open report")
        self.open.setToolTip("Open the report in the web browser: one file that can be printed and passed on.")
        self.open.clicked.connect(self._open_report)
        self.save = QPushButton("Save a copy…")
        self.save.setToolTip("Write report.html, its tables as .csv and report.json into a folder of your choice.")
        self.save.clicked.connect(self._choose_folder)
        self.export = QPushButton("Export")
        self.export.setToolTip("Save one table or figure of the report on its own.")
        self.export.setMenu(QMenu(self.export))
        buttons = QHBoxLayout()
        for button in (self.open, self.save, self.export):
            buttons.addWidget(button)
        layout = QVBoxLayout(self.result)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(buttons)
        layout.addWidget(self.results)
        self.result.hide()
        return self.result

    # ---- what a person does

    def make_report(self) -> None:
        """Judge the active model on the chosen split."""
        project, model = self.session.project, self.session.model
        if project is None or model is None:
            return
        try:
            radii = parse_radii(self.radii.text())
        except LandmarkerError as error:
            self._failed(str(error))
            return
        sentence = self.session.why_not_ready()  # a report reads the disk
        if sentence is not None:
            self._failed(sentence)
            return
        split = Split(self.split.currentData())
        work = functools.partial(make_report, project=project.snapshot(), model=model, split=split, radii=radii)
        self._start(work, project)

    def report_on(self, split: Split) -> None:
        """Judge the active model on a split."""
        self.split.setCurrentIndex(self.split.findData(split.value))
        self.make_report()

    def open_point(self, case_id: str, landmark: str, beside: Callable[[], None] | None = None) -> None:
        """Open an image at a landmark.

        Args:
            case_id: the image.
            landmark: its landmark.
            beside: shows what one's landmarks are compared with, for as long as this image is open.
        """
        session = self.session
        try:
            if session.case_id != case_id:
                session.open_case(case_id)
            if beside is not None:
                self.glance.take(beside)
            if landmark in session.names:
                session.set_current(landmark)
                self.looked.emit(landmark)
        except LandmarkerError as error:
            session.failed.emit(str(error))

    def export_one(self, what: str, path: Path) -> None:
        """Save a table or figure of the report that is shown; ``what`` is a key of `report_export.EXPORTS`."""
        project, reported = self.session.project, self.reported
        if project is not None and reported is not None:
            work = functools.partial(export, project=project, evaluation=reported.evaluation, what=what, path=path)
            self._start(work, project)

    def save_copy(self, folder: Path) -> None:
        """Write the report that is shown into another folder."""
        project, reported = self.session.project, self.reported
        if project is not None and reported is not None:
            work = functools.partial(save_report, project=project, evaluation=reported.evaluation, out=folder)
            self._start(work, project)

    def cancel_task(self) -> None:
        """End what is going on."""
        if self.task is not None:
            self.told.setText("Cancelling…")
            self.task.cancel()

    # ---- inside

    def _open_judged(self, case_id: str, landmark: str) -> None:
        """Open a point of the report, with those of the model beside, unless another model was chosen since."""
        judged = None if self.reported is None else self.reported.evaluation.model
        self.open_point(case_id, landmark, self.session.show_model if judged == self.session.model else None)

    def _open_compared(self, case_id: str, landmark: str) -> None:
        """Open a point that two raters placed, with the other's beside where one of them is at work."""
        session, found = self.session, self.raters.agreement
        two = () if found is None else (found.one, found.other)
        others = [name for name in two if name != session.rater]
        show = functools.partial(session.show_rater, others[0]) if len(others) == 1 else None
        self.open_point(case_id, landmark, show)

    def _start(self, work: Callable[[Job], Any], project: Project) -> None:
        if self.task is not None:
            return
        self.task, self._rater = (task := Task(work)), project.rater
        task.progressed.connect(self._progressed)
        task.given.connect(self.told.setText)
        task.returned.connect(functools.partial(self._returned, project))
        task.failed.connect(self._failed)
        task.finished.connect(self._finished)
        self.told.setText("Loading the model…")
        self.bar.setRange(0, 0)
        CloseGuard.watch(self.window())
        task.start()
        self._refresh()

    def _progressed(self, done: int, total: int) -> None:
        self.told.setText(f"{done} of {total} images")
        self.bar.setRange(0, total)
        self.bar.setValue(done)

    def _returned(self, project: Project, outcome: Reported | Path) -> None:
        if self.session.project is not project:
            return
        if isinstance(outcome, Path):
            self.told.setText(f"Saved as {outcome.name}.")
            return
        folder = outcome.files.html.parent
        inside = folder.is_relative_to(project.root)
        place = (
            f"the project, in {folder.relative_to(project.root).as_posix()}" if inside else f"the folder {folder.name}"
        )
        if self._rater in ("", self.session.rater):
            self.told.setText(f"Saved in {place}.")
            self.reported = outcome
            self._show(outcome)
        else:
            self.told.setText(f"Saved in {place}: judged by the annotations of {self._rater}. Make it again for yours.")
        if self.session.model == outcome.evaluation.model:
            try:
                self.session.set_model(self.session.model)
            except LandmarkerError as error:
                self.session.failed.emit(str(error))

    def _failed(self, sentence: str) -> None:
        self.told.setText(sentence)
        self.told.show()
        self.session.failed.emit(sentence)

    def _finished(self) -> None:
        if self.task is not None and self.task.cancelled:
            self.told.setText("Cancelled; no report was made.")
        self.task = None
        self._refresh()

    def _show(self, reported: Reported) -> None:
        project, evaluation = self.session.project, reported.evaluation
        colors = {} if project is None else {one.name: one.color for one in project.schema.landmarks}
        self.results.show_evaluation(evaluation, reported.headline, reported.cautions, colors)
        menu = self.export.menu()
        menu.clear()
        for what, title in exports_of(evaluation).items():
            menu.addAction(title).triggered.connect(functools.partial(self._choose_file, what))

    def _choose_file(self, what: str, _: bool = False) -> None:
        suffix = Path(what).suffix
        path = choose_new_file(self, "Save", what, KINDS[suffix])
        if path is not None:
            self.export_one(what, path if path.suffix == suffix else path.with_name(path.name + suffix))

    def _open_report(self) -> None:
        if self.reported is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.reported.files.html)))

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Where should the report be saved?")
        if folder:
            self.save_copy(Path(folder))

    def _rater_changed(self) -> None:
        """What is shown was judged by the annotations of somebody else; a report that is being made is still saved."""
        self.glance.end()
        self.reported = None
        if self.task is None:
            self.told.setText("")
        self._refresh()

    def _project_changed(self) -> None:
        if self.task is not None:
            self.task.cancel()
        self.reported = None
        self.told.setText("")
        self._refresh()

    def _refresh(self, *_: object) -> None:
        going = self.task is not None
        no_model = None if self.session.model is not None else "Train a model first: this project has none."
        reason = self.session.lock_owner or no_model
        self.make.setEnabled(reason is None and not going)
        self.make.setToolTip(reason or "Predict these images, compare with the annotations and write the report.")
        self.bar.setVisible(going)
        self.cancel.setVisible(going)
        self.told.setVisible(bool(self.told.text()))
        self.result.setVisible(self.reported is not None)
        for button in (self.save, self.export):
            button.setEnabled(not going)
