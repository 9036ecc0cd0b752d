"""`RegionBox`: how sure the model is, drawn around its points, and whether that still holds."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.predict.calibration_file import stored_calibration
from napari_landmarker.engine.project import Split
from napari_landmarker.gui.calibrating import Kept, calibrate_again, read_regions, see_whether_kept
from napari_landmarker.gui.close_guard import CloseGuard
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.region_layer import CURRENT, EVERY, WAITING, RegionLayer
from napari_landmarker.gui.regions import (
    USUAL_CONFIDENCE,
    CalibrationKey,
    ModelRegions,
    promise_of,
    regions_of,
    sizes_of,
)
from napari_landmarker.gui.scroll_panel import choice, wrapped
from napari_landmarker.gui.tasks import Job, Task
from napari_landmarker.state.session import Session

#: Ends of the slider, in percent.
_LEAST, _MOST = 50, 99


class RegionBox(QGroupBox):
    """Shows the regions of the active model and says what they promise; calibrates the model again.

    Args:
        session: what is open.
        viewer: where regions are drawn.
        parent: as in Qt.

    Attributes:
        layer: what is drawn.
        model: what the active model promises, None while that is not known.
        kept: whether it still does, None while that is not known.
        task: what is going on in the background.
    """

    model_known = Signal()
    """`model` changed."""

    def __init__(self, session: Session, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("How sure the model is", parent)
        self.session = session
        self.layer = RegionLayer(viewer, session, self)
        self.model: ModelRegions | None = None
        self.kept: Kept | None = None
        self.task: Task | None = None
        self._reading: Task | None = None
        self._problem = self._outcome = ""
        self._stale = True
        layout = QVBoxLayout(self)
        layout.addLayout(self._make_controls())
        layout.addWidget(self.promise)
        layout.addWidget(self.sizes)
        layout.addLayout(self._make_calibration())
        follow(self, session.project_changed, self._model_changed)
        follow(self, session.models_changed, self._model_changed)
        follow(self, session.predictions_changed, self._predictions_changed)
        follow(self, session.case_changed, self._show_regions)
        follow(self, session.current_changed, self._say_sizes)
        self._model_changed()

    @property
    def confidence(self) -> float:
        """What is promised, as the slider says."""
        return self.slider.value() / 100

    # ---- making it

    def _make_controls(self) -> QFormLayout:
        self.shown = QCheckBox("Show the region in which the true point lies")
        self.shown.setChecked(True)
        self.shown.toggled.connect(self._toggled)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(_LEAST, _MOST)
        self.slider.setPageStep(5)
        self.slider.setValue(round(100 * USUAL_CONFIDENCE))
        self.slider.valueChanged.connect(self._show_regions)
        self.percent = QLabel()
        self.percent.setMinimumWidth(self.percent.fontMetrics().horizontalAdvance("100 %"))
        self.which = choice()
        for text, which in (
            ("points that wait for an answer", WAITING),
            ("all points of the model", EVERY),
            ("the current landmark", CURRENT),
        ):
            self.which.addItem(text, which)
        self.which.setToolTip("Of which landmarks regions are drawn, each in the colour of its landmark.")
        self.which.currentIndexChanged.connect(self._chosen)
        self.promise, self.sizes = wrapped(), wrapped()
        row = QHBoxLayout()
        row.addWidget(self.slider, 1)
        row.addWidget(self.percent)
        form = QFormLayout()
        form.addRow(self.shown)
        form.addRow("Confidence", row)
        form.addRow("Regions of", self.which)
        return form

    def _make_calibration(self) -> QVBoxLayout:
        self.still = wrapped()
        self.still.setToolTip(
            "Compares the model's points with those that persons placed in images it has not met. "
            "Points that were accepted without a look make the regions seem better than they are."
        )
        self.check = QPushButton("Check again")
        self.check.setToolTip("See whether the regions hold the points that were corrected since.")
        self.check.clicked.connect(self.check_kept)
        self.calibrate = QPushButton("Recalibrate")
        self.calibrate.setToolTip(
            "Learn anew, from the annotated images of the calibration split, how far the model's points may be off."
        )
        self.calibrate.clicked.connect(self.recalibrate)
        self.bar = QProgressBar()
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop; the model promises what it did before.")
        self.cancel.clicked.connect(self._cancel)
        buttons, going = QHBoxLayout(), QHBoxLayout()
        for button in (self.check, self.calibrate):
            buttons.addWidget(button)
        going.addWidget(self.bar, 1)
        going.addWidget(self.cancel)
        layout = QVBoxLayout()
        layout.addWidget(self.still)
        layout.addLayout(buttons)
        layout.addLayout(going)
        return layout

    # ---- what the model promises

    def _model_changed(self) -> None:
        """Read what the active model promises, unless that is known; where it takes its weights, beside the window."""
        self._problem = ""
        try:
            key = self._key()
        except LandmarkerError as error:
            key, self._problem = None, str(error)
        if key is None or self.model is None or self.model.key != key:
            self.model = self.kept = None
            self._outcome = ""
            self._stop(self._reading)
            self._reading = None
            if key is not None and key.written == 0:
                self._know(ModelRegions(key, stored_calibration(key.folder)))
                return
            if key is not None:
                self._reading = self._run(functools.partial(read_regions, folder=key.folder), self._know)
        self._show_regions()

    def _key(self) -> CalibrationKey | None:
        project, model = self.session.project, self.session.model
        return None if project is None or model is None else CalibrationKey.of(project.find_model(model))

    def _know(self, model: ModelRegions) -> None:
        self._reading = None
        try:
            current = self._key()
        except LandmarkerError:
            current = None
        if current == model.key:
            self.model, self.kept, self._stale = model, None, True
            self.model_known.emit()
        self._show_regions()
        self._check_stale()

    def _predictions_changed(self) -> None:
        active = None if self.model is None else self.model.key.folder.name
        if active != self.session.model:
            self._model_changed()
        else:
            self._show_regions()

    # ---- what is shown

    def _show_regions(self, *_: object) -> None:
        calibration = None if self.model is None else self.model.calibration
        regions, self._problem = {}, "" if calibration is not None else self._problem
        if calibration is not None and self.session.image is not None:
            try:
                regions = regions_of(calibration, self.session.predictions, self.session.prediction, self.confidence)
            except LandmarkerError as error:
                self._problem = str(error)
        self.layer.show(regions)
        self._refresh()

    def _refresh(self) -> None:
        calibration = None if self.model is None else self.model.calibration
        self.percent.setText(f"{self.slider.value()} %")
        for widget in (self.shown, self.slider, self.which):
            widget.setEnabled(calibration is not None)
        words = self._words() if calibration is None else promise_of(calibration, self.confidence)
        self.promise.setText(words)
        for widget in (self.shown, self.slider):
            widget.setToolTip(words)
        self._say_sizes()
        still = "" if self.kept is None else self.kept.sentence
        self.still.setText(" ".join(filter(None, (self._outcome, still))))
        self.still.setVisible(bool(self.still.text()))
        going = self.task is not None
        self.check.setVisible(calibration is not None)
        self.check.setEnabled(not going)
        self.calibrate.setText("Calibrate" if calibration is None else "Recalibrate")
        self.calibrate.setEnabled(self.session.model is not None and not going)
        self.bar.setVisible(going)
        self.cancel.setVisible(going)

    def _words(self) -> str:
        """Why there are no regions."""
        if self.session.model is None:
            return "Choose a model to see how sure it is."
        if self._problem:
            return self._problem
        return "Reading what the model promises…" if self.model is None else self.model.stored.reason

    def _say_sizes(self, *_: object) -> None:
        said = [self._problem] if self._problem and self.model is not None else []
        said += sizes_of(self.layer.regions, self.session.current)
        self.sizes.setText(" ".join(said))
        self.sizes.setVisible(bool(said))

    def _toggled(self, visible: bool) -> None:
        self.layer.visible = visible
        self.layer.refresh()

    def _chosen(self) -> None:
        self.layer.which = str(self.which.currentData())
        self.layer.refresh()

    # ---- whether it holds

    def showEvent(self, event: QShowEvent) -> None:
        """Called by Qt."""
        super().showEvent(event)
        self._check_stale()

    def check_kept(self) -> None:
        """See, beside the window, whether the regions hold what was corrected since."""
        project, model = self.session.project, self.session.model
        if project is None or model is None or self.model is None or self.model.calibration is None:
            return
        if self.task is None:
            self._stale = False
            work = functools.partial(see_whether_kept, project=project, model=model, regions=self.model)
            self.task = self._run(work, self._know_kept)
            self._refresh()

    def _check_stale(self) -> None:
        if self._stale and self.isVisible():
            self.check_kept()

    def _know_kept(self, kept: Kept) -> None:
        self.kept = kept

    def recalibrate(self) -> None:
        """Calibrate the active model again; where corrected images could be used too, ask whether they should."""
        project, model = self.session.project, self.session.model
        if project is None or model is None or self.task is not None:
            return
        if self.session.lock_owner is not None:
            self.session.failed.emit(self.session.lock_owner)
            return
        usable = () if self.kept is None else self.kept.usable
        wanted = self.ask(len(usable)) if usable else False
        if wanted is None:
            return
        try:
            for case_id in usable if wanted else ():
                self.session.set_split(case_id, Split.CALIBRATION)
        except LandmarkerError as error:
            self.session.failed.emit(str(error))
            return
        config = None if self.model is None or self.model.calibration is None else self.model.calibration.config
        work = functools.partial(calibrate_again, project=project, model=model, config=config)
        self.task = self._run(work, self._calibrated)
        CloseGuard.watch(self.window())
        self._refresh()

    def ask(self, count: int) -> bool | None:
        """Ask whether corrected images should be calibrated on too; None to do nothing at all."""
        images = "an image was" if count == 1 else f"{count} images were"
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Recalibrate")
        box.setText(
            f"Since this model was trained, {images} predicted and corrected. Put into the calibration split, they "
            "make its promise truer; models that are trained later will then not learn from them."
        )
        use = box.addButton("Use them too", QMessageBox.ButtonRole.AcceptRole)
        leave = box.addButton("Leave them", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        return {use: True, leave: False}.get(box.clickedButton())

    def _calibrated(self, result: tuple[ModelRegions, str]) -> None:
        model, sentence = result
        self._know(model)
        self._outcome = sentence

    # ---- work beside the window

    def _run(self, work: Callable[[Job], Any], returned: Callable[[Any], None]) -> Task:
        task = Task(work)
        task.progressed.connect(self._progressed)
        task.returned.connect(returned)
        task.failed.connect(self._failed)
        task.finished.connect(self._finished)
        self.bar.setRange(0, 0)
        task.start()
        return task

    def _progressed(self, done: int, total: int) -> None:
        self.bar.setRange(0, total)
        self.bar.setValue(done)

    def _failed(self, sentence: str) -> None:
        self.session.failed.emit(sentence)

    def _finished(self) -> None:
        if self.sender() is self.task:
            self.task = None
        self._refresh()
        self._check_stale()

    def _cancel(self) -> None:
        self._stop(self.task)

    def _stop(self, task: Task | None) -> None:
        if task is not None:
            task.cancel()
