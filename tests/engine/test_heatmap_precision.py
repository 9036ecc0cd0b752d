"""Under mixed precision the numbers of generators and decoders are what they are without it."""

import pytest
import torch

from napari_landmarker.engine.heatmap import (
    GaussianHeatmapGenerator,
    coord_cov_from_gaussian_ls,
    coord_dark,
    coord_local_weighted,
    coord_soft_argmax,
    coord_weighted_spatial_mean_cov,
    cov_from_cholesky,
    cov_from_gaussian_ls,
    decode_heatmap,
    find_peaks,
    heatmap_to_coord,
    heatmap_to_coord_enlarge,
    softmax_2d,
    weighted_sample_cov,
    windowed_weighted_sample_cov,
)

SPACES = [(25, 31), (11, 13, 12)]


def results(maps, points):
    """What every decoder says, and a sum that depends on all of it."""
    values = {
        "dark": coord_dark(maps),
        "local mean": coord_local_weighted(maps, activation="sigmoid"),
        "soft-argmax": coord_soft_argmax(maps),
        "by name": heatmap_to_coord(maps, method="local_soft_argmax"),
        "score": decode_heatmap(maps, "local_soft_argmax").score,
        "enlarged": heatmap_to_coord_enlarge(maps, method="dark", enlarge_factor=2),
        "softmax": softmax_2d(maps),
        "mean covariance": coord_weighted_spatial_mean_cov(maps, activation="softmax")[1],
        "sample covariance": weighted_sample_cov(maps, points),
        "windowed covariance": windowed_weighted_sample_cov(maps, points),
        "learnt covariance": cov_from_cholesky(maps.flatten()[: 3 if maps.ndim == 4 else 6] + 1),
        "fit": coord_cov_from_gaussian_ls(maps.detach())[1],
        "fit at points": cov_from_gaussian_ls(maps.detach(), points),
        "peaks": find_peaks(maps.detach(), method="local_soft_argmax").points,
    }
    return values, sum(value.sum() for value in values.values())


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_changes_no_number_and_no_gradient(space, dtype):
    torch.manual_seed(0)
    points = (torch.rand(2, 3, len(space)) * 0.6 + 0.2) * torch.tensor(space)
    generator = GaussianHeatmapGenerator(3, 2.3, rotation=0.4, heatmap_size=space, learnable=True)
    maps = generator(points).detach().requires_grad_()
    expected, total = results(maps, points)
    gradient = torch.autograd.grad(total, maps)[0]
    covariance = generator.get_covariance_matrix()
    with torch.autocast("cpu", dtype=dtype):
        found, total = results(maps, points)
        torch.testing.assert_close(generator.get_covariance_matrix(), covariance, rtol=0, atol=0)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=lambda text, name=name: f"{name}: {text}")
    torch.testing.assert_close(torch.autograd.grad(total, maps)[0], gradient, rtol=0, atol=0)
