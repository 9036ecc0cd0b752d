"""Grids and maps between frames; numpy's own flips, transposes and slices are the oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, FloatArray, Grid, reversed_axes

FAST = settings(max_examples=60, deadline=None)
SHAPES = st.lists(st.integers(1, 9), min_size=2, max_size=3).map(tuple)


def turn(ndim: int, angle: float) -> FloatArray:
    """A rotation in the plane of the last two axes, with the first axis reversed in 3D."""
    out = np.eye(ndim)
    out[-2:, -2:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    out[0] *= 1 if ndim == 2 else -1
    return out


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    shape = draw(SHAPES)
    spacing = [draw(st.floats(0.1, 5)) for _ in shape]
    origin = [draw(st.floats(-200, 200)) for _ in shape]
    direction = turn(len(shape), draw(st.floats(-3, 3))) @ reversed_axes(len(shape))
    return Grid(shape, tuple(spacing), np.array(origin), direction)


@st.composite
def maps(draw: st.DrawFn, shape: tuple[int, ...]) -> AffineMap:
    """A map that keeps right angles for a grid of any spacing: scale, shift, flip and permute."""
    axes = list(range(len(shape)))
    kind = draw(st.sampled_from(["scaling", "resize", "fit", "crop", "flip", "permute"]))
    target = [draw(st.integers(1, 9)) for _ in shape]
    if kind == "flip":
        return AffineMap.flip(shape, draw(st.lists(st.sampled_from(axes), unique=True)))
    if kind == "permute":
        return AffineMap.permute(shape, draw(st.permutations(axes)))
    if kind == "crop":
        return AffineMap.crop(shape, [draw(st.integers(-4, 4)) for _ in shape], target)
    if kind == "scaling":
        scale = [draw(st.floats(0.2, 4)) for _ in shape]
        return AffineMap.scaling(shape, scale, target, centred=draw(st.booleans()))
    return AffineMap.resize(shape, target) if kind == "resize" else AffineMap.fit(shape, target)


def points_of(shape: tuple[int, ...]) -> st.SearchStrategy[FloatArray]:
    return arrays(np.float64, (4, len(shape)), elements=st.floats(-20, 20))


def test_a_pixel_in_millimetres() -> None:
    flat = Grid((10, 20), (2.0, 0.5), np.array([100.0, -7.0]))
    np.testing.assert_allclose(flat.index_to_world([3, 4]), [100 + 4 * 0.5, -7 + 3 * 2.0])  # x, y
    solid = Grid((5, 6, 7), (3.0, 2.0, 1.0), np.array([10.0, 20.0, 30.0]))
    np.testing.assert_allclose(solid.index_to_world([1, 2, 3]), [13, 24, 33])  # x, y, z
    np.testing.assert_allclose(solid.index_to_world(np.ones((2, 4, 3))), np.full((2, 4, 3), [11, 22, 33]))


def test_a_flipped_axis_points_the_other_way() -> None:
    grid = Grid((5, 6), (1.0, 1.0), np.array([10.0, 10.0]), np.array([[0.0, -1.0], [1.0, 0.0]]))
    np.testing.assert_allclose(grid.index_to_world([2, 3]), [7, 12])


@FAST
@given(data=st.data(), grid=grids())
def test_world_and_back(data: st.DataObject, grid: Grid) -> None:
    points = data.draw(points_of(grid.shape))
    np.testing.assert_allclose(grid.world_to_index(grid.index_to_world(points)), points, atol=1e-9)


@FAST
@given(data=st.data(), grid=grids())
def test_distance_is_that_of_the_world(data: st.DataObject, grid: Grid) -> None:
    a, b = data.draw(points_of(grid.shape)), data.draw(points_of(grid.shape))
    expected = np.linalg.norm(grid.index_to_world(a) - grid.index_to_world(b), axis=-1)
    np.testing.assert_allclose(grid.distance(a, b), expected, atol=1e-9)


def test_distance_in_pixels_and_to_nowhere() -> None:
    assert Grid((9, 9)).distance([0, 0], [3, 4]) == 5.0
    assert Grid((9, 9), (1.0, 3.0)).distance([0, 0], [3, 4]) == pytest.approx(np.hypot(3, 12))
    assert np.isnan(Grid((9, 9)).distance([0, 0], [np.nan, np.nan]))


def test_without_spacing_there_are_no_millimetres() -> None:
    grid = Grid((9, 9))
    assert grid.unit == "px"
    assert grid.with_spacing((1, 1)).unit == "mm"
    assert grid.with_spacing((1, 1)).with_spacing(None) == grid
    for act in (grid.index_to_world, grid.world_to_index):
        with pytest.raises(GeometryError, match="no spacing"):
            act([0, 0])


def test_the_borders_of_the_outer_pixels_belong_to_the_image() -> None:
    inside = [[-0.5, -0.5], [3.5, 4.5], [2, 2]]
    outside = [[-0.51, 0], [0, 4.51], [np.nan, np.nan]]
    assert Grid((4, 5)).contains(inside).tolist() == [True, True, True]
    assert Grid((4, 5)).contains(outside).tolist() == [False, False, False]


def test_equal_grids() -> None:
    grid = Grid((4, 5), (1.0, 2.0))
    assert grid == Grid((4, 5), (1.0, 2.0 + 1e-12), np.zeros(2), reversed_axes(2))
    others = [
        Grid((4, 6), (1.0, 2.0)),
        Grid((4, 5)),
        Grid((4, 5), (1.0, 2.1)),
        Grid((4, 5), (1.0, 2.0), np.ones(2)),
    ]
    assert all(grid != other for other in others)
    assert grid != "grid"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (((5,),), "two or three dimensions"),
        (((5, 0),), "two or three dimensions"),
        (((2, 3, 4, 5),), "two or three dimensions"),
        (((5, 6), (1.0,)), "2 positive numbers"),
        (((5, 6), (1.0, 0.0)), "2 positive numbers"),
        (((5, 6), (1.0, float("nan"))), "2 positive numbers"),
        (((5, 6), None, np.zeros(3)), "do not fit"),
        (((5, 6), None, np.array([0, np.nan])), "finite"),
        (((5, 6), None, None, np.eye(3)), "do not fit"),
        (((5, 6), None, None, np.array([[1, 0.5], [0, 1]])), "right angles"),
    ],
)
def test_grids_that_cannot_be(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        Grid(*arguments)  # type: ignore[arg-type]


def test_a_grid_cannot_be_changed_through_what_it_was_made_of() -> None:
    origin = np.zeros(2)
    grid = Grid((4, 5), (1.0, 1.0), origin)
    origin[0] = 9
    assert grid.origin.tolist() == [0, 0]
    with pytest.raises(ValueError, match="read-only"):
        grid.origin[0] = 1


def check_pixels(array: np.ndarray, result: np.ndarray, frame: AffineMap) -> None:
    """Where a map sends the centre of a pixel, ``result`` has the value of ``array``."""
    assert frame.source_shape == array.shape
    assert frame.target_shape == result.shape
    index = np.argwhere(np.ones(array.shape))
    there = frame.apply(index).round(9)
    inside = Grid(result.shape).contains(there)
    assert inside.any()
    np.testing.assert_array_equal(there, there.round())
    values = result[tuple(there[inside].astype(int).T)]
    np.testing.assert_array_equal(values, array[tuple(index[inside].T)])


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5)])
def test_whole_pixel_maps_do_what_numpy_does(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)
    check_pixels(array, array, AffineMap.identity(shape))
    check_pixels(array, np.flip(array, (0,)), AffineMap.flip(shape, (0,)))
    check_pixels(array, np.flip(array), AffineMap.flip(shape, range(len(shape))))
    order = (1, 0) if len(shape) == 2 else (2, 0, 1)
    check_pixels(array, np.transpose(array, order), AffineMap.permute(shape, order))
    part = array[..., 1:4]
    check_pixels(array, part, AffineMap.crop(shape, (*[0] * (len(shape) - 1), 1), part.shape))
    padded = np.pad(array, [(2, 1)] * len(shape))
    check_pixels(array, padded, AffineMap.crop(shape, [-2] * len(shape), padded.shape))
    square = np.arange(25).reshape(5, 5)
    check_pixels(square, np.rot90(square), AffineMap.about_centre((5, 5), [[0, -1], [1, 0]]))


def test_resizing_keeps_borders_and_centres() -> None:
    frame = AffineMap.resize((4, 10), (8, 5))
    np.testing.assert_allclose(frame.apply([[-0.5, -0.5], [3.5, 9.5]]), [[-0.5, -0.5], [7.5, 4.5]])
    # halving in x puts a new centre between two old ones; doubling in y an old one between two new ones
    np.testing.assert_allclose(frame.apply([[0, 0.5], [1, 2.5]]), [[0.5, 0], [2.5, 1]])


def test_fitting_keeps_the_aspect_and_pads_both_sides_alike() -> None:
    frame = AffineMap.fit((100, 50), (64, 64))
    np.testing.assert_allclose(frame.apply([[-0.5, -0.5], [99.5, 49.5]]), [[-0.5, 15.5], [63.5, 47.5]])


def test_a_turn_about_the_centre_leaves_it_there() -> None:
    frame = AffineMap.about_centre((5, 9), turn(2, 0.7) * 1.5)
    np.testing.assert_allclose(frame.apply([2, 4]), [2, 4])
    np.testing.assert_allclose(AffineMap.about_centre((5, 9), np.eye(2), (1, -2)).apply([2, 4]), [3, 2])


@FAST
@given(data=st.data(), shape=SHAPES)
def test_a_chain_is_one_map_and_can_be_undone(data: st.DataObject, shape: tuple[int, ...]) -> None:
    first = data.draw(maps(shape))
    second = data.draw(maps(first.target_shape))
    points = data.draw(points_of(shape))
    chain = first.then(second)
    np.testing.assert_allclose(chain.apply(points), second.apply(first.apply(points)), atol=1e-8)
    np.testing.assert_allclose(chain.inverse.apply(chain.apply(points)), points, atol=1e-8)
    assert (chain.inverse.source_shape, chain.inverse.target_shape) == (chain.target_shape, shape)


@FAST
@given(data=st.data(), grid=grids())
def test_the_mapped_grid_keeps_every_place_in_the_world(data: st.DataObject, grid: Grid) -> None:
    frame = data.draw(maps(grid.shape))
    points = data.draw(points_of(grid.shape))
    mapped = frame.map_grid(grid)
    assert mapped.shape == frame.target_shape
    np.testing.assert_allclose(mapped.index_to_world(frame.apply(points)), grid.index_to_world(points), atol=1e-7)
    assert frame.map_grid(grid.with_spacing(None)).spacing is None


def test_nan_stays_nan() -> None:
    out = AffineMap.resize((4, 4), (8, 8)).apply([[np.nan, np.nan], [1, 1]])
    assert np.isnan(out[0]).all()
    assert np.isfinite(out[1]).all()


def test_maps_that_cannot_be() -> None:
    with pytest.raises(GeometryError, match="cannot be undone"):
        AffineMap(np.diag([1.0, 0.0, 1.0]), (4, 4), (4, 4))
    with pytest.raises(GeometryError, match="cannot be undone"):
        AffineMap(np.full((3, 3), np.nan), (4, 4), (4, 4))
    with pytest.raises(GeometryError, match="same number of dimensions"):
        AffineMap(np.eye(3), (4, 4), (4, 4, 4))
    with pytest.raises(GeometryError, match=r"cannot follow"):
        AffineMap.identity((4, 4)).then(AffineMap.identity((4, 5)))
    with pytest.raises(GeometryError, match="does not fit"):
        AffineMap.identity((4, 4)).map_grid(Grid((4, 5)))
    with pytest.raises(GeometryError, match="sheared"):
        AffineMap.about_centre((4, 4), [[1, 0.5], [0, 1]]).map_grid(Grid((4, 4), (1.0, 1.0)))
