"""What is drawn in a view of an image: its pixels, a disc or a ring for a point, and a bar that gives the scale."""

from __future__ import annotations

import math
from typing import Any

from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.visualize.pixels import plane_pixels
from napari_landmarker.engine.visualize.planes import Plane, Window, pixel_size
from napari_landmarker.engine.visualize.style import FONT_SIZE

UNKNOWN_COLOR = "#9ca3af"
#: A dark seam that makes bright lines visible on bright ground.
HALO: list[patheffects.AbstractPathEffect] = [patheffects.withStroke(linewidth=3.2, foreground="black", alpha=0.75)]
#: A longer name is shortened above a view.
_LONGEST_NAME = 34


def shortened(name: str) -> str:
    """A name that fits above a view."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def show_plane(axes: Axes, image: Image, plane: Plane, window: Window, limits: tuple[float, float]) -> None:
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
        spine.set_color(UNKNOWN_COLOR)
        spine.set_linewidth(0.8)


def disc(x: float, y: float, color: str) -> Line2D:
    """A disc with a white and a dark border; it lies above the rings, so that no prediction hides it."""
    disc = Line2D([x], [y], marker="o", markersize=6.5, color=color, markeredgecolor="white", zorder=6)
    disc.set(markeredgewidth=1.1, linestyle="none", path_effects=HALO)
    return disc


def ring(x: float, y: float, color: str) -> tuple[Line2D, Line2D]:
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


def draw_scale_bar(axes: Axes, plane: Plane, window: Window, grid: Grid) -> None:
    """A bar of 1, 2 or 5 times a power of ten, about a quarter of the view long."""
    width = window.high[1] - window.low[1]
    step = pixel_size(grid, plane.columns)
    wanted = width * step / 3.2
    power = 10.0 ** math.floor(math.log10(wanted))
    length = max(m * power for m in (1, 2, 5) if m * power <= wanted)
    share = length / step / width
    bar = Line2D([0.05, 0.05 + share], [0.055, 0.055], color="white", linewidth=2.4, solid_capstyle="butt")
    bar.set_transform(axes.transAxes)
    bar.set_path_effects(HALO)
    axes.add_line(bar)
    label = axes.text(
        0.05, 0.075, f"{length:g} {grid.unit}", color="white", fontsize=FONT_SIZE, transform=axes.transAxes
    )
    label.set_path_effects([patheffects.withStroke(linewidth=2.2, foreground="black", alpha=0.8)])
