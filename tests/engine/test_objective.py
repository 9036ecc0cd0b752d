"""The loss of a training step: hand-computed values, missing landmarks, instances, stacks and what is remembered."""

import math

import pytest
import torch
from heatmap_maps import gaussian_map, turned_covariance
from pydantic import TypeAdapter

from napari_landmarker.engine.heatmap.configs import GaussianTargetConfig, LaplacianTargetConfig, MaskTargetConfig
from napari_landmarker.engine.heatmap.mask import PixelMaskGenerator
from napari_landmarker.engine.losses.configs import (
    AdaptiveWingConfig,
    CrossEntropyConfig,
    EuclideanVarianceConfig,
    GaussianHeatmapL2Config,
    GeneralizedNormalHeatmapConfig,
    HuberConfig,
    L1Config,
    L2Config,
    LossConfig,
    MultivariateGaussianNLLConfig,
    NLLConfig,
    StarConfig,
    WingConfig,
)
from napari_landmarker.engine.models.cascade import CascadeAnswer
from napari_landmarker.engine.models.configs import CascadeConfig, CholeskyHourglassConfig, CoordinateRegressionConfig
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.objective import LEAST_VARIANCE, UNITS, Objective

SPACES = {2: (20, 23), 3: (13, 14, 15)}
POINTS = {2: [(8.3, 11.6), (12.0, 9.5), (9.9, 13.2)], 3: [(6.3, 7.8, 6.6), (5.5, 6.0, 7.2), (7.1, 6.6, 8.0)]}
LEARNT = GaussianTargetConfig(widths="learned")
MASK = MaskTargetConfig()
#: Every loss in every way it can be used on maps.
CONFIGS = {
    "cross_entropy": TrainConfig(loss=CrossEntropyConfig(distance_weight=0.5)),
    "cross_entropy of masks": TrainConfig(loss=CrossEntropyConfig(), target=MASK),
    "nll": TrainConfig(loss=NLLConfig(), target=MASK),
    "laplacian": TrainConfig(loss=L2Config(), target=LaplacianTargetConfig(peak=3)),
    "gaussian_heatmap_l2": TrainConfig(loss=GaussianHeatmapL2Config(), target=LEARNT),
    "generalized_normal_heatmap": TrainConfig(loss=GeneralizedNormalHeatmapConfig(distance="l1"), target=LEARNT),
    "adaptive_wing": TrainConfig(loss=AdaptiveWingConfig()),
    **{f"{kind().kind} of {of}": TrainConfig(loss=kind(of=of)) for kind in (L1Config, L2Config, HuberConfig, WingConfig)
       for of in ("maps", "points")},
    **{kind().kind: TrainConfig(loss=kind()) for kind in
       (EuclideanVarianceConfig, MultivariateGaussianNLLConfig, StarConfig)},
}  # fmt: skip
#: What is 0 for maps that are as they should be.
FREE = [name for name in CONFIGS if name not in
        ("gaussian_heatmap_l2", "generalized_normal_heatmap", "euclidean_variance", "multivariate_gaussian_nll",
         "star", "nll", "cross_entropy of masks")]  # fmt: skip


def truth(ndim):
    """Points ``(1, 3, D)``."""
    return torch.tensor(POINTS[ndim])[None]


def batch(ndim, count=2):
    """Maps ``(B, 3, *space)`` that ask for a gradient, and points near the middle."""
    torch.manual_seed(ndim)
    maps = torch.randn(count, 3, *SPACES[ndim], requires_grad=True)
    return maps, truth(ndim).expand(count, -1, -1) + 2 * torch.rand(count, 3, ndim)


def made(config, ndim, stride=1, landmarks=3):
    return Objective(config, landmarks, SPACES[ndim], stride)


def test_every_loss_is_tried_here():
    kinds = {one["properties"]["kind"]["const"] for one in TypeAdapter(LossConfig).json_schema()["$defs"].values()}
    assert kinds == {config.loss.kind for config in CONFIGS.values()}


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", FREE)
def test_a_perfect_answer_costs_nothing_and_has_a_finite_gradient(name, ndim):
    config = CONFIGS[name]
    objective = made(config, ndim)
    if config.loss.reads_logits:
        maps = gaussian_map(POINTS[ndim], SPACES[ndim], 1.5**2, dtype=torch.float64).log().float()
    elif name == "laplacian":
        maps = 3 * objective.generator(truth(ndim))
    else:
        maps = gaussian_map(POINTS[ndim], SPACES[ndim], 1.5**2)
    maps.requires_grad_()
    loss = objective(maps, truth(ndim))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-2 if "wing" in name else 2e-3)
    assert torch.isfinite(maps.grad).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_masks_of_whole_pixels_are_learnt_to_the_last(ndim):
    points = truth(ndim).round()
    maps = 50 * PixelMaskGenerator(3, SPACES[ndim])(points)
    for name in ("nll", "cross_entropy of masks"):
        assert made(CONFIGS[name], ndim)(maps, points).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_loss_of_maps_adds_the_pixels_of_each_map_and_takes_the_mean_of_landmarks(ndim):
    sigma, peak = 1.2, 3.0
    config = TrainConfig(loss=L2Config(), target=GaussianTargetConfig(sigma=sigma, peak=peak))
    loss = made(config, ndim)(torch.zeros(1, 3, *SPACES[ndim]), truth(ndim))
    assert loss.item() == pytest.approx(peak**2 * (math.sqrt(math.pi) * sigma) ** ndim, rel=1e-3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_learnt_width_keeps_the_sum_of_its_map_and_pays_its_price(ndim):
    config = TrainConfig(loss=GaussianHeatmapL2Config(alpha=7), target=GaussianTargetConfig(sigma=2, widths="learned"))
    objective = made(config, ndim)
    assert [name for name, _ in objective.named_parameters()] == ["generator.sigmas", "generator.rotation"]
    objective.generator.set_sigmas(1.25)
    loss = objective(torch.zeros(2, 3, *SPACES[ndim]), truth(ndim).expand(2, -1, -1))
    squares = (2 / 1.25) ** (2 * ndim) * (math.sqrt(math.pi) * 1.25) ** ndim
    assert loss.item() == pytest.approx(3 * (squares + 7 * 1.25**ndim), rel=1e-3)
    loss.backward()
    slope = -ndim * squares / 1.25 + ndim * 7 * 1.25 ** (ndim - 1)
    assert objective.generator.sigmas.grad.sum().item() == pytest.approx(3 * slope, rel=5e-3)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("stride", [1, 4])
def test_points_that_are_read_from_maps_are_compared_in_heatmap_pixels(ndim, stride):
    found = torch.tensor(POINTS[ndim])
    maps = gaussian_map(found, SPACES[ndim], 1.0, dtype=torch.float64).clamp(min=1e-300).log().float()
    true = (found[None] + 0.5) * stride - 0.5 + stride * 2.0
    loss = made(TrainConfig(loss=L1Config(of="points")), ndim, stride)(maps, true)
    assert loss.item() == pytest.approx(2.0, abs=2e-3)
    loss, variance = (
        made(TrainConfig(loss=MultivariateGaussianNLLConfig()), ndim, stride)(maps, true),
        1 + LEAST_VARIANCE,
    )
    assert loss.item() == pytest.approx(0.5 * ndim * (math.log(variance) + 4 / variance), rel=2e-3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_distance_of_points_is_added_to_the_cross_entropy(ndim):
    maps, points = batch(ndim)
    plain = made(TrainConfig(loss=CrossEntropyConfig()), ndim)(maps, points)
    both = made(TrainConfig(loss=CrossEntropyConfig(distance_weight=0.25)), ndim)(maps, points)
    shares = torch.softmax(maps.flatten(2), dim=-1).view_as(maps)
    grid = torch.stack(torch.meshgrid(*[torch.arange(n).float() for n in SPACES[ndim]], indexing="ij"), dim=-1)
    found = (shares[..., None] * grid).flatten(2, -2).sum(dim=2)
    away = (found - points).norm(dim=-1)
    assert (both - plain).item() == pytest.approx(0.25 * away.mean().item(), abs=0.03)


@pytest.mark.parametrize("ndim", [2, 3])
def test_points_that_are_answered_are_compared_in_shares_of_the_image(ndim):
    config = TrainConfig(model=CoordinateRegressionConfig(), loss=L1Config(of="points"))
    answer = truth(ndim).clone().requires_grad_()
    objective = made(config, ndim)
    loss = objective(answer, truth(ndim) + 3 * max(SPACES[ndim]) / UNITS)
    loss.backward()
    assert loss.item() == pytest.approx(3, rel=1e-5)
    assert torch.isfinite(answer.grad).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_covariance_that_a_network_answers_is_judged(ndim):
    config = TrainConfig(model=CholeskyHourglassConfig(), loss=MultivariateGaussianNLLConfig())
    own = torch.from_numpy(turned_covariance(ndim, 4)).float().expand(1, 3, -1, -1)
    maps = gaussian_map(POINTS[ndim], SPACES[ndim], 1.0, dtype=torch.float64).clamp(min=1e-300).log().float()
    away = torch.linspace(-1, 2, ndim)
    expected = 0.5 * (own[0, 0].logdet() + away @ torch.linalg.solve(own[0, 0], away))
    assert made(config, ndim)((maps, own), truth(ndim) + away).item() == pytest.approx(expected.item(), abs=5e-3)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_a_missing_landmark_changes_nothing_for_the_others(name, ndim):
    maps, points = batch(ndim)
    points[:, 1] = torch.nan
    objective = made(CONFIGS[name], ndim)
    loss = objective(maps, points)
    loss.backward()
    without = made(CONFIGS[name], ndim, landmarks=2)
    assert loss.item() == pytest.approx(without(maps[:, [0, 2]], points[:, [0, 2]]).item(), rel=1e-5)
    assert torch.isfinite(maps.grad).all()
    assert (maps.grad[:, 1] == 0).all()
    assert (maps.grad[:, [0, 2]] != 0).flatten(2).any(dim=-1).all()
    assert torch.isnan(objective.per_landmark()).tolist() == [False, True, False]
    broken = maps.detach().clone()
    broken[:, 1] = torch.nan
    assert objective(broken, points).item() == pytest.approx(loss.item(), rel=1e-6)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", [*CONFIGS, "coordinate"])
@pytest.mark.parametrize("several", [False, True])
def test_where_all_are_missing_there_is_no_loss_and_no_gradient(name, ndim, several):
    config = CONFIGS.get(name) or TrainConfig(model=CoordinateRegressionConfig(), loss=WingConfig(of="points"))
    answer = torch.randn(2, 3, ndim, requires_grad=True) if name == "coordinate" else batch(ndim)[0]
    objective = made(config, ndim)
    loss = objective(answer, torch.full((2, 3, *[2] * several, ndim), torch.nan))
    loss.backward()
    assert loss.item() == 0
    assert (answer.grad == 0).all()
    assert all(p.grad is None or (p.grad == 0).all() for p in objective.parameters())


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", CONFIGS)
def test_room_for_instances_that_are_not_there_changes_nothing(name, ndim):
    maps, points = batch(ndim)
    points[0, 2] = torch.nan
    padded = torch.stack((torch.full_like(points, torch.nan), points), dim=2)
    assert made(CONFIGS[name], ndim)(maps, padded).item() == pytest.approx(
        made(CONFIGS[name], ndim)(maps, points).item(), rel=1e-4
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_of_several_instances_maps_show_all_and_points_meet_the_nearest(ndim):
    far, near = truth(ndim) - 5, truth(ndim) + 0.5
    both = torch.stack((far, near), dim=2)
    drawn = gaussian_map(far[0], SPACES[ndim], 1.5**2) + gaussian_map(near[0], SPACES[ndim], 1.5**2)
    assert made(TrainConfig(loss=L2Config()), ndim)(drawn, both).item() == pytest.approx(0, abs=1e-4)
    maps = gaussian_map(POINTS[ndim], SPACES[ndim], 1.0, dtype=torch.float64).clamp(min=1e-300).log().float()
    config = TrainConfig(loss=L1Config(of="points"))
    assert made(config, ndim)(maps, both).item() == pytest.approx(0.5, abs=2e-3)
    mask = PixelMaskGenerator(3, SPACES[ndim])(both)
    assert mask.flatten(2).sum(dim=-1).tolist() == [pytest.approx([1, 1, 1])]


@pytest.mark.parametrize("name", ["cross_entropy", "l2 of maps", "gaussian_heatmap_l2", "star"])
def test_every_stack_is_judged_and_the_mean_is_taken(name):
    (first, points), last = batch(2), torch.randn(2, 3, *SPACES[2], requires_grad=True)
    objective = made(CONFIGS[name], 2)
    loss = objective([first, last], points)
    loss.backward()
    assert loss.item() == pytest.approx((objective(first, points) + objective(last, points)).item() / 2, rel=1e-5)
    assert first.grad.abs().sum() > 0
    assert last.grad.abs().sum() > 0


def test_of_a_cascade_the_first_stage_is_judged():
    maps, points = batch(2)
    config = TrainConfig(model=CascadeConfig())
    answer = CascadeAnswer(points, points, maps, torch.randn(2, 3, 8, 8), torch.zeros(2, 3, 2).long())
    objective = made(config, 2, stride=4)
    assert objective(answer, 4 * points).item() == objective(maps, 4 * points).item()


def test_maps_may_be_larger_than_was_said():
    objective = Objective(TrainConfig(loss=L2Config()), 1, (8, 8), 1)
    maps = gaussian_map([(11.3, 17.8)], (20, 30), 1.5**2)
    assert objective(maps, torch.tensor([[[11.3, 17.8]]])).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name", CONFIGS)
def test_half_types_and_autocast_give_a_loss_in_full_precision(name):
    maps, points = batch(2)
    expected = made(CONFIGS[name], 2)(maps.bfloat16().float(), points).item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = made(CONFIGS[name], 2)(maps.bfloat16(), points)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_what_each_landmark_cost_is_remembered_since_the_last_question():
    objective = made(TrainConfig(loss=L1Config(of="points"), model=CoordinateRegressionConfig()), 2)
    unit = max(SPACES[2]) / UNITS
    true = truth(2)
    objective(true + unit * torch.tensor([[[1.0], [2.0], [0.0]]]), true)
    objective.eval()
    objective(true + 100, true)
    objective.train()
    partly = true.clone()
    partly[0, 1:] = torch.nan
    objective(true + unit * 3, partly)
    assert objective.per_landmark().tolist() == pytest.approx([2, 2, 0], abs=1e-5)
    objective(true + unit, partly)
    said = objective.per_landmark()
    assert said[0].item() == pytest.approx(1, abs=1e-5)
    assert torch.isnan(said[1:]).all()


def scheduled(ndim=2):
    target = GaussianTargetConfig(sigma=4, widths="scheduled", pace=0.7, narrowest=1.5)
    return made(TrainConfig(loss=L2Config(), target=target), ndim)


@pytest.mark.parametrize("ndim", [2, 3])
def test_scheduled_widths_follow_the_losses_of_each_landmark(ndim):
    objective, points = scheduled(ndim), truth(ndim)
    for height in (0.0, 0.6, 0.85, 0.95, 0.99, 1.0, 1.0):
        maps = height * objective.generator(points)
        maps[:, 1] = 0
        objective(maps, points)
        objective.per_landmark()
        objective.end_of_period()
    widths = objective.generator.sigmas
    assert (widths[[0, 2]] < 3).all()
    assert (widths >= 1.5).all()
    fixed = made(TrainConfig(loss=L2Config()), ndim)
    fixed(torch.zeros(1, 3, *SPACES[ndim]), points)
    fixed.end_of_period()
    assert (fixed.generator.sigmas == 1.5).all()


def test_a_schedule_goes_on_from_its_state(tmp_path):
    first, points = scheduled(), truth(2)
    torch.manual_seed(0)
    steps = [torch.rand(1, 3, *SPACES[2]) * scale for scale in (1, 0.5, 0.3, 0.2, 0.15, 0.1)]
    for maps in steps[:4]:
        first(maps, points)
        first.end_of_period()
    first(steps[4], points)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second = scheduled()
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(first.generator.sigmas, second.generator.sigmas)
    for objective in (first, second):
        objective(steps[5], points)
        objective.end_of_period()
    assert torch.equal(first.generator.sigmas, second.generator.sigmas)
    assert (first.generator.sigmas != 4).any()
    assert torch.equal(first.per_landmark(), second.per_landmark())
    learnt = made(CONFIGS["gaussian_heatmap_l2"], 2)
    with torch.no_grad():
        learnt.generator.sigmas.mul_(0.8)
    other = made(CONFIGS["gaussian_heatmap_l2"], 2)
    other.load_state_dict(learnt.state_dict())
    assert torch.equal(other.generator.sigmas, learnt.generator.sigmas)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_mask_has_its_mean_at_the_landmark_up_to_the_border(ndim):
    space = SPACES[ndim]
    points = truth(ndim).double()
    points[0, 1] = torch.tensor([-0.3, *[n - 0.6 for n in space[1:]]])
    maps = PixelMaskGenerator(3, space)(points)
    grid = torch.stack(torch.meshgrid(*[torch.arange(n).double() for n in space], indexing="ij"), dim=-1)
    means = (maps[..., None] * grid).flatten(2, -2).sum(dim=2)
    assert torch.allclose(means[0, [0, 2]], points[0, [0, 2]])
    assert torch.allclose(means[0, 1], torch.tensor([0.0, *[n - 1.0 for n in space[1:]]]).double())
    assert (maps >= 0).all()
    assert ((maps > 0).flatten(2).sum(dim=-1) <= 2**ndim).all()
    points[0, 0, 0], points[0, 2, 1] = -0.6, torch.nan
    maps = PixelMaskGenerator(3, space)(points)
    assert maps.flatten(2).sum(dim=-1)[0].tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="landmarks must be"):
        PixelMaskGenerator(2, space)(points)
