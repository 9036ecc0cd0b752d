"""What all losses promise: missing landmarks contribute nothing, gradients are right and finite, half types safe."""

import copy
import math
import pickle

import pytest
import torch
from loss_cases import BATCH, BOTH, CASES, IDS, LANDMARKS, SPACE
from torch.autograd import gradcheck

from napari_landmarker.engine.heatmap import GaussianHeatmapGenerator, positive
from napari_landmarker.engine.losses import (
    AdaptiveWingLoss,
    GaussianHeatmapL2Loss,
    GeneralizedNormalHeatmapLoss,
    HeatmapCrossEntropyLoss,
    L2Loss,
    NLLLoss,
    StackedLoss,
    StarLoss,
)

NAN = float("nan")
#: Which landmarks are there in the test of a pattern.
PATTERN = torch.tensor([[True, False, True], [True, True, False], [False, True, True]])
each_loss = pytest.mark.parametrize(("case", "ndim"), BOTH, ids=IDS)


def with_gradient(inputs):
    return [given.detach().clone().requires_grad_() for given in inputs]


def value_and_gradients(loss, inputs, **more):
    leaves = with_gradient(inputs)
    value = loss(*leaves, **more)
    value.sum().backward()
    return value.detach(), [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]


def blind(case, inputs, there, target=NAN, others=NAN):
    """The inputs with other numbers where landmarks are missing."""
    out = []
    for position, (kind, given) in enumerate(zip(case.kinds, inputs, strict=True)):
        if not kind.startswith("own"):
            fill = target if position == len(inputs) - 1 else others
            given = torch.where(there.view(*there.shape, *[1] * (given.ndim - 2)), given, fill)
        out.append(given)
    return out


@each_loss
def test_the_terms_of_a_pattern_of_missing_landmarks_are_those_of_the_others(case, ndim):
    inputs = case.inputs(ndim)
    whole = case.loss(reduction="none")(*inputs)
    wide = PATTERN.view(BATCH, LANDMARKS, *[1] * (whole.ndim - 2))
    expected = torch.where(wide, whole, 0.0)
    for fill, present in ((NAN, None), (math.inf, None), (-math.inf, None), (0.0, PATTERN), (NAN, PATTERN.double())):
        given = blind(case, inputs, PATTERN, target=fill)
        terms = case.loss(reduction="none")(*given, present=present)
        torch.testing.assert_close(terms, expected, rtol=1e-12, atol=0)
        assert case.loss(reduction="sum")(*given, present=present).item() == pytest.approx(expected.sum().item())


@each_loss
@pytest.mark.parametrize("missing", ["image", "landmark"])
def test_value_and_gradients_are_what_they_would_be_without_the_missing(case, ndim, missing):
    inputs = case.inputs(ndim)
    expected, gradients = value_and_gradients(case.loss(), case.without(inputs, **{missing: 1}))
    there = torch.ones(BATCH, LANDMARKS, dtype=torch.bool)
    there[(1, slice(None)) if missing == "image" else (slice(None), 1)] = False
    for fill, present in ((NAN, None), (0.0, there)):
        value, ours = value_and_gradients(case.loss(), blind(case, inputs, there, target=fill), present=present)
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
        left = case.without(ours, **{missing: 1})
        for mine, theirs, all_of_mine in zip(left, gradients, ours, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=0)
            assert torch.isfinite(all_of_mine).all()
            assert all_of_mine.abs().sum().item() == pytest.approx(mine.abs().sum().item(), rel=1e-12)


@each_loss
def test_nothing_there_is_nothing_lost(case, ndim):
    inputs = blind(case, case.inputs(ndim), torch.zeros(BATCH, LANDMARKS, dtype=torch.bool))
    for reduction in ("mean", "sum", "none"):
        value, gradients = value_and_gradients(case.loss(reduction=reduction), inputs)
        assert (value == 0).all()
        assert all((gradient == 0).all() for gradient in gradients)


@each_loss
def test_a_prediction_that_is_no_number_is_not_hidden(case, ndim):
    inputs = case.inputs(ndim)
    if case.name.endswith("bce"):
        pytest.skip("torch refuses probabilities that are none")
    inputs[0][0, 0] = NAN
    assert case.loss()(*inputs).isnan()


@each_loss
def test_gradients_are_the_derivatives(case, ndim):
    inputs = blind(case, case.inputs(ndim), PATTERN, others=0.5)
    inputs = [given.requires_grad_() for given in inputs]
    present = PATTERN.clone()
    target = torch.where(torch.isfinite(inputs[-1]), inputs[-1], 0.3).detach().requires_grad_()

    def loss(*given):
        return case.loss()(*given, present=present)

    assert gradcheck(loss, (*inputs[:-1], target), fast_mode=ndim == 3)


@each_loss
def test_half_types_are_computed_in_float32(case, ndim):
    for dtype in (torch.float16, torch.bfloat16):
        inputs = case.inputs(ndim, dtype)
        value, gradients = value_and_gradients(case.loss(), inputs)
        assert value.dtype == torch.float32
        assert torch.equal(value, case.loss()(*[given.float() for given in inputs]))
        assert all(gradient.dtype == dtype and torch.isfinite(gradient).all() for gradient in gradients)


@each_loss
def test_autocast_changes_nothing(case, ndim):
    inputs = case.inputs(ndim, torch.float32)
    expected, gradients = value_and_gradients(case.loss(), inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, ours = value_and_gradients(case.loss(), inputs)
    assert torch.equal(value, expected)
    assert all(torch.equal(one, other) for one, other in zip(ours, gradients, strict=True))


@each_loss
def test_gradients_are_finite_for_no_error_and_for_huge_ones(case, ndim):
    for size in (0.0, 1e-30, 1e4, 1e10):
        inputs = case.inputs(ndim, torch.float32)
        if case.kinds[0] != "shares":
            inputs[0] = inputs[-1] + size * (-1) ** torch.arange(inputs[0].numel()).view_as(inputs[0])
        value, gradients = value_and_gradients(case.loss(), inputs)
        assert torch.isfinite(value)
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_losses_compile_without_a_break_and_can_be_copied_and_sent(case):
    inputs = case.inputs(3, torch.float32)
    loss = case.loss(reduction="sum")
    expected = loss(*inputs)
    torch.compiler.reset()
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*inputs), expected)
    assert torch.equal(copy.deepcopy(loss)(*inputs), expected)
    assert torch.equal(pickle.loads(pickle.dumps(loss))(*inputs), expected)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("na_zero", [True, False])
def test_a_background_channel_counts_and_a_missing_landmark_does_not(ndim, na_zero):
    """The background is what it would be without the landmark, and so are the rest."""
    torch.manual_seed(0)
    space = SPACE[ndim]
    points = torch.rand(2, 2, ndim, dtype=torch.float64) + 1
    points[0, 1] = NAN
    there = torch.isfinite(points).all(dim=-1)
    generator = GaussianHeatmapGenerator(2, 0.6, heatmap_size=space, background=True, na_zero=na_zero).double()
    target = generator(points)
    predicted = torch.rand(2, 3, *space, dtype=torch.float64)
    present = there if na_zero else None
    squares = (predicted - target).square().flatten(2)
    expected = squares[:, 0].sum() / 2 + squares[:, 1].sum() / 2 + squares[1, 2].sum() + 5 * 2 * 0.6**ndim
    loss = GaussianHeatmapL2Loss()(predicted, generator.sigmas, target, present=present)
    assert loss.item() == pytest.approx(expected.item())
    general = GeneralizedNormalHeatmapLoss()(predicted, generator.get_covariance_matrix(), target, present=present)
    assert general.item() == pytest.approx(expected.item())
    mean = torch.cat([squares[0, :2].flatten(), squares[1].flatten()]).mean()
    assert L2Loss()(predicted, target, present).item() == pytest.approx(mean.item())
    for kind in (AdaptiveWingLoss, NLLLoss, HeatmapCrossEntropyLoss):
        terms = kind(reduction="none")(predicted, target, present)
        alone = [kind(reduction="none")(predicted[:, n : n + 1], target[:, n : n + 1]) for n in range(3)]
        counts = torch.cat((torch.ones(2, 1, dtype=torch.bool), there), dim=1)
        torch.testing.assert_close(terms[counts], torch.cat(alone, dim=1)[counts])
        assert (terms[~counts] == 0).all()
        torch.testing.assert_close(kind()(predicted, target, present), terms[counts].mean())


@pytest.mark.parametrize("ndim", [2, 3])
def test_stacks_are_the_mean_of_their_losses(ndim):
    torch.manual_seed(1)
    target, first, last = torch.rand(3, 2, 2, *SPACE[ndim])
    single = [L2Loss()(map_, target) for map_ in (first, last)]
    torch.testing.assert_close(StackedLoss(L2Loss)([first, last], target), torch.stack(single).mean())
    torch.testing.assert_close(
        StackedLoss(L2Loss, reduction="sum")([first, last], target),
        sum(L2Loss(reduction="sum")(map_, target) for map_ in (first, last)),
    )
    assert StackedLoss(L2Loss, reduction="none")([first, last], target).shape == (2, 2, 2, *SPACE[ndim])
    missing = torch.tensor([[True, False], [True, True]])
    torch.testing.assert_close(
        StackedLoss(L2Loss)([first, first], target, present=missing), L2Loss()(first, target, missing)
    )
    points, truth, cov = torch.rand(2, 2, ndim), torch.rand(2, 2, ndim), torch.eye(ndim).expand(2, 2, ndim, ndim)
    stacked = StackedLoss(StarLoss, distance="l1", spatial_dims=ndim)
    torch.testing.assert_close(
        stacked([(points, cov), (truth, cov)], truth),
        0.5 * (StarLoss(distance="l1")(points, cov, truth) + StarLoss(distance="l1")(truth, cov, truth)),
    )
    with pytest.raises(ValueError, match="list"):
        StackedLoss(L2Loss)(first, target)
    with pytest.raises(ValueError, match="list"):
        StackedLoss(L2Loss)([], target)


@each_loss
def test_arguments_that_do_not_fit_are_refused(case, ndim):
    inputs = case.inputs(ndim)
    with pytest.raises(ValueError, match="reduction"):
        case.loss(reduction="median")
    if case.make is not GeneralizedNormalHeatmapLoss:
        with pytest.raises(ValueError, match="spatial_dims"):
            case.loss(spatial_dims=5 - ndim)(*inputs)
        with pytest.raises(ValueError, match="spatial_dims"):
            case.loss(spatial_dims=4)
    with pytest.raises(ValueError, match="must"):
        case.loss()(*inputs[:-1], inputs[-1][:1])
    for shape in ((BATCH, LANDMARKS + 1), (1, LANDMARKS), (LANDMARKS,)):
        with pytest.raises(ValueError, match="present"):
            case.loss()(*inputs, present=torch.ones(shape, dtype=torch.bool))
    if len(inputs) == 3:
        with pytest.raises(ValueError, match=r"sigmas|cov"):
            case.loss()(inputs[0], inputs[1][..., :1], inputs[2])
    if case.kinds[1].startswith("own"):
        with pytest.raises(ValueError, match="widths"):
            case.loss()(inputs[0], inputs[1][:1], inputs[2])


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", [HeatmapCrossEntropyLoss, NLLLoss, L2Loss])
def test_learnt_widths_get_gradients_through_any_loss_of_their_heatmaps(kind, ndim):
    """Far from a narrow bell the target underflows to 0, and its logarithm is none."""
    generator = GaussianHeatmapGenerator(1, 0.3, heatmap_size=(40,) * ndim, learnable=True)
    kind()(torch.rand(1, 1, *(40,) * ndim), generator(torch.full((1, 1, ndim), 5.2))).backward()
    assert torch.isfinite(generator.sigmas.grad).all()
    assert (generator.sigmas.grad != 0).all()
    assert bool((positive(generator.sigmas) > 0).all())
