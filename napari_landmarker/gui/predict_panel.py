"""`PredictPanel`: choose a model, predict this image or many, review the points, see the heatmaps."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.gui.close_guard import CloseGuard
from napari_landmarker.gui.heatmap_layer import ALL, CURRENT, HeatmapLayer
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.model_box import ModelBox
from napari_landmarker.gui.predicting import CasePrediction, LoadedModel, Predicted, predict_cases
from napari_landmarker.gui.region_box import RegionBox
from napari_landmarker.gui.scroll_panel import ScrollPanel, breakable, choice, wrapped
from napari_landmarker.gui.tasks import Task
from napari_landmarker.state.session import Session

_UNFINISHED, _EVERY = "unfinished", "every"


class PredictPanel(ScrollPanel):
    """Predicts landmarks with a model; what it finds waits for a person to accept or move it.

    Args:
        session: what is open.
        viewer: where heatmaps are shown.
        parent: as in Qt.
    """

    def __init__(self, session: Session, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.heatmap = HeatmapLayer(viewer, session)
        self.task: Task | None = None
        self._loaded = LoadedModel()
        layout = self.body
        layout.addWidget(self._make_model())
        layout.addWidget(self._make_predict())
        layout.addWidget(self._make_review())
        self.regions = RegionBox(session, viewer)
        layout.addWidget(self.regions)
        layout.addWidget(self._make_heatmap())
        layout.addStretch(1)
        follow(self, session.project_changed, self._project_changed)
        follow(self, session.landmarks_changed, self._refresh)
        follow(self, session.predictions_changed, self._refresh)
        follow(self, session.case_changed, self._refresh)
        follow(self, session.current_changed, self._current_changed)
        follow(self, session.heatmaps_changed, self._heatmaps_changed)
        self._project_changed()

    # ---- making it

    def _make_model(self) -> QWidget:
        box = QGroupBox("Model")
        self.models = ModelBox(self.session)
        layout = QVBoxLayout(box)
        layout.addWidget(self.models)
        return box

    def _make_predict(self) -> QWidget:
        box = QGroupBox("Predict")
        self.one = QPushButton("Predict this image")
        self.one.clicked.connect(self.predict_this)
        self.many = QPushButton("Predict")
        self.many.clicked.connect(self.predict_many)
        self.which_cases = choice()
        self.which_cases.setToolTip("Which images are predicted. Annotations are never overwritten.")
        self.which_cases.addItem("images that are not finished", _UNFINISHED)
        self.which_cases.addItem("all images", _EVERY)
        for split in Split:
            self.which_cases.addItem(f"images of the {split.value} split", split.value)
        self.bar = QProgressBar()
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop predicting; what was predicted so far stays.")
        self.cancel.clicked.connect(self.cancel_task)
        self.told = wrapped()
        rows = QHBoxLayout()
        rows.addWidget(self.many)
        rows.addWidget(self.which_cases, 1)
        going = QHBoxLayout()
        going.addWidget(self.bar, 1)
        going.addWidget(self.cancel)
        layout = QVBoxLayout(box)
        layout.addWidget(self.one)
        layout.addLayout(rows)
        layout.addLayout(going)
        layout.addWidget(self.told)
        return box

    def _make_review(self) -> QWidget:
        box = QGroupBox("Review this image")
        self.points = wrapped()
        self.accept = QPushButton("Accept all predicted points")
        self.accept.setToolTip("Agree with every predicted point of this image: they become annotations.")
        self.accept.clicked.connect(self._accept_all)
        layout = QVBoxLayout(box)
        layout.addWidget(self.points)
        layout.addWidget(self.accept)
        return box

    def _make_heatmap(self) -> QWidget:
        self.heatmap_box = box = QGroupBox("Heatmap")
        self.show_heatmap = QCheckBox("Show where the model sees the landmark")
        self.show_heatmap.setChecked(self.heatmap.visible)
        self.show_heatmap.setToolTip("The brighter the colour, the more likely the landmark lies there.")
        self.show_heatmap.toggled.connect(self._heatmap_toggled)
        self.which_heatmap = choice()
        self.which_heatmap.currentIndexChanged.connect(self._heatmap_chosen)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(5, 100)
        self.opacity.setValue(round(100 * self.heatmap.opacity))
        self.opacity.valueChanged.connect(lambda value: self.heatmap.set_opacity(value / 100))
        self.no_heatmap = wrapped("Predict this image to see its heatmaps.")
        form = QFormLayout(box)
        form.addRow(self.show_heatmap)
        form.addRow("Landmark", self.which_heatmap)
        form.addRow("Opacity", self.opacity)
        form.addRow(self.no_heatmap)
        return box

    # ---- what a person does

    def predict_this(self) -> None:
        """Predict the open image."""
        if self.session.case_id is not None:
            self._predict([self.session.case_id])

    def predict_many(self) -> None:
        """Predict the chosen images."""
        project, which = self.session.project, self.which_cases.currentData()
        if project is None:
            return
        cases = project.cases if which in (_UNFINISHED, _EVERY) else project.cases_in(Split(which))
        if not cases:
            self.told.setText("There is no such image in this project.")
            return
        self._predict([case.id for case in cases], unfinished=which == _UNFINISHED)

    def cancel_task(self) -> None:
        """End what is going on; results so far stay."""
        if self.task is not None:
            self.told.setText("Cancelling…")
            self.task.cancel()

    # ---- predicting

    def _predict(self, case_ids: Sequence[str], *, unfinished: bool = False) -> None:
        project, model = self.session.project, self.session.model
        if project is None or model is None or self.task is not None:
            return
        work = functools.partial(
            predict_cases, loaded=self._loaded, project=project, model=model, case_ids=case_ids, unfinished=unfinished
        )
        self.task = task = Task(work)
        task.progressed.connect(self._progressed)
        task.given.connect(functools.partial(self._given, project))
        task.returned.connect(self._returned)
        task.failed.connect(self._failed)
        task.finished.connect(self._finished)
        self.told.setText("Loading the model…")
        self.bar.setRange(0, 0)
        CloseGuard.watch(self.window())
        task.start()
        self._refresh()

    def _progressed(self, done: int, total: int) -> None:
        if done > 0 or total > 1:
            self.told.setText(f"{done} of {total} images")
            self.bar.setRange(0, total)
            self.bar.setValue(done)

    def _given(self, project: Project, result: CasePrediction) -> None:
        if self.session.project is not project:
            return
        try:
            self.session.take_prediction(result.case_id, result.prediction, result.model)
        except LandmarkerError as error:
            self.cancel_task()
            self.session.failed.emit(str(error))

    def _returned(self, outcome: Predicted) -> None:
        self.told.setText(f"{outcome.done} image{'' if outcome.done == 1 else 's'} predicted.")
        if outcome.sentence:
            self.session.failed.emit(outcome.sentence)

    def _failed(self, sentence: str) -> None:
        self.told.setText(sentence)
        self.session.failed.emit(sentence)

    def _finished(self) -> None:
        if self.task is not None and self.task.cancelled:
            self.told.setText("Cancelled; what was predicted before stays.")
        self.task = None
        self._refresh()

    def _accept_all(self) -> None:
        try:
            self.session.accept_all()
        except LandmarkerError as error:
            self.session.failed.emit(str(error))

    # ---- what is shown

    def _project_changed(self) -> None:
        if self.task is not None:
            self.task.cancel()
        self.told.setText("")
        self.which_heatmap.blockSignals(True)
        self.which_heatmap.clear()
        self.which_heatmap.addItem("all landmarks", ALL)
        self.which_heatmap.addItem("the current landmark", CURRENT)
        for name in self.session.names:
            self.which_heatmap.addItem(name, name)
        self.which_heatmap.blockSignals(False)
        self._heatmap_chosen()
        self._refresh()

    def _refresh(self, *_: object) -> None:
        session, going = self.session, self.task is not None
        ready = session.model is not None and not going
        reason = "" if session.model is not None else "Train a model first: this project has none."
        self.one.setEnabled(ready and session.case_id is not None)
        self.one.setToolTip(reason or "Let the model place the landmarks of the image that is open.")
        self.many.setEnabled(ready)
        self.many.setToolTip(reason or "Let the model place the landmarks of these images.")
        self.bar.setVisible(going)
        self.cancel.setVisible(going)
        self.told.setVisible(bool(self.told.text()))
        predicted = self._predicted()
        self.points.setText(self._points_text(predicted))
        self.accept.setEnabled(bool(predicted))
        self._refresh_heatmap_controls()

    def _predicted(self) -> dict[str, float]:
        """Scores of the points of this image that nobody has accepted or moved yet."""
        shown = self.session.shown
        if shown is None:
            return {}
        names = [name for name in shown.names if shown.status_of(name) is LandmarkStatus.PREDICTED]
        return {name: shown.score_of(name) for name in names}

    def _points_text(self, predicted: dict[str, float]) -> str:
        shown = self.session.shown
        if not predicted and self.session.predictions is not None:
            if shown is not None and not shown.by_person.all():
                return "The model did not find the landmarks that are not annotated here."
            return "Every landmark here is annotated; predictions leave annotations as they are."
        if not predicted:
            return "This image was not predicted yet."
        count = f"{len(predicted)} predicted point{'' if len(predicted) == 1 else 's'} (rings on the image)."
        scores = {name: score for name, score in predicted.items() if math.isfinite(score)}
        least = min(scores, key=lambda name: scores[name], default=None)
        return (
            count if least is None else f"{count} The model is least sure of {breakable(least)} ({scores[least]:.0%})."
        )

    def _refresh_heatmap_controls(self) -> None:
        there = self.session.prediction is not None
        self.no_heatmap.setVisible(not there)
        for widget in (self.show_heatmap, self.which_heatmap, self.opacity):
            widget.setEnabled(there)

    def _heatmaps_changed(self) -> None:
        self.heatmap.refresh()
        self._refresh_heatmap_controls()

    def _current_changed(self, _: str) -> None:
        if self.heatmap.which == CURRENT:
            self.heatmap.refresh()

    def _heatmap_toggled(self, visible: bool) -> None:
        self.heatmap.visible = visible
        self.heatmap.refresh()

    def _heatmap_chosen(self) -> None:
        self.heatmap.which = str(self.which_heatmap.currentData() or ALL)
        self.heatmap.refresh()
