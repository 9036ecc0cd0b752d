"""Boxes along the axes of the image, and the whole image."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.uncertainty.regions import BoolArray, IntArray, Region, hull


@dataclass(frozen=True, eq=False)
class Box(Region):
    """The places whose offset from the centre is, on each axis, at most ``reach`` times ``scale``.

    Attributes:
        grid: the image.
        centre: index coordinates ``(D,)``.
        scale: pixels per unit of ``reach``, ``(D,)``.
        reach: half widths in units of ``scale``, ``(D,)``, 0 or more.
    """

    grid: Grid
    centre: FloatArray
    scale: FloatArray
    reach: FloatArray

    def distances(self, points: npt.ArrayLike) -> FloatArray:
        """How large the reach must be on each axis for index coordinates ``(..., D)``: ``(..., D)``, NaN for NaN."""
        return np.asarray(np.abs(np.asarray(points, dtype=np.float64) - self.centre) / self.scale)

    def contains(self, points: npt.ArrayLike) -> BoolArray:
        """See `Region.contains`."""
        return np.asarray((self.distances(points) <= self.reach).all(axis=-1))

    @property
    def size_px(self) -> float:
        """See `Region.size_px`."""
        return float(np.prod(2 * self.scale * self.reach))

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """See `Region.bounds`."""
        half = self.scale * self.reach
        return self.centre - half, self.centre + half

    def _contour(self, count: int) -> list[FloatArray]:
        return self._rectangle([0, 1])

    def _surface(self) -> tuple[FloatArray, IntArray]:
        if not np.isfinite(self.reach).all():
            return np.empty((0, 3)), np.empty((0, 3), dtype=np.int64)
        _, faces = hull(np.array(list(product((-1.0, 1.0), repeat=3))))
        return np.array(list(product(*zip(*self.bounds(), strict=True)))), faces

    def _section(self, axis: int, at: float) -> list[FloatArray]:
        lower, upper = self.bounds()
        return self._rectangle([a for a in range(3) if a != axis]) if lower[axis] < at < upper[axis] else []

    def _rectangle(self, axes: list[int]) -> list[FloatArray]:
        """The outline in two axes; none where the box has no end."""
        (y0, x0), (y1, x1) = (corner[axes] for corner in self.bounds())
        outline = np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]])
        return [outline] if np.isfinite(outline).all() else []


class WholeImage(Box):
    """The answer where nothing is known: the whole image, pixel borders included.

    Every place lies inside, also one beyond the borders, as nothing is claimed. In a frame without an image (see
    `Grid.without_image`) it has no end, and no outline.

    Attributes:
        reason: one sentence for the reader: why nothing is known.
    """

    whole = True

    def __init__(self, grid: Grid, reason: str) -> None:
        shape = np.asarray(grid.shape, dtype=np.float64)
        half = shape / 2 if grid.has_image else np.full(grid.ndim, np.inf)
        super().__init__(grid, (shape - 1) / 2, np.ones(grid.ndim), half)
        object.__setattr__(self, "reason", reason)

    def contains(self, points: npt.ArrayLike) -> BoolArray:
        """See `Region.contains`."""
        return np.asarray(np.isfinite(np.asarray(points, dtype=np.float64)).all(axis=-1))
