"""Losses that use a covariance: star losses by hand, and gradients where covariances are isotropic or broken."""

import math

import pytest
import torch
from torch.autograd import gradcheck

from napari_landmarker.engine.losses import (
    EuclideanDistanceVarianceReg,
    GeneralizedNormalHeatmapLoss,
    MultivariateGaussianNLLLoss,
    StarLoss,
)

dims = pytest.mark.parametrize("ndim", [2, 3])
distances = pytest.mark.parametrize("distance", ["l2", "l1", "smooth-l1"])


def scene(ndim, *lead, seed=0):
    torch.manual_seed(seed)
    root = torch.randn(*lead, ndim, ndim, dtype=torch.float64)
    cov = root @ root.mT + torch.diag(torch.arange(1.0, ndim + 1).double())
    pred, target = 3 * torch.randn(2, *lead, ndim, dtype=torch.float64).unbind()[0], torch.zeros(*lead, ndim)
    return pred, cov, target.double()


def turn_of(ndim, seed=3):
    torch.manual_seed(seed)
    return torch.linalg.qr(torch.randn(ndim, ndim, dtype=torch.float64))[0]


@dims
def test_star_by_hand(ndim):
    """Variances 4, 9 and 16, errors 2, 3 and 0.5: 2² / 2 + 3² / 3 + 0.5² / 4 and half the sum of variances."""
    cov = torch.diag(torch.tensor([4.0, 9.0, 16.0][:ndim]))[None, None]
    target = torch.full((1, 1, ndim), 100.0)
    pred = target + torch.tensor([2.0, -3.0, 0.5][:ndim])
    rest = 6.5 if ndim == 2 else 14.5
    expected = {
        "l2": 2 + 3 + (ndim == 3) * 0.0625,
        "l1": 1 + 1 + (ndim == 3) * 0.125,
        "smooth-l1": 0.75 + 2.5 / 3 + (ndim == 3) * 0.125 / 4,
    }
    for distance, value in expected.items():
        loss = StarLoss(distance=distance, spatial_dims=ndim)
        assert loss(pred, cov, target).item() == pytest.approx(value + rest, rel=1e-4)
        assert StarLoss(0.0, distance)(pred, cov, target).item() == pytest.approx(value, rel=1e-4)


@dims
@distances
def test_star_is_per_landmark_and_nothing_but_the_restriction_is_left_for_no_error(ndim, distance):
    pred, cov, target = scene(ndim, 4, 5)
    terms = StarLoss(distance=distance, reduction="none")(pred, cov, target)
    assert terms.shape == (4, 5)
    single = [
        StarLoss(distance=distance)(pred[i : i + 1, j : j + 1], cov[i : i + 1, j : j + 1], target[:1, :1]).item()
        for i in range(4)
        for j in range(5)
    ]
    assert terms.flatten().tolist() == pytest.approx(single)
    assert StarLoss(distance=distance)(pred, cov, target).item() == pytest.approx(sum(single) / 20)
    twice = [torch.cat((part, part)) for part in (pred, cov, target)]
    assert StarLoss(distance=distance)(*twice).item() == pytest.approx(sum(single) / 20)
    trace = cov.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    torch.testing.assert_close(StarLoss(0.4, distance, reduction="none")(target, cov, target), 0.2 * trace)
    assert StarLoss(0.0, distance)(target, cov, target).item() == 0


@dims
@distances
def test_star_turns_with_the_picture(ndim, distance):
    pred, cov, target = scene(ndim, 2, 2)
    turn = turn_of(ndim)
    loss = StarLoss(distance=distance)
    turned = loss(pred @ turn.mT + 7, turn @ cov @ turn.mT, target @ turn.mT + 7)
    assert turned.item() == pytest.approx(loss(pred, cov, target).item(), rel=1e-9)


@dims
def test_an_error_along_the_wide_axis_weighs_less(ndim):
    cov = torch.diag(torch.tensor([25.0, 1.0, 1.0][:ndim]))[None, None]
    target = torch.zeros(1, 1, ndim)
    along, across = target.clone(), target.clone()
    along[..., 0], across[..., 1] = 2, 2
    loss = StarLoss(omega=0.0)
    assert loss(across, cov, target).item() == pytest.approx(5 * loss(along, cov, target).item(), rel=1e-3)


@dims
@pytest.mark.parametrize("width", [1.0, 3.0])
def test_gradients_are_right_for_isotropic_covariances_where_they_exist(ndim, width):
    """There every direction is an axis, and the derivative of an eigenvector is no number."""
    pred = torch.tensor([[[1.0, -2.0, 0.7][:ndim]]], dtype=torch.float64).requires_grad_()
    cov = (width * torch.eye(ndim, dtype=torch.float64))[None, None].requires_grad_()
    target = torch.zeros(1, 1, ndim, dtype=torch.float64)
    for loss in (StarLoss(), MultivariateGaussianNLLLoss(), EuclideanDistanceVarianceReg()):
        assert gradcheck(lambda p, c, loss=loss: loss(p, c, target), (pred, cov))
    maps = torch.rand(1, 1, *(2,) * ndim, dtype=torch.float64)
    assert gradcheck(lambda c: GeneralizedNormalHeatmapLoss()(maps, c, maps), (cov,))


@dims
@distances
@pytest.mark.parametrize("error", [0.0, 1e-8, 2.0, 1e6])
@pytest.mark.parametrize("kind", ["isotropic", "nearly isotropic", "zero", "one direction", "negative", "wide"])
def test_gradients_are_finite_for_every_covariance_and_error(ndim, distance, error, kind):
    unit = torch.eye(ndim)
    direction = torch.tensor([0.6, 0.8, 0.0][:ndim])
    cov = {
        "isotropic": 2 * unit,
        "nearly isotropic": unit + 1e-7 * torch.outer(direction, direction),
        "zero": 0 * unit,
        "one direction": torch.outer(direction, direction),
        "negative": -unit,
        "wide": 1e8 * unit,
    }[kind]
    target = torch.zeros(1, 1, ndim)
    for loss in (StarLoss(distance=distance), MultivariateGaussianNLLLoss(), EuclideanDistanceVarianceReg()):
        pred, given = (target + error).requires_grad_(), cov[None, None].clone().requires_grad_()
        value = loss(pred, given, target)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(pred.grad).all()
        assert torch.isfinite(given.grad).all()


@dims
def test_a_broken_covariance_is_led_back(ndim):
    """Below the smallest variance the likelihood still says that a point was missed, and widens the covariance."""
    pred = torch.ones(1, 1, ndim)
    cov = (-1e-3 * torch.eye(ndim))[None, None].requires_grad_()
    MultivariateGaussianNLLLoss()(pred, cov, torch.zeros_like(pred)).backward()
    assert (cov.grad.diagonal(dim1=-2, dim2=-1) < 0).all()


@dims
def test_likelihood_is_bounded_below(ndim):
    target = torch.zeros(1, 1, ndim)
    for width in (1e-3, 1e-6, 1e-12, 0.0):
        cov = (width * torch.eye(ndim))[None, None]
        least = 0.5 * ndim * math.log(1e-6)
        assert MultivariateGaussianNLLLoss()(target, cov, target).item() >= least * (1 + 1e-6)


@dims
def test_a_covariance_without_numbers_is_not_hidden_unless_its_landmark_is_missing(ndim):
    pred, cov, target = scene(ndim, 1, 2)
    cov[0, 1] = float("nan")
    for loss in (StarLoss(), StarLoss(distance="l1"), MultivariateGaussianNLLLoss(), EuclideanDistanceVarianceReg()):
        assert loss(pred, cov, target).isnan()
        without = loss(pred[:, :1], cov[:, :1], target[:, :1])
        torch.testing.assert_close(loss(pred, cov, target, torch.tensor([[True, False]])), without)
