"""Drawing an image in another frame, and its grey values."""

import tracemalloc

import numpy as np
import pytest
from blobs import draw_blob

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.transforms import RandomIntensity, resample, standardise, with_channels


def noise(shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(9, 7), (6, 9, 7)])
def test_maps_of_whole_pixels_are_exact(shape):
    image, ndim = noise((2, *shape)), len(shape)
    same = resample(image, AffineMap.identity(shape))
    np.testing.assert_array_equal(same, image)
    assert not np.shares_memory(same, image)
    np.testing.assert_array_equal(resample(image, AffineMap.flip(shape, (0, ndim - 1))), np.flip(image, (1, ndim)))
    order = tuple(np.roll(range(ndim), 1))
    np.testing.assert_array_equal(
        resample(image, AffineMap.permute(shape, order)), image.transpose(0, *(a + 1 for a in order))
    )
    padded = np.pad(image, [(0, 0)] + [(2, 3)] * ndim, mode="edge")
    pad = AffineMap.crop(shape, [-2] * ndim, padded.shape[1:])
    np.testing.assert_array_equal(resample(image, pad), padded)
    np.testing.assert_array_equal(
        resample(image, pad, fill=7.0), np.pad(image, [(0, 0)] + [(2, 3)] * ndim, constant_values=7)
    )
    np.testing.assert_array_equal(resample(padded, pad.inverse), image)
    mixed = (
        AffineMap.flip(shape, (0,))
        .then(AffineMap.permute(shape, order))
        .then(AffineMap.crop([shape[a] for a in order], [1] * ndim, [4] * ndim))
    )
    expected = np.flip(image, 1).transpose(0, *(a + 1 for a in order))[(slice(None), *[slice(1, 5)] * ndim)]
    np.testing.assert_array_equal(resample(image, mixed), expected)


@pytest.mark.parametrize("ndim", [2, 3])
def test_half_a_pixel_is_the_mean_of_two_neighbours(ndim):
    image = noise((1, *(6, 5, 7)[:ndim]))
    half = AffineMap.about_centre(image.shape[1:], np.eye(ndim), [0.5] + [0] * (ndim - 1))
    drawn = resample(image, half)
    np.testing.assert_allclose(drawn[:, 1:], (image[:, 1:] + image[:, :-1]) / 2, atol=1e-6)
    np.testing.assert_allclose(drawn[:, 0], image[:, 0], atol=1e-6)


def test_beyond_the_image_lies_its_border_or_what_is_asked_for():
    image = np.full((1, 8, 8), 3, np.float32)
    smaller = AffineMap.scaling((8, 8), (0.5, 0.5), (8, 8))
    assert (resample(image, smaller) == 3).all()
    filled = resample(image, smaller, fill=-1)
    assert (filled[0, 2:6, 2:6] == 3).all()
    assert (filled == -1).sum() == 64 - 16


@pytest.mark.parametrize("ndim", [2, 3])
def test_shrinking_takes_out_what_the_small_image_cannot_hold(ndim):
    shape = (64,) * 2 if ndim == 2 else (32,) * 3
    stripes = np.broadcast_to(np.indices(shape).sum(0) % 2, (1, *shape)).astype(np.float32)
    small = AffineMap.resize(shape, [n // 4 - 1 for n in shape])
    assert np.ptp(resample(stripes, small, antialias=False)) > 0.5
    assert np.ptp(resample(stripes, small)) < 0.03
    blob = draw_blob(shape, np.array(shape) / 2 + 0.3, 2.5)
    scale = np.prod([(n // 4 - 1) / n for n in shape])
    assert resample(blob, small).sum() == pytest.approx(blob.sum() * scale, rel=0.02)


def test_an_image_of_another_shape_is_refused():
    with pytest.raises(GeometryError, match="does not fit"):
        resample(noise((1, 4, 5)), AffineMap.identity((5, 4)))


def test_standardise_has_mean_zero_and_survives_flat_and_broken_images():
    image = np.random.default_rng(0).normal(7, 3, (1, 40, 40)).astype(np.float32)
    out = standardise(image)
    assert abs(out.mean()) < 1e-5
    assert abs(out.std() - 1) < 1e-4
    assert (standardise(np.full((1, 4, 4), 3, np.float32)) == 0).all()
    image[0, 0, 0] = np.nan
    assert np.isfinite(standardise(image)).all()
    assert (standardise(np.full((1, 4, 4), np.nan, np.float32)) == 0).all()


def test_channels_follow_the_network():
    colour = np.stack([np.full((2, 2), v, np.float32) for v in (10, 20, 30)])
    np.testing.assert_allclose(with_channels(colour, 1), np.full((1, 2, 2), 0.299 * 10 + 0.587 * 20 + 0.114 * 30))
    assert with_channels(colour[:1], 3).shape == (3, 2, 2)


def test_grey_values_change_in_order_and_a_flat_image_stays_flat():
    image, rng = noise((1, 20, 20)), np.random.default_rng(2)
    out = RandomIntensity(noise=0).recolour(image, rng)
    assert not np.allclose(out, image)
    assert (np.argsort(out.ravel()) == np.argsort(image.ravel())).all()
    assert np.ptp(RandomIntensity(noise=0).recolour(np.full((1, 5, 5), 2, np.float32), rng)) == 0
    still = RandomIntensity(log_gamma=0, log_contrast=0, brightness=0, noise=0)
    np.testing.assert_allclose(still.recolour(image, rng), image, atol=1e-5)


@pytest.mark.parametrize("space", [(31, 44), (12, 19, 23)])
def test_standardise_shows_a_few_bright_pixels_on_black(space):
    image = np.zeros((1, *space), np.float32)
    image[(0, *(5,) * len(space))] = 1e-8
    seen = standardise(image)
    assert seen.argmax() == image.argmax()
    assert seen.std() == pytest.approx(1, abs=1e-4)


def test_standardise_keeps_small_differences_of_large_values_in_little_memory():
    ramp = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(1, 100, 100)
    expected = standardise(ramp)
    for scale, offset, within in ((1e-30, 0, 1e-4), (1e30, 0, 1e-4), (100, 1e5, 1e-3)):
        given = ramp * np.float32(scale) + np.float32(offset)
        kept = given.copy()
        np.testing.assert_allclose(standardise(given), expected, atol=within)
        np.testing.assert_array_equal(given, kept)
    large = np.random.default_rng(0).random((1, 2000, 2000), dtype=np.float32)
    tracemalloc.start()
    standardise(large)
    assert tracemalloc.get_traced_memory()[1] < 3 * large.nbytes
    tracemalloc.stop()
