"""Chains of maps: they can be undone, keep places in the world, and move a blob as they move its landmark."""

from functools import reduce

import numpy as np
import pytest
from blobs import centroid, draw_blob
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, Grid, reversed_axes
from napari_landmarker.engine.transforms import resample

SIGMA_PX = 2.5
SHAPES = {2: (72, 80), 3: (38, 44, 36)}


def chained(steps, shape):
    return reduce(AffineMap.then, steps, AffineMap.identity(shape))


def rotation(ndim, angles):
    out = np.eye(ndim)
    planes = [(a, b) for a in range(ndim) for b in range(a + 1, ndim)]
    for (a, b), angle in zip(planes, angles, strict=False):
        turn = np.eye(ndim)
        turn[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        out = out @ turn
    return out


@st.composite
def one_map(draw, shape, kinds):
    ndim, kind = len(shape), draw(st.sampled_from(kinds))
    factors = st.floats(0.6, 1.5)
    if kind == "resize":
        return AffineMap.resize(shape, [max(8, round(n * draw(factors))) for n in shape])
    if kind == "fit":
        return AffineMap.fit(shape, [max(8, round(n * draw(factors))) for n in shape])
    if kind == "pad":
        before, after = ([draw(st.integers(0, 9)) for _ in shape] for _ in range(2))
        return AffineMap.crop(
            shape, [-b for b in before], [n + b + a for n, b, a in zip(shape, before, after, strict=True)]
        )
    if kind == "crop":
        start = [draw(st.integers(0, n // 4)) for n in shape]
        return AffineMap.crop(
            shape, start, [n - s - draw(st.integers(0, n // 4)) for n, s in zip(shape, start, strict=True)]
        )
    if kind == "flip":
        return AffineMap.flip(shape, draw(st.sets(st.integers(0, ndim - 1))))
    if kind == "permute":
        return AffineMap.permute(shape, draw(st.permutations(range(ndim))))
    turn = rotation(ndim, [draw(st.floats(-0.6, 0.6)) for _ in range(3)])
    if kind == "rotate":
        return AffineMap.about_centre(shape, turn)
    stretch = np.diag([draw(st.floats(0.75, 1.3)) for _ in shape])
    shear = np.eye(ndim) + np.triu(np.full((ndim, ndim), draw(st.floats(-0.2, 0.2))), 1)
    return AffineMap.about_centre(shape, turn @ shear @ stretch, [draw(st.floats(-3, 3)) for _ in shape])


ALIGNED = ("resize", "fit", "pad", "crop", "flip", "permute")
RIGID = ("fit", "pad", "crop", "flip", "permute", "rotate")
ALL = (*ALIGNED, "rotate", "affine")


@st.composite
def chains(draw, shape, kinds=ALL, longest=7):
    steps = []
    for _ in range(draw(st.integers(1, longest))):
        steps.append(draw(one_map(steps[-1].target_shape if steps else shape, kinds)))
    return steps


@pytest.mark.parametrize("ndim", [2, 3])
@settings(max_examples=60)
@given(data=st.data())
def test_a_chain_and_its_inverse_return_every_point(ndim, data):
    shape = SHAPES[ndim]
    steps = data.draw(chains(shape))
    points = np.random.default_rng(data.draw(st.integers(0, 99))).uniform(-20, 100, (9, 2, ndim))
    chain = chained(steps, shape)
    one_by_one = points
    for step in steps:
        one_by_one = step.apply(one_by_one)
    np.testing.assert_allclose(chain.apply(points), one_by_one, atol=1e-4)
    for step in reversed(steps):
        one_by_one = step.inverse.apply(one_by_one)
    np.testing.assert_allclose(one_by_one, points, atol=1e-4)
    np.testing.assert_allclose(chain.inverse.apply(chain.apply(points)), points, atol=1e-4)
    assert chain.inverse.target_shape == shape


@pytest.mark.parametrize("ndim", [2, 3])
@settings(max_examples=60)
@given(data=st.data())
def test_places_in_the_world_stay_where_they_are(ndim, data):
    shape = SHAPES[ndim]
    spacing = [data.draw(st.floats(0.1, 5)) for _ in shape]
    direction = rotation(ndim, [0.3, -1.1, 0.7]) @ reversed_axes(ndim)
    anisotropic = Grid(shape, tuple(spacing), np.arange(ndim) * 40.0 - 31, direction)
    isotropic = anisotropic.with_spacing(spacing[:1] * ndim)
    points = np.random.default_rng(3).uniform(-20, 100, (7, ndim))
    for grid, kinds in ((anisotropic, ALIGNED), (isotropic, RIGID)):
        steps = data.draw(chains(shape, kinds))
        chain = chained(steps, shape)
        mapped = chain.map_grid(grid)
        np.testing.assert_allclose(mapped.index_to_world(chain.apply(points)), grid.index_to_world(points), atol=1e-6)
        assert reduce(lambda one, step: step.map_grid(one), steps, grid) == mapped
        assert chain.inverse.map_grid(mapped) == grid


def test_a_turn_of_pixels_that_are_not_square_shears_the_world_and_is_refused():
    for shape, spacing in (((9, 9), (1.0, 2.0)), ((9, 9, 9), (3.0, 1.0, 1.0))):
        turn = AffineMap.about_centre(shape, rotation(len(shape), [0.3]))
        with pytest.raises(GeometryError, match="sheared"):
            turn.map_grid(Grid(shape, spacing))
        assert turn.map_grid(Grid(shape, (2.0,) * len(shape))).spacing == pytest.approx((2.0,) * len(shape))


def holds_blob(chain, place):
    """Whether four standard deviations of the blob lie inside the frame."""
    reach = 4 * SIGMA_PX * np.linalg.norm(chain.matrix[:-1, :-1], axis=1) + 1
    there = chain.apply(place)
    return bool(np.all((there >= reach) & (there <= np.asarray(chain.target_shape) - 1 - reach)))


@pytest.mark.parametrize("ndim", [2, 3])
@settings(max_examples=50)
@given(data=st.data())
def test_a_blob_and_its_landmark_stay_together_through_every_chain(ndim, data):
    shape = SHAPES[ndim]
    place = np.array([data.draw(st.floats(n / 2 - 4, n / 2 + 4)) for n in shape])
    chain, drawn = AffineMap.identity(shape), draw_blob(shape, place, SIGMA_PX)
    first = drawn
    for _ in range(data.draw(st.integers(1, 6))):
        step = data.draw(one_map(chain.target_shape, ALL))
        # each drawing widens the blob a little, so no more than six, none of a blob that shrank to a pixel
        if holds_blob(chain.then(step), place) and np.linalg.svd((chain.then(step)).matrix[:-1, :-1])[1].min() > 0.4:
            chain, drawn = chain.then(step), resample(drawn, step)
    assert drawn.shape[1:] == chain.target_shape
    np.testing.assert_allclose(centroid(drawn), chain.apply(place), atol=0.05)
    np.testing.assert_allclose(centroid(resample(first, chain)), chain.apply(place), atol=0.05)


@pytest.mark.parametrize(
    ("make", "shape", "target", "step"),
    [
        (AffineMap.resize, (256, 256), (64, 64), (4, 4)),
        (AffineMap.fit, (2400, 1935), (512, 512), (2400 / 512,) * 2),
        (AffineMap.resize, (2400, 1935), (512, 512), (2400 / 512, 1935 / 512)),
        (AffineMap.fit, (30, 120, 120), (48, 48, 48), (2.5, 2.5, 2.5)),
        (AffineMap.resize, (30, 120, 120), (48, 48, 48), (0.625, 2.5, 2.5)),
        (AffineMap.resize, (40, 36, 64), (10, 72, 16), (4, 0.5, 4)),
    ],
)
def test_a_blob_and_its_landmark_stay_together_in_another_size(make, shape, target, step):
    to = make(shape, target)
    np.testing.assert_allclose(np.linalg.norm(to.inverse.matrix[:-1, :-1], axis=0), step)
    for share in (0.42, 0.5137, 0.57):
        place = np.array(shape) * share + 0.3
        drawn = resample(draw_blob(shape, place, SIGMA_PX), to)
        assert drawn.shape == (1, *target)
        np.testing.assert_allclose(centroid(drawn), to.apply(place), atol=0.05)


def test_padding_is_the_same_on_both_sides_and_the_aspect_is_kept():
    to = AffineMap.fit((30, 120, 120), (48, 48, 48))
    np.testing.assert_allclose(to.apply([[-0.5] * 3, [29.5, 119.5, 119.5]]), [[17.5, -0.5, -0.5], [29.5, 47.5, 47.5]])
