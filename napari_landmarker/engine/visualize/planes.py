"""The planes an image is shown in, the part of a plane that is seen close, and where views lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.visualize.style import new_figure

#: Measures of a figure, in inches: height of a view in 2D, width of the figure in 3D, and what lies between.
_HEIGHT_IN = 3.3
_WIDTH_IN = 8.4
_GAP_IN = 0.09
_TITLE_IN = 0.28
_TITLE_WIDTH_IN = 0.95
_LEGEND_IN = 0.36


@dataclass(frozen=True)
class Plane:
    """Two array axes that are shown, and where the image is cut along the third.

    Attributes:
        rows: array axis that runs down or, with ``upwards``, up.
        columns: array axis that runs to the right.
        fixed: the axis that is cut, None in 2D.
        at_px: index of the slice along ``fixed``.
        upwards: whether index 0 of ``rows`` is at the bottom, as the head is at the top of a volume.
    """

    rows: int
    columns: int
    fixed: int | None = None
    at_px: int = 0
    upwards: bool = False


@dataclass(frozen=True)
class Window:
    """A rectangle of a plane, in index coordinates: ``low`` and ``high`` as (row, column)."""

    low: tuple[float, float]
    high: tuple[float, float]


def planes_through(grid: Grid, point: FloatArray) -> tuple[Plane, ...]:
    """The one plane of a 2D image, or the three through a point ``(3,)`` in index coordinates."""
    if grid.ndim == 2:
        return (Plane(0, 1),)
    at = [int(np.clip(np.floor(p + 0.5), 0, n - 1)) for p, n in zip(point, grid.shape, strict=True)]
    return (Plane(1, 2, 0, at[0]), Plane(0, 2, 1, at[1], True), Plane(0, 1, 2, at[2], True))


def pixel_size(grid: Grid, axis: int) -> float:
    """Size of a pixel along an array axis, in mm, or 1 px."""
    return 1.0 if grid.spacing is None else grid.spacing[axis]


def all_of(plane: Plane, grid: Grid) -> Window:
    """The whole plane, pixel borders included."""
    return Window((-0.5, -0.5), (grid.shape[plane.rows] - 0.5, grid.shape[plane.columns] - 0.5))


def around(plane: Plane, grid: Grid, true: FloatArray, found: FloatArray) -> Window:
    """A square, in mm, that holds both points of a landmark with room around them, moved into the image."""
    steps = np.array([pixel_size(grid, plane.rows), pixel_size(grid, plane.columns)])
    size = np.array([grid.shape[plane.rows], grid.shape[plane.columns]]) * steps
    a = true[[plane.rows, plane.columns]] * steps
    b = found[[plane.rows, plane.columns]] * steps if np.isfinite(found).all() else a
    half = max(0.8 * float(np.abs(a - b).max()), 0.09 * float(size.max()))
    half_sides = np.minimum(half, size / 2)
    centre = np.clip((a + b) / 2, half_sides - 0.5 * steps, size - half_sides - 0.5 * steps)
    low, high = (centre - half_sides) / steps, (centre + half_sides) / steps
    return Window((float(low[0]), float(low[1])), (float(high[0]), float(high[1])))


def panels_for(
    grid: Grid, planes: tuple[Plane, ...], close: bool
) -> tuple[Figure, list[tuple[Plane, Axes, Axes | None]]]:
    """A figure with a whole and, with ``close``, a close view of each plane; whole planes have one scale.

    Places are computed in inches: matplotlib's layouts lose titles above axes of a fixed aspect.
    """
    heights = [grid.shape[plane.rows] * pixel_size(grid, plane.rows) for plane in planes]
    widths = [grid.shape[plane.columns] * pixel_size(grid, plane.columns) for plane in planes]
    if len(planes) == 1:
        wide = _HEIGHT_IN * float(np.clip(widths[0] / heights[0], 0.5, 2.2))
        figure = new_figure(wide + _HEIGHT_IN + 3 * _GAP_IN, _HEIGHT_IN + _TITLE_IN + _LEGEND_IN, layout=False)
        whole = place(figure, _GAP_IN, _LEGEND_IN, wide, _HEIGHT_IN)
        zoom = place(figure, wide + 2 * _GAP_IN, _LEGEND_IN, _HEIGHT_IN, _HEIGHT_IN)
        return figure, [(planes[0], whole, zoom)]
    room = _WIDTH_IN - (len(planes) + 1) * _GAP_IN
    scale = min(room / sum(widths), 0.8 * _WIDTH_IN / max(heights))
    cells = [max(scale * width, _TITLE_WIDTH_IN) for width in widths]
    wide, square = max(room, sum(cells)), room / len(planes)
    bottom = _LEGEND_IN + (square + _TITLE_IN if close else 0.0)
    high = bottom + scale * max(heights) + _TITLE_IN
    figure = new_figure(wide + (len(planes) + 1) * _GAP_IN, high, layout=False)
    left = _GAP_IN + (wide - sum(cells)) / 2
    corner = _GAP_IN + (wide - room) / 2
    panels: list[tuple[Plane, Axes, Axes | None]] = []
    for plane, cell, width, height in zip(planes, cells, widths, heights, strict=True):
        start = left + (cell - scale * width) / 2
        whole = place(figure, start, bottom, scale * width, scale * height)
        panels.append((plane, whole, place(figure, corner, _LEGEND_IN, square, square) if close else None))
        left += cell + _GAP_IN
        corner += square + _GAP_IN
    return figure, panels


def place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place of the figure, in inches from its lower left corner."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))
