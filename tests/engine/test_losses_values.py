"""Values of losses against hand computation and other libraries."""

import math

import pytest
import torch
from torch.nn import functional

from napari_landmarker.engine.heatmap import GaussianHeatmapGenerator
from napari_landmarker.engine.losses import (
    AdaptiveWingLoss,
    EuclideanDistanceVarianceReg,
    GaussianHeatmapL2Loss,
    GeneralizedNormalHeatmapLoss,
    HeatmapCrossEntropyLoss,
    HuberLoss,
    L1Loss,
    L2Loss,
    MultivariateGaussianNLLLoss,
    NLLLoss,
    StarLoss,
    WingLoss,
)

SPACE = {2: (6, 5), 3: (5, 4, 3)}
dims = pytest.mark.parametrize("ndim", [2, 3])


@dims
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_plain_differences_are_those_of_torch(ndim, reduction):
    torch.manual_seed(ndim)
    for shape in ((2, 3, ndim), (2, 3, *SPACE[ndim])):
        pred, target = torch.randn(2, *shape).unbind()
        named = {"reduction": reduction}
        torch.testing.assert_close(L1Loss(**named)(pred, target), functional.l1_loss(pred, target, **named))
        torch.testing.assert_close(L2Loss(**named)(pred, target), functional.mse_loss(pred, target, **named))
        torch.testing.assert_close(
            HuberLoss(0.7, **named)(pred, target), functional.huber_loss(pred, target, delta=0.7, **named)
        )


@dims
def test_wing_by_hand(ndim):
    """omega 5, epsilon 0.5: a logarithm to 5 px, then a line that goes on from there. Also with the defaults in 2D."""
    away = torch.tensor([0.0, 1.0, 5.0, -10.0])[:, None, None].expand(4, 1, ndim)
    expected = [0.0, 5 * math.log(3), 5 * math.log(11), 5 + 5 * math.log(11)]
    terms = WingLoss(reduction="none", spatial_dims=ndim)(away, torch.zeros_like(away))
    for axis in range(ndim):
        assert terms[:, 0, axis].tolist() == pytest.approx(expected, rel=1e-6)
    assert WingLoss()(away, torch.zeros_like(away)).item() == pytest.approx(sum(expected) / 4, rel=1e-6)
    points = torch.tensor([[[4.9999, 5.0001] + [0.0] * (ndim - 2)]], requires_grad=True)
    WingLoss(reduction="sum")(points, torch.zeros_like(points)).backward()
    assert points.grad[0, 0, :2].tolist() == pytest.approx([5 / 5.5, 1.0], rel=1e-3)


@dims
def test_adaptive_wing_by_hand(ndim):
    """theta equals epsilon, so the slope of the line is omega * p / 2 / theta with p = 2.1 - y."""
    space = SPACE[ndim]
    expected = {
        (0.25, 0.0): 5 * math.log(1 + 0.5**2.1),
        (0.25, 1.0): 5 * math.log(1 + 0.5**1.1),
        (1.0, 0.0): 5 * math.log(2) + 0.5 * (5 * 2.1 / 2 / 0.5),
        (1.0, 1.0): 5 * math.log(2) + 0.5 * (5 * 1.1 / 2 / 0.5),
        (0.0, 0.3): 0.0,
    }
    for (away, truth), value in expected.items():
        target = torch.full((1, 2, *space), truth)
        for sign in (-1, 1):
            loss = AdaptiveWingLoss(spatial_dims=ndim)(target + sign * away, target)
            assert loss.item() == pytest.approx(value, rel=1e-5)


def test_adaptive_wing_goes_on_smoothly_with_any_theta():
    target = torch.full((2, 1, 1, 1), 0.4, dtype=torch.float64)
    away = torch.tensor([0.7 - 1e-7, 0.7 + 1e-7], dtype=torch.float64).view(2, 1, 1, 1).requires_grad_()
    terms = AdaptiveWingLoss(omega=14, epsilon=1.3, theta=0.7, reduction="none")(target + away, target)
    terms.sum().backward()
    low, high = away.grad.flatten().tolist()
    assert terms[0].item() == pytest.approx(terms[1].item(), rel=1e-5)
    assert low == pytest.approx(high, rel=1e-5)


def test_adaptive_wing_has_finite_gradients_where_bells_overlap_and_meet_the_target():
    target = torch.tensor([0.0, 1.0, 2.0, 2.1, 5.0]).view(1, 1, 1, 5).requires_grad_()
    pred = target.detach().clone().requires_grad_()
    AdaptiveWingLoss()(pred, target).backward()
    assert torch.isfinite(pred.grad).all()
    assert torch.isfinite(target.grad).all()


@dims
def test_gaussian_heatmap_l2_by_hand(ndim):
    """3 pixels that are 2 off in one of two images, and widths 2, 3 (and 4) px: 12 / 2 + 5 * 6 (or 24), twice."""
    target = torch.zeros(2, 2, *SPACE[ndim])
    pred = target.clone()
    pred[0].flatten(1)[:, :3] = 2.0
    widths = torch.tensor([2.0, 3.0, 4.0][:ndim]).expand(2, ndim)
    price = 5 * math.prod([2, 3, 4][:ndim])
    assert GaussianHeatmapL2Loss(spatial_dims=ndim)(pred, widths, target).item() == pytest.approx(2 * (6 + price))
    terms = GaussianHeatmapL2Loss(reduction="none")(pred, widths, target)
    assert terms.tolist() == [[12 + price] * 2, [price] * 2]
    assert GaussianHeatmapL2Loss(reduction="sum")(pred, widths, target).item() == terms.sum().item()
    covariance = torch.diag_embed(widths.square())
    general = GeneralizedNormalHeatmapLoss()(pred, covariance, target)
    assert general.item() == pytest.approx(2 * (6 + price), rel=1e-6)


@dims
def test_no_width_makes_the_loss_negative(ndim):
    target = torch.zeros(1, 1, *SPACE[ndim])
    for raw in ([-98.0, 3.0, 2.0], [-98.0, -50.0, -20.0], [0.0, 0.0, 0.0], [-1e30, 1.0, 1.0]):
        widths = torch.tensor([raw[:ndim]], requires_grad=True)
        loss = GaussianHeatmapL2Loss()(target, widths, target)
        loss.backward()
        assert 0 <= loss.item() < 1e-2
        assert torch.isfinite(widths.grad).all()


@dims
def test_widths_that_are_learnt_never_run_away(ndim):
    """Steps far too long, and maps that show nothing: the price pulls the widths down without end."""
    torch.manual_seed(0)
    generator = GaussianHeatmapGenerator(2, 2.0, heatmap_size=SPACE[ndim], learnable=True)
    points = torch.rand(1, 2, ndim) * 3
    optimiser = torch.optim.SGD(generator.parameters(), lr=0.3)
    for _ in range(40):
        optimiser.zero_grad()
        loss = GaussianHeatmapL2Loss()(torch.zeros(1, 2, *SPACE[ndim]), generator.sigmas, generator(points))
        loss.backward()
        optimiser.step()
        assert 0 <= loss.item() < 1e4
    assert torch.isfinite(generator.sigmas).all()


@dims
@pytest.mark.parametrize("distance", ["l1", "smooth-l1", "bce-with-logits", "bce"])
def test_distances_of_heatmaps_are_those_of_torch(ndim, distance):
    torch.manual_seed(ndim)
    pred, target = torch.rand(2, 2, 3, *SPACE[ndim]).unbind()
    pred = pred if distance == "bce" else 4 * pred - 2
    of_torch = {
        "l1": functional.l1_loss,
        "smooth-l1": lambda p, t, reduction: functional.smooth_l1_loss(p, t, reduction=reduction, beta=0.3),
        "bce-with-logits": functional.binary_cross_entropy_with_logits,
        "bce": functional.binary_cross_entropy,
    }[distance]
    cov = torch.eye(ndim).expand(3, ndim, ndim) * 4
    loss = GeneralizedNormalHeatmapLoss(alpha=0.1, distance=distance, beta=0.3)(pred, cov, target)
    assert loss.item() == pytest.approx(
        of_torch(pred, target, reduction="sum").item() / 2 + 0.1 * 3 * 2**ndim, rel=1e-5
    )


@dims
def test_covariances_of_images_count_as_a_mean_over_images(ndim):
    target = torch.zeros(4, 1, *SPACE[ndim])
    cov = torch.diag_embed(torch.tensor([4.0, 9.0, 1.0][:ndim])).expand(4, 1, ndim, ndim)
    loss = GeneralizedNormalHeatmapLoss(alpha=2.0)
    assert loss(target, cov, target).item() == pytest.approx(12, rel=1e-6)
    assert loss(target, cov[0], target).item() == pytest.approx(12, rel=1e-6)


@dims
def test_euclidean_distance_and_variance_by_hand(ndim):
    pred = torch.tensor([[[3.0, 4.0, 12.0][:ndim]]])
    distance = 5.0 if ndim == 2 else 13.0
    cov = torch.full((1, 1, ndim, ndim), 0.5) + 2 * torch.eye(ndim)
    loss = EuclideanDistanceVarianceReg(alpha=0.5, var_t=1.0, spatial_dims=ndim)
    assert loss(pred, cov, torch.zeros_like(pred)).item() == pytest.approx(distance + 0.5 * ndim * 1.5**2)
    assert EuclideanDistanceVarianceReg(var_t=2.5)(pred, cov, pred).item() == 0


@dims
def test_gaussian_likelihood_is_that_of_torch(ndim):
    torch.manual_seed(ndim)
    root = torch.randn(2, 3, ndim, ndim)
    cov = root @ root.mT + 0.3 * torch.eye(ndim)
    pred, target = torch.randn(2, 2, 3, ndim).unbind()
    truth = torch.distributions.MultivariateNormal(pred, cov).log_prob(target)
    terms = MultivariateGaussianNLLLoss(reduction="none", spatial_dims=ndim)(pred, cov, target)
    torch.testing.assert_close(terms, -truth - 0.5 * ndim * math.log(2 * math.pi), rtol=1e-4, atol=1e-4)
    mean = MultivariateGaussianNLLLoss()(pred, cov, target)
    assert mean.item() == pytest.approx(terms.mean().item(), rel=1e-6)


@dims
def test_gaussian_likelihood_is_best_for_the_true_covariance(ndim):
    """For many errors from one Gaussian, the mean loss is least where the covariance is theirs."""
    torch.manual_seed(ndim)
    truth = torch.diag(torch.tensor([1.0, 4.0, 9.0][:ndim])) + 0.4
    errors = torch.randn(4000, 1, ndim) @ torch.linalg.cholesky(truth).mT
    sample = torch.einsum("bli,blj->ij", errors, errors) / len(errors)

    def loss(cov):
        return MultivariateGaussianNLLLoss()(errors, cov.expand(len(errors), 1, ndim, ndim), torch.zeros_like(errors))

    best = loss(sample)
    for factor in (0.8, 1.25):
        assert loss(factor * sample) > best
    assert loss(torch.diag(sample.diagonal())) > best


@dims
def test_nll_of_one_hot_masks_by_hand(ndim):
    space = SPACE[ndim]
    pixels = math.prod(space)
    target = torch.zeros(1, 2, pixels)
    target[0, 0, 3] = target[0, 1, 7] = 1
    logits = torch.zeros(1, 2, pixels)
    logits[0, 1, 7] = math.log(3.0)
    expected = [math.log(pixels), math.log((pixels + 2) / 3)]
    for loss, maps in (
        (NLLLoss(ndim, reduction="none"), logits),
        (NLLLoss(ndim, apply_softmax=False, reduction="none"), logits.softmax(dim=-1)),
        (HeatmapCrossEntropyLoss(reduction="none"), logits),
    ):
        terms = loss(maps.view(1, 2, *space), target.view(1, 2, *space))
        assert terms.flatten().tolist() == pytest.approx(expected, rel=1e-5)


@dims
def test_nll_is_finite_for_shares_of_zero_and_for_any_logit(ndim):
    space = SPACE[ndim]
    target = torch.zeros(1, 1, *space)
    target.flatten()[4] = 1
    for shares in (torch.zeros(1, 1, *space), 1 - target):
        shares = shares.requires_grad_()
        loss = NLLLoss(apply_softmax=False)(shares, target)
        loss.backward()
        assert loss.item() == pytest.approx(12 * math.log(10), rel=1e-5)
        assert torch.isfinite(shares.grad).all()
        assert shares.grad.flatten()[4] < 0
    logits = (1 - target).mul(1e30).requires_grad_()
    NLLLoss()(logits, target).backward()
    assert torch.isfinite(logits.grad).all()


@dims
def test_an_all_zero_target_of_a_distribution_is_a_missing_landmark(ndim):
    torch.manual_seed(2)
    logits, target = torch.randn(2, 2, *SPACE[ndim]), torch.rand(2, 2, *SPACE[ndim])
    target[:, 1] = 0
    for kind in (NLLLoss, HeatmapCrossEntropyLoss):
        torch.testing.assert_close(kind()(logits, target), kind()(logits[:, :1], target[:, :1]))


def test_bad_settings_are_refused():
    for make in (
        lambda: HuberLoss(delta=0),
        lambda: WingLoss(omega=-1),
        lambda: WingLoss(epsilon=0),
        lambda: AdaptiveWingLoss(alpha=1.5),
        lambda: AdaptiveWingLoss(theta=0),
        lambda: EuclideanDistanceVarianceReg(eps=0),
        lambda: MultivariateGaussianNLLLoss(eps=-1),
        lambda: StarLoss(epsilon=0),
        lambda: StarLoss(distance="bce"),
        lambda: GeneralizedNormalHeatmapLoss(distance="l3"),
        lambda: GeneralizedNormalHeatmapLoss(distance="smooth-l1", beta=0),
    ):
        with pytest.raises(ValueError, match=r"must be"):
            make()
