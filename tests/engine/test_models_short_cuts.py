"""Short cuts without weights: MONAI's values, and a gradient that MONAI's lack."""

import pytest
import torch
from monai.networks.nets.resnet import ResNet

from napari_landmarker.engine.models.flexible_unet import HeatmapFlexibleUNet, ShortCut


@pytest.mark.parametrize("space", [(7, 10), (5, 4, 7)])
def test_a_short_cut_gives_what_monais_gives_and_lets_the_gradient_through(space):
    values = torch.randn(2, 3, *space, requires_grad=True)
    wanted = ResNet._downsample_basic_block(None, values, planes=5, stride=2, spatial_dims=len(space))
    given = ShortCut(5, 2)(values)
    assert torch.equal(given, wanted)
    assert not wanted.requires_grad
    given.sum().backward()
    assert float(values.grad.sum()) == 2 * 3 * given[0, 0].numel()


def test_every_short_cut_without_weights_is_replaced():
    with torch.device("meta"):
        network = HeatmapFlexibleUNet(2, 1, 3, backbone="resnet18")
    found = [part for part in network.modules() if isinstance(part, ShortCut)]
    assert [(cut.channels, cut.stride) for cut in found] == [(128, 2), (256, 2), (512, 2)]
