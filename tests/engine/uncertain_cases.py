"""Predictions of points, made by hand, for the tests of regions."""

import numpy as np

from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.predict.prediction import Prediction

ANISOTROPIC = {2: (0.5, 0.2), 3: (3.0, 0.5, 0.8)}


def grid_of(ndim: int, spacing: tuple[float, ...] | None = None, size: int = 60) -> Grid:
    return Grid(tuple(size + 10 * axis for axis in range(ndim)), spacing)


def covariance_of(ndim: int, seed: int = 0, least: float = 1.0) -> np.ndarray:
    """A turned covariance with variances from ``least`` up, px²."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    return turn @ np.diag(least * (1 + 6 * rng.random(ndim))) @ turn.T


def predicted(
    points: np.ndarray, grid: Grid, covariance: np.ndarray | None = None, names: tuple[str, ...] | None = None
) -> Prediction:
    """A prediction of points ``(L, D)``; NaN where a landmark was not found. Its maps are bells of one pixel."""
    points = np.asarray(points, dtype=np.float64)
    found = np.isfinite(points).all(axis=1)
    status = np.where(found, LandmarkStatus.PREDICTED.value, LandmarkStatus.UNPLACED.value)
    landmarks = LandmarkSet(names or names_of(len(points)), points, status, grid, covariance=covariance)
    heat_shape = (1,) * grid.ndim
    return Prediction(
        landmarks, np.ones((len(points), *heat_shape), np.float32), AffineMap.resize(grid.shape, heat_shape)
    )


def truth_of(points: np.ndarray, grid: Grid, names: tuple[str, ...] | None = None) -> LandmarkSet:
    """What a person placed: points ``(L, D)``, NaN where not annotated."""
    names = names or names_of(len(points))
    return LandmarkSet.from_points(dict(zip(names, np.asarray(points, float), strict=True)), grid, names=names)


def names_of(count: int) -> tuple[str, ...]:
    return tuple("abcdefghij"[:count])
