"""Sets of cells of a heatmap, as they lie on its image: the regions of scores that are read off heat.

The cells tile the image: each pixel of the heatmap is one, those that lie wholly beyond the image are left out, those
across its border are cut there, and where the heatmap ends short of the border its outermost cells reach on to it. Only
the cells of the region are kept, cropped; nothing of the image's size is made unless a `CellSet.mask` is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import CalibrationError, GeometryError
from napari_landmarker.engine.geometry import AffineMap, FloatArray, Grid
from napari_landmarker.engine.uncertainty.outline import block_skin, outline
from napari_landmarker.engine.uncertainty.regions import BoolArray, IntArray, Region

_Value = TypeVar("_Value", bound=np.generic)

#: Cells that reach into the image, or beyond it, by less than so many pixels do not.
_SLIVER_PX = 1e-6


@dataclass(frozen=True, eq=False)
class CellGrid:
    """How the cells of a heatmap lie on its image.

    Attributes:
        grid: the image.
        edges: for each axis of the image the borders of its cells in index coordinates, ascending, ``(n + 1,)`` for
            ``n`` cells; the first and the last are those of the image.
        axes: for each axis of the image that of the heatmap which runs along it.
        window: for each axis of the image the cells on it, in the order of the image.
    """

    grid: Grid
    edges: tuple[FloatArray, ...]
    axes: tuple[int, ...]
    window: tuple[slice, ...]

    @classmethod
    def of(cls, grid: Grid, to_heatmap: AffineMap) -> CellGrid:
        """The cells of a heatmap.

        Args:
            grid: the image.
            to_heatmap: map from image to heatmap index coordinates: any scales, shifts, flips and order of axes.

        Raises:
            CalibrationError: if the heatmap is turned or sheared against the image.
        """
        linear, shift = to_heatmap.matrix[:-1, :-1], to_heatmap.matrix[:-1, -1]
        along = np.abs(linear) > 1e-6 * np.abs(linear).max()
        if (along.sum(axis=0) != 1).any() or (along.sum(axis=1) != 1).any():
            raise CalibrationError("Regions of heat need a heatmap along the axes of its image; this one is turned.")
        axes = along.argmax(axis=0)
        sides = [
            _side(float(linear[axis, a]), float(shift[axis]), to_heatmap.target_shape[axis], grid.shape[a])
            for a, axis in enumerate(axes)
        ]
        return cls(grid, tuple(edges for edges, _ in sides), tuple(axes.tolist()), tuple(window for _, window in sides))

    @property
    def shape(self) -> tuple[int, ...]:
        """How many cells the image has along each of its axes."""
        return tuple(len(edges) - 1 for edges in self.edges)

    def cut(self, heat: npt.NDArray[_Value]) -> npt.NDArray[_Value]:
        """A heatmap ``(*grid)`` as the cells of the image, in the order of its axes: a view."""
        return heat.transpose(self.axes)[self.window]

    def cell_of(self, points: FloatArray) -> IntArray:
        """The cell of each of index coordinates ``(..., D)`` of the image; beyond the border the nearest one."""
        return np.stack([self.along(axis, points[..., axis]) for axis in range(len(self.edges))], axis=-1)

    def along(self, axis: int, at: npt.ArrayLike) -> IntArray:
        """`cell_of` for one axis of the image: any shape, and that of the answer."""
        return np.asarray(np.searchsorted(self.edges[axis][1:-1], at, side="right"), dtype=np.int64)


def _side(scale: float, shift: float, cells: int, pixels: int) -> tuple[FloatArray, slice]:
    """The borders of cells along one axis of the image, and which cells these are, of ``index * scale + shift``."""
    inner = np.sort((np.arange(1, cells) - 0.5 - shift) / scale)
    first = int((inner <= _SLIVER_PX - 0.5).sum())
    last = int((inner < pixels - 0.5 - _SLIVER_PX).sum())
    edges = np.concatenate([[-0.5], inner[first:last], [pixels - 0.5]])
    if scale > 0:
        return edges, slice(first, last + 1)
    end = cells - 2 - last
    return edges, slice(cells - 1 - first, None if end < 0 else end, -1)


@dataclass(frozen=True, eq=False)
class CellSet(Region):
    """Cells of a heatmap.

    Attributes:
        tiles: all cells of the image.
        start: the first cell of `cells`, ``D`` numbers.
        cells: which cells the region holds, in the smallest box around them.
    """

    tiles: CellGrid
    start: tuple[int, ...]
    cells: BoolArray

    @classmethod
    def of(cls, tiles: CellGrid, inside: BoolArray) -> CellSet:
        """The region of all cells that are ``inside``, of all that the image has.

        Raises:
            GeometryError: if there is none.
        """
        if not inside.any():
            raise GeometryError("A region holds at least one cell.")
        others = [tuple(a for a in range(inside.ndim) if a != axis) for axis in range(inside.ndim)]
        taken = [np.flatnonzero(inside.any(axis=rest)) for rest in others]
        box = tuple(slice(int(rows[0]), int(rows[-1]) + 1) for rows in taken)
        return cls(tiles, tuple(side.start for side in box), inside[box].copy())

    @property
    def grid(self) -> Grid:  # type: ignore[override]
        """The image."""
        return self.tiles.grid

    def contains(self, points: npt.ArrayLike) -> BoolArray:
        """See `Region.contains`; a place between two cells belongs to one of them, beyond the image to the nearest."""
        places = np.asarray(points, dtype=np.float64)
        cell = self.tiles.cell_of(places) - self.start
        near = np.asarray((np.isfinite(places) & (cell >= 0) & (cell < self.cells.shape)).all(axis=-1))
        return np.asarray(near & self.cells[tuple(np.moveaxis(np.where(near[..., None], cell, 0), -1, 0))])

    @property
    def size_px(self) -> float:
        """Area in px² or volume in px³; cells end at the border of the image."""
        size = self.cells.astype(np.float64)
        for edges in reversed(self._edges):
            size = size @ np.diff(edges)
        return float(size)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """See `Region.bounds`."""
        edges = self._edges
        return np.array([own[0] for own in edges]), np.array([own[-1] for own in edges])

    def mask(self, lower: Sequence[int] | None = None, upper: Sequence[int] | None = None) -> BoolArray:
        """See `Region.mask`; one byte for each pixel of the box, and no more."""
        first, last = self.pixel_bounds()
        box = zip(first if lower is None else lower, last if upper is None else upper, strict=True)
        cells = [self.tiles.along(axis, np.arange(*side)) - self.start[axis] for axis, side in enumerate(box)]
        near = [(own >= 0) & (own < count) for own, count in zip(cells, self.cells.shape, strict=True)]
        mask = np.zeros([len(own) for own in cells], dtype=np.bool_)
        mask[np.ix_(*near)] = self.cells[np.ix_(*(own[keep] for own, keep in zip(cells, near, strict=True)))]
        return mask

    def _contour(self, count: int) -> list[FloatArray]:
        return outline(self.cells, *self._edges)

    def _surface(self) -> tuple[FloatArray, IntArray]:
        return block_skin(self.cells, self._edges)

    def _section(self, axis: int, at: float) -> list[FloatArray]:
        edges = self._edges
        rest = [edges[a] for a in range(3) if a != axis]
        if not edges[axis][0] < at < edges[axis][-1]:
            return []
        cut = np.moveaxis(self.cells, axis, 0)[int(self.tiles.along(axis, at)) - self.start[axis]]
        return outline(cut, *rest)

    @property
    def _edges(self) -> tuple[FloatArray, ...]:
        """The borders of the cells in `cells`."""
        sides = zip(self.tiles.edges, self.start, self.cells.shape, strict=True)
        return tuple(edges[first : first + count + 1] for edges, first, count in sides)
