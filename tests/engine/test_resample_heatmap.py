"""Image and landmark stay together; heatmaps and decoders are each other's inverse."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.heatmap import GaussianHeatmapGenerator, coord_argmax, coord_local_soft_argmax
from napari_landmarker.engine.losses import HeatmapCrossEntropyLoss
from napari_landmarker.engine.models import HeatmapUNet
from napari_landmarker.engine.models.unet import _space_to_depth
from napari_landmarker.engine.transforms import Augmentation, AugmentationConfig, resample, standardise, with_channels


def blob(shape, centre, sigma):
    grids = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
    squared = sum((g - c) ** 2 for g, c in zip(grids, centre, strict=True))
    return np.exp(-0.5 * squared / sigma**2).astype(np.float32)[None]


def centroid(image):
    grids = np.meshgrid(*[np.arange(n) for n in image.shape[1:]], indexing="ij")
    return np.array([(g * image[0]).sum() / image[0].sum() for g in grids])


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("factor", [0.25, 0.5, 0.7, 1.0, 1.6])
def test_a_blob_and_its_landmark_stay_together_when_resized(ndim, factor):
    shape = (64, 72, 56)[:ndim]
    point = np.array([30.3, 36.8, 27.1])[:ndim]
    target = tuple(round(n * factor) for n in shape)
    for to in (AffineMap.resize(shape, target), AffineMap.fit(shape, target)):
        drawn = resample(blob(shape, point, 5.0), to)
        assert drawn.shape[1:] == target
        np.testing.assert_allclose(centroid(drawn), to.apply(point), atol=0.05)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_blob_and_its_landmark_stay_together_when_augmented(ndim):
    shape = (56, 64, 48)[:ndim]
    point = np.array([[27.3, 33.8, 22.1][:ndim]])
    augment = Augmentation(AugmentationConfig(shift=0.05, log_scale=0.1))
    for seed in range(5):
        move = augment.draw(shape, np.random.default_rng(seed))
        drawn = resample(blob(shape, point[0], 2.5), move)
        np.testing.assert_allclose(centroid(drawn), move.apply(point)[0], atol=0.05)


def test_a_landmark_that_leaves_the_image_becomes_missing():
    config = AugmentationConfig(shift=0.5, probability=1)
    image, points = np.zeros((1, 32, 32), np.float32), np.array([[0.0, 0.0], [16.0, 16.0]])
    outcomes = [Augmentation(config)(image, points, np.random.default_rng(seed))[1] for seed in range(40)]
    lost = [np.isnan(p[0]).all() for p in outcomes]
    assert any(lost)
    assert not all(lost)
    assert all(np.isnan(p).any(axis=1).sum() == np.isnan(p).all(axis=1).sum() for p in outcomes)


def test_the_identity_changes_nothing_and_keeps_the_input():
    image = np.random.default_rng(0).normal(size=(2, 9, 7)).astype(np.float32)
    same = resample(image, AffineMap.identity((9, 7)))
    np.testing.assert_array_equal(same, image)
    assert same is not image


def test_a_flip_is_exact():
    image = np.random.default_rng(0).normal(size=(1, 9, 7, 5)).astype(np.float32)
    np.testing.assert_allclose(resample(image, AffineMap.flip((9, 7, 5), (0, 2))), image[:, ::-1, :, ::-1], atol=1e-5)


def test_standardise_has_mean_zero_and_survives_flat_and_broken_images():
    image = np.random.default_rng(0).normal(7, 3, (1, 40, 40)).astype(np.float32)
    out = standardise(image)
    assert abs(out.mean()) < 1e-5
    assert abs(out.std() - 1) < 1e-4
    assert (standardise(np.full((1, 4, 4), 3, np.float32)) == 0).all()
    image[0, 0, 0] = np.nan
    assert np.isfinite(standardise(image)).all()


def test_channels_follow_the_network():
    colour = np.stack([np.full((2, 2), v, np.float32) for v in (10, 20, 30)])
    np.testing.assert_allclose(with_channels(colour, 1), np.full((1, 2, 2), 0.299 * 10 + 0.587 * 20 + 0.114 * 30))
    assert with_channels(colour[:1], 3).shape == (3, 2, 2)


@pytest.mark.parametrize("ndim", [2, 3])
def test_gaussian_equals_its_formula_and_missing_is_zero(ndim):
    size, sigmas = (12, 15, 9)[:ndim], torch.tensor([[1.5, 2.0, 0.7], [1.0, 1.0, 1.0]])[:, :ndim]
    points = torch.tensor([[[4.3, 7.7, 2.2][:ndim], [float("nan")] * ndim]])
    maps = GaussianHeatmapGenerator(2, sigmas, size)(points)
    index = np.indices(size)
    expected = np.exp(-0.5 * sum(((index[a] - points[0, 0, a].item()) / sigmas[0, a].item()) ** 2 for a in range(ndim)))
    np.testing.assert_allclose(maps[0, 0].detach().numpy(), expected, atol=1e-6)
    assert (maps[0, 1] == 0).all()


def test_learnable_sigmas_stay_positive_under_any_step():
    generator = GaussianHeatmapGenerator(1, 2.0, (16, 16), learnable=True)
    optimiser = torch.optim.SGD(generator.parameters(), lr=100.0)
    for _ in range(20):
        optimiser.zero_grad()
        generator(torch.tensor([[[8.0, 8.0]]])).sum().backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 0.01)
        optimiser.step()
    assert (generator.sigmas > 0).all()
    with pytest.raises(ValueError, match="positive"):
        GaussianHeatmapGenerator(1, 0.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 3), st.data())
def test_decoding_log_gaussians_finds_their_centre(ndim, data):
    size = (24, 20, 16)[:ndim]
    point = [data.draw(st.floats(7, n - 8)) for n in size]
    maps = GaussianHeatmapGenerator(1, 1.5, size)(torch.tensor([[point]], dtype=torch.float64))
    decoded = coord_local_soft_argmax(maps.clamp(min=1e-30).log(), window=6)
    np.testing.assert_allclose(decoded.points[0, 0].detach().numpy(), point, atol=0.02)
    assert decoded.score[0, 0] > 0.99
    assert (coord_argmax(maps)[0, 0] - torch.tensor(point)).abs().max() <= 0.5 + 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_decoding_is_finite_for_extreme_maps_exact_in_corners_and_nan_for_empty_ones(dtype):
    maps = torch.zeros(1, 4, 10, 10, dtype=dtype)
    maps[0, 0, 0, 0] = 30000
    maps[0, 1, 9, 9] = 9
    maps[0, 2, 5, 5] = float("nan")
    decoded = coord_local_soft_argmax(maps)
    assert decoded.points[0, 0].tolist() == [0, 0]
    assert decoded.points[0, 1].tolist() == [9, 9]
    assert torch.isnan(decoded.points[0, 2:]).all()
    assert torch.isnan(coord_argmax(maps)[0, 2:]).all()
    assert decoded.score[0].tolist()[2:] == [0, 0]
    assert ((decoded.score >= 0) & (decoded.score <= 1)).all()


def test_cross_entropy_is_zero_for_the_perfect_map_and_blind_to_missing_landmarks():
    target = GaussianHeatmapGenerator(2, 1.5, (12, 12))(torch.tensor([[[4.0, 5.0], [7.0, 8.0]]])).detach()
    loss = HeatmapCrossEntropyLoss()
    assert loss(target.clamp(min=1e-30).log(), target).item() == pytest.approx(0, abs=1e-4)
    logits = torch.randn(1, 2, 12, 12, requires_grad=True)
    only_first = loss(logits[:, :1], target[:, :1])
    target[:, 1] = 0
    assert loss(logits, target).item() == pytest.approx(only_first.item(), rel=1e-6)
    none = loss(logits, torch.zeros_like(target))
    none.backward()
    assert none.item() == 0
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(("ndim", "stride", "space"), [(2, 1, (37, 50)), (2, 4, (70, 131)), (3, 2, (20, 35, 17))])
def test_the_network_takes_any_size(ndim, stride, space):
    net = HeatmapUNet(ndim, 3, 5, features=(8, 8, 8, 16, 16), stride=stride)
    assert net(torch.randn(1, 3, *space)).shape == (1, 5, *(-(-n // stride) for n in space))


def test_space_to_depth_keeps_neighbours_together():
    image = torch.arange(2 * 4 * 6, dtype=torch.float32).reshape(1, 2, 4, 6)
    folded = _space_to_depth(image, 2)
    expected = torch.nn.functional.pixel_unshuffle(image, 2)
    torch.testing.assert_close(folded, expected, check_stride=False)
