"""A picture of one image with its true and predicted points, whole and close to the worst landmark.

One body for 2D and 3D: an image is shown in its planes, of which a 2D image has one and a 3D image three.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics import landmark_errors, worst_landmark
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.visualize.pixels import plane_pixels, value_range
from napari_landmarker.engine.visualize.planes import (
    Plane,
    Window,
    all_of,
    around,
    panels_for,
    pixel_size,
    planes_through,
)
from napari_landmarker.engine.visualize.style import FONT_SIZE, INK, MUTED, plain

_UNKNOWN_COLOR = "#9ca3af"
#: A longer name is shortened above a close view.
_LONGEST_NAME = 34
#: A volume no larger than this along any axis is seen well enough without a second row of close views.
_SMALL_VOLUME_PX = 96
_HALO: list[patheffects.AbstractPathEffect] = [patheffects.withStroke(linewidth=3.2, foreground="black", alpha=0.75)]


def case_figure(
    image: Image,
    truth: LandmarkSet,
    predicted: LandmarkSet,
    schema: LandmarkSchema,
    *,
    focus: str | None = None,
) -> Figure:
    """Draw true points as discs and predicted ones as rings of the same colour, joined by a line.

    In 2D: the whole image with all landmarks, and beside it the surroundings of one landmark. In 3D: slices
    through that landmark's true point in the three planes, with its prediction projected onto them, and
    below them the surroundings where the volume is large. Pixels have their true proportions.

    Args:
        image: the image that both sets lie in.
        truth: the annotation; only what a person stands behind is drawn.
        predicted: what the model found.
        schema: gives the colours.
        focus: the landmark to look at; by default the one that is farthest off, a missed one before all
            others.

    Raises:
        GeometryError: if image, truth and prediction do not belong together, or there is no true point.
        AnnotationError: if ``focus`` is no landmark of the truth.
    """
    if image.grid.shape != truth.grid.shape:
        raise GeometryError(f"An image of {image.grid.shape} pixels does not fit landmarks in {truth.grid.shape}.")
    truth = truth.truth()
    focus = focus or worst_landmark(landmark_errors(truth, predicted))
    if focus is None or not np.isfinite(truth.point(focus)).all():
        raise GeometryError("There is no true point to draw: annotate a landmark of this image first.")
    predicted = predicted.reordered(truth.names)
    planes = planes_through(image.grid, truth.point(focus))
    close = image.grid.ndim == 2 or max(image.grid.shape) > _SMALL_VOLUME_PX
    figure, panels = panels_for(image.grid, planes, close)
    limits = value_range(image)
    for plane, whole, zoom in panels:
        names = truth.names if plane.fixed is None else (focus,)
        window = around(plane, image.grid, truth.point(focus), predicted.point(focus))
        _show(whole, image, plane, all_of(plane, image.grid), limits)
        _draw(whole, plane, truth, predicted, schema, names)
        whole.set_title(_title(plane), fontsize=FONT_SIZE, color=MUTED)
        if zoom is None:
            _scale_bar(whole, plane, all_of(plane, image.grid), image.grid)
        else:
            _show(zoom, image, plane, window, limits)
            _draw(zoom, plane, truth, predicted, schema, names)
            _frame(whole, window)
            _scale_bar(zoom, plane, window, image.grid)
            plain(zoom.set_title(_shortened(focus), fontsize=FONT_SIZE, color=MUTED))
    _legend(figure)
    return figure


def _title(plane: Plane) -> str:
    """What a view shows; not every file tells the anatomical name of a plane, so none is given."""
    return "whole image" if plane.fixed is None else f"slice {'zyx'[plane.fixed]} = {plane.at_px}"


def _shortened(name: str) -> str:
    """A name that fits above a close view."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _show(axes: Axes, image: Image, plane: Plane, window: Window, limits: tuple[float, float]) -> None:
    """Draw the pixels of a window in index coordinates, with the proportions of millimetres."""
    ranges = [
        (max(0, math.floor(low + 0.5)), min(image.grid.shape[axis], math.ceil(high + 0.5)))
        for axis, low, high in zip((plane.rows, plane.columns), window.low, window.high, strict=True)
    ]
    pixels, spans = plane_pixels(image, plane.rows, plane.columns, plane.fixed, plane.at_px, ranges, limits)
    (top, bottom), (left, right) = spans
    origin = (bottom, top) if not plane.upwards else (top, bottom)
    axes.imshow(
        pixels,
        cmap="gray",
        vmin=0,
        vmax=1,
        origin="lower" if plane.upwards else "upper",
        extent=(left, right, *origin),
        aspect=pixel_size(image.grid, plane.rows) / pixel_size(image.grid, plane.columns),
        interpolation="antialiased",
    )
    vertical = (window.low[0], window.high[0]) if plane.upwards else (window.high[0], window.low[0])
    axes.set_xlim(window.low[1], window.high[1])
    axes.set_ylim(*vertical)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(_UNKNOWN_COLOR)
        spine.set_linewidth(0.8)


def _draw(
    axes: Axes,
    plane: Plane,
    truth: LandmarkSet,
    predicted: LandmarkSet,
    schema: LandmarkSchema,
    names: Iterable[str],
) -> None:
    colors = {definition.name: definition.color for definition in schema.landmarks}
    for name in names:
        color = colors.get(name, _UNKNOWN_COLOR)
        (ty, tx), (py, px) = (s.point(name)[[plane.rows, plane.columns]] for s in (truth, predicted))
        if np.isfinite([ty, tx, py, px]).all():
            axes.plot([tx, px], [ty, py], color="white", linewidth=1.1, path_effects=_HALO, zorder=3)
        if np.isfinite([ty, tx]).all():
            axes.add_line(_disc(tx, ty, color))
        if np.isfinite([py, px]).all():
            for line in _ring(px, py, color):
                axes.add_line(line)


def _disc(x: float, y: float, color: str) -> Line2D:
    """A disc with a white and a dark border; it lies above the rings, so that no prediction hides it."""
    disc = Line2D([x], [y], marker="o", markersize=6.5, color=color, markeredgecolor="white", zorder=6)
    disc.set(markeredgewidth=1.1, linestyle="none", path_effects=_HALO)
    return disc


def _ring(x: float, y: float, color: str) -> tuple[Line2D, Line2D]:
    """A ring that is seen on dark and on bright ground."""
    style: dict[str, Any] = {
        "marker": "o",
        "markersize": 12,
        "markerfacecolor": "none",
        "linestyle": "none",
        "zorder": 5,
    }
    return (
        Line2D([x], [y], markeredgecolor="black", markeredgewidth=4, alpha=0.75, **style),
        Line2D([x], [y], markeredgecolor=color, markeredgewidth=2, **style),
    )


def _frame(axes: Axes, window: Window) -> None:
    """Show on the whole image where the close view lies."""
    (y0, x0), (y1, x1) = window.low, window.high
    frame = Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="white", linewidth=1.1, zorder=2)
    frame.set_path_effects(_HALO)
    axes.add_patch(frame)


def _scale_bar(axes: Axes, plane: Plane, window: Window, grid: Grid) -> None:
    """A bar of 1, 2 or 5 times a power of ten, about a quarter of the view long."""
    width = window.high[1] - window.low[1]
    step = pixel_size(grid, plane.columns)
    wanted = width * step / 3.2
    power = 10.0 ** math.floor(math.log10(wanted))
    length = max(m * power for m in (1, 2, 5) if m * power <= wanted)
    share = length / step / width
    bar = Line2D([0.05, 0.05 + share], [0.055, 0.055], color="white", linewidth=2.4, solid_capstyle="butt")
    bar.set_transform(axes.transAxes)
    bar.set_path_effects(_HALO)
    axes.add_line(bar)
    label = axes.text(
        0.05, 0.075, f"{length:g} {grid.unit}", color="white", fontsize=FONT_SIZE, transform=axes.transAxes
    )
    label.set_path_effects([patheffects.withStroke(linewidth=2.2, foreground="black", alpha=0.8)])


def _legend(figure: Figure) -> None:
    disc = Line2D([], [], marker="o", markersize=6, color=INK, markeredgecolor="white", linestyle="none")
    ring = Line2D([], [], marker="o", markersize=9, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=2)
    ring.set_linestyle("none")
    figure.legend(
        [disc, ring],
        ["true point", "predicted point"],
        loc="lower center",
        ncols=2,
        frameon=False,
        fontsize=FONT_SIZE,
        labelcolor=INK,
    )
