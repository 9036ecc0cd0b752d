"""What an open window knows: project, case, annotations, predictions, and every edit a person can make of them.

Rules of the session:

- Every edit is saved at once. If that fails, `failed` is emitted, the edit stays in memory (`unsaved`) and is tried
  again with the next edit and when the project is closed.
- Predictions never become annotations by themselves. `shown` is what a person sees: annotations, and predictions where
  nothing is annotated. Accepting, moving or placing makes an annotation.
- Removing a landmark leaves nothing to see of it: the annotation goes, and a prediction of it is hidden. `reset` shows
  the prediction again, and so does a new prediction, another model, or opening the project again; no prediction is
  deleted.
- Undo and redo go across cases; they open the case whose edit they change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ModelError
from napari_landmarker.engine.exchange import merge
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.predict.usable import usable_models
from napari_landmarker.state.core import SessionCore
from napari_landmarker.state.edits import Edit
from napari_landmarker.state.prediction import PredictionLike


class Session(SessionCore):
    """The state of one window. All methods run on the window's thread; none needs a window.

    Methods that open something raise `LandmarkerError` and then leave everything as it was; a save that fails is told
    by the signal `failed` instead.
    """

    # ---- edits of the open case

    def place(self, point: npt.ArrayLike) -> bool:
        """Put the current landmark at index coordinates ``(D,)``, confirmed, and step to the next unplaced one.

        Returns:
            Whether it was placed: not so where no landmark is current or the point lies outside the image.
        """
        landmarks = self.annotations
        if landmarks is None or self.current is None or not landmarks.grid.contains(point):
            return False
        name = self.current
        self._edit(landmarks.with_point(name, point, LandmarkStatus.CONFIRMED), [name])
        self.set_current(self._next_unplaced(name))
        return True

    def move(self, name: str, point: npt.ArrayLike) -> None:
        """Move a landmark that is shown; a point beyond the image's border goes to the border.

        A confirmed landmark stays confirmed, and a predicted one becomes an edited annotation.
        """
        if self.annotations is None or self.shown is None or not self.shown.status_of(name).has_point:
            return
        moved = np.clip(np.asarray(point, dtype=np.float64), -0.5, np.asarray(self.shown.grid.shape) - 0.5)
        if not np.isfinite(moved).all():
            return
        was = self.shown.status_of(name)
        status = LandmarkStatus.EDITED if was == LandmarkStatus.PREDICTED else was
        self._edit(self.annotations.with_point(name, moved, status), [name])

    def remove(self, name: str) -> None:
        """Leave a landmark unplaced and hide its prediction; it is the current one then."""
        if self.annotations is not None:
            self._edit(self.annotations.without_point(name), [name], hides=self._predicted(name))
            self.set_current(name)

    def mark_absent(self, name: str) -> None:
        """Say that a landmark is not visible in this image: that is an annotation too."""
        if self.annotations is not None:
            self._edit(self.annotations.without_point(name, LandmarkStatus.ABSENT), [name])
            self._step_from(name)

    def accept(self, name: str) -> None:
        """Agree with the prediction of a landmark that is shown: it becomes a confirmed annotation.

        The next landmark that waits for an answer is the current one then.
        """
        self._accept([name])
        self.set_current(self._next_with(LandmarkStatus.PREDICTED, name) or self.current)

    def accept_all(self) -> None:
        """Agree with all predictions that are shown in this case, in one edit."""
        self._accept(self.names)

    def reset(self, name: str) -> None:
        """Drop the annotation of a landmark and show its prediction again, if there is one."""
        if self.annotations is not None:
            reveals = {name} & self._hidden.get(str(self.case_id), frozenset())
            self._edit(self.annotations.without_point(name), [name], reveals=reveals)

    def can_reset(self, name: str) -> bool:
        """Whether there is a prediction of a landmark that an annotation covers or that was hidden."""
        if self.predictions is None or self.shown is None or not self.predictions.status_of(name).has_point:
            return False
        return self.shown.status_of(name) != LandmarkStatus.PREDICTED

    def apply_annotations(self, imported: Mapping[str, LandmarkSet]) -> int:
        """Take annotations in, for any cases, as one step that can be undone.

        What a person has annotated stays; the import fills in what nobody has annotated yet.

        Returns:
            How many cases changed.

        Raises:
            LandmarkerError: if the annotations of a case cannot be read; nothing has changed then.
        """
        self._need_project()
        edits = []
        for case_id, landmarks in imported.items():
            before = self._annotations_of(case_id)
            edit = Edit.between(case_id, before, merge(before, landmarks.reordered(self.names)), self.names)
            if edit.changes_something:
                edits.append(edit)
        self._do(tuple(edits))
        self._step_from(self.current)
        return len(edits)

    # ---- models and predictions

    def set_model(self, name: str | None) -> None:
        """Choose the active model, or none: its saved predictions are shown, hidden ones of it included.

        Raises:
            LandmarkerError: if there is no such model for it or its predictions cannot be read; nothing changes then.
        """
        project, _ = self._need_project()
        if name is not None and name not in usable_models(project):
            raise ModelError(f"This project has no model '{name}': choose one of its models, or train one.")
        predictions = None
        if name is not None and self.case_id is not None:
            predictions = project.predictions(self.case_id, name)
        self.model, self.predictions, self.prediction = name, predictions, None
        self._hidden.clear()
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
        project, _ = self._need_project()
        model = model or self.model
        if model is None:
            raise ModelError("No model is chosen: choose one before predicting.")
        landmarks = prediction.landmarks.reordered(self.names)
        project.save_predictions(case_id, model, landmarks)
        if model != self.model:
            return
        self._hidden.pop(case_id, None)
        if case_id == self.case_id:
            self.predictions, self.prediction = landmarks, prediction
            self._show_predictions()

    def refresh_models(self, active: str | None = None) -> None:
        """Tell that the project has other models, and choose one of them if it is named."""
        if active is not None:
            self.set_model(active)
        self.models_changed.emit()

    # ---- inside

    def _show_predictions(self) -> None:
        self._refresh_shown()
        if self.shown is not None:
            self.landmarks_changed.emit(self.names)
            self._step_from(self.current)
        self.predictions_changed.emit()
        self.heatmaps_changed.emit()

    def _predicted(self, name: str) -> frozenset[str]:
        """``{name}`` if there is a prediction of it that is not hidden yet, else nothing."""
        if self.predictions is None or not self.predictions.status_of(name).has_point:
            return frozenset()
        return frozenset({name}) - self._hidden.get(str(self.case_id), frozenset())

    def _accept(self, names: Iterable[str]) -> None:
        shown, after = self.shown, self.annotations
        if shown is None or after is None:
            return
        accepted = [n for n in names if shown.status_of(n) == LandmarkStatus.PREDICTED]
        for name in accepted:
            after = after.with_point(name, shown.point(name), LandmarkStatus.CONFIRMED)
        self._edit(after, accepted)
        self._step_from(self.current)
