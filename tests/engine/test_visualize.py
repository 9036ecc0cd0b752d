"""Figures: what is drawn lies where it should, in 2D and 3D, and odd images and names break nothing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from napari_landmarker.engine.errors import AnnotationError, GeometryError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.metrics import CaseResult, Evaluation, evaluate
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.visualize import (
    case_figure,
    cumulative_error_figure,
    error_by_landmark_figure,
    to_png,
    to_svg,
)
from napari_landmarker.engine.visualize.pixels import plane_pixels, value_range

SCHEMA = LandmarkSchema.from_names(["a", "b"])


def sets(
    grid: Grid, true: dict[str, tuple[float, ...]], found: dict[str, tuple[float, ...]]
) -> tuple[LandmarkSet, ...]:
    names = tuple(true)
    return (
        LandmarkSet.from_points(true, grid),
        LandmarkSet.from_points(found, grid, names=names, status=LandmarkStatus.PREDICTED),
    )


def evaluation_of(errors: dict[str, list[float | None]]) -> Evaluation:
    """A 2D evaluation in px with these errors, None where the model gave no point."""
    grid = Grid((500, 500))
    results = []
    for number in range(len(next(iter(errors.values())))):
        found = {name: (5.0, 5.0 + e[number]) for name, e in errors.items() if e[number] is not None}
        truth, predicted = sets(grid, dict.fromkeys(errors, (5.0, 5.0)), found)  # type: ignore[arg-type]
        results.append(CaseResult(str(number), truth, predicted))
    return evaluate(results, model="m", split="test", radii=(5, 10))


def drawn_value(axes: Axes, row: float, column: float) -> float:
    """What the image of some axes shows at an index coordinate."""
    image = axes.images[0]
    pixels = np.asarray(image.get_array())
    left, right, bottom, top = image.get_extent()
    first, last = (top, bottom) if image.origin == "upper" else (bottom, top)
    v = (row - first) / (last - first)
    u = (column - left) / (right - left)
    return float(pixels[int(v * pixels.shape[0]), int(u * pixels.shape[1])])


def markers(axes: Axes) -> set[tuple[float, float]]:
    """Places (x, y) of discs and rings."""
    lines = [line for line in axes.lines if line.get_marker() == "o"]
    return {(float(x), float(y)) for line in lines for x, y in zip(*line.get_data(), strict=True)}


def test_curve_ends_below_100_percent_where_points_were_missed() -> None:
    figure = cumulative_error_figure(evaluation_of({"a": [2.0, 4.0, None, 8.0]}))
    line = next(line for line in figure.axes[0].lines if line.get_label() == "all landmarks")
    x, y = (np.asarray(v) for v in line.get_data())
    assert x[:4].tolist() == [0.0, 2.0, 4.0, 8.0]
    assert y.tolist() == [0.0, 25.0, 50.0, 75.0, 75.0]
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["50.0 %", "75.0 %"]


def test_errors_by_landmark_say_what_is_not_drawn() -> None:
    gross = [1.0] * 60 + [400.0, 1.0, 1.0]
    figure = error_by_landmark_figure(evaluation_of({"a": [*gross, None], "b": [1.0] * 64}))
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in axes.texts] == ["1 beyond ▸, 1 missed"]
    assert axes.get_xlim()[1] < 400


def test_every_error_is_inside_when_none_is_gross() -> None:
    figure = error_by_landmark_figure(evaluation_of({"a": [float(v) for v in range(40)]}))
    assert figure.axes[0].get_xlim()[1] > 39
    assert not figure.axes[0].texts


def test_2d_points_and_pixels_share_their_places() -> None:
    array = np.zeros((60, 80))
    array[20, 30] = 1.0
    image = Image.from_array(array)
    truth, predicted = sets(image.grid, {"a": (20, 30), "b": (40, 50)}, {"a": (26, 38), "b": (40, 50)})
    whole, zoom = case_figure(image, truth, predicted, SCHEMA).axes
    assert markers(whole) == markers(zoom) == {(30, 20), (38, 26), (50, 40)}
    for axes in (whole, zoom):
        assert drawn_value(axes, 20, 30) == 1.0
        assert drawn_value(axes, 20, 31) == drawn_value(axes, 21, 30) == 0.0
        assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert whole.get_xlim() == (-0.5, 79.5)
    assert whole.get_ylim() == (59.5, -0.5)
    x0, x1 = zoom.get_xlim()
    y1, y0 = zoom.get_ylim()
    assert x0 < 30 < 38 < x1
    assert y0 < 20 < 26 < y1
    assert zoom.get_title() == "a"


def test_2d_pixels_have_their_proportions() -> None:
    image = Image.from_array(np.eye(60), Grid((60, 60), (0.5, 0.2)))
    truth, predicted = sets(image.grid, {"a": (20, 30)}, {"a": (22, 30)})
    whole, zoom = case_figure(image, truth, predicted, SCHEMA).axes
    assert whole.get_aspect() == zoom.get_aspect() == pytest.approx(2.5)
    x0, x1 = zoom.get_xlim()
    y1, y0 = zoom.get_ylim()
    assert (x1 - x0) * 0.2 == pytest.approx((y1 - y0) * 0.5)


def test_3d_slices_pass_through_the_true_point_of_the_worst_landmark() -> None:
    array = np.zeros((10, 20, 30))
    array[4, 6, 8] = 1.0
    image = Image.from_array(array, Grid(array.shape, (3.0, 1.0, 0.5)))
    truth, predicted = sets(image.grid, {"a": (4.2, 6.1, 7.9), "b": (1, 1, 1)}, {"a": (5, 9, 12), "b": (1, 1, 1.5)})
    z, y, x = case_figure(image, truth, predicted, SCHEMA).axes
    assert [axes.get_title() for axes in (z, y, x)] == ["slice z = 4", "slice y = 6", "slice x = 8"]
    assert (markers(z), markers(y), markers(x)) == (
        {(7.9, 6.1), (12, 9)},
        {(7.9, 4.2), (12, 5)},
        {(6.1, 4.2), (9, 5)},
    )
    assert [axes.get_aspect() for axes in (z, y, x)] == pytest.approx([2.0, 6.0, 3.0])
    assert drawn_value(z, 6, 8) == drawn_value(y, 4, 8) == drawn_value(x, 4, 6) == 1.0
    assert drawn_value(y, 5, 8) == drawn_value(y, 3, 8) == 0.0
    assert z.get_ylim() == (19.5, -0.5)
    assert y.get_ylim() == x.get_ylim() == (-0.5, 9.5)


def test_a_large_volume_has_close_views() -> None:
    array = np.zeros((20, 120, 130), dtype=np.int16)
    array[10, 50, 60] = 1
    image = Image.from_array(array, Grid(array.shape, (4.0, 1.0, 1.0)))
    truth, predicted = sets(image.grid, {"a": (10, 50, 60)}, {"a": (11, 53, 64)})
    figure = case_figure(image, truth, predicted, SCHEMA)
    assert len(figure.axes) == 6
    close = figure.axes[1]
    assert close.get_title() == "a"
    assert drawn_value(close, 50, 60) == 1.0
    assert close.get_xlim()[1] - close.get_xlim()[0] < 60


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((60, 80), None),
        ((300, 40), None),
        ((40, 300), None),
        ((60, 120, 100), (3.0, 0.8, 0.8)),
        ((12, 20, 24), (1.0, 1.0, 1.0)),
        ((300, 20, 24), (1.0, 1.0, 1.0)),
        ((5, 300, 200), (1.0, 1.0, 1.0)),
        ((20, 300, 5), (1.0, 1.0, 1.0)),
    ],
)
def test_no_view_title_or_legend_is_cut_or_covered(shape: tuple[int, ...], spacing: tuple[float, ...] | None) -> None:
    image = Image.from_array(np.zeros(shape), Grid(shape, spacing))
    centre = tuple(n / 2 for n in shape)
    name = "a landmark whose name goes on and on and on and on and on and on"
    truth, predicted = sets(image.grid, {name: centre}, {name: centre})
    figure = case_figure(image, truth, predicted, SCHEMA)
    to_png(figure, dpi=100)
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    boxes += [legend.get_window_extent() for legend in figure.legends]
    for number, box in enumerate(boxes):
        assert box is not None
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
        for other in boxes[:number]:
            assert other is not None
            assert box.x0 >= other.x1 or box.x1 <= other.x0 or box.y0 >= other.y1 or box.y1 <= other.y0


def test_a_missed_landmark_is_looked_at_and_has_no_ring() -> None:
    image = Image.from_array(np.eye(50))
    truth, predicted = sets(image.grid, {"a": (10, 12), "b": (30, 30)}, {"b": (39, 39)})
    zoom = case_figure(image, truth, predicted, SCHEMA).axes[1]
    assert zoom.get_title() == "a"
    assert markers(zoom) == {(12, 10), (30, 30), (39, 39)}


def test_the_view_stays_in_the_image_and_a_far_prediction_breaks_nothing() -> None:
    image = Image.from_array(np.eye(50))
    truth, predicted = sets(image.grid, {"a": (0, 49)}, {"a": (500, -300)})
    figure = case_figure(image, truth, predicted, SCHEMA)
    assert figure.axes[1].get_xlim() == (-0.5, 49.5)
    assert to_png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("array", "color"),
    [
        (np.full((40, 50), 7, dtype=np.uint8), False),
        (np.full((40, 50), np.nan), False),
        (np.eye(40, 50, dtype=bool), False),
        (np.random.default_rng(0).integers(0, 60000, (40, 50, 3)).astype(np.uint16), True),
        (np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8), True),
        (np.random.default_rng(0).normal(size=(40, 50, 3)), True),
        (np.random.default_rng(0).integers(0, 255, (3, 40, 50, 3)).astype(np.uint8), True),
    ],
)
def test_images_of_every_kind_are_drawn(array: np.ndarray, color: bool) -> None:
    image = Image.from_array(array, color=color)
    centre = tuple(n / 2 for n in image.grid.shape)
    truth, predicted = sets(image.grid, {"a": centre}, {"a": centre})
    assert to_png(case_figure(image, truth, predicted, SCHEMA), dpi=50).startswith(b"\x89PNG")


def test_grey_values_do_not_depend_on_a_few_bright_pixels() -> None:
    array = np.linspace(0, 100, 10_000).reshape(100, 100)
    array[0, 0] = 1e6
    low, high = value_range(Image.from_array(array))
    assert low == pytest.approx(0.5, abs=0.1)
    assert high == pytest.approx(99.5, abs=0.1)


def test_thinned_pixels_stay_in_place() -> None:
    image = Image.from_array(np.arange(5000, dtype=np.float32)[:, None].repeat(20, axis=1))
    ranges = [(100, 5000), (0, 20)]
    pixels, (span, _) = plane_pixels(image, 0, 1, None, 0, ranges, (0.0, 5000.0))
    assert pixels.shape[0] <= 1700
    step = (span[1] - span[0]) / pixels.shape[0]
    centres = span[0] + step * (np.arange(pixels.shape[0]) + 0.5)
    assert np.abs(pixels[:, 0] * 5000 - centres).max() <= 0.5 + 1e-3  # the middle of an even block


def test_names_are_drawn_as_they_are() -> None:
    names = ["cost $\\bad{$", "関節"]
    evaluation = evaluation_of({name: [1.0, 3.0] for name in names})
    figure = error_by_landmark_figure(evaluation)
    assert b"</svg>" in to_svg(figure)
    case = evaluation.cases[0]
    image = Image.from_array(np.zeros((500, 500)))
    for name in names:
        drawn = case_figure(image, case.truth, case.predicted, LandmarkSchema.from_names(["other"]), focus=name)
        assert drawn.axes[1].get_title() == name
        assert b"</svg>" in to_svg(drawn)


def test_what_does_not_belong_together_is_refused() -> None:
    image = Image.from_array(np.zeros((50, 50)))
    truth, predicted = sets(Grid((40, 40)), {"a": (1, 1)}, {})
    with pytest.raises(GeometryError, match="does not fit"):
        case_figure(image, truth, predicted, SCHEMA)
    empty = LandmarkSet.empty(("a",), image.grid)
    with pytest.raises(GeometryError, match="no true point"):
        case_figure(image, empty, empty, SCHEMA)
    truth, predicted = sets(image.grid, {"a": (1, 1)}, {})
    with pytest.raises(AnnotationError, match="no landmark 'x'"):
        case_figure(image, truth, predicted, SCHEMA, focus="x")


def test_figures_need_no_window() -> None:
    code = (
        "import sys, numpy as np\n"
        "from napari_landmarker.engine.visualize.style import new_figure, to_svg\n"
        "import napari_landmarker.engine.visualize\n"
        "to_svg(new_figure(2, 2))\n"
        "sys.exit(', '.join({'matplotlib.pyplot', 'torch', 'napari', 'qtpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert isinstance(cumulative_error_figure(evaluation_of({"a": [1.0]})), Figure)
