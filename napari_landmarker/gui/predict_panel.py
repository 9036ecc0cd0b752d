"""`PredictPanel`: choose a model, predict this image or many, review the points, see the heatmaps."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QGroupBox,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.gui.answer_box import AnswerBox
from napari_landmarker.gui.close_guard import CloseGuard
from napari_landmarker.gui.heatmap_box import HeatmapBox
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.messages import reports
from napari_landmarker.gui.model_box import ModelBox
from napari_landmarker.gui.model_open import ModelOpener
from napari_landmarker.gui.predicting import CasePrediction, LoadedModel, Predicted, predict_cases
from napari_landmarker.gui.region_box import RegionBox
from napari_landmarker.gui.review_panel import ReviewPanel
from napari_landmarker.gui.scroll_panel import ScrollPanel, choice, wrapped
from napari_landmarker.gui.tasks import Task
from napari_landmarker.state.session import Session

_UNFINISHED, _EVERY = "unfinished", "every"
#: How often a result looks whether it may be written, while many files are being changed, in milliseconds.
_HELD_MS = 100


class PredictPanel(ScrollPanel):
    """Predicts landmarks with a model; what it finds waits for a person to accept or move it.

    Args:
        session: what is open.
        viewer: where heatmaps and regions are shown.
        layers: what points are drawn with.
        parent: as in Qt.
    """

    def __init__(self, session: Session, viewer: Viewer, layers: CaseLayers, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.task: Task | None = None
        self._loaded = LoadedModel()
        layout = self.body
        layout.addWidget(self._make_model())
        layout.addWidget(self._make_predict())
        self.answers = AnswerBox(session, layers)
        self.regions = RegionBox(session, viewer)
        self.review = ReviewPanel(session, layers, self.regions)
        self.heatmaps = HeatmapBox(session, viewer)
        for guest in (self.heatmaps.layer, self.regions.layer):
            layers.guests.append(guest.on_slice)
            guest.changed.connect(lambda: layers.guests_changed.emit())
        for box in (self.answers, self.review, self.regions, self.heatmaps):
            layout.addWidget(box)
        layout.addStretch(1)
        follow(self, session.project_changed, self._project_changed)
        follow(self, session.progress_changed, self._refresh)
        follow(self, session.predictions_changed, self._refresh)
        follow(self, session.case_changed, self._refresh)
        self._project_changed()

    # ---- making it

    def _make_model(self) -> QWidget:
        box = QGroupBox("Model")
        self.opener = ModelOpener(self.session)
        self.models = ModelBox(self.session, self.opener.open_model)
        layout = QVBoxLayout(box)
        layout.addWidget(self.models)
        layout.addWidget(self.opener)
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
        self.next = QPushButton("Predict the next")
        self.next.clicked.connect(self.predict_next)
        first = QHBoxLayout()
        first.addWidget(self.one)
        first.addWidget(self.next)
        rows = QHBoxLayout()
        rows.addWidget(self.many)
        rows.addWidget(self.which_cases, 1)
        going = QHBoxLayout()
        going.addWidget(self.bar, 1)
        going.addWidget(self.cancel)
        layout = QVBoxLayout(box)
        layout.addLayout(first)
        layout.addLayout(rows)
        layout.addLayout(going)
        layout.addWidget(self.told)
        return box

    # ---- what a person does

    def predict_this(self) -> None:
        """Predict the open image."""
        if self.session.case_id is not None:
            self._predict([self.session.case_id])

    @reports
    def predict_next(self, *_: object) -> None:
        """Open the next image in which not every landmark is done, and predict it."""
        case_id = self._next_unfinished()
        if case_id is None:
            self.told.setText("Every image is finished.")
            self._refresh()
        elif self.task is None and self.session.model is not None:
            self.session.open_case(case_id)
            self.predict_this()

    def _next_unfinished(self) -> str | None:
        """The first case after the open one, round and round, that is not finished; the open one comes last."""
        session = self.session
        ids = [] if session.project is None else [case.id for case in session.project.cases]
        start = ids.index(session.case_id) + 1 if session.case_id in ids else 0
        for case_id in (*ids[start:], *ids[:start]):
            done, total = session.progress(case_id)
            if done < total:
                return case_id
        return None

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
            predict_cases,
            loaded=self._loaded,
            project=project.snapshot(),
            model=model,
            case_ids=case_ids,
            unfinished=unfinished,
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
        self.heatmaps.layer.prepare()
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
        if self.session.held is not None:  # many files are just being changed: this one is written afterwards
            QTimer.singleShot(_HELD_MS, functools.partial(self._given, project, result))
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

    # ---- what is shown

    def _project_changed(self) -> None:
        if self.task is not None:
            self.task.cancel()
        self.told.setText("")
        self._refresh()

    def _refresh(self, *_: object) -> None:
        session, going = self.session, self.task is not None
        ready = session.model is not None and not going
        reason = "" if session.model is not None else "Train a model first: this project has none."
        self.one.setEnabled(ready and session.case_id is not None)
        self.one.setToolTip(reason or "Let the model place the landmarks of the image that is open.")
        self.next.setEnabled(ready)
        self.next.setToolTip(reason or "Open the next image that is not finished, with the model's points to correct.")
        self.many.setEnabled(ready)
        self.many.setToolTip(reason or "Let the model place the landmarks of these images.")
        self.bar.setVisible(going)
        self.cancel.setVisible(going)
        self.told.setVisible(bool(self.told.text()))
