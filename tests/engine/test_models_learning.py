"""Every family learns three images by heart, in a few seconds."""

import pytest
import torch
from network_zoo import LANDMARKS, blobs, targets, tiny
from torch import nn

from napari_landmarker.engine.heatmap import GaussianHeatmapGenerator, coord_local_soft_argmax
from napari_landmarker.engine.losses import HeatmapCrossEntropyLoss
from napari_landmarker.engine.models import (
    OriginalSpatialConfigurationNet,
    covariance_stacks,
    heatmap_stacks,
)

SIZES = {2: 32, 3: 18}
#: Those that learn in 3D too: one of each family.
VOLUMES = ("unet_stride", "original_scn", "prob_scn", "cholesky_hourglass", "coordinate", "cascade")
#: Networks whose maps have a peak of 1; the maps of all others are logits.
PEAKS = ("original_scn", "scn")
#: Mean error after learning in pixels, steps and learning rate.
CASES = {
    "unet_stride": (1.0, 60, 5e-3),
    "residual_unet": (1.0, 40, 5e-3),
    "dynunet": (1.0, 40, 5e-3),
    "segresnet": (1.0, 60, 5e-3),
    "original_scn": (1.0, 80, 2e-3),
    "scn": (1.0, 40, 5e-3),
    "prob_scn": (1.0, 70, 5e-3),
    "stacked_hourglass": (1.0, 80, 5e-3),
    "cholesky_hourglass": (1.0, 40, 5e-3),
    "coordinate": (1.0, 95, 5e-3),
    "cascade": (1.0, 60, 5e-3),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Networks so small only wait for each other on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def loss_of(name, net, image, points):
    judge, answer = HeatmapCrossEntropyLoss(), net(image) if name != "cascade" else net(image, points + 0.7)
    if name == "coordinate":
        return (answer - points).abs().mean()
    if name == "cascade":
        inside = (points - answer.corners + 0.5) / net.refiner.stride - 0.5
        drawn = GaussianHeatmapGenerator(LANDMARKS, 1.5, heatmap_size=answer.patch_maps.shape[2:])(inside).detach()
        return judge(answer.maps, targets(points, image.shape[2:], net.stride)) + judge(answer.patch_maps, drawn)
    target = targets(points, image.shape[2:], net.stride)
    judge = nn.MSELoss() if name in PEAKS else judge
    losses = [judge(maps, target) for maps in heatmap_stacks(answer)]
    losses += [(one - 4 * torch.eye(one.shape[-1])).abs().mean() for one in covariance_stacks(answer)]
    return torch.stack(losses).sum()


def points_of(name, net, image):
    answer = net.eval()(image)
    if name in ("coordinate", "cascade"):
        return answer if name == "coordinate" else answer.points
    found = coord_local_soft_argmax(heatmap_stacks(answer)[-1], 5, t=10.0 if name in PEAKS else 1.0)
    return (found + 0.5) * net.stride - 0.5


def learn(name, net, image, points, steps, rate):
    for part in net.modules():
        if isinstance(part, (nn.Dropout, nn.Dropout2d, nn.Dropout3d)):
            part.p = 0.0
    optimiser, losses = torch.optim.AdamW(net.parameters(), rate, weight_decay=0), []
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * min(1, (step + 1) / 5) * (1 - step / steps)
        loss = loss_of(name, net, image, points)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(("name", "ndim"), [*((name, 2) for name in CASES), *((name, 3) for name in VOLUMES)])
def test_a_network_learns_three_images_by_heart(name, ndim):
    bound, steps, rate = CASES[name]
    net, (image, points) = tiny(name, ndim), blobs(ndim, SIZES[ndim], batch=3 if ndim == 2 else 2)
    losses = learn(name, net, image, points, steps, rate)
    assert losses[-1] < 0.5 * losses[0]
    with torch.no_grad():
        error = (points_of(name, net, image) - points).norm(dim=-1).mean()
    assert error < bound


def test_the_published_network_trains_in_a_plain_loop():
    torch.manual_seed(0)
    model = OriginalSpatialConfigurationNet(in_channels=1, out_channels=3, la_channels=8, sp_channels=8)
    image, points = blobs(2, 32)
    target = targets(points, (32, 32), 1)
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.99, nesterov=True)
    losses = []
    for _ in range(30):
        optimiser.zero_grad()
        loss = torch.nn.functional.mse_loss(100 * model(image[:, :1]), 100 * target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
    assert min(losses[-5:]) < 0.8 * losses[0]
    assert all(value == value for value in losses)
