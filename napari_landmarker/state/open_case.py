"""`OpenCase`: what a person sees of the open case, and which landmark is next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.state.modes import LabelMode
from napari_landmarker.state.prediction import PredictionLike
from napari_landmarker.state.signals import SessionSignals
from napari_landmarker.state.work import Work


class OpenCase(SessionSignals):
    """The open case of the open project.

    Attributes:
        project: what is open, or None.
        case_id: the open case, or None.
        image: its image.
        annotations: what is annotated in it, by the rater at work.
        predictions: what the active model predicted in it, or None.
        shown: what a person sees of both.
        current: the landmark that the next click places.
        mode: what a click does.
        model: the active model.
        prediction: the predictor's result with its heatmaps, where it was made while this case was open.
    """

    def __init__(self) -> None:
        self.project: Project | None = None
        self.case_id: str | None = None
        self.image: Image | None = None
        self.annotations: LandmarkSet | None = None
        self.predictions: LandmarkSet | None = None
        self.shown: LandmarkSet | None = None
        self.current: str | None = None
        self.mode = LabelMode.SEQUENTIAL
        self.model: str | None = None
        self.prediction: PredictionLike | None = None
        self._works: dict[str, Work] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The landmarks of the project, none without a project."""
        return () if self.project is None else self.project.schema.names

    def set_current(self, name: str | None) -> None:
        """Choose the landmark that the next click places; None for none."""
        if name is not None and name not in self.names:
            return
        if name != self.current:
            self.current = name
            self.current_changed.emit(name or "")

    def set_mode(self, mode: LabelMode) -> None:
        """Choose what a click on the image does."""
        if mode is not self.mode:
            self.mode = mode
            self.mode_changed.emit(mode)

    # ---- inside

    @property
    def _work(self) -> Work | None:
        """What the rater at work has under way."""
        if self.project is None:
            return None
        rater = self.project.rater
        if rater not in self._works:
            self._works[rater] = Work(self.project, rater)
        return self._works[rater]

    @property
    def _hidden(self) -> frozenset[str]:
        """The landmarks of the open case whose prediction was taken away."""
        return frozenset() if self._work is None else self._work.hidden.get(str(self.case_id), frozenset())

    def _leave_case(self) -> None:
        self.case_id = self.image = self.current = self.prediction = None
        self.annotations = self.predictions = self.shown = None

    def _emit_rest(self) -> None:
        """What follows from another case being open."""
        self.heatmaps_changed.emit()
        self.current_changed.emit(self.current or "")
        self.history_changed.emit()

    def _refresh_shown(self) -> None:
        """Work out what a person sees: annotations, and predictions where nothing is annotated or hidden.

        A pasted point, which nobody has looked at in this image, gives way to a prediction.
        """
        self.shown = self.annotations
        if self.annotations is None or self.predictions is None:
            return
        ours, theirs = self.annotations, self.predictions
        waiting = (ours.status == LandmarkStatus.PREDICTED.value) & theirs.placed
        fill = (ours.status == LandmarkStatus.UNPLACED.value) | waiting
        fill &= ~np.isin(ours.names, sorted(self._hidden))
        self.shown = replace(
            ours,
            points=np.where(fill[:, None], theirs.points, ours.points),
            status=np.where(fill, theirs.status, ours.status),
            score=np.where(fill, theirs.score, ours.score),
            covariance=None,
        )

    def _next_unplaced(self, after: str | None) -> str | None:
        """The first landmark after ``after``, round and round, that has neither annotation nor shown prediction."""
        return self._next_with(LandmarkStatus.UNPLACED, after)

    def _next_with(self, status: LandmarkStatus, after: str | None) -> str | None:
        """The first landmark after ``after``, round and round, that is shown with a status."""
        if self.shown is None:
            return None
        start = self.names.index(after) + 1 if after in self.names else 0
        for name in (*self.names[start:], *self.names[:start]):
            if self.shown.status_of(name) == status:
                return name
        return None

    def _step_from(self, name: str | None) -> None:
        """Make ``name`` current if it is still to be placed, else the next one that is.

        Where a click may move landmarks, ``name`` is current whether it has a place or not.
        """
        if self.mode is not LabelMode.SEQUENTIAL and name is not None:
            self.set_current(name)
            return
        if name is None or self.shown is None or self.shown.status_of(name) != LandmarkStatus.UNPLACED:
            name = self._next_unplaced(name)
        self.set_current(name)
