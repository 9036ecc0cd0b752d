"""Models and predictions of a session, and annotations that come from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from napari_landmarker.engine.errors import ModelError
from napari_landmarker.engine.exchange import merge
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict.usable import usable_models
from napari_landmarker.state.edits import Edit
from napari_landmarker.state.placing import SessionPlacing
from napari_landmarker.state.prediction import PredictionLike


class SessionPredicting(SessionPlacing):
    """What models say, kept apart from what persons say."""

    @property
    def hidden_predictions(self) -> dict[str, frozenset[str]]:
        """By case, the landmarks whose prediction the rater took away, as they are now."""
        return {} if self._work is None else dict(self._work.hidden)

    def set_model(self, name: str | None) -> None:
        """Choose the active model, or none: its saved predictions are shown.

        Predictions that were taken away come back with another model; of the same one they stay away.

        Raises:
            LandmarkerError: if there is no such model for it or its predictions cannot be read; nothing changes then.
        """
        project, _ = self._need_project()
        if name is not None and name not in usable_models(project):
            raise ModelError(f"This project has no model '{name}': choose one of its models, or train one.")
        predictions = None
        if name is not None and self.case_id is not None:
            predictions = project.predictions(self.case_id, name)
        if name != self.model:
            for work in self._works.values():
                work.hidden.clear()
        if name != self.model or not _same_points(predictions, self.predictions):
            self.prediction = None
        self.model, self.predictions = name, predictions
        self._show_predictions()

    def take_prediction(self, case_id: str, prediction: PredictionLike, model: str | None = None) -> None:
        """Take a predictor's result: its points are saved in the project, and heatmaps kept for the open case.

        Args:
            case_id: the case.
            prediction: the result.
            model: whose result it is; the active model by default.

        Raises:
            LandmarkerError: if no model is active or the points cannot be saved.
        """
        project, _ = self._need_writable()
        model = model or self.model
        if model is None:
            raise ModelError("No model is chosen: choose one before predicting.")
        landmarks = prediction.landmarks.reordered(self.names)
        project.save_predictions(case_id, model, landmarks)
        if model != self.model:
            return
        for work in self._works.values():
            work.hidden.pop(case_id, None)
        if case_id == self.case_id:
            self.predictions, self.prediction = landmarks, prediction
            self._show_predictions()

    def refresh_models(self, active: str | None = None) -> None:
        """Tell that the project has other models, and choose one of them if it is named."""
        if active is not None:
            self.set_model(active)
        self.models_changed.emit()

    def apply_annotations(self, imported: Mapping[str, LandmarkSet]) -> int | None:
        """Take annotations in, for any cases, as one step that can be undone.

        What a person has annotated stays; the import fills in what nobody has annotated yet.

        Returns:
            How many cases changed; None where a person stopped it: nothing has changed then.

        Raises:
            LandmarkerError: if the annotations of a case cannot be read or written; nothing has changed then.
        """
        names = self.names
        changed = self._change_cases(
            tuple(imported), lambda case_id, before: merge(before, imported[case_id].reordered(names))
        )
        step = tuple(Edit(case_id, *sets) for case_id, sets in (changed or {}).items())
        if step and self._work is not None:
            self._work.history.push(step)
            self._hide(step)
            self._tell(step)
            self._step_from(self.current)
        return None if changed is None else len(step)

    # ---- inside

    def _show_predictions(self) -> None:
        self._refresh_shown()
        if self.shown is not None:
            self.landmarks_changed.emit(self.names)
            self._step_from(self.current)
        self.predictions_changed.emit()
        self.heatmaps_changed.emit()


def _same_points(one: LandmarkSet | None, other: LandmarkSet | None) -> bool:
    """Whether two predictions have their points at the same places, as one that was written and read has."""
    if one is None or other is None:
        return one is other
    return one.names == other.names and np.allclose(one.points, other.points, rtol=0, atol=1e-3, equal_nan=True)
