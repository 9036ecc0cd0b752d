"""Smooth deformations: splines that are known by hand, true inverses, and blobs that follow."""

import numpy as np
import pytest
from blobs import centroid_in_source, draw_blob, peak
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.transforms import (
    Deformation,
    RandomAffine,
    RandomElastic,
    RandomGridDeformation,
    Warp,
    resample,
)
from napari_landmarker.engine.transforms.deform import MAX_GRADIENT

SHAPES = {2: (80, 96), 3: (44, 48, 40)}
STRONG = (RandomElastic(displacement=0.03, smoothness=0.12), RandomGridDeformation(cells=3, limit=0.3))


def drawn(transform, shape, seed):
    return transform.draw(shape, np.zeros((0, len(shape))), np.random.default_rng(seed))


def linear(shape, cells, matrix, constant):
    """Control points of ``u(x) = matrix (x + 0.5) + constant``, which a B-spline holds exactly."""
    knots = [(np.arange(k + 3) - 1) * (n / k) for n, k in zip(shape, cells, strict=True)]
    return np.tensordot(matrix, np.stack(np.meshgrid(*knots, indexing="ij")), axes=1) + np.reshape(
        constant, (-1, *[1] * len(shape))
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_one_control_point_acts_as_a_cubic_spline_does(ndim):
    coefficients = np.zeros((ndim, *[8] * ndim))
    coefficients[(0, *[3] * ndim)] = 6.0
    bend = Deformation(coefficients, (40,) * ndim)  # five cells of 8 px, the point at the corner of pixels 15 and 16
    here = np.full(ndim, 15.5)
    np.testing.assert_allclose(bend.displacement(here), [6 * (2 / 3) ** ndim, *[0] * (ndim - 1)])
    beside = here + 8 * np.eye(ndim)[0]
    np.testing.assert_allclose(bend.displacement(beside)[0], 6 / 6 * (2 / 3) ** (ndim - 1))
    halfway = here + 4 * np.eye(ndim)[0]
    np.testing.assert_allclose(bend.displacement(halfway)[0], 6 * 23 / 48 * (2 / 3) ** (ndim - 1))
    np.testing.assert_allclose(bend.displacement(here + 16.0), 0, atol=1e-12)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_spline_that_is_linear_is_an_affine_map(ndim):
    shape, cells = SHAPES[ndim], (4, 5, 3)[:ndim]
    rng = np.random.default_rng(1)
    matrix, constant = rng.uniform(-0.1, 0.1, (ndim, ndim)), rng.uniform(-2, 2, ndim)
    bend = Deformation(linear(shape, cells, matrix, constant), shape)
    assert bend.gradient == pytest.approx(np.linalg.norm(matrix))
    back = np.eye(ndim + 1)
    back[:-1, :-1] += matrix
    back[:-1, -1] = 0.5 * matrix.sum(1) + constant
    same = AffineMap(back, shape, shape).inverse
    image = rng.normal(size=(2, *shape)).astype(np.float32)
    points = rng.uniform(12, 28, (5, 2, ndim))
    np.testing.assert_allclose(bend.apply(points), same.apply(points), atol=1e-6)
    np.testing.assert_allclose(resample(image, Warp.of(bend)), resample(image, same, antialias=False), atol=1e-3)


def test_everywhere_at_once_is_the_same_as_point_by_point():
    bend = drawn(STRONG[0], (20, 31, 17), 4).steps[0]
    lines = [np.linspace(-4, n + 3, 9) for n in bend.shape]
    points = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1)
    np.testing.assert_allclose(np.moveaxis(bend.sampled(lines), 0, -1), bend.displacement(points), atol=1e-5)
    mix = np.random.default_rng(0).normal(size=(3, 3))
    np.testing.assert_allclose(
        np.moveaxis(bend.sampled(lines, mix), 0, -1), bend.displacement(points) @ mix.T, atol=1e-4
    )


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("transform", [*STRONG, RandomElastic(displacement=0.2, smoothness=0.05)])
def test_no_draw_folds_and_every_one_can_be_undone(transform, ndim):
    shape = SHAPES[ndim]
    for seed in range(3):
        warp = drawn(transform, shape, seed)
        bend = warp.steps[0]
        assert bend.gradient <= MAX_GRADIENT * 1.001
        dense = np.stack([bend.sampled([np.arange(-0.5, n, 0.5) for n in shape])[a] for a in range(ndim)])
        jacobian = np.stack([np.stack(np.gradient(u, 0.5)) for u in dense])  # [d, a]
        jacobian = np.moveaxis(jacobian, (0, 1), (-2, -1)) + np.eye(ndim)
        assert np.linalg.det(jacobian).min() > 0.1
        points = np.random.default_rng(seed).uniform(-5, np.array(shape) + 5, (30, ndim))
        np.testing.assert_allclose(warp.pull(warp.apply(points)), points, atol=1e-5)
        np.testing.assert_allclose(warp.apply(warp.pull(points)), points, atol=1e-5)


def test_what_folds_or_does_not_fit_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(GeometryError, match="fold"):
        Deformation(rng.normal(0, 20, (2, 8, 8)), (40, 40))
    with pytest.raises(GeometryError, match="fold"):
        Deformation(np.full((2, 8, 8), np.nan), (40, 40))
    assert Deformation.bounded(rng.normal(0, 20, (2, 8, 8)), (40, 40)).gradient == pytest.approx(MAX_GRADIENT)
    weak = rng.normal(0, 0.1, (2, 8, 8))
    np.testing.assert_array_equal(Deformation.bounded(weak, (40, 40)).coefficients, weak)
    for coefficients in (np.zeros((3, 8, 8)), np.zeros((2, 3, 8)), np.zeros((2, 8))):
        with pytest.raises(GeometryError, match="do not fit"):
            Deformation(coefficients, (40, 40))


def test_the_displacement_is_as_large_and_as_smooth_as_asked_for():
    shape, transform = (200, 400), RandomElastic(displacement=0.01, smoothness=0.04)
    fields = np.stack([drawn(transform, shape, s).steps[0].sampled([np.arange(n) for n in shape]) for s in range(12)])
    np.testing.assert_allclose(fields.std(axis=(0, 2, 3)), [2, 4], rtol=0.1)
    # noise smoothed by a Gaussian of s px has a gradient of standard deviation 1 / (sqrt(2) s) of its own
    slope = np.gradient(fields[:, 0], axis=2).std() / fields[:, 0].std()
    assert slope == pytest.approx(1 / (np.sqrt(2) * 16), rel=0.15)
    assert np.abs(drawn(RandomGridDeformation(cells=4, limit=0.1), shape, 0).steps[0].coefficients).max() <= 10


@pytest.mark.parametrize("ndim", [2, 3])
@settings(max_examples=20)
@given(data=st.data())
def test_a_blob_and_its_landmark_stay_together_when_bent(ndim, data):
    """Deformations between affine maps, drawn once, in any order."""
    shape = SHAPES[ndim]
    place = np.array([data.draw(st.floats(n / 2 - 5, n / 2 + 5)) for n in shape])
    affine = RandomAffine(rotation_deg=20, shift=0.03, log_scale=0.1)
    orders = [(0,), (1,), ("a", 0), (1, "a"), ("a", 0, "a"), (0, 1), (0, "a", 1, "a"), (0, "crop"), (1, "pad", "a")]
    warp, seed = Warp.identity(shape), data.draw(st.integers(0, 10_000))
    for kind in data.draw(st.sampled_from(orders)):
        now = warp.target_shape
        if kind == "crop":
            step = Warp.of(AffineMap.crop(now, [3] * ndim, [n - 5 for n in now]))
        elif kind == "pad":
            step = Warp.of(AffineMap.scaling(now, [1.1] * ndim, [n + 12 for n in now]))
        else:
            step = drawn(affine if kind == "a" else STRONG[kind], now, seed)
        warp, seed = warp.then(step), seed + 1
    image = resample(draw_blob(shape, place, 2.5), warp)
    assert image.shape[1:] == warp.target_shape
    there = warp.apply(place)
    np.testing.assert_allclose(warp.pull(there), place, atol=1e-4)
    if np.all((there > 12) & (there < np.array(warp.target_shape) - 13)):
        np.testing.assert_allclose(centroid_in_source(image, warp), place, atol=0.05)


@pytest.mark.parametrize("ndim", [2, 3])
@settings(max_examples=15)
@given(data=st.data())
def test_the_top_of_a_bent_blob_lies_at_its_landmark(ndim, data):
    """Without help of the map: the brightest place of the image is where the landmark went."""
    shape = {2: (96, 112), 3: (56, 60, 52)}[ndim]
    place = np.array([data.draw(st.floats(n / 2 - 5, n / 2 + 5)) for n in shape])
    weak = (RandomElastic(displacement=0.01, smoothness=0.15), RandomGridDeformation(cells=3, limit=0.1))
    turn = RandomAffine(rotation_deg=20, shift=0.03, log_scale=0.1)
    seed, steps = data.draw(st.integers(0, 10_000)), data.draw(st.sampled_from([weak, weak[:1], weak[1:]]))
    warp = drawn(turn, shape, seed) if data.draw(st.booleans()) else Warp.identity(shape)
    for number, step in enumerate(steps):
        warp = warp.then(drawn(step, shape, seed + number))
    image = resample(draw_blob(shape, place, 3.5), warp)
    np.testing.assert_allclose(peak(image), warp.apply(place), atol=0.05)


@pytest.mark.parametrize("ndim", [2, 3])
def test_beyond_the_border_of_a_bent_frame_image_and_points_still_agree(ndim):
    """A frame cut out of an image and bent, then drawn smaller: what was cut off comes back in."""
    shape = tuple(n * 2 for n in SHAPES[ndim]) if ndim == 2 else (60, 60, 60)
    inner = tuple(n // 2 for n in shape)
    cut = Warp.of(AffineMap.crop(shape, [n // 4 for n in shape], inner))
    warp = cut.then(drawn(STRONG[1], inner, 5)).then(Warp.of(AffineMap.scaling(inner, [0.8] * ndim, inner)))
    turned = warp.then(Warp.of(AffineMap.about_centre(inner, np.diag([0.9] * ndim)[:, ::-1])))
    place = np.array(shape) / 4 - 1.3
    for chain in (warp, turned):
        there = chain.apply(place)
        np.testing.assert_allclose(chain.pull(there), place, atol=1e-5)
    # a landmark half a pixel beyond the bent frame and its blob
    np.testing.assert_allclose(peak(resample(draw_blob(shape, place, 3.0), warp)), warp.apply(place), atol=0.1)


def test_chains_are_joined_and_checked():
    affine = drawn(RandomAffine(), (20, 30), 0)
    bend = drawn(STRONG[0], (20, 30), 0)
    chain = affine.then(affine).then(bend).then(affine)
    assert [type(s).__name__ for s in chain.steps] == ["AffineMap", "Deformation", "AffineMap"]
    assert not chain.is_affine
    np.testing.assert_allclose(chain.affine.matrix, np.linalg.matrix_power(affine.affine.matrix, 3))
    with pytest.raises(GeometryError, match="cannot follow"):
        affine.then(Warp.identity((30, 20)))
    with pytest.raises(GeometryError, match="cannot follow"):
        Warp((AffineMap.identity((20, 30)), drawn(STRONG[0], (30, 20), 0).steps[0]), (20, 30))
