"""A picture of one image with its true and predicted points, whole and close to the worst landmark.

One body for 2D and 3D: an image is shown in its planes, of which a 2D image has one and a 3D image three.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics import landmark_errors, worst_landmark
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.visualize.drawing import (
    HALO,
    UNKNOWN_COLOR,
    disc,
    draw_scale_bar,
    ring,
    shortened,
    show_plane,
)
from napari_landmarker.engine.visualize.pixels import value_range
from napari_landmarker.engine.visualize.planes import (
    Plane,
    Window,
    all_of,
    around,
    panels_for,
    planes_through,
)
from napari_landmarker.engine.visualize.style import FONT_SIZE, INK, MUTED, plain

#: A volume no larger than this along any axis is seen well enough without a second row of close views.
_SMALL_VOLUME_PX = 96


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
        show_plane(whole, image, plane, all_of(plane, image.grid), limits)
        _draw(whole, plane, truth, predicted, schema, names)
        whole.set_title(_title(plane), fontsize=FONT_SIZE, color=MUTED)
        if zoom is None:
            draw_scale_bar(whole, plane, all_of(plane, image.grid), image.grid)
        else:
            show_plane(zoom, image, plane, window, limits)
            _draw(zoom, plane, truth, predicted, schema, names)
            _frame(whole, window)
            draw_scale_bar(zoom, plane, window, image.grid)
            plain(zoom.set_title(shortened(focus), fontsize=FONT_SIZE, color=MUTED))
    _legend(figure)
    return figure


def _title(plane: Plane) -> str:
    """What a view shows; not every file tells the anatomical name of a plane, so none is given."""
    return "whole image" if plane.fixed is None else f"slice {'zyx'[plane.fixed]} = {plane.at_px}"


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
        color = colors.get(name, UNKNOWN_COLOR)
        (ty, tx), (py, px) = (s.point(name)[[plane.rows, plane.columns]] for s in (truth, predicted))
        if np.isfinite([ty, tx, py, px]).all():
            axes.plot([tx, px], [ty, py], color="white", linewidth=1.1, path_effects=HALO, zorder=3)
        if np.isfinite([ty, tx]).all():
            axes.add_line(disc(tx, ty, color))
        if np.isfinite([py, px]).all():
            for line in ring(px, py, color):
                axes.add_line(line)


def _frame(axes: Axes, window: Window) -> None:
    """Show on the whole image where the close view lies."""
    (y0, x0), (y1, x1) = window.low, window.high
    frame = Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="white", linewidth=1.1, zorder=2)
    frame.set_path_effects(HALO)
    axes.add_patch(frame)


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
