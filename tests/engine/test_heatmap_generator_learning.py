"""What is learnt about heatmaps: gradients are right, widths stay positive, and optimisers keep their parameters."""

import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.func import functional_call

from napari_landmarker.engine.heatmap import (
    GaussianHeatmapGenerator,
    HeatmapGenerator,
    LaplacianHeatmapGenerator,
    positive,
)

SPACE = (4, 5, 3)
BOTH = [GaussianHeatmapGenerator, LaplacianHeatmapGenerator]


def inputs(ndim):
    torch.manual_seed(ndim)
    points = torch.rand(2, 2, ndim, dtype=torch.float64) * torch.tensor(SPACE[:ndim]) + 0.03
    sigmas = torch.rand(2, ndim, dtype=torch.float64) + 0.8
    angles = torch.rand((2,) if ndim == 2 else (2, 3), dtype=torch.float64)
    return [t.requires_grad_() for t in (points, sigmas, angles)]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("options", [{}, {"gamma": 2.0, "background": True}])
def test_gradients_of_landmarks_sigmas_and_rotation(kind, ndim, options):
    generator = kind(2, heatmap_size=SPACE[:ndim], learnable=True, **options).double()

    def draw(points, sigmas, rotation):
        return functional_call(generator, {"sigmas": sigmas, "rotation": rotation}, (points,))

    assert gradcheck(draw, inputs(ndim), fast_mode=ndim == 3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_gradients_of_a_covariance_an_affine_and_several_instances(ndim):
    generator = GaussianHeatmapGenerator(2, heatmap_size=SPACE[:ndim], all_points=True)
    points = inputs(ndim)[0]
    root = torch.randn(2, 2, ndim, ndim, dtype=torch.float64)
    covariance = (root @ root.mT + torch.eye(ndim)).requires_grad_()
    affine = (torch.eye(ndim, dtype=torch.float64) + 0.1 * root[0, 0]).requires_grad_()
    several = torch.stack((points.detach(), points.detach().flip(1) + 0.4), dim=2).requires_grad_()
    assert gradcheck(generator, (several, affine, covariance), fast_mode=ndim == 3)
    shared = torch.eye(ndim, dtype=torch.float64).requires_grad_()
    assert gradcheck(generator, (several, None, shared), fast_mode=ndim == 3)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("ndim", [2, 3])
def test_gradients_are_finite_at_the_tip_and_zero_for_the_missing(kind, ndim):
    points = torch.tensor([[[2.0] * ndim, [float("nan")] * ndim]], requires_grad=True)
    generator = kind(2, 1.0, heatmap_size=SPACE[:ndim], learnable=True)
    generator(points).sum().backward()
    assert torch.isfinite(points.grad).all()
    assert (points.grad[0, 1] == 0).all()
    assert (generator.sigmas.grad[0] > 0).all()
    assert (generator.sigmas.grad[1] == 0).all()
    assert torch.isfinite(generator.rotation.grad).all()


def test_a_learnable_shape_inside_a_profile_gets_its_gradient():
    class Student(HeatmapGenerator):
        def __init__(self, *args, **keywords):
            super().__init__(*args, **keywords)
            self.power = torch.nn.Parameter(torch.tensor(2.0, dtype=torch.float64))

        def profile(self, squared_distance):
            return (1 + squared_distance) ** -self.power

    generator, points = Student(2, heatmap_size=SPACE[:2]), inputs(2)[0].detach()
    assert gradcheck(lambda power: functional_call(generator, {"power": power}, (points,)), generator.power)


def test_widths_read_as_they_are_and_bend_into_an_exponential():
    raw = torch.tensor([7.5, 0.1, 0.0, -0.2], dtype=torch.float64)
    expected = [7.5, 0.1, 0.1 * math.exp(-1), 0.1 * math.exp(-3)]
    torch.testing.assert_close(positive(raw), torch.tensor(expected, dtype=torch.float64))
    step = 1e-6
    around = torch.tensor([0.1 - step, 0.1, 0.1 + step], dtype=torch.float64)
    slopes = positive(around).diff() / step
    torch.testing.assert_close(slopes, torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-4)
    assert gradcheck(positive, torch.tensor([-0.3, 0.02, 0.09, 0.11, 4.0], dtype=torch.float64, requires_grad=True))
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        extreme = positive(torch.tensor([-1e30, -98.0, -1.0, 0.0], dtype=dtype))
        assert (extreme > 0).all()
        assert torch.isfinite(1 / extreme.square()).all()


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("raw", [-98.0, -1.0, 0.0])
def test_maps_and_gradients_are_finite_wherever_an_optimiser_takes_the_widths(ndim, raw):
    generator = GaussianHeatmapGenerator(1, 2.0, gamma=1.0, rotation=0.3, heatmap_size=SPACE[:ndim], learnable=True)
    with torch.no_grad():
        generator.sigmas[:, 0] = raw
    maps = generator(torch.tensor([[[2.0] * ndim]]))
    assert torch.isfinite(maps).all()
    maps.square().sum().backward()
    assert torch.isfinite(generator.sigmas.grad).all()
    assert (positive(generator.sigmas) > 0).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_an_optimiser_finds_the_covariance_of_a_target(ndim):
    points = torch.tensor([[[7.3, 8.1, 6.8][:ndim]]])
    space = (16, 16, 14)[:ndim]
    target = GaussianHeatmapGenerator(1, [[1.2, 2.5, 1.6][:ndim]], rotation=0.4, heatmap_size=space)
    generator = GaussianHeatmapGenerator(1, [[1.9, 2.0, 1.8][:ndim]], heatmap_size=space, learnable=True)
    assert generator.sigmas.is_leaf
    assert generator.rotation.is_leaf
    optimiser = torch.optim.Adam([generator.sigmas, generator.rotation], lr=0.05)
    for _ in range(250):
        optimiser.zero_grad()
        (generator(points) - target(points)).square().sum().backward()
        optimiser.step()
    torch.testing.assert_close(
        generator.get_covariance_matrix(), target.get_covariance_matrix(), rtol=0, atol=0.05, check_stride=False
    )


def test_setters_keep_the_parameter_an_optimiser_holds():
    generator = GaussianHeatmapGenerator(2, 2.0, heatmap_size=SPACE[:2], learnable=True)
    sigmas, rotation = generator.sigmas, generator.rotation
    assert set(dict(generator.named_parameters())) == {"sigmas", "rotation"}
    generator.set_sigmas([[1.0, 2.0]])
    generator.set_rotation(0.5)
    assert generator.sigmas is sigmas
    assert sigmas.tolist() == [[1.0, 2.0]] * 2
    generator.set_covariance([[9.0, 0.0], [0.0, 4.0]])
    assert generator.rotation is rotation
    assert sigmas.tolist() == [[3.0, 2.0]] * 2
    assert rotation.tolist() == [0.0, 0.0]


def test_fixed_widths_are_buffers_that_travel_with_the_state():
    fixed = GaussianHeatmapGenerator(2, [1.0, 3.0], rotation=0.2, heatmap_size=SPACE[:2])
    assert not list(fixed.parameters())
    assert not fixed(torch.zeros(1, 2, 2)).requires_grad
    other = GaussianHeatmapGenerator(2, heatmap_size=SPACE[:2])
    other.load_state_dict(fixed.state_dict())
    assert torch.equal(other(torch.ones(1, 2, 2)), fixed(torch.ones(1, 2, 2)))
    assert fixed.double().get_covariance_matrix().dtype == torch.float64
    learnable = GaussianHeatmapGenerator(2, heatmap_size=SPACE[:2], learnable=True)
    with torch.inference_mode():
        assert not learnable(torch.zeros(1, 2, 2)).requires_grad
