"""From a network's answer to points, scores and covariances."""

import numpy as np
import pytest
import torch
from heatmap_maps import gaussian_map, turned_covariance

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.heatmap.configs import DecoderConfig, GaussianTargetConfig
from napari_landmarker.engine.losses.configs import (
    CrossEntropyConfig,
    HuberConfig,
    L2Config,
    MultivariateGaussianNLLConfig,
)
from napari_landmarker.engine.models.cascade import CascadeAnswer
from napari_landmarker.engine.models.configs import (
    CascadeConfig,
    CoordinateRegressionConfig,
    StackedCholeskyHourglassConfig,
)
from napari_landmarker.engine.predict.reading import heat_of, read_answer, read_heat, read_patch
from napari_landmarker.engine.predict.second_stage import PatchHeat
from napari_landmarker.engine.train.config import RefineConfig, TrainConfig

SPACES = {2: (24, 31), 3: (15, 18, 16)}
CENTRES = {2: [(11.3, 17.8), (7.0, 9.5)], 3: [(7.3, 8.8, 6.6), (6.5, 9.0, 8.2)]}
LOGITS = TrainConfig(loss=CrossEntropyConfig())
VALUES = TrainConfig(loss=L2Config())


def logits_of(centres, space, variance=1.5):
    """Logits whose softmax is a Gaussian."""
    return gaussian_map(centres, space, variance, dtype=torch.float64).clamp(min=1e-300).log().float()


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("method", ["auto", "local_soft_argmax", "dark", "soft_argmax"])
@pytest.mark.parametrize("logits", [True, False])
def test_the_heat_of_exact_gaussians_gives_their_centres(ndim, method, logits):
    heat = gaussian_map(CENTRES[ndim], SPACES[ndim], 1.5)
    heat = heat / heat.flatten(2).sum(-1).view(1, -1, *[1] * ndim) if logits else heat
    found = read_heat(heat, DecoderConfig(method=method, window=5), logits=logits)
    close = 0.02 if (logits or method != "local_soft_argmax") else 0.1
    np.testing.assert_allclose(found.points[0], CENTRES[ndim], atol=close)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_largest_pixel_is_read_by_argmax(ndim):
    heat = gaussian_map(CENTRES[ndim], SPACES[ndim], 1.5)
    found = read_heat(heat, DecoderConfig(method="argmax"), logits=False)
    assert (found.points[0] - torch.tensor(CENTRES[ndim])).abs().max() <= 0.5
    assert torch.equal(found.points, found.points.round())


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("logits", [True, False])
def test_the_covariance_is_that_of_the_heat_in_the_window(ndim, logits):
    covariance = turned_covariance(ndim, seed=3, low=0.7, high=1.1)
    heat = gaussian_map(CENTRES[ndim], SPACES[ndim], covariance)
    found = read_heat(heat, DecoderConfig(window=6), logits=logits)
    np.testing.assert_allclose(found.covariance[0, 0], covariance, atol=0.02)
    narrow = read_heat(heat, DecoderConfig(window=1), logits=logits).covariance
    assert (torch.linalg.eigvalsh(narrow) >= 1 / 12 - 1e-6).all()
    assert narrow[0, 0].trace() < found.covariance[0, 0].trace()


@pytest.mark.parametrize("ndim", [2, 3])
def test_all_heat_of_a_patch_counts_for_its_covariance(ndim):
    heat = torch.zeros(1, 2, *(25,) * ndim)
    middle, near, far = ((12,) * (ndim - 1) + (x,) for x in (12, 11, 22))
    heat[(0, 0, *middle)], heat[(0, 0, *near)], heat[(0, 0, *far)] = 3.0, 0.5, 0.5
    found = read_patch(heat, DecoderConfig(window=3), 0.0)
    plain = read_heat(heat, DecoderConfig(window=3), logits=True)
    torch.testing.assert_close(found.points, plain.points, equal_nan=True)
    torch.testing.assert_close(found.score, plain.score)
    mean = (3.0 * 12 + 0.5 * 11) / 3.5  # of the window: the far pixel is none of it
    second = (3.0 * (12 - mean) ** 2 + 0.5 * (11 - mean) ** 2 + 0.5 * (22 - mean) ** 2) / 4.0
    np.testing.assert_allclose(found.covariance[0, 0], np.diag([1 / 12] * (ndim - 1) + [second]), rtol=1e-5)
    assert torch.isnan(found.covariance[0, 1]).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_bell_that_a_patch_was_taught_to_draw_is_no_doubt_of_its_own(ndim):
    """Oracle: a belief that is blurred by a bell; what is left of one that is sure is a place somewhere in a pixel."""
    believed = turned_covariance(ndim, seed=3, low=0.7, high=1.1)
    bell = 1.2
    blurred = gaussian_map(CENTRES[ndim], SPACES[ndim], believed + bell**2 * np.eye(ndim))
    found = read_patch(blurred, DecoderConfig(), bell)
    np.testing.assert_allclose(found.covariance[0, 0], believed, atol=0.05)
    sure = gaussian_map(CENTRES[ndim], SPACES[ndim], bell**2)
    found = read_patch(sure, DecoderConfig(), bell)
    np.testing.assert_allclose(found.covariance[0, 0], np.eye(ndim) / 12, atol=0.02)


def test_a_bell_is_as_wide_in_the_image_whatever_pixels_it_is_told_in():
    """Oracle: 3 px of maps that are twice as coarse along y and three times along x as others of their size."""
    coarse = AffineMap.scaling((60, 60), [1 / 6, 1 / 6], (10, 10), centred=False)
    fine = AffineMap.scaling((60, 60), [1 / 3, 1 / 2], (20, 30), centred=False)
    patch = PatchHeat(torch.ones(10, 10), coarse, 3.0)
    assert patch.bell_in(coarse) == pytest.approx(3.0)
    assert patch.bell_in(fine) == pytest.approx(3 * 6**0.5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_point_in_the_corner_has_a_positive_definite_covariance(ndim):
    heat = gaussian_map([[0.2] * ndim], SPACES[ndim], 2.0)
    for logits in (True, False):
        found = read_heat(heat, DecoderConfig(), logits=logits)
        assert (torch.linalg.eigvalsh(found.covariance) > 0).all()
    assert torch.allclose(found.points, torch.tensor(0.2), atol=0.02)


def test_scores_are_the_share_of_the_window_and_the_height_of_the_peak():
    heat = torch.zeros(1, 3, 20, 20)
    heat[0, 0, 5, 5], heat[0, 0, 15, 15] = 0.6, 0.4
    heat[0, 1, 9, 9] = 0.3
    heat[0, 2, 9, 9] = 7.0
    assert read_heat(heat, DecoderConfig(), logits=True).score[0].tolist() == pytest.approx([0.6, 1, 1])
    assert read_heat(heat, DecoderConfig(), logits=False).score[0].tolist() == pytest.approx([0.6, 0.3, 1])


def test_the_mean_of_a_whole_map_scores_the_heat_about_it_and_not_about_the_maximum():
    heat = torch.zeros(1, 2, 25, 25)
    heat[0, 0, 12, 10:15] = 0.18  # about the mean, (12, 12)
    heat[0, 0, 12, 0] = heat[0, 0, 12, 24] = 0.05
    heat[0, 1, 12, 0], heat[0, 1, 12, 24] = 0.5, 0.5
    heat[0, 0, 12, 10] += 1e-4  # the largest pixel lies at the window's border
    found = read_heat(heat, DecoderConfig(method="soft_argmax", window=2), logits=True)
    np.testing.assert_allclose(found.points[0], [(12, 12), (12, 12)], atol=1e-3)
    np.testing.assert_allclose(found.score[0], (0.9, 0.0), atol=1e-3)  # between two peaks lies nothing
    about_largest = read_heat(heat, DecoderConfig(method="argmax", window=2), logits=True).score[0, 0]
    assert about_largest == pytest.approx(3 * 0.18, abs=1e-3)


@pytest.mark.parametrize("logits", [True, False])
@pytest.mark.parametrize("value", [0.0, 0.2, torch.nan])
def test_a_map_that_says_nothing_gives_no_point(logits, value):
    heat = torch.cat((torch.full((1, 1, 9, 9), value), gaussian_map([(4, 4)], (9, 9), 1.0)), dim=1)
    for method in ("auto", "soft_argmax", "argmax"):
        found = read_heat(heat, DecoderConfig(method=method), logits=logits)
        assert torch.isnan(found.points[0, 0]).all()
        assert torch.isnan(found.covariance[0, 0]).all()
        assert found.score[0, 0] == 0
        assert torch.allclose(found.points[0, 1], torch.tensor(4.0), atol=1e-4)
        assert torch.isfinite(found.covariance[0, 1]).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_heat_of_logits_is_their_softmax_of_the_last_stack(ndim):
    first, last = torch.randn(2, 2, 3, *SPACES[ndim]).unbind()
    expected = torch.softmax(last.flatten(2), dim=-1).view_as(last)
    for config in (
        LOGITS,
        TrainConfig(loss=HuberConfig(of="points")),
        TrainConfig(loss=MultivariateGaussianNLLConfig()),
    ):
        assert torch.allclose(heat_of([first, last], config), expected)
        assert torch.allclose(heat_of(([first, last], [None, None]), config), expected)
    assert heat_of(last.bfloat16(), LOGITS).dtype == torch.float32


def test_heat_of_values_is_what_is_not_negative_in_units_of_the_peak():
    maps = torch.tensor([[[[-1.0, 0.0], [5.0, 20.0]]]])
    config = VALUES.changed(target=GaussianTargetConfig(peak=10.0))
    assert heat_of(maps, config).tolist() == [[[[0, 0], [0.5, 2]]]]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("stride", [1, 4])
def test_an_answer_of_maps_is_read_in_pixels_of_the_image(ndim, stride):
    logits = logits_of(CENTRES[ndim], SPACES[ndim], 1.0)
    found = read_answer(logits, LOGITS.changed(decoder=DecoderConfig(window=5)), stride)
    expected = (np.array(CENTRES[ndim]) + 0.5) * stride - 0.5
    np.testing.assert_allclose(found.points[0], expected, atol=0.02 * stride)
    np.testing.assert_allclose(found.covariance[0, 1], np.eye(ndim) * stride**2, atol=0.02 * stride**2)
    values = gaussian_map(CENTRES[ndim], SPACES[ndim], 1.0)
    np.testing.assert_allclose(read_answer(values, VALUES, stride).points[0], expected, atol=0.02 * stride)


@pytest.mark.parametrize("ndim", [2, 3])
def test_covariances_that_a_network_was_trained_to_answer_are_taken(ndim):
    config = TrainConfig(model=StackedCholeskyHourglassConfig(), loss=MultivariateGaussianNLLConfig())
    own = torch.from_numpy(np.stack([turned_covariance(ndim, seed) for seed in (1, 2)]))[None].float()
    maps = logits_of(CENTRES[ndim], SPACES[ndim])
    answer = ([maps.flip(1), maps], [torch.zeros_like(own), own])
    found = read_answer(answer, config, 2)
    assert torch.allclose(found.covariance, 4 * own)
    maps[0, 1] = 0
    assert torch.isnan(read_answer(answer, config, 2).covariance[0, 1]).all()
    untrained = read_answer(answer, config.changed(loss=CrossEntropyConfig()), 2)
    assert not torch.allclose(untrained.covariance[0, 0], 4 * own[0, 0])


@pytest.mark.parametrize("ndim", [2, 3])
def test_points_that_are_answered_are_the_points(ndim):
    config = TrainConfig(model=CoordinateRegressionConfig(), loss=HuberConfig(of="points"))
    points = torch.randn(2, 3, ndim)
    points[0, 1, 0] = torch.inf
    found = read_answer(points, config, 1)
    assert torch.isnan(found.points[0, 1]).all()
    np.testing.assert_array_equal(found.score, [[np.nan, 0, np.nan], [np.nan] * 3])  # a place, and no word of doubt
    assert torch.equal(found.points[1], points[1])
    assert found.covariance.shape == (2, 3, ndim, ndim)
    assert torch.isnan(found.covariance).all()
    with pytest.raises(ValueError, match="no maps"):
        heat_of(points, config)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_cascade_answers_with_its_points_and_how_sure_its_patches_are(ndim):
    cascade, refine = CascadeConfig(patch_stride_2d=2, patch_stride_3d=2), RefineConfig(sigma=0.6)
    config = TrainConfig(model=cascade, refine=refine, decoder=DecoderConfig(window=5))
    points = 100 * torch.rand(1, 2, ndim)
    maps, patches = torch.randn(1, 2, *SPACES[ndim]), logits_of(CENTRES[ndim], SPACES[ndim], 1.0)
    answer = CascadeAnswer(points, points + 3, maps, patches, torch.zeros(1, 2, ndim).long())
    found = read_answer(answer, config, 8)
    assert torch.equal(found.points, points)
    assert found.score.min() > 0.99
    np.testing.assert_allclose(found.covariance[0, 0], np.eye(ndim) * 4 * (1 - 0.6**2), atol=0.08)
    assert torch.allclose(heat_of(answer, config), torch.softmax(maps.flatten(2), -1).view_as(maps))
    points[0, 1] = torch.nan
    lost = read_answer(answer, config, 8)
    assert torch.isnan(lost.points[0, 1]).all()
    assert torch.isnan(lost.covariance[0, 1]).all()
    assert lost.score[0, 1] == 0
    assert lost.score[0, 0] > 0.99


def test_reading_is_in_full_precision_under_autocast():
    heat = gaussian_map([(11.3, 17.8)], (24, 31), 1.5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = read_heat(heat, DecoderConfig(), logits=True)
    assert torch.equal(found.points, read_heat(heat, DecoderConfig(), logits=True).points)
