"""Coordinates as channels, patches, Cholesky factors, and how the networks are put together."""

import numpy as np
import pytest
import torch
from network_zoo import LANDMARKS, ZOO, random_image, tiny

from napari_landmarker.engine import models
from napari_landmarker.engine.data.patch_dataset import cut
from napari_landmarker.engine.models.cholesky_estimator import CholeskyEstimator, covariance_of
from napari_landmarker.engine.models.patches import cut_patches
from napari_landmarker.engine.models.sound_conv import SoundConv3d


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


def test_coordinates_run_from_minus_one_to_one_in_array_order():
    added = models.AddCoordChannels(radial_channel=True)(torch.zeros(2, 1, 3, 5))
    assert added.shape == (2, 4, 3, 5)
    torch.testing.assert_close(added[1, 1], torch.tensor([-1.0, 0.0, 1.0])[:, None].expand(3, 5))
    torch.testing.assert_close(added[1, 2], torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0]).expand(3, 5))
    torch.testing.assert_close(added[0, 3, 0], torch.tensor([2.0, 1.25, 1.0, 1.25, 2.0]).sqrt())
    volume = models.AddCoordinates()(torch.zeros(1, 2, 1, 2, 3))
    assert volume.shape == (1, 5, 1, 2, 3)
    assert (volume[0, 2] == 0).all(), "an axis of one pixel is at 0"
    torch.testing.assert_close(volume[0, 4, 0, 1], torch.tensor([-1.0, 0.0, 1.0]))


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_coordinate_convolution_can_say_where_it_is(ndim):
    layer = models.CoordConv(ndim, 1, ndim, kernel_size=1)
    convolution = layer.conv_block
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.bias.zero_()
        for axis in range(ndim):
            convolution.weight[axis, 1 + axis] = 1
        said = layer(torch.randn(1, 1, *(4, 5, 6)[:ndim]))
    assert said.shape == (1, ndim, *(4, 5, 6)[:ndim])
    corner = said[(0, slice(None), *([-1] * ndim))]
    torch.testing.assert_close(corner, torch.ones(ndim))
    block = models.CoordConvLayer(ndim, 2, 4, radial_channel=True)
    assert block(torch.randn(1, 2, *(4, 5, 6)[:ndim])).shape == (1, 4, *(4, 5, 6)[:ndim])
    with pytest.raises(ValueError, match="odd"):
        models.CoordConv(ndim, 1, 1, kernel_size=4)


@pytest.mark.parametrize(("space", "shape"), [((13, 17), (4, 7)), ((9, 8, 11), (4, 5, 6))])
def test_patches_are_what_the_patch_dataset_cuts(space, shape):
    ndim = len(space)
    image = random_image(ndim, 2, space)
    generator = torch.Generator().manual_seed(3)
    centres = torch.rand(2, 5, ndim, generator=generator) * (torch.tensor(space) + 6) - 3
    centres[0, 1] = torch.nan
    centres[1, 2, 0] = torch.inf
    centres[1, 3] = 1e30
    patches, corners = cut_patches(image, centres, shape)
    assert patches.shape == (2, 5, 2, *shape)
    known = torch.isfinite(centres).all(-1)
    middle = (torch.tensor(space) - 1) / 2 - (torch.tensor(shape) - 1) / 2
    assert (corners[~known] - middle).abs().max() <= 0.5
    near = known & (centres.abs() < 1e6).all(-1)
    inside = (centres - corners)[near]
    assert ((inside - (torch.tensor(shape) - 1) / 2).abs() <= 0.5 + 1e-4).all()
    for batch in range(2):
        for number in range(5):
            expected = cut(image[batch].numpy(), corners[batch, number].numpy(), shape)
            np.testing.assert_array_equal(patches[batch, number].numpy(), expected)


def test_patches_pass_gradients_to_the_image():
    image = torch.zeros(1, 1, 6, 6, requires_grad=True)
    patches, _ = cut_patches(image, torch.tensor([[[2.0, 2.0], [3.0, 2.0]]]), (3, 3))
    patches.sum().backward()
    expected = torch.zeros(6, 6)
    expected[1:4, 1:4] += 1
    expected[2:5, 1:4] += 1
    torch.testing.assert_close(image.grad[0, 0], expected)


@pytest.mark.parametrize("ndim", [2, 3])
def test_covariances_are_positive_definite_whatever_the_weights(ndim):
    net = tiny("cholesky_hourglass", ndim)
    with torch.no_grad():
        for parameter in net.estimators.parameters():
            parameter.mul_(30)
        image = random_image(ndim)
        covariance = net(image)[1]
        _, factors = net.maps_and_factors(image)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = net(image)[1]
    factor = factors[0]
    assert (factor.diagonal(dim1=-2, dim2=-1) >= 12**-0.5 - 1e-6).all()
    assert (factor.triu(1) == 0).all()
    torch.testing.assert_close(covariance, factor @ factor.mT)
    for one in (covariance, rough):
        assert one.dtype == torch.float32
        torch.linalg.cholesky(one.double())


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_estimator_finds_the_covariance_of_its_errors(ndim):
    """The likelihood of normal errors is largest at their own covariance."""
    torch.manual_seed(0)
    mixing = torch.tensor([[2.0, 0.0, 0.0], [1.2, 1.0, 0.0], [-0.5, 0.4, 1.5]])[:ndim, :ndim]
    errors = torch.randn(400, ndim) @ mixing.T
    truth = errors.T @ errors / len(errors)
    estimator, neck = CholeskyEstimator(ndim, 4, 1), torch.randn(1, 4, *([3] * ndim))
    optimiser = torch.optim.Adam(estimator.parameters(), 0.03)
    torch.testing.assert_close(estimator(neck)[0, 0], torch.eye(ndim), rtol=0, atol=0.3)
    for _ in range(150):
        normal = torch.distributions.MultivariateNormal(torch.zeros(ndim), scale_tril=estimator(neck)[0, 0])
        loss = -normal.log_prob(errors).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.testing.assert_close(covariance_of(estimator(neck))[0, 0], truth, rtol=0.03, atol=0.05)


def test_the_networks_have_the_sizes_of_the_published_ones():
    """Counted by hand: 3x3 convolutions of 128 channels, 11x11 ones on the coarse grid."""

    def weights(inward, outward, area):
        return inward * outward * area + outward

    appearance = weights(1, 128, 9) + 11 * weights(128, 128, 9) + weights(128, 19, 1)
    configuration = weights(19, 128, 121) + 2 * weights(128, 128, 121) + weights(128, 19, 121)
    assert count(models.OriginalSpatialConfigurationNet(1, 19)) == appearance + configuration == 6_181_030
    appearance = weights(1, 64, 27) + 11 * weights(64, 64, 27) + weights(64, 19, 1)
    configuration = weights(19, 64, 343) + 2 * weights(64, 64, 343) + weights(64, 19, 343)
    assert count(models.OriginalSpatialConfigurationNet3d(1, 19)) == appearance + configuration == 4_864_486
    assert count(models.SpatialConfigurationNet(2, 1, 19)) == 6_832_503
    assert count(models.ProbSpatialConfigurationNet(2, 1, 19)) == 7_717_886


def test_the_halves_of_a_spatial_configuration_network_are_multiplied_or_added():
    image = random_image(2, 1, (16, 16))
    for name, together in (("original_scn", torch.mul), ("prob_scn", torch.add)):
        net = tiny(name, 2).eval()
        folded = net.fit(image)
        local = net.local_appearance(folded)
        seen = local if name == "original_scn" else torch.cat((folded, local), dim=1)
        torch.testing.assert_close(net.maps(folded), together(local, net.spatial_configuration(seen)))
        if name == "original_scn":
            assert net(image).abs().max() < 0.1, "maps start nearly flat"


def test_networks_refuse_sizes_that_cannot_be():
    with pytest.raises(ValueError, match="one fewer than la_channels"):
        models.SpatialConfigurationNet(2, la_channels=(8, 8), la_strides=(2, 2))
    with pytest.raises(ValueError, match="at least one stack"):
        models.StackedHourglass(0, 2, 1, LANDMARKS)
    with pytest.raises(ValueError, match="three levels"):
        models.HeatmapDynUNet(2, 1, 1, features=(8, 8))
    with pytest.raises(ValueError, match="backbone must be one of"):
        models.HeatmapFlexibleUNet(2, 1, 1, backbone="resnet19")
    with pytest.raises(AttributeError, match="HeatmapVNet"):
        models.HeatmapVNet  # noqa: B018


@pytest.mark.parametrize(("kernel", "space"), [(3, (2, 4, 4)), (5, (3, 6, 6)), (7, (4, 7, 7)), (7, (8, 2, 8))])
def test_convolutions_of_narrow_volumes_have_right_gradients_in_half_precision(kernel, space):
    """Those of torch are wrong, or not finite, in bfloat16 on some CPUs; float32 says what is right."""
    torch.manual_seed(0)
    layer = SoundConv3d(16, 16, kernel, padding=kernel // 2)
    volume = torch.randn(1, 16, *space).bfloat16().float().requires_grad_()
    gradients = []
    for enabled in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            answer = layer(volume)
            answer.float().square().sum().backward()
        gradients.append(layer.weight.grad.clone())
        assert answer.dtype == (torch.bfloat16 if enabled else torch.float32)
    right, half = gradients
    assert (half - right).norm() < 0.02 * right.norm()
    assert layer.to(torch.bfloat16)(volume.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("name", list(ZOO))
def test_all_convolutions_of_volumes_are_sound(name):
    assert not [part for part in tiny(name, 3).modules() if type(part) is torch.nn.Conv3d]
