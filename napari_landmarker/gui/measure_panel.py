"""`MeasurePanel`: what the landmarks of the open image measure, while they are placed and dragged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.measurement_sets import MEASUREMENT_SETS, MeasurementSet
from napari_landmarker.engine.measurement_table import export_measurements
from napari_landmarker.engine.schema import Measurement
from napari_landmarker.gui.file_choice import choose_new_file
from napari_landmarker.gui.keys import tip
from napari_landmarker.gui.landmark_actions import LandmarkActions
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.measure_table import MeasureTable
from napari_landmarker.gui.measure_words import Verdict, verdict
from napari_landmarker.gui.messages import reports, tell, tell_error, tell_warning
from napari_landmarker.gui.scroll_panel import wrapped
from napari_landmarker.gui.tasks import Job, Task
from napari_landmarker.state.session import Session

_PX = (
    "Nobody knows how large a pixel of this image is: lengths are in px and not compared with norms in mm. Measure a "
    "known length with the ruler to get mm."
)
_SQUARE = "Angles and ratios take its pixels as square: where they are not, they are wrong."


class MeasurePanel(QWidget):
    """The table of measurements, and whether they are drawn.

    Args:
        session: what is open.
        actions: what the keys do; it holds what is drawn.
        parent: as in Qt.

    Attributes:
        table: the measurements.
        notice: what is to be known of the values of this image.
        sets: buttons for ready-made sets, by their titles; shown where the landmarks allow them and they are not there.
    """

    edit_wanted = Signal()
    """The editor of the measurements is wanted."""

    def __init__(self, session: Session, actions: LandmarkActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.layers = actions.layers
        self.drawn = actions.measures
        self.table = MeasureTable()
        self.summary, self.notice = wrapped(), wrapped()
        self.all = QCheckBox("Draw all on the image")
        self.all.setToolTip(tip("measurements", "Draw all measurements on the image, or only the chosen ones."))
        self.edit = _button("Edit…", "Say what is measured, and what is usual.", self.edit_wanted.emit)
        self.export = _button("Export…", "Write the measurements of all images as one table (CSV).", self._export)
        self.sets = {ready.title: self._set_button(ready) for ready in MEASUREMENT_SETS}
        self._task: Task | None = None
        self._lay_out()
        self.all.toggled.connect(self.drawn.draw_all)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self.drawn.choose(self.table.chosen))
        follow(self, self.layers.seen_changed, self._follow)
        follow(self, self.drawn.changed, self._show_drawn)
        for signal in (session.project_changed, session.case_changed, session.access_changed):
            follow(self, signal, self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.all, 1)
        row.addWidget(self.edit)
        row.addWidget(self.export)
        layout = QVBoxLayout(self)
        layout.addWidget(self.summary)
        layout.addWidget(self.table, 1)
        for button in self.sets.values():
            layout.addWidget(button)
        layout.addWidget(self.notice)
        layout.addLayout(row)

    # ---- what is shown

    def show_landmarks(self, landmarks: LandmarkSet | None) -> None:
        """Show what these landmarks measure: cheap enough for every step of a drag."""
        self.table.show_landmarks(self._measurements, landmarks)
        self._summarise(landmarks)

    def refresh(self, *_: object) -> None:
        """Show what the session has now."""
        project, image = self.session.project, self.session.image
        measures, unknown = bool(self._measurements), image is not None and image.grid.spacing is None
        self.show_landmarks(self.layers.seen)
        self.table.choose(self.drawn.chosen)
        self.notice.setText(f"{_PX} {_SQUARE}")
        self.notice.setVisible(measures and unknown)
        for widget in (self.all, self.export):
            widget.setEnabled(measures)
        self.edit.setEnabled(project is not None and not self.session.read_only)
        for ready in MEASUREMENT_SETS:
            new = () if project is None else ready.missing_from(project.schema)
            self.sets[ready.title].setVisible(bool(new) and not measures)
            self.sets[ready.title].setText(f"Add the {ready.title.lower()} ({len(new)} measurements)")
            self.sets[ready.title].setEnabled(not self.session.read_only)

    def showEvent(self, event: QShowEvent) -> None:
        """Called by Qt: what happened while nobody looked."""
        super().showEvent(event)
        self.show_landmarks(self.layers.seen)

    @property
    def _measurements(self) -> tuple[Measurement, ...]:
        project = self.session.project
        return () if project is None else project.schema.measurements

    def _follow(self) -> None:
        if self.isVisible():
            self.show_landmarks(self.layers.seen)

    def _show_drawn(self) -> None:
        self.all.setChecked(self.drawn.all)
        self.table.choose(self.drawn.chosen)

    def _summarise(self, landmarks: LandmarkSet | None) -> None:
        if not self._measurements:
            self.summary.setText("Nothing is measured in this project yet.")
            return
        if landmarks is None:
            self.summary.setText("Open an image to measure it.")
            return
        measured = self.table.values.measured
        valued = sum(one.value is not None for one in measured)
        far = sum(verdict(one) is Verdict.FAR for one in measured)
        off = sum(verdict(one) is Verdict.OFF for one in measured)
        words = [f"{valued} of {len(measured)} have a value"]
        words += [f"{far} far from the norm"] if far else []
        words += [f"{off} somewhat off"] if off else []
        self.summary.setText("Measurements: " + ", ".join(words) + ".")

    # ---- what a person does

    @reports
    def add_set(self, ready: MeasurementSet) -> None:
        """Measure all that a ready-made set holds and the landmarks allow."""
        project = self.session.project
        if project is not None:
            new = ready.missing_from(project.schema)
            schema = project.schema.model_copy(update={"measurements": (*project.schema.measurements, *new)})
            if self.session.change_schema(schema):
                tell(f"{len(new)} measurements were added; choose rows to see them on the image.")

    @reports
    def export_to(self, path: Path) -> None:
        """Write the measurements of all images as a table, beside the window."""
        project, error = self.session.project, self.session.save()
        if project is None or self._task is not None:
            return
        if error is not None:
            tell_warning(f"Not all annotations are saved yet, so they cannot be measured: {error}")
            return

        def work(job: Job) -> int:
            return export_measurements(project, path, progress=job.progress)

        self._task = Task(work)
        self._task.returned.connect(lambda count: _told(int(count), path))
        self._task.failed.connect(tell_error)
        self._task.progressed.connect(lambda done, total: self.export.setText(f"{done} of {total}"))
        self._task.finished.connect(self._exported)
        self._task.start()

    def _exported(self) -> None:
        self._task = None
        self.export.setText("Export…")

    def _export(self) -> None:
        path = choose_new_file(self, "Table of the measurements", "measurements.csv", "Tables (*.csv)")
        if path is not None:
            self.export_to(path)

    def _set_button(self, ready: MeasurementSet) -> QPushButton:
        return _button(
            "",
            "Angles, ratios and distances for lateral cephalograms, each with its published norm. You can change them.",
            lambda: self.add_set(ready),
        )


def _told(count: int, path: Path) -> None:
    if count:
        tell(f"The measurements of {count} image{'s' if count > 1 else ''} were written to {path}.")
    else:
        tell_warning("No image can be measured yet: the table is empty.")


def _button(text: str, tip: str, action: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(lambda _=False: action())
    return button
