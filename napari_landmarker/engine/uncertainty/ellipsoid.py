"""Ellipses and ellipsoids, balls of any spacing included: the level sets of a distance that is measured in spreads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from math import gamma, pi, sqrt

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.uncertainty.regions import BoolArray, IntArray, Region, hull

_SURFACE_POINTS = 642


@dataclass(frozen=True, eq=False)
class Ellipsoid(Region):
    """The places ``centre + root @ u`` with ``|u| <= radius``.

    Attributes:
        grid: the image.
        centre: index coordinates ``(D,)``.
        root: ``(D, D)``, invertible: half axes at radius 1, in pixels. Of a covariance ``C`` any matrix with
            ``root @ root.T = C``; of a ball in mm the diagonal matrix of ``1 / spacing``.
        radius: 0 or more.
    """

    grid: Grid
    centre: FloatArray
    root: FloatArray
    radius: float = 1.0

    @cached_property
    def _inverse(self) -> FloatArray:
        return np.asarray(np.linalg.inv(self.root), dtype=np.float64)

    @cached_property
    def _spread(self) -> FloatArray:
        """The covariance ``(D, D)`` whose ellipsoid of radius 1 this is one of."""
        return np.asarray(self.root @ self.root.T)

    def distance(self, points: npt.ArrayLike) -> FloatArray:
        """How large the radius must be to reach index coordinates ``(..., D)``: ``(...)``, NaN for NaN.

        Each place is computed alone and in one order, so that it has the same value in whatever array it comes.
        """
        offset = np.asarray(points, dtype=np.float64) - self.centre
        axes = range(self.grid.ndim)
        white = [sum(self._inverse[i, j] * offset[..., j] for j in axes) for i in axes]
        return np.asarray(np.sqrt(sum(np.square(w) for w in white)))

    def contains(self, points: npt.ArrayLike) -> BoolArray:
        """See `Region.contains`."""
        return np.asarray(self.distance(points) <= self.radius)

    @property
    def size_px(self) -> float:
        """See `Region.size_px`."""
        ndim = self.grid.ndim
        ball = pi ** (ndim / 2) / gamma(ndim / 2 + 1)
        return float(ball * abs(np.linalg.det(self.root)) * self.radius**ndim)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """See `Region.bounds`."""
        reach = self.radius * np.sqrt(np.diagonal(self._spread))
        return self.centre - reach, self.centre + reach

    def _contour(self, count: int) -> list[FloatArray]:
        return [self.centre + self.radius * _circle(count) @ self.root.T]

    def _surface(self) -> tuple[FloatArray, IntArray]:
        vertices, faces = _sphere(_SURFACE_POINTS)
        turned = faces if np.linalg.det(self.root) > 0 else faces[:, ::-1]
        return self.centre + self.radius * vertices @ self.root.T, turned.copy()

    def _section(self, axis: int, at: float) -> list[FloatArray]:
        """The ellipse of the places given one coordinate: mean and covariance as in conditioning a Gaussian."""
        rest = [a for a in range(3) if a != axis]
        own, step = self._spread[axis, axis], at - self.centre[axis]
        left = self.radius**2 - step**2 / own
        if left <= 0:
            return []
        slope = self._spread[rest, axis] / own
        spread = self._spread[np.ix_(rest, rest)] - np.outer(slope, slope) * own
        variances, axes = np.linalg.eigh(spread)
        root = axes * np.sqrt(np.maximum(variances, 0.0))
        return [self.centre[rest] + slope * step + sqrt(left) * _circle(64) @ root.T]


def _circle(count: int) -> FloatArray:
    """``count`` points of the unit circle, ``(count, 2)``."""
    angle = np.linspace(0, 2 * pi, count, endpoint=False)
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


@cache
def _sphere(count: int) -> tuple[FloatArray, IntArray]:
    """The unit sphere through ``count`` even points: a golden spiral (Swinbank and Purser, QJRMS 132, 2006)."""
    step = np.arange(count) + 0.5
    height, angle = 1 - 2 * step / count, pi * (1 + sqrt(5)) * step
    across = np.sqrt(1 - height**2)
    return hull(np.stack([height, across * np.sin(angle), across * np.cos(angle)], axis=1))
