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

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import AffineMap, FloatArray, Grid
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.uncertainty.configs import CalibrationConfig
from napari_landmarker.engine.uncertainty.ellipsoid import Ellipsoid
from napari_landmarker.engine.uncertainty.regions import BoolArray, Region
from napari_landmarker.engine.uncertainty.regressor import (
    Regions,
    Regressor,
    Surfaces,
    array,
    fitted,
    inside_of,
    outlines,
    sizes_of,
)
from napari_landmarker.engine.uncertainty.scores import MahalanobisScore, PerAxisScore

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction


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
        steps = [None] * len(points) if spacing is None else fitted(spacing, points[:, 0].shape, "The spacing")
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
        self,
        sigmas: npt.ArrayLike | None = None,
        spacing: npt.ArrayLike | None = None,
        confidence: float = 0.95,
    ) -> FloatArray:
        """Areas or volumes ``(N, C)`` in mm, or in px without a spacing ``(N, D)``; without sigmas all images' alike.

        ``N`` is then that of the spacing, or 1.
        """
        count = 1 if spacing is None else len(np.atleast_2d(array(spacing)))
        shape = (count, self.nb_landmarks, self.spatial_dims) if sigmas is None else array(sigmas).shape
        return sizes_of(self.regions(np.zeros(shape), sigmas, confidence, spacing))

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


def _matrix(region: Region) -> FloatArray:
    """The matrix ``(D, D)`` in px² of an ellipsoid; infinite of a region without an end."""
    if isinstance(region, Ellipsoid):
        return np.asarray(region.root @ region.root.T * region.radius**2)
    return np.full((region.grid.ndim,) * 2, np.inf)


def _squares(pred: npt.ArrayLike, sigmas: npt.ArrayLike | None) -> FloatArray:
    """Covariances ``(N, C, D, D)`` in px² of sigmas along the axes ``(N, C, D)``; of 1 px where None."""
    points = array(pred)
    spread = np.ones_like(points) if sigmas is None else fitted(sigmas, points.shape, "Sigmas")
    return np.square(spread)[..., None] * np.eye(points.shape[-1])
