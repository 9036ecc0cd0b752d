"""Transforms of samples: what they may never do, flips, crops, chains and augmentation."""

import numpy as np
import pytest
from blobs import centroid, centroid_in_source, draw_blob
from pydantic import ValidationError

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.transforms import (
    Augmentation,
    AugmentationConfig,
    CentreCrop,
    CropAround,
    Pipeline,
    RandomAffine,
    RandomCrop,
    RandomElastic,
    RandomFlip,
    RandomGridDeformation,
    RandomIntensity,
    Resize,
    SpatialTransform,
    Warp,
    resample,
)

NAMES = ("nose", "left eye", "right eye", "chin")
PAIRS = (("left eye", "right eye"),)
SCHEMA = LandmarkSchema.from_names(NAMES).model_copy(update={"pairs": PAIRS})
SHAPES = {2: (40, 48), 3: (22, 26, 24)}


def every(ndim):
    size = (32, 60, 20)[:ndim]
    spatial = [
        RandomAffine(),
        RandomElastic(),
        RandomGridDeformation(probability=0.5),
        RandomFlip(names=NAMES, pairs=PAIRS),
        RandomCrop(size=size),
        CentreCrop(size=size),
        CropAround(size=size, jitter_px=3),
        Resize(size=size),
        Resize(size=size, pad=False),
    ]
    whole = AugmentationConfig(elastic=0.02, flip=0.5)
    return [*spatial, RandomIntensity(), Augmentation(whole, SCHEMA), Pipeline(*spatial, RandomIntensity())]


def sample(ndim, instances=None):
    rng = np.random.default_rng(7)
    middle = np.array(SHAPES[ndim]) / 2
    points = middle + rng.uniform(-5, 5, (4, *([instances] if instances else []), ndim))
    points[(3, 0) if instances else 3] = np.nan
    return rng.normal(size=(2, *SHAPES[ndim])).astype(np.float32), points


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("instances", [None, 3])
@pytest.mark.parametrize("number", range(len(every(2))))
def test_inputs_stay_missing_stays_and_chance_is_that_of_the_generator(number, ndim, instances):
    transform = every(ndim)[number]
    image, points = sample(ndim, instances)
    kept = image.copy(), points.copy()
    image.setflags(write=False)
    points.setflags(write=False)
    for seed in range(3):
        out, moved = transform(image, points, np.random.default_rng(seed))
        again = transform(image, points, np.random.default_rng(seed))
        np.testing.assert_array_equal(out, again[0])
        np.testing.assert_array_equal(moved, again[1])
        assert out.dtype == np.float32
        assert out.shape[0] == 2
        assert moved.shape == points.shape
        assert np.isnan(moved[(3, 0) if instances else 3]).all()
        assert np.isnan(moved).any(axis=-1).sum() == np.isnan(moved).all(axis=-1).sum()
        assert not np.shares_memory(out, image)
        assert not np.shares_memory(moved, points)
        inside = np.isnan(moved) | ((moved >= -0.5) & (moved <= np.array(out.shape[1:]) - 0.5))
        assert inside.all()
    np.testing.assert_array_equal(image, kept[0])
    np.testing.assert_array_equal(points, kept[1])


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("number", range(len(every(2))))
def test_the_warp_says_where_places_went(number, ndim):
    transform, (image, points) = every(ndim)[number], sample(ndim)
    out, moved, warp = transform.trace(image, points, np.random.default_rng(1))
    assert warp.source_shape == image.shape[1:]
    assert warp.target_shape == out.shape[1:]
    np.testing.assert_array_equal(warp.landmarks(points), moved)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("axis", [-1, 0])
def test_in_a_mirror_left_and_right_change_names(ndim, axis):
    shape = SHAPES[ndim]
    points = np.array([np.array(shape) * share for share in (0.5, 0.3, 0.6, 0.45)])
    image = draw_blob(shape, points[1], 2.0)  # the left eye
    flip = RandomFlip.for_schema(SCHEMA, axis=axis, probability=1)
    out, moved = flip(image, points, np.random.default_rng(0))
    mirrored = points.copy()
    mirrored[:, axis] = shape[axis] - 1 - points[:, axis]
    np.testing.assert_allclose(moved[0], mirrored[0])  # the nose stays the nose
    np.testing.assert_allclose(moved[3], mirrored[3])
    np.testing.assert_allclose(moved[1], mirrored[2])
    np.testing.assert_allclose(moved[2], mirrored[1])
    np.testing.assert_allclose(centroid(out), moved[2], atol=0.01)  # the left eye's blob is the right eye now
    back = flip(out, moved, np.random.default_rng(0))
    np.testing.assert_allclose(back[1], points)
    np.testing.assert_array_equal(back[0], image)


def test_a_mirror_without_known_sides_is_refused():
    with pytest.raises(GeometryError, match="name the left-right pairs"):
        RandomFlip()
    with pytest.raises(GeometryError, match="name the left-right pairs"):
        RandomFlip.for_schema(LandmarkSchema.from_names(NAMES))
    with pytest.raises(GeometryError, match="'left eye' is used without 'right eye'"):
        RandomFlip.for_schema(SCHEMA, ("left eye", "chin"))
    with pytest.raises(GeometryError, match="name the left-right pairs"):
        RandomFlip.for_schema(SCHEMA, ("nose", "chin"))
    with pytest.raises(GeometryError, match="pairs of landmarks are not known"):
        Augmentation(AugmentationConfig(flip=0.5))
    image, points = sample(2)
    assert (
        RandomFlip(without_pairs=True, probability=1)(image, points, np.random.default_rng(0))[1][0, 0] == points[0, 0]
    )
    with pytest.raises(GeometryError, match="was given 3"):
        RandomFlip.for_schema(SCHEMA, probability=1)(image, points[:3], np.random.default_rng(0))
    with pytest.raises(GeometryError, match="along axis 2"):
        RandomFlip.for_schema(SCHEMA, axis=2, probability=1)(image, points, np.random.default_rng(0))


def test_crops_cut_what_numpy_cuts():
    image = np.arange(80, dtype=np.float32).reshape(1, 8, 10)
    points, rng = np.array([[4.25, 5.5], [0, 0]]), np.random.default_rng(0)
    out, moved = CentreCrop(size=(4, 6))(image, points, rng)
    np.testing.assert_array_equal(out, image[:, 2:6, 2:8])
    np.testing.assert_array_equal(moved, [[2.25, 3.5], [np.nan, np.nan]])
    out, moved = CentreCrop(size=(12, 10))(image, points, rng)
    np.testing.assert_array_equal(out, np.pad(image, [(0, 0), (2, 2), (0, 0)], mode="edge"))
    np.testing.assert_array_equal(moved, points + np.array([2, 0]))
    starts = set()
    for seed in range(60):
        out, moved = RandomCrop(size=(7, 9))(image, points, np.random.default_rng(seed))
        y, x = divmod(int(out[0, 0, 0]), 10)
        starts.add((y, x))
        np.testing.assert_array_equal(out, image[:, y : y + 7, x : x + 9])
        np.testing.assert_array_equal(moved[0], points[0] - [y, x])
    assert starts == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_crop_around_a_landmark_has_it_in_the_middle():
    image, rng = np.arange(200, dtype=np.float32).reshape(1, 10, 20), np.random.default_rng(0)
    points = np.array([[4.2, 5.4], [np.nan, np.nan]])
    out, moved = CropAround(size=(3, 5), landmark="a", names=("a", "b"))(image, points, rng)
    np.testing.assert_array_equal(out, image[:, 3:6, 3:8])
    np.testing.assert_allclose(moved[0], [1.2, 2.4])
    missing, _ = CropAround(size=(4, 6), landmark="b", names=("a", "b"))(image, points, rng)
    np.testing.assert_array_equal(missing, image[:, 3:7, 7:13])
    anyone, _ = CropAround(size=(3, 5))(image, points, rng)
    np.testing.assert_array_equal(anyone, out)
    for seed in range(20):
        _, near = CropAround(size=(5, 9), jitter_px=1)(image, points, np.random.default_rng(seed))
        assert (np.abs(near[0] - [2, 4]) <= 1.5).all()
    with pytest.raises(GeometryError, match="no landmark 'c'"):
        CropAround(size=(3, 3), landmark="c", names=("a", "b"))
    with pytest.raises(GeometryError, match="was given 2"):
        CropAround(size=(3, 3), names=("a",))(image, points, rng)


def test_sizes_are_checked():
    image, points = sample(2)
    for transform in (RandomCrop, CentreCrop, CropAround, Resize):
        with pytest.raises(GeometryError, match="does not fit"):
            transform(size=(4, 4, 4))(image, points, np.random.default_rng(0))
        with pytest.raises(ValidationError):
            transform(size=(4, 0))


def test_resizing_follows_pixel_centres():
    image, points = sample(2)
    out, moved = Resize(size=(20, 96), pad=False)(image, points, np.random.default_rng(0))
    assert out.shape == (2, 20, 96)
    np.testing.assert_allclose(moved, (points + 0.5) * [0.5, 2] - 0.5)
    out, moved = Resize(size=(80, 80))(image, points, np.random.default_rng(0))  # 40 x 48, enlarged by 5 / 3
    np.testing.assert_allclose(moved, (points + 0.5) * 5 / 3 - 0.5 + [(80 - 40 * 5 / 3) / 2, 0])


class _By(SpatialTransform):
    """A fixed turn."""

    angle: float

    def draw(self, space, points, rng):
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return Warp.of(AffineMap.about_centre(space, [[cos, -sin], [sin, cos]]))


def test_neighbouring_maps_draw_the_image_once():
    image, points = sample(2)
    there_and_back = Pipeline(_By(angle=0.7), _By(angle=-0.7))
    out, moved, _ = there_and_back.trace(image, points, np.random.default_rng(0))
    np.testing.assert_array_equal(out, image)
    np.testing.assert_allclose(moved, points)
    twice = Pipeline(_By(angle=0.7), RandomIntensity(), _By(angle=-0.7))(image, points, np.random.default_rng(0))[0]
    assert twice.std() < 0.95 * image.std()  # drawn twice, and softer for it


def test_a_chain_takes_plain_functions_and_admits_what_it_does_not_know():
    image, points = sample(2)

    def brighter(given, places, rng):
        given += 1  # its own copy
        return given, places

    rng = np.random.default_rng(0)
    out, moved, warp = Pipeline(CentreCrop(size=(30, 30)), brighter, CentreCrop(size=(20, 20))).trace(
        image, points, rng
    )
    np.testing.assert_array_equal(out, image[:, 10:30, 14:34] + 1)
    np.testing.assert_allclose(moved[:3], points[:3] - [10, 14])
    assert warp is None
    nothing = Pipeline().trace(image, points, rng)
    np.testing.assert_array_equal(nothing.image, image)
    assert nothing.warp.steps == ()


@pytest.mark.parametrize("ndim", [2, 3])
def test_augmentation_moves_image_and_points_by_what_it_draws(ndim):
    image, points = sample(ndim)
    still = {"log_gamma": 0, "log_contrast": 0, "brightness": 0, "noise": 0, "blur": 0, "collimation": 0}
    plain = Augmentation(AugmentationConfig(probability=1, elastic=0, **still))
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rng.random()
        move = plain.draw(image.shape[1:], rng)
        out, moved = plain(image, points, np.random.default_rng(seed))
        np.testing.assert_allclose(out, resample(image, move), atol=1e-5)
        np.testing.assert_allclose(moved, Warp.of(move).landmarks(points))
    # what is off takes nothing from the generator
    same = Augmentation(AugmentationConfig(probability=1, elastic=0, smoothness=0.5, **still), SCHEMA)
    np.testing.assert_array_equal(
        same(image, points, np.random.default_rng(5))[0], plain(image, points, np.random.default_rng(5))[0]
    )
    never = Augmentation(AugmentationConfig(probability=0, elastic=0.1, **still))
    np.testing.assert_allclose(never(image, points, np.random.default_rng(5))[0], image, atol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_blob_and_its_landmark_stay_together_when_augmented(ndim):
    shape = (64, 72) if ndim == 2 else (44, 48, 40)
    config = AugmentationConfig(
        shift=0.03,
        log_scale=0.1,
        elastic=0.005,
        flip=0.5,
        log_gamma=0,
        log_contrast=0,
        brightness=0,
        noise=0,
        blur=0,
        collimation=0,
    )
    points = np.array([np.array(shape) * share + 0.3 for share in (0.4, 0.5, 0.55, 0.45)])
    augment = Augmentation(config, SCHEMA)
    for seed in range(5):
        # one landmark's blob at a time; where a mirror swaps the eyes, the blob is the other's
        for row in range(4):
            out, moved, warp = augment.trace(draw_blob(shape, points[row], 2.5), points, np.random.default_rng(seed))
            assert bool(warp.swaps) == (np.linalg.det(warp.affine.matrix) < 0)
            name = {1: 2, 2: 1}.get(row, row) if warp.swaps else row
            np.testing.assert_allclose(warp.apply(points[row]), moved[name], atol=1e-6)
            np.testing.assert_allclose(centroid_in_source(out, warp), points[row], atol=0.05)


def test_a_landmark_that_leaves_the_image_becomes_missing():
    config = AugmentationConfig(shift=0.5, probability=1)
    image, points = np.zeros((1, 32, 32), np.float32), np.array([[0.0, 0.0], [16.0, 16.0]])
    outcomes = [Augmentation(config)(image, points, np.random.default_rng(seed))[1] for seed in range(40)]
    lost = [np.isnan(p[0]).all() for p in outcomes]
    assert any(lost)
    assert not all(lost)
    assert all(np.isnan(p).any(axis=1).sum() == np.isnan(p).all(axis=1).sum() for p in outcomes)


def test_every_field_of_the_form_has_a_title_and_bounds():
    for name, field in AugmentationConfig.model_fields.items():
        assert field.title, name
        assert len(field.metadata) == 2, name
    assert AugmentationConfig().flip == 0
