"""Scores of a point and its spread: distance, distance in spreads, and distance along each axis.

`MahalanobisScore` and `PerAxisScore` read the covariance of each point as it was predicted: the spread of its heatmap,
and with test-time augmentation or an ensemble of models also how far those disagree. A covariance that is flat or not
positive definite is widened: along no direction is its standard deviation less than that of a place somewhere in a
pixel, ``sqrt(1/12)`` px.

Sources: ellipsoids by Johnstone and Cox (*Conformal uncertainty sets for robust optimization*, COPA 2021) and Messoudi
et al. (*Ellipsoidal conformal inference for multi-target regression*, COPA 2022); boxes by Messoudi et al. (*Conformal
multi-target regression using neural networks*, COPA 2020); on landmarks, Jonkers et al., arXiv 2503.14106.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.uncertainty.box import Box
from napari_landmarker.engine.uncertainty.ellipsoid import Ellipsoid
from napari_landmarker.engine.uncertainty.regions import Region
from napari_landmarker.engine.uncertainty.score import Score, covariances_of, points_of

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction

#: No standard deviation is taken to be less than that of a place somewhere in a pixel: variance in px².
SMALLEST_VARIANCE = 1 / 12


class _BallScore(Score):
    """Scores whose regions are ellipsoids around the point."""

    @abstractmethod
    def unit(self, prediction: Prediction, row: int) -> Ellipsoid:
        """The region at a threshold of 1."""

    def measure(self, prediction: Prediction, row: int, points: FloatArray) -> FloatArray:
        """See `Score.measure`."""
        return self.unit(prediction, row).distance(points)[:, None]

    def level_set(self, prediction: Prediction, row: int, threshold: FloatArray) -> Region:
        """See `Score.level_set`."""
        return replace(self.unit(prediction, row), radius=float(threshold[0]))


class EuclideanScore(_BallScore):
    """Distance from the predicted point, in mm where the spacing is known, else in px: the region is a ball."""

    kind: Literal["euclidean"] = "euclidean"

    @property
    def physical(self) -> bool:
        """See `Score.physical`."""
        return True

    def unit(self, prediction: Prediction, row: int) -> Ellipsoid:
        """The ball of 1 mm, or 1 px."""
        landmarks = prediction.landmarks
        return Ellipsoid(landmarks.grid, points_of(landmarks)[row], np.diag(_pixels_per_unit(prediction)))


class MahalanobisScore(_BallScore):
    """Distance from the predicted point in standard deviations of its covariance: the region is an ellipsoid.

    If the point were Gaussian, the squared distance would be chi-square with ``D`` degrees of freedom.
    """

    kind: Literal["mahalanobis"] = "mahalanobis"

    @property
    def tempered(self) -> Literal["covariance"]:
        """See `Score.tempered`."""
        return "covariance"

    def found(self, prediction: Prediction, row: int) -> bool:
        """See `Score.found`."""
        return super().found(prediction, row) and _has_spread(prediction, row)

    def unit(self, prediction: Prediction, row: int) -> Ellipsoid:
        """The ellipsoid of one standard deviation."""
        landmarks = prediction.landmarks
        return Ellipsoid(landmarks.grid, points_of(landmarks)[row], spread_root(covariances_of(landmarks)[row]))

    def parametric(self, confidence: float, ndim: int) -> float:
        """See `Score.parametric`."""
        from scipy import stats  # slow to load

        return float(np.sqrt(stats.chi2.ppf(confidence, ndim)))


class PerAxisScore(Score):
    """Distance from the predicted point along each axis of the image: the region is a box."""

    kind: Literal["per_axis"] = "per_axis"
    scaled: bool = Field(
        True,
        title="In spreads",
        description="Divide by the standard deviation along each axis, as predicted; else mm, or px without spacing.",
    )
    combine: Literal["max", "bonferroni"] = Field(
        "max",
        title="Axes",
        description="One threshold for the largest of all axes, or one for each, at a share of the allowed misses.",
    )

    @property
    def physical(self) -> bool:
        """See `Score.physical`."""
        return not self.scaled

    @property
    def tempered(self) -> Literal["covariance"] | None:
        """See `Score.tempered`."""
        return "covariance" if self.scaled else None

    def components(self, ndim: int) -> int:
        """See `Score.components`."""
        return ndim if self.combine == "bonferroni" else 1

    def found(self, prediction: Prediction, row: int) -> bool:
        """See `Score.found`."""
        return super().found(prediction, row) and (not self.scaled or _has_spread(prediction, row))

    def measure(self, prediction: Prediction, row: int, points: FloatArray) -> FloatArray:
        """See `Score.measure`."""
        distances = self._box(prediction, row, np.ones(1)).distances(points)
        return distances if self.combine == "bonferroni" else distances.max(axis=1, keepdims=True)

    def level_set(self, prediction: Prediction, row: int, threshold: FloatArray) -> Region:
        """See `Score.level_set`."""
        return self._box(prediction, row, threshold)

    def parametric(self, confidence: float, ndim: int) -> float:
        """Of Gaussians; the largest of all axes as if these were independent, which is on the safe side.

        (Šidák, *Rectangular confidence regions for the means of multivariate normal distributions*, JASA 62, 1967.)
        """
        if not self.scaled:
            return super().parametric(confidence, ndim)
        from scipy import stats  # slow to load

        each = confidence if self.combine == "bonferroni" else confidence ** (1 / ndim)
        return float(stats.norm.ppf((1 + each) / 2))

    def _box(self, prediction: Prediction, row: int, reach: FloatArray) -> Box:
        landmarks = prediction.landmarks
        if self.scaled:
            scale = np.linalg.norm(spread_root(covariances_of(landmarks)[row]), axis=1)
        else:
            scale = _pixels_per_unit(prediction)
        return Box(landmarks.grid, points_of(landmarks)[row], scale, np.broadcast_to(reach, scale.shape))


def spread_root(covariance: FloatArray) -> FloatArray:
    """A square root ``R`` ``(D, D)`` in px of a covariance in px², ``R @ R.T``, widened where narrower than a pixel."""
    variances, axes = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(axes * np.sqrt(np.maximum(variances, SMALLEST_VARIANCE)))


def _has_spread(prediction: Prediction, row: int) -> bool:
    return bool(np.isfinite(covariances_of(prediction.landmarks)[row]).all())


def _pixels_per_unit(prediction: Prediction) -> FloatArray:
    grid = prediction.landmarks.grid
    return 1 / np.asarray(grid.spacing or (1.0,) * grid.ndim)
