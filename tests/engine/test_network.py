"""The network and its loss."""

import pytest
import torch

from napari_landmarker.engine.heatmap import GaussianHeatmapGenerator
from napari_landmarker.engine.losses import HeatmapCrossEntropyLoss
from napari_landmarker.engine.models import HeatmapUNet
from napari_landmarker.engine.models.base import space_to_depth


def test_cross_entropy_is_zero_for_the_perfect_map_and_blind_to_missing_landmarks():
    target = GaussianHeatmapGenerator(2, 1.5, heatmap_size=(12, 12))(torch.tensor([[[4.0, 5.0], [7.0, 8.0]]])).detach()
    loss = HeatmapCrossEntropyLoss()
    assert loss(target.clamp(min=1e-30).log(), target).item() == pytest.approx(0, abs=1e-4)
    logits = torch.randn(1, 2, 12, 12, requires_grad=True)
    only_first = loss(logits[:, :1], target[:, :1])
    target[:, 1] = 0
    assert loss(logits, target).item() == pytest.approx(only_first.item(), rel=1e-6)
    none = loss(logits, torch.zeros_like(target))
    none.backward()
    assert none.item() == 0
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(("ndim", "stride", "space"), [(2, 1, (37, 50)), (2, 4, (70, 131)), (3, 2, (20, 35, 17))])
def test_the_network_takes_any_size(ndim, stride, space):
    net = HeatmapUNet(ndim, 3, 5, features=(8, 8, 8, 16, 16), stride=stride)
    assert net(torch.randn(1, 3, *space)).shape == (1, 5, *(-(-n // stride) for n in space))


def test_space_to_depth_keeps_neighbours_together():
    image = torch.arange(2 * 4 * 6, dtype=torch.float32).reshape(1, 2, 4, 6)
    folded = space_to_depth(image, 2)
    expected = torch.nn.functional.pixel_unshuffle(image, 2)
    torch.testing.assert_close(folded, expected, check_stride=False)
