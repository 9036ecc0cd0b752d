"""Sets of cells of a heatmap: sizes by counting pixels, outlines and surfaces that enclose what they say."""

import numpy as np
import pytest

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.uncertainty import CellGrid, CellSet

SPACING = {2: (0.5, 0.2), 3: (3.0, 0.5, 0.8)}


def _padded(ndim, size=12, factor=3):
    """An image of ``factor`` pixels for each of some of the cells; the map is padded all around."""
    shape = tuple((size - 4 + 2 * axis) * factor for axis in range(ndim))
    return Grid(shape, SPACING[ndim]), AffineMap.scaling(shape, [1 / factor] * ndim, (size,) * ndim)


def _random(ndim, seed, share=0.4):
    grid, to_heatmap = _padded(ndim)
    cells = CellGrid.of(grid, to_heatmap)
    inside = np.random.default_rng(seed).random(cells.shape) < share
    inside.flat[0] = True
    return CellSet.of(cells, inside), inside


def _area(polygons):
    """Signed areas by the shoelace formula: holes are walked the other way round."""
    return sum(0.5 * np.sum(p[:, 0] * np.roll(p[:, 1], -1) - p[:, 1] * np.roll(p[:, 0], -1)) for p in polygons)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_size_is_the_count_of_its_pixels(ndim):
    region, _ = _random(ndim, 1)
    whole = region.mask((0,) * ndim, region.grid.shape)
    assert region.size_px == pytest.approx(whole.sum())
    assert region.size == pytest.approx(whole.sum() * np.prod(SPACING[ndim]))
    assert region.mask().sum() == whole.sum()


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_mask_says_what_contains_says(ndim):
    region, _ = _random(ndim, 2)
    pixels = np.moveaxis(np.indices(region.grid.shape), 0, -1)
    np.testing.assert_array_equal(region.mask((0,) * ndim, region.grid.shape), region.contains(pixels))
    assert not region.contains(np.full(ndim, np.nan))


@pytest.mark.parametrize("ndim", [2, 3])
def test_cells_follow_the_map_to_the_nearest_pixel(ndim):
    """Oracle: rounding the map's own coordinates."""
    grid, to_heatmap = _padded(ndim)
    cells = CellGrid.of(grid, to_heatmap)
    points = np.random.default_rng(0).uniform(-0.5, np.array(grid.shape) - 0.5, (500, ndim))
    expected = np.floor(to_heatmap.apply(points) + 0.5).astype(int) - [side.start for side in cells.window]
    np.testing.assert_array_equal(cells.cell_of(points), expected)


def test_a_map_that_counts_backwards_is_turned():
    shape = (6, 8)
    back = AffineMap.flip(shape, [1]).then(AffineMap.resize(shape, (3, 4)))
    heat = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    cells = CellGrid.of(Grid(shape), back)
    np.testing.assert_array_equal(cells.cut(heat), heat[:, ::-1])
    np.testing.assert_array_equal(cells.cell_of(np.array([0.0, 0.0])), [0, 0])


def test_a_map_that_is_smaller_than_its_image_reaches_to_the_border():
    grid = Grid((10, 10), (1.0, 1.0))
    cells = CellGrid.of(grid, AffineMap.crop(grid.shape, (3, 3), (4, 4)))
    region = CellSet.of(cells, np.ones(cells.shape, dtype=bool))
    assert region.size == 100.0
    assert region.contains([[0.0, 0.0], [9.4, 9.4], [-3.0, 20.0]]).all()


def test_a_cell_at_the_border_counts_as_far_as_it_lies_in_the_image():
    grid = Grid((5, 5))
    cells = CellGrid.of(grid, AffineMap.scaling(grid.shape, (1 / 3, 1 / 3), (2, 2), centred=False))
    inside = np.zeros((2, 2), dtype=bool)
    inside[1, 1] = True
    assert CellSet.of(cells, inside).size_px == pytest.approx(4.0)  # of 3 x 3 pixels, 2 x 2 are there


def test_a_turned_map_is_refused():
    turned = AffineMap.about_centre((8, 8), [[0.8, -0.6], [0.6, 0.8]])
    with pytest.raises(CalibrationError, match="turned"):
        CellGrid.of(Grid((8, 8)), turned)


@pytest.mark.parametrize("seed", range(6))
def test_outlines_enclose_the_area(seed):
    """Also with holes and cells that meet at a corner."""
    region, _ = _random(2, seed, share=0.5)
    assert abs(_area(region.contour())) == pytest.approx(region.size_px)


def test_cells_that_meet_at_a_corner_have_outlines_of_their_own():
    grid, to_heatmap = _padded(2)
    cells = CellGrid.of(grid, to_heatmap)
    inside = np.zeros(cells.shape, dtype=bool)
    inside[2, 2] = inside[3, 3] = True
    polygons = CellSet.of(cells, inside).contour()
    assert sorted(abs(_area([p])) for p in polygons) == pytest.approx([9.0, 9.0])
    assert all(len(p) == 4 for p in polygons)


@pytest.mark.parametrize("seed", range(3))
def test_a_surface_encloses_the_volume(seed):
    """By the divergence theorem: triangles face outwards."""
    region, _ = _random(3, seed)
    vertices, faces = region.surface()
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    assert np.einsum("ij,ij->", a, np.cross(b, c)) / 6 == pytest.approx(region.size_px)


@pytest.mark.parametrize("axis", range(3))
def test_sections_add_up_to_the_volume(axis):
    region, _ = _random(3, 4)
    total = sum(abs(_area(region.section(axis, float(at)))) for at in range(region.grid.shape[axis]))
    assert total == pytest.approx(region.size_px)
    assert region.section(axis, -5.0) == []


def test_bounds_hold_all_pixels():
    region, _ = _random(3, 5, share=0.01)
    lower, upper = region.bounds()
    inside = np.argwhere(region.mask((0, 0, 0), region.grid.shape))
    np.testing.assert_allclose(lower, inside.min(axis=0) - 0.5)
    np.testing.assert_allclose(upper, inside.max(axis=0) + 0.5)
