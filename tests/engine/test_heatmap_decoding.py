"""Decoders find the true point, to the pixel's rounding, and say so where there is none."""

import itertools

import numpy as np
import pytest
import torch
from heatmap_maps import SPACES, activate, gaussian_map, loop_moments, turned_covariance
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_landmarker.engine import heatmap as decoders
from napari_landmarker.engine.heatmap import decode_heatmap, heatmap_to_coord, heatmap_to_coord_enlarge
from napari_landmarker.engine.heatmap.decoder import LOCAL_METHODS, METHODS
from napari_landmarker.engine.heatmap.spread import MEAN_METHODS

ACTIVATIONS = [None, "softmax", "sigmoid", "ReLU"]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("sigma", [0.7, 1.5, 3.0, 8.0])
def test_the_default_decoder_is_exact_on_gaussians_anywhere_also_at_the_border(space, sigma):
    size = space[0]
    ends = [-0.5, 0.0, 0.4, size - 1.0, size - 0.5]
    corners = list(itertools.product(ends, repeat=len(space)))[:: len(space) - 1]
    inside = np.random.default_rng(0).uniform(-0.5, size - 0.5, (10, len(space)))
    for peak in (1.0, 1e-6, 3e4):
        points = [*corners, *inside] if peak == 1.0 else inside
        found = heatmap_to_coord(gaussian_map(points, space, sigma**2, peak))
        np.testing.assert_allclose(found[0].numpy(), points, atol=1e-3)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_the_default_decoder_is_exact_on_slanting_gaussians(ndim, seed):
    space = (40, 36, 28)[:ndim]
    points = np.random.default_rng(seed).uniform(2, 25, (5, ndim))
    found = heatmap_to_coord(gaussian_map(points, space, turned_covariance(ndim, seed)))
    np.testing.assert_allclose(found[0].numpy(), points, atol=1e-3)


@pytest.mark.parametrize("space", [(1, 20), (2, 20), (20, 1, 2), (20, 2, 20), (1, 2), (2, 2, 2), (9,)])
def test_thin_maps_are_decoded(space):
    point = np.array([(size - 1) * 0.6 if size > 2 else 0.0 for size in space])
    maps = gaussian_map([point], space, 2.0)
    for method in METHODS:
        found = decode_heatmap(maps, method)
        assert found.points.shape == (1, 1, len(space))
        assert torch.isfinite(found.points).all()
    np.testing.assert_allclose(heatmap_to_coord(maps)[0, 0].numpy(), point, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 3), st.integers(0, 10**6), st.sampled_from([0.01, 0.3, 10.0]))
def test_noise_never_takes_a_point_far_from_the_maximum(ndim, seed, noise):
    generator = torch.Generator().manual_seed(seed)
    space = (9, 7, 8)[:ndim]
    maps = gaussian_map(np.full((4, ndim), 3.3), space, 4.0) + noise * torch.randn(1, 4, *space, generator=generator)
    points, peaks = heatmap_to_coord(maps), decoders.coord_argmax(maps)
    assert torch.isfinite(points).all()
    assert (points - peaks).abs().max() <= 1


def test_logs_that_are_not_defined_fall_back_to_a_parabola():
    # a parabola -(x - 4.2)² - (y - 3.9)² is negative everywhere, and known to be largest at (3.9, 4.2)
    y, x = np.mgrid[:9, :9]
    maps = torch.from_numpy(-((y - 3.9) ** 2) - (x - 4.2) ** 2)[None, None]
    np.testing.assert_allclose(heatmap_to_coord(maps)[0, 0].numpy(), [3.9, 4.2], atol=1e-9)
    one_hot = torch.zeros(1, 2, 5, 6)
    one_hot[0, 0, 0, 5] = one_hot[0, 1, 2, 3] = 7.0
    assert heatmap_to_coord(one_hot).tolist() == [[[0, 5], [2, 3]]]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("method", METHODS)
def test_any_finite_map_gives_a_finite_point(method, dtype, ndim):
    space, largest = (7, 6, 5)[:ndim], torch.finfo(dtype).max
    noise = torch.rand(1, 1, *space, generator=torch.Generator().manual_seed(0))
    spike = torch.zeros(1, 1, *space)
    spike.view(-1)[-1] = 1
    maps = torch.cat([noise, spike, spike * largest, noise * largest, (noise + 0.1) * torch.finfo(dtype).tiny * 16], 1)
    if "relu" not in method and not method.endswith("mean"):
        maps = torch.cat([maps, noise * 1000 - 2000, (noise - 0.5) * 2 * largest, -spike * largest], 1)
    found = decode_heatmap(maps.to(dtype), method)
    assert torch.isfinite(found.points).all()
    assert ((found.score > 0) | (maps.flatten(2).amax(-1) <= 0) | ("mean" in method)).all()
    assert (found.score <= 1).all()
    assert (found.points >= -1).all()
    assert (found.points <= torch.tensor(space)).all()
    assert found.points.dtype == torch.float32


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("method", METHODS)
def test_maps_that_say_nothing_give_nan_and_score_zero(method, dtype, ndim):
    maps = torch.rand(2, 3, *(6, 5, 4)[:ndim], generator=torch.Generator().manual_seed(0)).to(dtype)
    maps[0, 0], maps[0, 1] = 0, 3
    maps[0, 2].view(-1)[7], maps[1, 0].view(-1)[-1] = torch.nan, torch.inf
    found = decode_heatmap(maps, method)
    plain = heatmap_to_coord(maps, method=method)
    empty = torch.tensor([[True, True, True], [True, False, False]])
    for points in (found.points, plain):
        assert torch.isnan(points[empty]).all()
        assert torch.isfinite(points[~empty]).all()
    assert (found.score[empty] == 0).all()
    assert (found.score[~empty] > 0).all()


def test_scores_are_what_is_written():
    maps = gaussian_map([[5.0, 6.0]], (12, 12), 1.0, 0.7)
    assert decode_heatmap(maps).score.item() == pytest.approx(0.7)
    assert decode_heatmap(5 * maps, "argmax").score.item() == 1
    weight = maps[0, 0].numpy().astype(float)
    share = weight[4:7, 5:8].sum() / weight.sum()
    for method in ("local_weighted_spatial_mean", "weighted_spatial_mean_relu"):
        assert decode_heatmap(maps, method, window=3).score.item() == pytest.approx(share, rel=1e-5)
    soft = np.exp(2.5 * weight)
    share = soft[4:7, 5:8].sum() / soft.sum()
    decoded = decode_heatmap(maps, "local_soft_argmax", window=3, t=2.5)
    assert decoded.score.item() == pytest.approx(share, rel=1e-5)


@pytest.mark.parametrize("space", [(13, 11), (9, 8, 7)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 30])
def test_local_means_equal_a_loop_over_the_window(space, activation, window):
    maps = torch.rand(2, 3, *space, generator=torch.Generator().manual_seed(window))
    found = decoders.coord_local_weighted(maps, window, activation=activation, t=4.0)
    for place in np.ndindex(2, 3):
        values = maps[place].numpy()
        top = np.unravel_index(values.argmax(), space)
        reach = [min(window // 2, at, size - 1 - at) for at, size in zip(top, space, strict=True)]
        cut = values[tuple(slice(at - r, at + r + 1) for at, r in zip(top, reach, strict=True))]
        weight = activate(cut, activation, 4.0)
        mean = [at - r + m for at, r, m in zip(top, reach, loop_mean(weight), strict=True)]
        np.testing.assert_allclose(found[place].numpy(), mean, atol=1e-4)


def loop_mean(weight):
    return sum(weight[place] * np.array(place) for place in np.ndindex(weight.shape)) / weight.sum()


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("window", [2, 5, 8])
def test_local_decoders_are_exact_in_the_corners(ndim, window):
    corners = list(itertools.product([0, 10], repeat=ndim))
    maps = gaussian_map(corners, (11,) * ndim, 2.0)
    for method in LOCAL_METHODS:
        assert decode_heatmap(maps, method, window=window).points[0].tolist() == [list(map(float, c)) for c in corners]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 3), st.data())
def test_decoding_logits_of_gaussians_finds_their_centre(ndim, data):
    space = (24, 20, 16)[:ndim]
    point = [data.draw(st.floats(7, size - 8)) for size in space]
    maps = gaussian_map([point], space, 1.5**2, dtype=torch.float64)
    decoded = decode_heatmap(maps.clamp(min=1e-30).log(), "local_soft_argmax", window=13, t=1.0)
    np.testing.assert_allclose(decoded.points[0, 0].numpy(), point, atol=0.02)
    assert decoded.score[0, 0] > 0.99
    assert (decoders.coord_argmax(maps)[0, 0] - torch.tensor(point)).abs().max() <= 0.5 + 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_channels_in_front_are_left_out(method):
    maps = torch.rand(3, 4, 9, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        heatmap_to_coord(maps, offset_coords=1, method=method),
        heatmap_to_coord(maps[:, 1:].contiguous(), method=method),
    )
    assert heatmap_to_coord(maps[:0], 1, method).shape == (0, 3, 2)
    with pytest.raises(ValueError, match="must leave a channel"):
        heatmap_to_coord(maps, 4, method)


@pytest.mark.parametrize("space", [(16, 20), (10, 8, 12)])
@pytest.mark.parametrize("size", [{"enlarge_factor": 4}, {"enlarge_dim": "odd"}])
@pytest.mark.parametrize("mode", ["bilinear", "nearest-exact"])
def test_enlarged_maps_keep_pixel_centres(space, size, mode):
    if "enlarge_dim" in size:
        size = {"enlarge_dim": tuple(3 * n + 1 for n in space)}
    point = [n // 2 for n in space]
    maps = gaussian_map([point, [0] * len(space), [n - 1 for n in space]], space, 1.0)
    found = heatmap_to_coord_enlarge(maps, method="weighted_spatial_mean_relu", enlarge_mode=mode, **size)
    np.testing.assert_allclose(found[0, 0].numpy(), point, atol=0.05)
    found = heatmap_to_coord_enlarge(maps, enlarge_mode=mode, **size)
    np.testing.assert_allclose(found[0, 1:].numpy(), [[0] * len(space), [n - 1 for n in space]], atol=0.5)
    unchanged = heatmap_to_coord_enlarge(maps, offset_coords=1)
    assert unchanged[0].tolist() == [[0.0] * len(space), [n - 1.0 for n in space]]
    assert torch.isnan(heatmap_to_coord_enlarge(torch.full_like(maps, 0.1), **size)).all()
    masked = maps[:, :1].clone()
    masked[:, :, 0] = -torch.inf
    found = heatmap_to_coord_enlarge(masked, enlarge_mode=mode, **size)
    np.testing.assert_allclose(found[0, 0].numpy(), point, atol=0.5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_decoders_have_the_right_gradients(ndim):
    maps = torch.rand(1, 2, *(5, 4, 3)[:ndim], dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.1
    maps[0, :, *[2, 2, 1][:ndim]] += 1.0
    maps.requires_grad_(True)
    for activation in ACTIVATIONS:
        for decode in (
            lambda m, a=activation: decoders.coord_weighted_spatial_mean(m, activation=a, t=2.0),
            lambda m, a=activation: decoders.coord_local_weighted(m, 3, activation=a, t=2.0),
        ):
            assert torch.autograd.gradcheck(decode, maps)
    assert torch.autograd.gradcheck(decoders.coord_soft_argmax, maps)
    assert torch.autograd.gradcheck(decoders.coord_local_soft_argmax, maps)
    assert torch.autograd.gradcheck(decoders.coord_dark, maps)


def test_gradients_are_finite_where_maps_say_nothing():
    for method in METHODS:
        maps = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(0))
        maps[0, 0] = 0
        maps[0, 1] -= 2
        maps.requires_grad_(True)
        points = heatmap_to_coord(maps, method=method)
        if method != "argmax":
            points[torch.isfinite(points)].sum().backward()
            assert torch.isfinite(maps.grad).all()
    logits = torch.zeros(1, 1, 6, 6, requires_grad=True)
    point = decoders.coord_soft_argmax(logits)
    point.sum().backward()
    assert point.tolist() == [[[2.5, 2.5]]]  # training can begin with a flat map
    assert torch.isfinite(logits.grad).all()


def test_masked_pixels_have_no_weight():
    logits = torch.zeros(1, 1, 4, 4)
    logits[0, 0, :, 2:] = -torch.inf
    torch.testing.assert_close(decoders.coord_soft_argmax(logits), torch.tensor([[[1.5, 0.5]]]))
    assert decoders.coord_argmax(logits)[0, 0].tolist() == [0, 0]


def test_single_maps_and_softmax():
    single = torch.rand(6, 7, generator=torch.Generator().manual_seed(0))
    expected = decoders.coord_soft_argmax(single[None, None])[0, 0]
    torch.testing.assert_close(decoders.coord_soft_argmax_2d(single), expected)
    torch.testing.assert_close(
        decoders.coord_soft_argmax_2d(single, logit_scale=True), torch.from_numpy(loop_mean(single.numpy())).float()
    )
    soft = decoders.softmax_2d(torch.randn(2, 3, 4, 5, 6) * 1e4)
    torch.testing.assert_close(soft.sum(dim=(2, 3, 4)), torch.ones(2, 3))


@pytest.mark.parametrize(
    "call",
    [
        lambda m: heatmap_to_coord(m, method="best"),
        lambda m: heatmap_to_coord(m, spatial_dims=3),
        lambda m: heatmap_to_coord(m[0, 0]),
        lambda m: heatmap_to_coord(m.long()),
        lambda m: heatmap_to_coord(m, 3),
        lambda m: heatmap_to_coord(m[:, :, :0]),
        lambda m: decode_heatmap(m, "local_soft_argmax", window=0),
        lambda m: decode_heatmap(m, "local_soft_argmax", t=0.0),
        lambda m: decoders.coord_weighted_spatial_mean(m, activation="relu"),
        lambda m: decoders.coord_weighted_spatial_mean_cov(m, activation="softmax", t=float("nan")),
        lambda m: heatmap_to_coord_enlarge(m, enlarge_dim=(4, 4, 4)),
        lambda m: heatmap_to_coord_enlarge(m, enlarge_factor=0),
        lambda m: heatmap_to_coord_enlarge(m, enlarge_factor=2, enlarge_mode="cubic"),
        lambda m: heatmap_to_coord_enlarge(m[..., None].expand(1, 2, 5, 5, 4), enlarge_mode="bicubic"),
    ],
)
def test_wrong_arguments_are_refused(call):
    with pytest.raises(ValueError, match=r"must|has|method|no enlarge_mode"):
        call(torch.rand(1, 2, 5, 5))


def test_every_mean_method_is_its_function():
    maps = torch.rand(2, 3, 8, 9, generator=torch.Generator().manual_seed(0))
    for method, activation in MEAN_METHODS.items():
        expected = [[loop_moments(activate(m.numpy(), activation))[0] for m in row] for row in maps]
        np.testing.assert_allclose(heatmap_to_coord(maps, method=method).numpy(), expected, atol=1e-5)
