"""Sheets of several items of a dataset: in 2D an item is a row, in 3D it has slices through each of its points.

Places are computed in inches, as in `planes`, so that no title is cut and nothing overlaps.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.metrics.frames import has_point
from napari_landmarker.engine.metrics.instances import multi_instance_point_error
from napari_landmarker.engine.visualize.drawing import draw_scale_bar, shortened
from napari_landmarker.engine.visualize.planes import Plane, all_of, pixel_size, place, planes_through
from napari_landmarker.engine.visualize.samples import Sample
from napari_landmarker.engine.visualize.style import FONT_SIZE, INK, MUTED, new_figure, plain
from napari_landmarker.engine.visualize.views import draw_points, show_sample

#: Measures in inches: the box a view of a 2D image fits in, width of the slices through a point, room that the words
#: above a view need, and what lies between.
_VIEW_IN = (3.9, 3.4)
_SLICES_IN = 5.4
_LEAST_CELL_IN = 1.35
_GAP_IN = 0.12
_CAPTION_IN = 0.27
_HEADING_IN = 0.36
_TITLE_LINE_IN = 0.27
_TITLE_SIZE = 12.0
#: About how wide a letter of the title is, and how high a name beside the images.
_LETTER_IN = 0.098
_NAME_IN = 0.22
#: With more points than this, slices stand in two columns; of an item at most so many points are shown.
_ONE_COLUMN = 3
_MOST_POINTS = 60


def sheet(samples: Sequence[Sample], title: str) -> Figure:
    """Draw items of a dataset, all 2D or all 3D.

    In 2D each is a row: its points and, where it has maps, the maps over the image. In 3D each point has slices in
    the three planes, with the map of its landmark over them. Discs are true points, rings predicted ones.
    """
    return _rows_of_images(samples, title) if samples[0].image.grid.ndim == 2 else _blocks_of_slices(samples, title)


def _rows_of_images(samples: Sequence[Sample], title: str) -> Figure:
    sizes = [_view_size(sample) for sample in samples]
    views = 2 if any(sample.maps is not None for sample in samples) else 1
    cells = [max(size[0], _LEAST_CELL_IN) for size in sizes]
    width = views * max(cells) + (views + 1) * _GAP_IN
    height = sum(size[1] + _HEADING_IN + _CAPTION_IN + _GAP_IN for size in sizes)
    figure = new_figure(width, height, layout=False)
    width = max(width, *(_heading_width(figure, sample) for sample in samples))
    legend = _column(figure, samples, height)
    width, height, top = _fit(figure, legend, width, height, title)
    plane = Plane(0, 1)
    for sample, (wide, high), cell in zip(samples, sizes, cells, strict=True):
        _heading(figure, sample, _GAP_IN, top - 0.5 * _HEADING_IN)
        bottom = top - _HEADING_IN - _CAPTION_IN - high
        captions = ["image and points"] + (["map over the image"] if sample.maps is not None else [])
        for number, caption in enumerate(captions):
            left = _GAP_IN + number * (cell + _GAP_IN) + (cell - wide) / 2
            axes = place(figure, left, bottom, wide, high)
            show_sample(axes, sample, plane, range(len(sample.names)), with_map=number == 1)
            _caption(axes, caption)
            if number == 0:
                draw_points(axes, sample, plane, range(len(sample.names)))
            if number == len(captions) - 1:
                draw_scale_bar(axes, plane, all_of(plane, sample.image.grid), sample.image.grid)
        top = bottom - _GAP_IN
    return figure


def _blocks_of_slices(samples: Sequence[Sample], title: str) -> Figure:
    blocks = [_points_to_show(sample) for sample in samples]
    columns = 1 if max(len(found) for found in blocks) <= _ONE_COLUMN else 2
    scales = [_slice_scale(sample) for sample in samples]
    heights = [
        scale * max(_heights(sample)) + _CAPTION_IN + _HEADING_IN for sample, scale in zip(samples, scales, strict=True)
    ]
    rows = [-(-len(found) // columns) for found in blocks]
    width = columns * _SLICES_IN + (3 * columns + 1) * _GAP_IN
    height = sum(n * h + _HEADING_IN for n, h in zip(rows, heights, strict=True)) + _GAP_IN
    figure = new_figure(width, height, layout=False)
    width = max(width, *(_heading_width(figure, sample) for sample in samples))
    width, height, top = _fit(figure, None, width, height + _HEADING_IN, title)
    for sample, found, scale, high, n_rows in zip(samples, blocks, scales, heights, rows, strict=True):
        _heading(figure, sample, _GAP_IN, top - 0.5 * _HEADING_IN)
        top -= _HEADING_IN
        for number, (row, at) in enumerate(found):
            left = _GAP_IN + (number % columns) * (_SLICES_IN + 3 * _GAP_IN)
            _slices(figure, sample, row, at, left, top - (number // columns) * high, scale)
        top -= n_rows * high
    handles, labels = _entries(samples, landmarks=False)
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False, fontsize=FONT_SIZE, labelcolor=INK)
    return figure


def _slices(figure: Figure, sample: Sample, row: int, at: FloatArray, left: float, top: float, scale: float) -> None:
    """The three planes through one point of a volume, under the name of its landmark."""
    grid = sample.image.grid
    name = shortened(sample.names[row])
    note = "" if np.isfinite(at).all() else ": no point in this image"
    across, up = figure.get_size_inches()
    label = figure.text((left + 0.2) / across, (top - 0.6 * _CAPTION_IN) / up, name + note, va="center", color=INK)
    plain(label, fontsize=FONT_SIZE, fontweight="bold")
    mark = Line2D([(left + 0.08) / across], [(top - 0.6 * _CAPTION_IN) / up], marker="o", color=sample.colors[row])
    figure.add_artist(mark)
    centre = np.where(np.isfinite(at), at, (np.asarray(grid.shape) - 1) / 2)
    planes = planes_through(grid, centre)
    tallest = scale * max(_heights(sample))
    for plane in planes:
        wide, high = (scale * grid.shape[a] * pixel_size(grid, a) for a in (plane.columns, plane.rows))
        bottom = top - _CAPTION_IN - _CAPTION_IN - (tallest + high) / 2
        axes = place(figure, left, bottom, wide, high)
        show_sample(axes, sample, plane, (row,), with_map=True)
        draw_points(axes, sample, plane, (row,))
        _caption(axes, f"{'zyx'[plane.fixed or 0]} = {plane.at_px}")
        if plane is planes[0]:
            draw_scale_bar(axes, plane, all_of(plane, grid), grid)
        left += wide + _GAP_IN


def _points_to_show(sample: Sample) -> list[tuple[int, FloatArray]]:
    """Row of the landmark and place of each point that has slices; a landmark without truth shows its prediction."""
    out: list[tuple[int, FloatArray]] = []
    for row, true in enumerate(sample.true):
        points = true[has_point(true)]
        if not len(points) and sample.predicted is not None:
            points = sample.predicted[row][has_point(sample.predicted[row])][:1]
        out += [(row, point) for point in points] or [(row, np.full(true.shape[1], np.nan))]
    return out[:_MOST_POINTS]


def _n_points(sample: Sample) -> int:
    return sum(max(1, int(has_point(true).sum())) for true in sample.true)


def _view_size(sample: Sample) -> tuple[float, float]:
    """Width and height in inches of a 2D image."""
    grid = sample.image.grid
    high, wide = (grid.shape[axis] * pixel_size(grid, axis) for axis in (0, 1))
    scale = min(_VIEW_IN[0] / wide, _VIEW_IN[1] / high)
    return max(scale * wide, 0.5), max(scale * high, 0.5)


def _heights(sample: Sample) -> list[float]:
    grid = sample.image.grid
    return [grid.shape[axis] * pixel_size(grid, axis) for axis in (1, 0)]


def _slice_scale(sample: Sample) -> float:
    """Inches per mm (or px) at which the three planes of a volume stand beside each other."""
    grid = sample.image.grid
    return (_SLICES_IN - 2 * _GAP_IN) / sum(grid.shape[axis] * pixel_size(grid, axis) for axis in (2, 2, 1))


def _fit(figure: Figure, legend: Legend | None, width: float, height: float, title: str) -> tuple[float, float, float]:
    """Give a figure its title and its column of names; returns width, height and where the rows begin, in inches."""
    if legend is not None:
        box = legend.get_window_extent()
        width += box.width / figure.dpi + _GAP_IN
        height = max(height, box.height / figure.dpi + 2 * _GAP_IN)
    lines = textwrap.wrap(title, max(20, int((width - 2 * _GAP_IN) / _LETTER_IN)))
    top = height
    height += len(lines) * _TITLE_LINE_IN + (_GAP_IN if lines else 0)
    figure.set_size_inches(width, height)
    for number, line in enumerate(lines):
        y = height - _GAP_IN - (number + 0.5) * _TITLE_LINE_IN
        text = figure.text(_GAP_IN / width, y / height, line, va="center", color=INK)
        plain(text, fontsize=_TITLE_SIZE, fontweight="bold")
    if legend is not None:
        legend.set_bbox_to_anchor((1 - (box.width / figure.dpi + _GAP_IN) / width, (top - _GAP_IN) / height))
    return width, height, top


def _column(figure: Figure, samples: Sequence[Sample], height: float) -> Legend:
    """The names beside the images, in as many columns as they need."""
    handles, labels = _entries(samples, landmarks=True)
    columns = -(-len(labels) // max(8, int(height / _NAME_IN)))
    style = {"frameon": False, "fontsize": FONT_SIZE, "labelcolor": INK, "borderpad": 0.0, "borderaxespad": 0.0}
    legend = figure.legend(handles, labels, loc="upper left", ncols=columns, **style)
    for text in legend.get_texts():
        plain(text)
    return legend


def _entries(samples: Sequence[Sample], *, landmarks: bool) -> tuple[list[Line2D], list[str]]:
    """What the legend holds: the kinds of marks and, where wanted, the landmarks."""
    marks = [_mark(6, INK, "white")]
    labels = ["true point"]
    if any(sample.predicted is not None for sample in samples):
        marks.append(_mark(9, "none", INK, 2.0))
        labels.append("predicted point")
    if landmarks:
        marks += [_mark(7, color, "black", 0.6) for color in samples[0].colors]
        labels += [shortened(name) for name in samples[0].names]
    return marks, labels


def _mark(size: float, face: str, edge: str, width: float = 1.0) -> Line2D:
    line = Line2D([], [], marker="o", linestyle="none", markersize=size)
    line.set(markerfacecolor=face, markeredgecolor=edge, markeredgewidth=width)
    return line


def _heading(figure: Figure, sample: Sample, left: float, middle: float) -> None:
    width, height = figure.get_size_inches()
    text = _heading_text(sample)
    figure.text(left / width, middle / height, text, va="center", fontsize=FONT_SIZE + 1, color=INK)


def _heading_width(figure: Figure, sample: Sample) -> float:
    """Room in inches that the heading of an item needs."""
    text = figure.text(0, 0, _heading_text(sample), fontsize=FONT_SIZE + 1)
    width = text.get_window_extent().width / figure.dpi
    text.remove()
    return float(width) + 2 * _GAP_IN


def _heading_text(sample: Sample) -> str:
    """What an item is, above its views: its number, how far predictions are off, and what it lacks."""
    parts = [f"Image {sample.number}"]
    if sample.predicted is not None:
        parts.append(_agreement(sample))
    if sample.missing:
        parts.append(f"without a true point: {len(sample.missing)} of {len(sample.names)} landmarks")
    left_out = _n_points(sample) - _MOST_POINTS
    if sample.image.grid.ndim == 3 and left_out > 0:
        parts.append(f"{left_out} more points not shown")
    return ", ".join(parts)


def _agreement(sample: Sample) -> str:
    """How far the predictions of an item lie from its true points, in words."""
    predicted = sample.true[:, :0] if sample.predicted is None else sample.predicted
    found = multi_instance_point_error(
        sample.true[None], predicted[None], pixel_spacing=sample.image.grid.spacing, reduction="none"
    )
    pairs, missed = np.asarray(found.true_positives), int(np.sum(found.false_negatives))
    spare = int(np.sum(found.false_positives))
    words = "no pair of points to compare"
    if pairs.sum():
        mean = float(np.nansum(np.asarray(found.error) * pairs) / pairs.sum())
        words = f"mean distance {mean:.{1 if sample.image.grid.unit == 'px' else 2}f} {sample.image.grid.unit}"
    words += f", {missed} not found" if missed else ""
    return words + (f", {spare} predicted that belong to no true point" if spare else "")


def _caption(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=FONT_SIZE, color=MUTED)
