"""What the regressors of the paper share: from arrays to calibrations and regions (see `uncertainty.regressors`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.uncertainty.calibration import Calibration
from napari_landmarker.engine.uncertainty.configs import CalibrationConfig
from napari_landmarker.engine.uncertainty.regions import BoolArray, IntArray, Region

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
        points, places = self._points(pred), self._points(target)
        inside, area = inside_of(regions, places), sizes_of(regions)
        step = fitted(1.0 if spacing is None else spacing, points[:, 0].shape, "The spacing")
        error = np.linalg.norm((fitted(points, places.shape, "Points") - places) * step[:, None], axis=-1)
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


def array(values: Any) -> FloatArray:
    """Any array or tensor in float64."""
    return np.asarray(on_host(values), dtype=np.float64)


def on_host(values: Any) -> Any:
    """A tensor, also one with gradients or on another device, as numpy can read it; what is none as it is."""
    if not hasattr(values, "detach"):
        return values
    tensor = values.detach().cpu()
    return tensor if tensor.element_size() > 2 else tensor.float()  # numpy has no bfloat16


def fitted(values: npt.ArrayLike, shape: tuple[int, ...], what: str) -> FloatArray:
    """Numbers, spread over a shape; CalibrationError if they do not fit it."""
    out = array(values)
    try:
        return np.broadcast_to(out, shape)
    except ValueError:
        raise CalibrationError(f"{what} must have the shape {shape}, not {out.shape}.") from None


def inside_of(regions: Regions, places: FloatArray) -> BoolArray:
    """Whether places ``(N, C, D)`` lie in their regions: ``(N, C)``, False for NaN."""
    if len(places) != len(regions):
        raise CalibrationError(f"The true places are those of {len(places)} images, not of {len(regions)}.")
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
