"""What augmentation does by default: collimation, blur, grey values, elastic deformation, and never a mirror."""

import numpy as np
import pytest
import torch
from blobs import centroid_in_source, draw_blob
from scipy import ndimage

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.transforms import (
    Augmentation,
    AugmentationConfig,
    RandomAffine,
    RandomCollimation,
    RandomIntensity,
    Warp,
    resample,
)
from napari_landmarker.engine.transforms.collimation import Shutter
from napari_landmarker.engine.transforms.intensity import blur
from napari_landmarker.engine.transforms.resample import _lattice, _normalised

SHAPES = {2: (60, 48), 3: (22, 26, 24)}
STILL = {"log_gamma": 0, "log_contrast": 0, "brightness": 0, "noise": 0, "blur": 0, "collimation": 0}


def noise(ndim, channels=1):
    return np.random.default_rng(0).normal(size=(channels, *SHAPES[ndim])).astype(np.float32)


def test_a_shutter_covers_what_lies_in_front_of_its_edge():
    straight = Shutter(axis=0, far=False, depth_px=3.0, slopes=np.zeros(2))
    places = np.array([[-0.5, 0], [2.0, 19], [2.49, 5], [2.51, 5], [9, 9], [np.nan, np.nan]])
    assert straight.covers(places, (10, 20)).tolist() == [True, True, True, False, False, False]
    end = Shutter(axis=1, far=True, depth_px=4.0, slopes=np.zeros(2))
    assert end.covers(np.array([[0, 15.4], [0, 15.6], [9, 19.5]]), (10, 20)).tolist() == [False, True, True]
    # 2 px deep in the middle of the face (x = 9.5) and a tenth deeper for each pixel to the right
    tilted = Shutter(axis=0, far=False, depth_px=2.0, slopes=np.array([0, 0.1]))
    assert tilted.depths(np.array([[0, 9.5], [0, 19.5], [0, 4.5]]), (10, 20)).tolist() == [2.0, 3.0, 1.5]


@pytest.mark.parametrize("ndim", [2, 3])
def test_collimation_covers_pixels_and_landmarks_alike(ndim):
    image, shape = noise(ndim, channels=2), SHAPES[ndim]
    rng = np.random.default_rng(3)
    points = rng.uniform(0, np.array(shape) - 1, (40, ndim))
    points[7] = np.nan
    collimate = RandomCollimation(probability=1, depth=0.3, tilt_deg=10)
    lattice = np.stack(np.indices(shape), axis=-1).astype(float)
    lost, continued = 0, 0
    for seed in range(30):
        out, left, _ = collimate.trace(image, points, np.random.default_rng(seed))
        again = np.random.default_rng(seed)
        again.random()
        shutters = collimate.draw(shape, again)
        covered = np.any([s.covers(lattice, shape) for s in shutters], axis=0)
        np.testing.assert_array_equal(out[:, ~covered], image[:, ~covered])
        hidden = np.any([s.covers(points, shape) for s in shutters], axis=0)
        assert np.isnan(left[hidden]).all()
        np.testing.assert_array_equal(left[~hidden], points[~hidden])
        lost += hidden.sum()
        values = np.unique(out[:, covered])
        if covered.any() and len(values) > 1:
            assert ndim == 3
            continued += 1
            assert set(values) <= set(np.unique(image))  # planes that are seen go on
        elif covered.any():
            assert image.min() <= values[0] <= image.mean() + 1e-6
    assert lost > 30
    assert (continued > 5) == (ndim == 3)


def test_an_image_whose_landmarks_would_all_be_covered_is_left_alone():
    image = noise(2)
    points = np.array([[[0.0, 0.0], [59.0, 47.0]], [[np.nan] * 2] * 2])
    collimate = RandomCollimation(probability=1, depth=0.5)
    outcomes = [collimate(image, points, np.random.default_rng(seed)) for seed in range(60)]
    whole = [out for out, left in outcomes if np.isfinite(left).all(axis=-1).sum() == 2]
    assert all(np.isfinite(left[0]).all(axis=-1).any() for _, left in outcomes)
    assert any(np.array_equal(out, image) for out in whole)
    nothing = np.full((3, 2), np.nan)
    assert not np.array_equal(collimate(image, nothing, np.random.default_rng(0))[0], image)


def test_collimation_comes_as_often_as_it_is_told_to():
    image, points = noise(2), np.full((1, 2), 25.0)
    rng = np.random.default_rng(0)
    changed = [not np.array_equal(RandomCollimation(probability=0.3)(image, points, rng)[0], image) for _ in range(400)]
    assert 0.2 < np.mean(changed) < 0.4
    before = rng.bit_generator.state
    never = RandomCollimation(probability=0)(image, points, rng)
    np.testing.assert_array_equal(never[0], image)
    assert rng.bit_generator.state == before


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("sigma_px", [0.4, 0.7, 1.0, 1.6])
def test_blur_has_the_width_it_is_told_and_keeps_the_mean(ndim, sigma_px):
    size = 25
    image = np.zeros((1, *[size] * ndim), np.float32)
    image[(0, *[12] * ndim)] = 1
    blur(image, sigma_px)
    assert image.min() >= 0
    assert image.sum() == pytest.approx(1, abs=1e-5)
    offsets = np.arange(size) - 12
    for axis in range(ndim):
        along = image[0].sum(axis=tuple(a for a in range(ndim) if a != axis))
        assert (along * offsets).sum() == pytest.approx(0, abs=1e-5)
        assert (along * offsets**2).sum() == pytest.approx(sigma_px**2, rel=1e-3)
    drawn = noise(ndim)
    near = drawn.copy()
    blur(near, sigma_px)
    smooth = ndimage.gaussian_filter(drawn, (0, *[sigma_px] * ndim), mode="nearest")
    if sigma_px >= 0.7:  # below, a Gaussian that is looked up at pixels is narrower than it says
        assert np.abs(near - smooth).mean() < 0.12 * np.abs(drawn - smooth).mean()
    assert near.mean() == pytest.approx(drawn.mean(), abs=1e-4)
    flat = np.full((2, *[5] * ndim), 3, np.float32)
    blur(flat, sigma_px)
    assert (flat == 3).all()


def test_grey_values_follow_the_formula():
    image = noise(2).astype(np.float64)
    recolour = RandomIntensity(noise=0)
    out = recolour.recolour(image.astype(np.float32), np.random.default_rng(5))
    rng = np.random.default_rng(5)
    gamma, contrast = np.exp(rng.uniform(-0.5, 0.5)), np.exp(rng.uniform(-0.35, 0.35))
    low, high = image.min(), image.max()
    bent = ((image - low) / (high - low)) ** gamma * (high - low) + low
    np.testing.assert_allclose(out, bent * contrast + rng.uniform(-0.25, 0.25), atol=2e-5)
    grainy = RandomIntensity(log_gamma=0, log_contrast=0, brightness=0, noise=0.5)
    spread = [
        (grainy.recolour(image.astype(np.float32), np.random.default_rng(seed)) - image).std() for seed in range(60)
    ]
    assert min(spread) > 0
    assert max(spread) < 0.55
    assert np.mean(spread) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("ndim", [2, 3])
def test_places_in_the_source_are_those_of_torch(ndim):
    shape = SHAPES[ndim]
    target = tuple(n - 7 for n in shape)
    move = RandomAffine().draw_map(shape, np.random.default_rng(1)).then(AffineMap.resize(shape, target))
    theta = torch.from_numpy(_normalised(move))[None]
    expected = torch.nn.functional.affine_grid(theta, [1, 1, *target], align_corners=False)
    torch.testing.assert_close(_lattice(move).double(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("ndim", [2, 3])
def test_by_default_images_are_bent_but_never_mirrored(ndim):
    schema = LandmarkSchema.from_names(("left", "right")).model_copy(update={"pairs": (("left", "right"),)})
    augment = Augmentation(AugmentationConfig(probability=1), schema)
    image, points = noise(ndim), np.array([np.array(SHAPES[ndim]) * share for share in (0.45, 0.55)])
    bent = 0
    for seed in range(25):
        moved = augment.trace(image, points, np.random.default_rng(seed))
        assert moved.warp.swaps == ()
        assert np.linalg.det(moved.warp.affine.matrix) > 0
        bent += not moved.warp.is_affine
    assert bent == 25


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_blob_and_its_landmark_stay_together_at_the_default_strength(ndim):
    shape = (80, 90) if ndim == 2 else (44, 48, 40)
    point = np.array(shape) * 0.5 + 0.3
    image = draw_blob(shape, point, 2.5)
    augment = Augmentation(AugmentationConfig(shift=0.03, **STILL))
    for seed in range(4):
        out, moved, warp = augment.trace(image, point[None], np.random.default_rng(seed))
        np.testing.assert_allclose(warp.apply(point), moved[0], atol=1e-6)
        np.testing.assert_allclose(centroid_in_source(out, warp), point, atol=0.05)


@pytest.mark.parametrize("ndim", [2, 3])
def test_collimation_is_part_of_augmentation_and_comes_last(ndim):
    config = AugmentationConfig(collimation=1, collimation_depth=0.4, probability=0, noise=0.3)
    image = noise(ndim)
    points = np.random.default_rng(1).uniform(0, np.array(SHAPES[ndim]) - 1, (30, ndim))
    lost = []
    for seed in range(10):
        _, moved, warp = Augmentation(config).trace(image, points, np.random.default_rng(seed))
        assert warp.steps == ()
        seen = np.isfinite(moved).all(axis=1)
        np.testing.assert_array_equal(moved[seen], points[seen])
        lost.append((~seen).sum())
    assert 0 < np.mean(lost) < 25


def test_little_shrinking_is_not_smoothed():
    image = noise(2)
    smaller = AffineMap.about_centre(SHAPES[2], np.eye(2) * 0.85)
    np.testing.assert_array_equal(resample(image, smaller), resample(image, smaller, antialias=False))
    much = AffineMap.about_centre(SHAPES[2], np.eye(2) * 0.6)
    assert np.abs(resample(image, Warp.of(much)) - resample(image, much, antialias=False)).max() > 0.1
