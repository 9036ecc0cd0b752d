"""What a score is: how badly a place fits what a model said of one landmark in one image.

Every score keeps two promises, on which all else stands:

- it is 0 or more, grows the worse a place fits, and is 0 at the model's own answer (its point, or the cell of its
  heatmap's maximum): its region at any threshold ``q >= 0`` is therefore never empty;
- it is finite, and its region at ``q`` contains a place exactly where its score is at most ``q``, to the last bit.

A score may have several components ``K``, each with a threshold of its own; a place lies in the region where all of
them keep theirs. Of a landmark that the model did not find, every place has an infinite score, and the region is the
whole image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.uncertainty.regions import Region

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction


class Score(BaseModel, ABC):
    """A choice of score; subclasses add ``kind`` and what they can be told.

    A subclass says `measure` and `level_set`, for landmarks of which `found` is true; all else follows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @property
    def physical(self) -> bool:
        """Whether scores are lengths, in the unit of the image; else they are plain numbers."""
        return False

    @property
    def tempered(self) -> Literal["heat", "covariance"] | None:
        """What of a prediction a temperature changes for this score; None where the score reads neither."""
        return None

    def components(self, ndim: int) -> int:
        """How many components ``K`` a score has in an image of ``ndim`` dimensions."""
        return 1

    def found(self, prediction: Prediction, row: int) -> bool:
        """Whether the model says anything of the landmark in row ``row`` that this score can use."""
        return bool(np.isfinite(points_of(prediction.landmarks)[row]).all())

    @abstractmethod
    def measure(self, prediction: Prediction, row: int, points: FloatArray) -> FloatArray:
        """Scores ``(N, K)`` of finite places ``(N, D)`` for a landmark that was found."""

    @abstractmethod
    def level_set(self, prediction: Prediction, row: int, threshold: FloatArray) -> Region:
        """The region at finite thresholds ``(K,)``, each 0 or more, of a landmark that was found."""

    def parametric(self, confidence: float, ndim: int) -> float:
        """The threshold of each component if the model's own probabilities were right, in ``ndim`` dimensions.

        Raises:
            CalibrationError: if the score has no probabilities of its own.
        """
        raise CalibrationError(
            f"The score '{getattr(self, 'kind', '')}' states no probabilities of its own: choose 'conformal', "
            "which learns them from images."
        )

    def at(self, prediction: Prediction, targets: npt.ArrayLike) -> FloatArray:
        """Scores of one place for each landmark.

        Args:
            prediction: what the model says of an image, of ``L`` landmarks.
            targets: index coordinates ``(L, D)``, NaN where a landmark has no place.

        Returns:
            ``(L, K)``: NaN where the target is missing, infinite where the prediction is.

        Raises:
            CalibrationError: if a landmark has several instances, or the targets do not fit the landmarks.
        """
        places = np.asarray(targets, dtype=np.float64)
        if places.shape != points_of(prediction.landmarks).shape:
            raise CalibrationError(f"Places of shape {places.shape} do not fit {len(prediction.names)} landmarks.")
        scores = np.full((len(places), self.components(places.shape[1])), np.nan)
        for row in np.flatnonzero(np.isfinite(places).all(axis=1)).tolist():
            scores[row] = self.measure(prediction, row, places[[row]])[0] if self.found(prediction, row) else np.inf
        return scores

    def region(self, prediction: Prediction, row: int, threshold: npt.ArrayLike) -> Region:
        """The region of the landmark in row ``row`` at thresholds ``(K,)``; the whole image where one is infinite."""
        from napari_landmarker.engine.uncertainty.box import WholeImage

        grid, name = prediction.landmarks.grid, prediction.names[row]
        reach = np.atleast_1d(np.asarray(threshold, dtype=np.float64))
        if reach.shape != (self.components(grid.ndim),) or np.isnan(reach).any() or (reach < 0).any():
            raise CalibrationError(f"A region of '{name}' needs {self.components(grid.ndim)} thresholds of 0 or more.")
        if not self.found(prediction, row):
            return WholeImage(grid, f"The model found no '{name}' in this image, so it may be anywhere.")
        if not np.isfinite(reach).all():
            return WholeImage(grid, f"Nothing is known of how far '{name}' may be from its prediction.")
        return self.level_set(prediction, row, reach)


def places_of(landmarks: LandmarkSet, names: Sequence[str]) -> FloatArray:
    """The points ``(L, D)`` of some landmarks; NaN of one that has no point, or is not in the set.

    Raises:
        CalibrationError: if there are several instances.
    """
    points = points_of(landmarks)
    unknown = np.full(points.shape[1], np.nan)
    return np.array([points[landmarks.row(n)] if n in landmarks.names else unknown for n in names]).reshape(
        len(names), points.shape[1]
    )


def points_of(landmarks: LandmarkSet) -> FloatArray:
    """The points ``(L, D)`` of a set with one instance of each landmark.

    Raises:
        CalibrationError: if there are several instances.
    """
    points = landmarks.points
    if points.ndim == 3 and points.shape[1] > 1:
        raise CalibrationError("Regions are drawn for one point of each landmark; this model finds several of each.")
    return points.reshape(len(points), points.shape[-1])


def covariances_of(landmarks: LandmarkSet) -> FloatArray:
    """The covariances ``(L, D, D)`` in px² of a set with one instance of each landmark.

    Raises:
        CalibrationError: if there are several instances, or no covariances.
    """
    count, ndim = points_of(landmarks).shape
    if landmarks.covariance is None:
        raise CalibrationError("These points come without covariances: choose the score 'euclidean', which needs none.")
    return landmarks.covariance.reshape(count, ndim, ndim)
