"""Regressors of regions, under the names of the paper: arrays in, arrays out.

Each is one composition of a score and a calibrator (see `uncertainty.calibration`), for one landmark at a time:

================================== =========== ============ =======================================
name                               score       calibrator   source
================================== =========== ============ =======================================
ConformalRegressorMahalanobis      mahalanobis conformal    Johnstone and Cox, COPA 2021
ConformalRegressorBonferroni       per axis    conformal    Messoudi et al., COPA 2020
ConformalRegressorMaxNonconformity per axis    conformal    Messoudi et al., COPA 2020
MultivariateNormalRegressor        mahalanobis parametric   chi-square with ``D`` degrees of freedom
MR2CCP, MR2C2R                     density     conformal    Jonkers et al., arXiv 2503.14106
MR2C2R(aps=True)                   rank        conformal    Romano et al., NeurIPS 2020
ContourHuggingRegressor            rank        parametric   McCouat and Voiculescu, CVPR 2022
================================== =========== ============ =======================================

Here are those of points and their spread; those of heatmaps are in `uncertainty.heat_regressors`. Shapes: ``N`` images,
``C`` landmarks, ``D`` dimensions. Points and sigmas are in px, covariances in px², NaN where there is none;
narrow ones are widened as `uncertainty.scores` says. Where too few images were calibrated on, regions have no end: as
the images are not at hand, their size is infinite.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import AffineMap, FloatArray, Grid
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.uncertainty.calibration import Calibration
from napari_landmarker.engine.uncertainty.configs import CalibrationConfig
from napari_landmarker.engine.uncertainty.ellipsoid import Ellipsoid
from napari_landmarker.engine.uncertainty.regions import BoolArray, IntArray, Region
from napari_landmarker.engine.uncertainty.scores import MahalanobisScore, PerAxisScore

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction

Regions = list[list[Region]]
Surfaces = list[list[tuple[FloatArray, IntArray]]]


class Regressor:
    """What all regressors share.

    Args:
        config: the composition.
        spatial_dims: ``D``.
        nb_landmarks: ``C``.

    Attributes:
        config: the composition.
        names: of the landmarks: their rows.
        calibration: what regions stand on; None until `fit` of a conformal one.
    """

    def __init__(self, config: CalibrationConfig, spatial_dims: int, nb_landmarks: int) -> None:
        self.spatial_dims, self.nb_landmarks = spatial_dims, nb_landmarks
        self.names = tuple(str(row) for row in range(nb_landmarks))
        self.config = config
        parametric = config.calibrator == "parametric"
        self.calibration = Calibration.from_scores(config, self.names, spatial_dims) if parametric else None

    def _fit(self, predictions: Iterable[Prediction], target: npt.ArrayLike) -> None:
        """Learn from true places ``(N, C, D)``; the parametric ones have nothing to learn."""
        if self.config.calibrator == "conformal":
            frame = Grid.without_image(self.spatial_dims)
            truths = (self._landmarks(places, frame, LandmarkStatus.CONFIRMED) for places in self._points(target))
            self.calibration = Calibration.fit(self.config, predictions, truths)

    def _regions(self, predictions: Iterable[Prediction], confidence: float) -> Regions:
        """The regions of each image, one for each landmark."""
        if self.calibration is None:
            raise CalibrationError(f"{type(self).__name__} learns from images with known places: call fit first.")
        return [list(self.calibration.regions(one, confidence).values()) for one in predictions]

    def _evaluated(
        self, regions: Regions, pred: npt.ArrayLike, target: npt.ArrayLike, spacing: npt.ArrayLike | None, summary: bool
    ) -> dict[str, float] | tuple[BoolArray, FloatArray, FloatArray]:
        """What `evaluate` says; missing true places are left out of the summary."""
        places = self._points(target)
        step = np.ones(self.spatial_dims) if spacing is None else array(spacing)[..., None, :]
        error = np.linalg.norm((self._points(pred) - places) * step, axis=-1)
        inside, area = inside_of(regions, places), sizes_of(regions)
        if not summary:
            return inside, area, error
        known: BoolArray = np.asarray(np.isfinite(places).all(axis=-1))
        if not known.any():
            raise CalibrationError("There is no true place to evaluate regions on.")
        sizes, pairs = area[known], known & np.isfinite(error) & np.isfinite(area)
        varied = pairs.any() and np.ptp(area[pairs]) > 0 and np.ptp(error[pairs]) > 0
        return {
            "coverage": float(inside[known].mean()),
            "efficiency_mean": float(sizes.mean()),
            "efficiency_median": float(np.median(sizes)),
            "efficiency_q1": float(np.quantile(sizes, 0.25, method="lower")),
            "efficiency_q3": float(np.quantile(sizes, 0.75, method="higher")),
            "adaptivity": float(stats.spearmanr(error[pairs], area[pairs]).statistic) if varied else float("nan"),
        }

    def _points(self, points: npt.ArrayLike) -> FloatArray:
        """Points ``(N, C, D)``; CalibrationError for another shape."""
        out = array(points)
        if out.ndim != 3 or out.shape[1:] != (self.nb_landmarks, self.spatial_dims):
            expected = f"(N, {self.nb_landmarks}, {self.spatial_dims})"
            raise CalibrationError(f"Points must have the shape {expected}, not {out.shape}.")
        return out

    def _landmarks(
        self, points: FloatArray, grid: Grid, status: LandmarkStatus, covariance: FloatArray | None = None
    ) -> LandmarkSet:
        """Points ``(C, D)`` of one image; a landmark with a NaN in it has none."""
        placed: BoolArray = np.asarray(np.isfinite(points).all(axis=1))
        statuses = np.where(placed, status.value, LandmarkStatus.UNPLACED.value)
        places = np.where(placed[:, None], points, np.nan)
        return LandmarkSet(self.names, places, statuses, grid, covariance=covariance)


class _SpreadRegressor(Regressor):
    """Regressors of points with a covariance each."""

    def _spread_regions(
        self, pred: npt.ArrayLike, covariance: npt.ArrayLike, confidence: float, spacing: npt.ArrayLike | None = None
    ) -> Regions:
        return self._regions(self._predictions(pred, covariance, spacing), confidence)

    def _predictions(
        self, pred: npt.ArrayLike, covariance: npt.ArrayLike, spacing: npt.ArrayLike | None = None
    ) -> list[Prediction]:
        """Points ``(N, C, D)`` with covariances ``(N, C, D, D)`` in images of a spacing ``(N, D)``, or of none."""
        from napari_landmarker.engine.predict.prediction import Prediction

        points, spread, ndim = self._points(pred), array(covariance), self.spatial_dims
        if spread.shape != (*points.shape, ndim):
            raise CalibrationError(f"Covariances must have the shape {(*points.shape, ndim)}, not {spread.shape}.")
        steps = [None] * len(points) if spacing is None else np.broadcast_to(array(spacing), points[:, 0].shape)
        frame = (1,) * ndim
        return [
            Prediction(
                self._landmarks(own, Grid(frame, None if step is None else tuple(step)), LandmarkStatus.PREDICTED, cov),
                np.zeros((self.nb_landmarks, *frame), dtype=np.float32),
                AffineMap.identity(frame),
            )
            for own, cov, step in zip(points, spread, steps, strict=True)
        ]


class ConformalRegressorMahalanobis(_SpreadRegressor):
    """Ellipsoids of the predicted covariance, as large as calibration images say."""

    def __init__(self, spatial_dims: int = 2, nb_landmarks: int = 1) -> None:
        super().__init__(CalibrationConfig(score=MahalanobisScore()), spatial_dims, nb_landmarks)

    def fit(self, pred: npt.ArrayLike, pred_cov: npt.ArrayLike, target: npt.ArrayLike) -> None:
        """Calibrate on points ``(N, C, D)``, their covariances ``(N, C, D, D)``, and the true places ``(N, C, D)``."""
        self._fit(self._predictions(pred, pred_cov), target)

    def regions(
        self,
        pred: npt.ArrayLike,
        pred_cov: npt.ArrayLike,
        confidence: float = 0.95,
        spacing: npt.ArrayLike | None = None,
    ) -> Regions:
        """The regions of each image, one for each landmark; sizes are in mm where the spacing ``(N, D)`` is given."""
        return self._spread_regions(pred, pred_cov, confidence, spacing)

    def predict(
        self, pred: npt.ArrayLike, pred_cov: npt.ArrayLike, confidence: float = 0.95
    ) -> tuple[FloatArray, FloatArray]:
        """Centres ``(N, C, D)`` and matrices ``(N, C, D, D)`` in px²: ``y`` is inside where ``d' A^-1 d <= 1``."""
        return self._points(pred), np.array(
            [[_matrix(region) for region in own] for own in self.regions(pred, pred_cov, confidence)]
        )

    def predict_contour(
        self, pred: npt.ArrayLike, pred_cov: npt.ArrayLike, confidence: float = 0.95, sample_points: int = 200
    ) -> FloatArray | Surfaces:
        """Outlines ``(N, sample_points, C, 2)``; in three dimensions the surface of each region, vertices and faces."""
        return outlines(self.regions(pred, pred_cov, confidence), sample_points)

    def in_region(
        self, pred: npt.ArrayLike, pred_cov: npt.ArrayLike, target: npt.ArrayLike, confidence: float = 0.95
    ) -> BoolArray:
        """Whether true places ``(N, C, D)`` lie inside, ``(N, C)``; False of one that is missing."""
        return inside_of(self.regions(pred, pred_cov, confidence), self._points(target))

    def area_prediction_region(
        self, pred_cov: npt.ArrayLike, spacing: npt.ArrayLike | None = None, confidence: float = 0.95
    ) -> FloatArray:
        """Areas or volumes ``(N, C)`` in mm, or in px without a spacing ``(N, D)``."""
        return sizes_of(self.regions(np.zeros(array(pred_cov).shape[:-1]), pred_cov, confidence, spacing))

    def evaluate(
        self,
        pred: npt.ArrayLike,
        pred_cov: npt.ArrayLike,
        target: npt.ArrayLike,
        spacing: npt.ArrayLike | None = None,
        confidence: float = 0.95,
        return_summary: bool = True,
    ) -> dict[str, float] | tuple[BoolArray, FloatArray, FloatArray]:
        """Coverage, sizes (mean, median, quartiles) and adaptivity (rank correlation of size and error), all together.

        Without ``return_summary`` what lies inside, the sizes and the errors, ``(N, C)`` each.
        """
        return self._evaluated(self.regions(pred, pred_cov, confidence, spacing), pred, target, spacing, return_summary)


class MultivariateNormalRegressor(ConformalRegressorMahalanobis):
    """Ellipsoids of the predicted covariance, as large as if points were Gaussian: `fit` changes nothing."""

    def __init__(self, spatial_dims: int = 2, nb_landmarks: int = 1) -> None:
        config = CalibrationConfig(score=MahalanobisScore(), calibrator="parametric")
        Regressor.__init__(self, config, spatial_dims, nb_landmarks)


class ConformalRegressorMaxNonconformity(_SpreadRegressor):
    """Boxes with one threshold for the largest deviation of all axes, each in units of its sigma (1 px where None)."""

    def __init__(self, spatial_dims: int = 2, nb_landmarks: int = 1) -> None:
        super().__init__(CalibrationConfig(score=PerAxisScore(combine="max")), spatial_dims, nb_landmarks)

    def fit(self, pred: npt.ArrayLike, target: npt.ArrayLike, sigmas: npt.ArrayLike | None = None) -> None:
        """Calibrate on points, true places and, where there are, sigmas of each axis: ``(N, C, D)`` each."""
        self._fit(self._predictions(pred, _squares(pred, sigmas)), target)

    def regions(
        self,
        pred: npt.ArrayLike,
        sigmas: npt.ArrayLike | None = None,
        confidence: float = 0.95,
        spacing: npt.ArrayLike | None = None,
    ) -> Regions:
        """The regions of each image, one for each landmark; sizes are in mm where the spacing ``(N, D)`` is given."""
        return self._spread_regions(pred, _squares(pred, sigmas), confidence, spacing)

    def predict(self, pred: npt.ArrayLike, sigma: npt.ArrayLike | None = None, confidence: float = 0.95) -> FloatArray:
        """The lower and the upper end of each box along each axis, ``(N, C, D, 2)``."""
        regions = self.regions(pred, sigma, confidence)
        return np.array([[np.stack(region.bounds(), axis=-1) for region in own] for own in regions])

    def predict_contour(
        self,
        pred: npt.ArrayLike,
        sigmas: npt.ArrayLike | None = None,
        confidence: float = 0.95,
        sample_points: int = 200,
    ) -> FloatArray | Surfaces:
        """Corners ``(N, 4, C, 2)``; in three dimensions the surface of each region, vertices and faces."""
        return outlines(self.regions(pred, sigmas, confidence), sample_points)

    def in_region(
        self, pred: npt.ArrayLike, sigmas: npt.ArrayLike | None, target: npt.ArrayLike, confidence: float = 0.95
    ) -> BoolArray:
        """Whether true places ``(N, C, D)`` lie inside, ``(N, C)``; False of one that is missing."""
        return inside_of(self.regions(pred, sigmas, confidence), self._points(target))

    def area_prediction_region(
        self, sigmas: npt.ArrayLike, spacing: npt.ArrayLike | None = None, confidence: float = 0.95
    ) -> FloatArray:
        """Areas or volumes ``(N, C)`` in mm, or in px without a spacing ``(N, D)``."""
        return sizes_of(self.regions(np.zeros(array(sigmas).shape), sigmas, confidence, spacing))

    def evaluate(
        self,
        pred: npt.ArrayLike,
        sigmas: npt.ArrayLike | None,
        target: npt.ArrayLike,
        spacing: npt.ArrayLike | None = None,
        confidence: float = 0.95,
        return_summary: bool = True,
    ) -> dict[str, float] | tuple[BoolArray, FloatArray, FloatArray]:
        """See `ConformalRegressorMahalanobis.evaluate`."""
        return self._evaluated(self.regions(pred, sigmas, confidence, spacing), pred, target, spacing, return_summary)


class ConformalRegressorBonferroni(ConformalRegressorMaxNonconformity):
    """Boxes with a threshold of its own for each axis, each of which keeps a share of the allowed misses."""

    def __init__(self, spatial_dims: int = 2, nb_landmarks: int = 1) -> None:
        config = CalibrationConfig(score=PerAxisScore(combine="bonferroni"))
        Regressor.__init__(self, config, spatial_dims, nb_landmarks)


def array(values: Any) -> FloatArray:
    """Any array or tensor, also one with gradients or on another device, in float64."""
    on_host = values.detach().cpu() if hasattr(values, "detach") else values
    return np.asarray(on_host, dtype=np.float64)


def inside_of(regions: Regions, places: FloatArray) -> BoolArray:
    """Whether places ``(N, C, D)`` lie in their regions: ``(N, C)``, False for NaN."""
    rows = zip(regions, places, strict=True)
    return np.array([[r.contains(p) for r, p in zip(own, at, strict=True)] for own, at in rows], dtype=np.bool_)


def sizes_of(regions: Regions) -> FloatArray:
    """The sizes of regions: ``(N, C)``."""
    return np.array([[region.size for region in own] for own in regions])


def outlines(regions: Regions, count: int) -> FloatArray | Surfaces:
    """Outlines ``(N, P, C, 2)`` of regions with one each, NaN where there is no end; in three dimensions surfaces."""
    if any(region.grid.ndim == 3 for own in regions for region in own):
        return [[region.surface() for region in own] for own in regions]
    polygons = [[region.contour(count) for region in own] for own in regions]
    points = max((len(p[0]) for own in polygons for p in own if p), default=count)
    blank = np.full((points, 2), np.nan)
    return np.stack([np.stack([p[0] if p else blank for p in own], axis=1) for own in polygons])


def _matrix(region: Region) -> FloatArray:
    """The matrix ``(D, D)`` in px² of an ellipsoid; infinite of a region without an end."""
    if isinstance(region, Ellipsoid):
        return np.asarray(region.root @ region.root.T * region.radius**2)
    return np.full((region.grid.ndim,) * 2, np.inf)


def _squares(pred: npt.ArrayLike, sigmas: npt.ArrayLike | None) -> FloatArray:
    """Covariances ``(N, C, D, D)`` in px² of sigmas along the axes ``(N, C, D)``; of 1 px where None."""
    points = array(pred)
    spread = np.ones_like(points) if sigmas is None else np.broadcast_to(array(sigmas), points.shape)
    return np.square(spread)[..., None] * np.eye(points.shape[-1])
