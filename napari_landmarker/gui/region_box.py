"""`RegionBox`: how sure the model is, drawn around its points, and whether that still holds."""

from __future__ import annotations

import functools

from napari.viewer import Viewer
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.predict.calibration_file import stored_calibration
from napari_landmarker.gui.calibrating import read_regions
from napari_landmarker.gui.keeping_box import KeepingBox
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
from napari_landmarker.gui.tasks import Task
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
        keeping: whether it still does.
    """

    model_known = Signal()
    """`model` changed."""

    def __init__(self, session: Session, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("How sure the model is", parent)
        self.session = session
        self.layer = RegionLayer(viewer, session, self)
        self.model: ModelRegions | None = None
        self.keeping = KeepingBox(session)
        self.keeping.calibrated.connect(self._know)
        self._reading: Task | None = None
        self._problem = ""
        layout = QVBoxLayout(self)
        layout.addLayout(self._make_controls())
        layout.addWidget(self.promise)
        layout.addWidget(self.sizes)
        layout.addWidget(self.keeping)
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

    # ---- what the model promises

    def _model_changed(self) -> None:
        """Read what the active model promises, unless that is known; where it takes its weights, beside the window."""
        self._problem = ""
        try:
            key = self._key()
        except LandmarkerError as error:
            key, self._problem = None, str(error)
        if key is None or self.model is None or self.model.key != key:
            self._forget()
            if key is not None and key.written == 0:
                self._know(ModelRegions(key, stored_calibration(key.folder)))
                return
            if key is not None:
                self._reading = task = Task(functools.partial(read_regions, folder=key.folder))
                task.returned.connect(self._know)
                task.failed.connect(self.session.failed.emit)
                task.start()
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
            self.model = model
            self.keeping.set_model(model)
            self.model_known.emit()
        self._show_regions()

    def _forget(self) -> None:
        """Another model is active."""
        if self._reading is not None:
            self._reading.cancel()
        self.model = self._reading = None
        self.keeping.set_model(None)

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
