"""Covariances: equal to a loop over the pixels, to the drawn Gaussian, and positive definite for any map."""

import numpy as np
import pytest
import torch
from heatmap_maps import activate, gaussian_map, integral_peak, loop_moments, turned_covariance

from napari_landmarker.engine import heatmap as decoders

ACTIVATIONS = [None, "softmax", "sigmoid", "ReLU"]
MAPS = [(9, 7), (6, 5, 7)]


def random_maps(space, seed=0):
    return torch.rand(2, 2, *space, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("space", MAPS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_moments_equal_a_loop_over_the_pixels(space, activation):
    maps = random_maps(space) if activation is None else random_maps(space) * 4 - 2
    coords = torch.rand(2, 2, len(space)) * 4
    means, covariances = decoders.coord_weighted_spatial_mean_cov(maps, activation=activation)
    about = decoders.weighted_sample_cov(maps, coords, activation=activation)
    torch.testing.assert_close(decoders.coord_weighted_spatial_mean(maps, activation=activation), means)
    for place in np.ndindex(2, 2):
        weight = activate(maps[place].numpy(), activation)
        mean, covariance = loop_moments(weight)
        np.testing.assert_allclose(means[place].numpy(), mean, rtol=1e-5)
        np.testing.assert_allclose(covariances[place].numpy(), covariance, rtol=1e-5, atol=1e-5)
        expected = loop_moments(weight, coords[place].numpy())[1]
        np.testing.assert_allclose(about[place].numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_nothing_cancels_far_from_the_middle(ndim):
    size = 300 if ndim == 2 else 80
    covariance = turned_covariance(ndim, 3, 1.0, 2.0)
    maps = gaussian_map([[size - 10.3, 9.4, size - 9.7][:ndim]], (size,) * ndim, covariance)
    mean, found = decoders.coord_weighted_spatial_mean_cov(maps)
    np.testing.assert_allclose(mean[0, 0].numpy(), [size - 10.3, 9.4, size - 9.7][:ndim], atol=1e-4)
    shares = (maps.double() / maps.double().sum()).square().sum().item()
    np.testing.assert_allclose(found[0, 0].numpy() * (1 - shares), covariance, atol=2e-4)


@pytest.mark.parametrize("space", MAPS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_windows_reach_the_nearest_border(space, activation):
    maps = random_maps(space)
    coords = torch.tensor([[[4.0, 3.0, 3.0], [3.2, 1.8, 4.1]], [[2.4, 2.4, 1.0], [4.0, 1.0, 5.0]]])[..., : len(space)]
    found = decoders.windowed_weighted_sample_cov(maps, coords, activation=activation)
    assert decoders.windowed_weigthed_sample_cov is decoders.windowed_weighted_sample_cov
    for place in np.ndindex(2, 2):
        centre = np.round(coords[place].numpy()).astype(int)
        half = min(min(at, size - 1 - at) for at, size in zip(centre, space, strict=True))
        cut = maps[place].numpy()[tuple(slice(at - half, at + half + 1) for at in centre)]
        expected = loop_moments(activate(cut, activation), coords[place].numpy() - centre + half)[1]
        np.testing.assert_allclose(found[place].numpy(), expected, rtol=1e-4, atol=1e-5)


def positive_definite(covariances):
    return bool((torch.linalg.eigvalsh(covariances.double()) > 0.9 / 12).all())


def awkward_maps(space):
    """One-hot in the middle and in corners, two neighbours, a line, Gaussians on the border, far less than a pixel."""
    ndim = len(space)
    maps = torch.zeros(1, 5, *space)
    for number, place in enumerate([(0,) * ndim, tuple(n - 1 for n in space), tuple(n // 2 for n in space)]):
        maps[(0, number, *place)] = 1
    maps[(0, 3, *[2] * (ndim - 1))] = 0.5
    maps[(0, 4, *[1] * ndim)] = maps[(0, 4, *[1] * (ndim - 1), 2)] = 1
    points = [[0] * ndim, [n - 1 for n in space], [2.5] * ndim]
    return torch.cat([maps, gaussian_map(points, space, 4.0), gaussian_map(points, space, 0.01)], 1)


@pytest.mark.parametrize("space", MAPS)
def test_every_covariance_is_positive_definite(space):
    maps = awkward_maps(space)
    points = decoders.coord_argmax(maps)
    for activation in ACTIVATIONS:
        assert positive_definite(decoders.coord_weighted_spatial_mean_cov(maps, activation=activation)[1])
        assert positive_definite(decoders.weighted_sample_cov(maps, points, activation=activation))
        assert positive_definite(decoders.windowed_weighted_sample_cov(maps, points, activation=activation))
    for amplitude in (False, True):
        assert positive_definite(decoders.coord_cov_from_gaussian_ls(maps, fit_amplitude=amplitude)[1])
        assert positive_definite(decoders.cov_from_gaussian_ls(maps, points, fit_amplitude=amplitude))
    assert positive_definite(decoders.coord_weighted_spatial_mean_cov(torch.randn_like(maps))[1])
    entries = len(space) * (len(space) + 1) // 2
    assert positive_definite(decoders.cov_from_cholesky(torch.randn(500, entries) * 30))
    one_hot = decoders.coord_weighted_spatial_mean_cov(maps)[1][0, 0]
    torch.testing.assert_close(one_hot, torch.eye(len(space)) / 12)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("gamma", [None, 7.0])
def test_least_squares_find_the_drawn_gaussian(ndim, gamma):
    space = (40, 36, 28)[:ndim]
    generator = np.random.default_rng(0)
    for seed in range(6 // ndim):
        covariance = turned_covariance(ndim, seed, 0.8, 3.5)
        points = generator.uniform(0, [n - 1 for n in space], (2, ndim))
        peak = 1.0 if gamma is None else integral_peak(gamma, covariance)
        maps = gaussian_map(points, space, covariance, peak)
        found, fitted = decoders.coord_cov_from_gaussian_ls(maps, gamma)
        np.testing.assert_allclose(found[0].numpy(), points, atol=1e-3)
        np.testing.assert_allclose(fitted[0].numpy(), np.stack([covariance] * 2), rtol=1e-3, atol=1e-3)
        given = decoders.cov_from_gaussian_ls(maps, torch.from_numpy(points)[None], gamma, "pytorch")
        np.testing.assert_allclose(given[0].numpy(), np.stack([covariance] * 2), rtol=1e-3, atol=1e-3)
        free = decoders.coord_cov_from_gaussian_ls(maps * 0.3, fit_amplitude=True)[1]
        np.testing.assert_allclose(free[0].numpy(), np.stack([covariance] * 2), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("space", [(24, 20), (14, 12, 13)])
def test_least_squares_equal_scipy_on_noise(space):
    from scipy.optimize import least_squares

    ndim = len(space)
    point = [n * 0.45 for n in space]
    maps = gaussian_map([point], space, turned_covariance(ndim, 5, 1.2, 2.0), 0.8)
    maps = (maps + 0.05 * torch.randn(maps.shape, generator=torch.Generator().manual_seed(0))).double()
    rows, columns = np.tril_indices(ndim)
    away = np.moveaxis(np.indices(space), 0, -1).reshape(-1, ndim)

    def residual(parameters):
        factor = np.zeros((ndim, ndim))
        factor[rows, columns] = parameters[ndim:]
        scaled = (away - parameters[:ndim]) @ factor
        return np.exp(-0.5 * (scaled**2).sum(-1)) - maps.numpy().ravel()

    solved = least_squares(residual, [*point, *(np.eye(ndim)[rows, columns] * 0.5)], xtol=1e-12, ftol=1e-12).x
    factor = np.zeros((ndim, ndim))
    factor[rows, columns] = solved[ndim:]
    found, fitted = decoders.coord_cov_from_gaussian_ls(maps)
    np.testing.assert_allclose(found[0, 0].numpy(), solved[:ndim], atol=1e-3)
    np.testing.assert_allclose(fitted[0, 0].numpy(), np.linalg.inv(factor @ factor.T), rtol=0.01, atol=0.01)


@pytest.mark.parametrize("space", MAPS)
def test_maps_and_points_that_say_nothing_give_nan(space):
    maps = gaussian_map([[2.0] * len(space)] * 3, space, 2.0)
    maps[0, 0].view(-1)[3] = torch.nan
    points = torch.full((1, 3, len(space)), 2.0)
    points[0, 1, 0] = torch.nan
    for found in (
        decoders.weighted_sample_cov(maps, points),
        decoders.windowed_weighted_sample_cov(maps, points),
        decoders.cov_from_gaussian_ls(maps, points),
    ):
        assert torch.isnan(found[0, :2]).flatten(1).any(dim=1).all()
        assert torch.isfinite(found[0, 2]).all()
    assert torch.isnan(decoders.coord_cov_from_gaussian_ls(torch.ones_like(maps))[1]).all()
    assert torch.isnan(decoders.coord_weighted_spatial_mean_cov(torch.zeros_like(maps))[0]).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_extreme_maps_have_finite_covariances(dtype):
    largest = torch.finfo(dtype).max
    noise = torch.rand(1, 1, 6, 5, 4, generator=torch.Generator().manual_seed(0))
    maps = torch.cat([noise * largest, noise + 1e-30, noise * 1e-6], 1).to(dtype)
    for activation in ACTIVATIONS:
        point, covariance = decoders.coord_weighted_spatial_mean_cov(maps, activation=activation)
        assert torch.isfinite(point).all()
        assert positive_definite(covariance)
        assert covariance.dtype == torch.float32


def test_covariance_from_learnt_factors_by_hand():
    # L = [[1 + 1, 0], [0.5, 1 + 2]], and [[exp(-1), 0], [0.5, 1 + 2]]
    found = decoders.cov_from_cholesky(torch.tensor([[1.0, 0.5, 2.0], [-1.0, 0.5, 2.0]]))
    small = float(np.exp(-1.0))
    expected = torch.tensor([[[4.0, 1.0], [1.0, 9.25]], [[small**2, 0.5 * small], [0.5 * small, 9.25]]])
    torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match="triangle"):
        decoders.cov_from_cholesky(torch.zeros(2, 4))


@pytest.mark.parametrize("ndim", [2, 3])
def test_covariances_have_the_right_gradients(ndim):
    maps = torch.rand(1, 2, *(5, 4, 3)[:ndim], dtype=torch.float64, generator=torch.Generator().manual_seed(1)) + 0.1
    points = torch.full((1, 2, ndim), 1.3, dtype=torch.float64)
    maps.requires_grad_(True)
    for activation in ACTIVATIONS:
        for decode in (decoders.coord_weighted_spatial_mean_cov, decoders.coord_soft_argmax_cov):
            options = {"activation": activation} if decode is not decoders.coord_soft_argmax_cov else {}
            assert torch.autograd.gradcheck(lambda m, d=decode, o=options: d(m, **o), maps)
        assert torch.autograd.gradcheck(lambda m, a=activation: decoders.weighted_sample_cov(m, points, None, a), maps)
    assert torch.autograd.gradcheck(decoders.cov_from_cholesky, torch.rand(2, 6, dtype=torch.float64).requires_grad_())


def test_gradients_are_finite_for_round_and_tiny_covariances():
    maps = awkward_maps((9, 8)).requires_grad_(True)
    means, covariances = decoders.coord_weighted_spatial_mean_cov(maps)
    (torch.logdet(covariances).sum() + means.sum()).backward()
    assert torch.isfinite(maps.grad).all()


def test_methods_by_name():
    maps = random_maps((7, 8))
    for method, activation in {
        "soft_argmax": "softmax",
        "weighted_spatial_mean": None,
        "weighted_spatial_mean_relu": "ReLU",
        "weighted_spatial_mean_sigmoid": "sigmoid",
    }.items():
        expected = decoders.coord_weighted_spatial_mean_cov(maps, activation=activation)
        torch.testing.assert_close(decoders.heatmap_to_coord_cov(maps, method), expected)
    torch.testing.assert_close(decoders.coord_soft_argmax_cov(maps), decoders.heatmap_to_coord_cov(maps))


@pytest.mark.parametrize(
    "call",
    [
        lambda m, c: decoders.heatmap_to_coord_cov(m, "argmax"),
        lambda m, c: decoders.weighted_sample_cov(m, c[0]),
        lambda m, c: decoders.windowed_weighted_sample_cov(m, c[..., :1]),
        lambda m, c: decoders.cov_from_gaussian_ls(m, c, ls_library="numpy"),
        lambda m, c: decoders.coord_cov_from_gaussian_ls(m, gamma=-1.0),
        lambda m, c: decoders.coord_weighted_spatial_mean_cov(m, 3),
    ],
)
def test_wrong_arguments_are_refused(call):
    with pytest.raises(ValueError, match=r"must|has"):
        call(torch.rand(1, 2, 5, 5), torch.ones(1, 2, 2))
