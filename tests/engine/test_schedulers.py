"""Widths that follow the spread of losses: by hand, bounded, never not a number, and resumed."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_landmarker.engine.heatmap import GaussianHeatmapGenerator, LaplacianHeatmapGenerator
from napari_landmarker.engine.schedulers import AdalossScheduler

SPACE = (16, 16, 16)
dims = pytest.mark.parametrize("ndim", [2, 3])


def generator_of(ndim, landmarks=1, sigmas=4.0, **options):
    return GaussianHeatmapGenerator(landmarks, sigmas, heatmap_size=SPACE[:ndim], **options)


@dims
@pytest.mark.parametrize("learnable", [True, False])
def test_the_rule_by_hand(ndim, learnable):
    """Variances of three: 2/3, 2/9 (three times less: a full step down), 2/9, 2/3, 2/3, 7/18."""
    generator = generator_of(ndim, learnable=learnable)
    sigmas = generator.sigmas
    scheduler = AdalossScheduler(1)
    widths = []
    for loss in (4.0, 2.0, 3.0, 3.0, 4.0, 5.0, 6.0, 6.5):
        scheduler([loss], sigmas)
        assert (sigmas == sigmas[0, 0]).all()
        widths.append(sigmas[0, 0].item())
    expected = [4, 4, 4, 3.1, 3.1, 3.1 + 0.9 * 2 / 3, 3.7, 3.7 - 0.9 * 5 / 7]
    assert widths == pytest.approx(expected, rel=1e-6)
    assert generator.sigmas is sigmas
    assert sigmas.requires_grad == learnable


@dims
def test_each_landmark_has_its_own_pace(ndim):
    generator = generator_of(ndim, 3)
    scheduler = AdalossScheduler(3, rho=0.5)
    steps = ([4.0, 1.0, 1.0], [2.0, 1.0, 3.0], [3.0, 1.0, 2.0], [3.0, 1.0, 9.0])
    for kind, losses in zip((list, torch.tensor, np.array, torch.tensor), steps, strict=True):
        scheduler(kind(losses), generator.sigmas)
    assert generator.sigmas.tolist() == [[3.5] * ndim, [4.0] * ndim, [4.0] * ndim]


@dims
def test_a_width_that_may_not_grow_does_not(ndim):
    free, falling = generator_of(ndim), generator_of(ndim)
    one, other = AdalossScheduler(1), AdalossScheduler(1, non_increasing=True)
    for loss in (4.0, 2.0, 3.0, 3.0, 4.0, 5.0):
        one([loss], free.sigmas)
        other([loss], falling.sigmas)
    assert free.sigmas[0, 0].item() == pytest.approx(3.7)
    assert falling.sigmas[0, 0].item() == pytest.approx(3.1)


@dims
def test_training_that_settles_ends_at_the_smallest_width(ndim):
    generator = generator_of(ndim, sigmas=3.0)
    scheduler = AdalossScheduler(1)
    for step in range(300):
        scheduler([math.exp(-0.2 * step)], generator.sigmas)
    assert generator.sigmas.tolist() == [[1.0] * ndim]


@dims
def test_widths_of_axes_keep_their_own_bounds(ndim):
    start = torch.tensor([[5.0, 2.0, 0.4][:ndim]])
    generator = generator_of(ndim, sigmas=start)
    scheduler = AdalossScheduler(1, sigma_min=1.5)
    for loss in (4.0, 2.0, 3.0, 3.0):
        scheduler([loss], generator.sigmas)
    assert generator.sigmas[0].tolist() == pytest.approx([4.1, 1.5, 0.4][:ndim])
    for loss in (9.0, 50.0, 400.0, 5000.0):
        scheduler([loss], generator.sigmas)
    assert generator.sigmas.tolist() == start.tolist()


@dims
@pytest.mark.parametrize("value", [0.0, 0.1, -3.3, 1e30])
def test_a_constant_loss_changes_nothing(ndim, value):
    generator = generator_of(ndim, sigmas=2.7)
    before = generator.sigmas.clone()
    scheduler = AdalossScheduler(1)
    for step in range(12):
        scheduler([value * (1 + 1e-8 * (step % 3))], generator.sigmas)
    assert torch.equal(generator.sigmas, before)


@dims
def test_a_loss_that_is_no_number_is_left_out(ndim):
    with_gaps, without = generator_of(ndim), generator_of(ndim)
    one, other = AdalossScheduler(1), AdalossScheduler(1)
    for loss in (4.0, math.nan, 2.0, math.inf, 3.0, 3.0, -math.inf, math.nan, 4.0, 5.0):
        one([loss], with_gaps.sigmas)
        if math.isfinite(loss):
            other([loss], without.sigmas)
    assert torch.equal(with_gaps.sigmas, without.sigmas)
    assert with_gaps.sigmas[0, 0].item() == pytest.approx(3.7)


@given(
    losses=st.lists(st.floats(width=32) | st.sampled_from([0.0, 1.0, 1.0 + 1e-7, 1e-30]), min_size=1, max_size=25),
    window=st.integers(2, 4),
    non_increasing=st.booleans(),
)
def test_widths_are_bounded_whatever_the_losses_are(losses, window, non_increasing):
    sigmas = torch.tensor([[3.0, 5.0, 0.7]])
    start = sigmas.clone()
    scheduler = AdalossScheduler(1, window=window, non_increasing=non_increasing)
    for loss in losses:
        before = sigmas.clone()
        scheduler([loss], sigmas)
        assert (sigmas <= start).all()
        assert (sigmas >= torch.tensor([1.0, 1.0, 0.7])).all()
        assert ((sigmas - before).abs() <= 0.9 + 1e-6).all()


def test_a_width_that_an_optimiser_took_below_zero_comes_back():
    generator = LaplacianHeatmapGenerator(1, 3.0, heatmap_size=SPACE[:2], learnable=True)
    scheduler = AdalossScheduler(1)
    for loss in (4.0, 2.0, 3.0):
        scheduler([loss], generator.sigmas)
    with torch.no_grad():
        generator.sigmas.fill_(-98.0)
    scheduler([9.0], generator.sigmas)
    assert generator.sigmas.tolist() == [[1.0, 1.0]]


@dims
def test_a_resumed_run_goes_on_as_if_nothing_had_been(ndim):
    torch.manual_seed(0)
    losses = torch.rand(12, 2, dtype=torch.float64)
    whole, parts = generator_of(ndim, 2), generator_of(ndim, 2)
    one, first, second = (AdalossScheduler(2, rho=0.4) for _ in range(3))
    for row in losses:
        one(row, whole.sigmas)
    first.load_state_dict(first.state_dict())
    for row in losses[:5]:
        first(row, parts.sigmas)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for row in losses[5:]:
        second(row, parts.sigmas)
    assert torch.equal(whole.sigmas, parts.sigmas)
    assert not (whole.sigmas == 4.0).all()
    assert second.state_dict() == one.state_dict()


def test_arguments_that_do_not_fit_are_refused():
    for options in ({"window": 1}, {"rho": 0}, {"rho": math.inf}, {"sigma_min": 0.0}, {"sigma_min": math.nan}):
        with pytest.raises(ValueError, match="must"):
            AdalossScheduler(2, **options)
    scheduler = AdalossScheduler(2)
    with pytest.raises(ValueError, match="losses must be"):
        scheduler([1.0], torch.ones(2, 2))
    with pytest.raises(ValueError, match="losses must be"):
        scheduler([1.0, 2.0], torch.ones(3, 2))
    scheduler([1.0, 2.0], torch.ones(2, 2))
    with pytest.raises(ValueError, match="as before"):
        scheduler([1.0, 2.0], torch.ones(2, 3))
    with pytest.raises(ValueError, match="of 2 landmarks"):
        AdalossScheduler(3).load_state_dict(scheduler.state_dict())
