"""One view of an item of a dataset: a plane of its image, a map over it, and its points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.metrics.frames import has_point
from napari_landmarker.engine.metrics.instances import match_points
from napari_landmarker.engine.visualize.drawing import HALO, disc, ring, show_plane
from napari_landmarker.engine.visualize.pixels import value_range
from napari_landmarker.engine.visualize.planes import Plane, all_of
from napari_landmarker.engine.visualize.samples import Sample, overlay

#: A point that lies farther than this from a slice, as a share of the volume, is drawn faintly.
_NEAR = 0.03
_FAINT = 0.35


def show_sample(axes: Axes, sample: Sample, plane: Plane, rows: Sequence[int], *, with_map: bool) -> None:
    """The pixels of a plane and, where wanted, the maps of some landmarks over them."""
    image = sample.image
    show_plane(axes, image, plane, all_of(plane, image.grid), value_range(image))
    if sample.maps is None or not with_map:
        return
    own = len(sample.maps) >= len(sample.names)
    maps = sample.maps[-len(sample.names) :][list(rows)] if own else sample.maps
    colors = [sample.colors[row] for row in rows] if own else sample.colors[:1] * len(maps)
    left, right = -0.5, image.grid.shape[plane.columns] - 0.5
    first, last = -0.5, image.grid.shape[plane.rows] - 0.5
    axes.imshow(
        overlay(maps, plane, image.grid.shape, colors),
        extent=(left, right, *((first, last) if plane.upwards else (last, first))),
        origin="lower" if plane.upwards else "upper",
        aspect=axes.get_aspect(),
        interpolation="nearest",
        zorder=1,
    )


def draw_points(axes: Axes, sample: Sample, plane: Plane, rows: Sequence[int]) -> None:
    """True points as discs and predicted ones as rings, joined to the true point they belong to."""
    across = [plane.rows, plane.columns]
    for row in rows:
        true, color = sample.true[row], sample.colors[row]
        predicted = np.empty((0, true.shape[1])) if sample.predicted is None else sample.predicted[row]
        pairs = match_points(true, predicted)
        for a, b in zip(true[pairs.true], predicted[pairs.predicted], strict=True):
            (y0, x0), (y1, x1) = a[across], b[across]
            axes.plot([x0, x1], [y0, y1], color="white", linewidth=1.1, path_effects=HALO, zorder=3)
        for point in true[has_point(true)]:
            _add(axes, (disc(point[plane.columns], point[plane.rows], color),), _is_near(sample, plane, point))
        for point in predicted[has_point(predicted)]:
            _add(axes, ring(point[plane.columns], point[plane.rows], color), _is_near(sample, plane, point))


def _add(axes: Axes, lines: Iterable[Line2D], near: bool) -> None:
    for line in lines:
        if not near:
            line.set_alpha(_FAINT)
        axes.add_line(line)


def _is_near(sample: Sample, plane: Plane, point: FloatArray) -> bool:
    """Whether a point lies so near to a slice that it is not drawn faintly."""
    if plane.fixed is None:
        return True
    size = sample.image.grid.shape[plane.fixed]
    return bool(abs(point[plane.fixed] - plane.at_px) <= max(1.0, _NEAR * size))
