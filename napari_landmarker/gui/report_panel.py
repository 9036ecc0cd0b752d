"""`ReportPanel`: how good a model is on a split: numbers, curve, worst images, and the report as files."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.gui.close_guard import CloseGuard
from napari_landmarker.gui.error_table import ErrorTable
from napari_landmarker.gui.evaluating import Reported, make_report, parse_radii, save_report
from napari_landmarker.gui.line_plot import BLUE, LinePlot, Series
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.model_box import ModelBox
from napari_landmarker.gui.scroll_panel import ScrollPanel, choice, wrapped
from napari_landmarker.gui.tasks import Job, Task
from napari_landmarker.state.session import Session

#: How many of the worst images are listed.
_WORST = 20
_SPLITS = {
    Split.TEST: "test: images kept apart for this",
    Split.VALIDATION: "validation: images that helped to choose the model",
    Split.CALIBRATION: "calibration: images that regions were learnt from",
    Split.TRAIN: "train: images it learnt from (flattering)",
}


class ReportPanel(ScrollPanel):
    """Judges a model on the annotated images of a split and shows and saves the report.

    Args:
        session: what is open.
        parent: as in Qt.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.task: Task | None = None
        self.reported: Reported | None = None
        layout = self.body
        self.models = ModelBox(session)
        layout.addWidget(self.models)
        layout.addLayout(self._make_choices())
        self._make_going()
        layout.addWidget(self._make_result(), 1000)
        layout.addStretch(1)
        follow(self, session.project_changed, self._project_changed)
        follow(self, session.predictions_changed, self._refresh)
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
        self.headline = wrapped()
        self.headline.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = ErrorTable()
        self.curve = LinePlot("", "", y_range=(0.0, 100.0))
        self.curve.setToolTip("How many percent of the points lie within a distance: the steeper the rise, the better.")
        self.worst = QListWidget()
        self.worst.setToolTip("The images with the largest errors. Click one to open it.")
        self.worst.setMinimumHeight(self.fontMetrics().height() * 5)
        self.worst.itemClicked.connect(self._open_case)
        self.open = QPushButton("Open report")
        self.open.setToolTip("Open the report in the web browser: one file that can be printed and passed on.")
        self.open.clicked.connect(self._open_report)
        self.save = QPushButton("Save a copy…")
        self.save.setToolTip("Write report.html, its tables as .csv and report.json into a folder of your choice.")
        self.save.clicked.connect(self._choose_folder)
        buttons = QHBoxLayout()
        buttons.addWidget(self.open)
        buttons.addWidget(self.save)
        layout = QVBoxLayout(self.result)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.headline)
        layout.addLayout(buttons)
        layout.addWidget(self.table)
        layout.addWidget(self.curve, 2)
        layout.addWidget(QLabel("Largest errors first"))
        layout.addWidget(self.worst, 1)
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
        split = Split(self.split.currentData())
        self._start(functools.partial(make_report, project=project, model=model, split=split, radii=radii), project)

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

    def _start(self, work: Callable[[Job], Any], project: Project) -> None:
        if self.task is not None:
            return
        self.task = task = Task(work)
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

    def _returned(self, project: Project, reported: Reported) -> None:
        if self.session.project is not project:
            return
        self.reported = reported
        folder = reported.files.html.parent
        inside = folder.is_relative_to(project.root)
        place = (
            f"the project, in {folder.relative_to(project.root).as_posix()}" if inside else f"the folder {folder.name}"
        )
        self.told.setText(f"Saved in {place}.")
        self._show(reported)
        if self.session.model == reported.evaluation.model:
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
        evaluation, unit = reported.evaluation, reported.evaluation.unit
        self.headline.setText("<br>".join([f"<b>{reported.headline}</b>", *reported.cautions]))
        self.table.show_evaluation(evaluation)
        errors = evaluation.errors()
        found = np.sort(errors[np.isfinite(errors)])
        percent = 100 * np.arange(len(found) + 1) / max(1, len(errors))
        line = Series("points", BLUE, [0.0, *found], list(percent), steps=True)
        self.curve.show_series([line], f"Percent of points within a distance ({unit})")
        self.worst.clear()
        for case in evaluation.worst_cases(_WORST):
            far = "not found" if case.missed else f"{case.max:.1f} {unit} off"
            item = QListWidgetItem(f"{case.case_id}: {case.worst_landmark} {far}")
            item.setData(Qt.ItemDataRole.UserRole, case.case_id)
            self.worst.addItem(item)

    def _open_case(self, item: QListWidgetItem) -> None:
        try:
            self.session.open_case(item.data(Qt.ItemDataRole.UserRole))
        except LandmarkerError as error:
            self.session.failed.emit(str(error))

    def _open_report(self) -> None:
        if self.reported is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.reported.files.html)))

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Where should the report be saved?")
        if folder:
            self.save_copy(Path(folder))

    def _project_changed(self) -> None:
        if self.task is not None:
            self.task.cancel()
        self.reported = None
        self.told.setText("")
        self._refresh()

    def _refresh(self, *_: object) -> None:
        going = self.task is not None
        ready = self.session.model is not None
        self.make.setEnabled(ready and not going)
        self.make.setToolTip(
            "Predict these images, compare with the annotations and write the report."
            if ready
            else "Train a model first: this project has none."
        )
        self.bar.setVisible(going)
        self.cancel.setVisible(going)
        self.told.setVisible(bool(self.told.text()))
        self.result.setVisible(self.reported is not None)
        self.save.setEnabled(not going)
