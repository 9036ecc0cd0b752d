"""Networks that give points in the frame of the image: the cascade and coordinate regression."""

import pytest
import torch
from network_zoo import LANDMARKS, blobs, random_image, targets, tiny
from torch import nn

from napari_landmarker.engine import models


def bell(bright):
    """Logits whose softmax is half as wide as a bell of that brightness."""
    return 4 * bright.clamp(min=1e-20).log()


class _Sees(models.HeatmapNetwork):
    """Gives its channels as maps: where an image is bright, there it sees a landmark."""

    def __init__(self, ndim, stride):
        super().__init__(ndim, LANDMARKS, LANDMARKS, stride)

    def forward(self, image):
        pool = nn.functional.avg_pool2d if self.spatial_dims == 2 else nn.functional.avg_pool3d
        return bell(pool(image, self.stride))


class _SeesOne(models.PatchRefiner):
    """Gives the channel of the landmark it is asked for, of the middle of the region."""

    def forward(self, region, landmark):
        patch = [size // self.context for size in region.shape[2:]]
        inner = [slice((self.context - 1) * n // 2, (self.context + 1) * n // 2) for n in patch]
        middle = region[(torch.arange(len(region)), landmark, *inner)]
        pool = nn.functional.avg_pool2d if self.spatial_dims == 2 else nn.functional.avg_pool3d
        return bell(pool(middle[:, None], self.stride)[:, 0])


def seeing(ndim, downsample, stride, patch_stride, context):
    refiner = _SeesOne(ndim, LANDMARKS, LANDMARKS, (8,), patch_stride, context)
    return models.CascadeNet(_Sees(ndim, stride), refiner, patch_size=12, downsample=downsample)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize(
    ("downsample", "stride", "patch_stride", "context"), [(1, 1, 1, 1), (2, 2, 1, 2), (3, 1, 2, 3)]
)
def test_a_cascade_finds_sub_pixel_points_in_the_frame_of_the_image(ndim, downsample, stride, patch_stride, context):
    space = (36, 48, 24)[:ndim]
    points = torch.tensor([[[20.3, 8.6, 11.2], [9.5, 38.1, 9.0], [25.0, 22.8, 15.7]]])[..., :ndim]
    image = targets(points, space, 1, sigma=2.0)
    with torch.no_grad():
        answer = seeing(ndim, downsample, stride, patch_stride, context)(image)
    assert (answer.first_points - points).abs().max() < 0.5 * downsample * stride
    assert (answer.points - points).abs().max() < 0.1
    assert answer.points.shape == (1, LANDMARKS, ndim)
    assert answer.patch_maps.shape == (1, LANDMARKS, *([12 // patch_stride] * ndim))


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_missing_first_point_stays_missing_and_the_rest_is_as_without_it(ndim):
    net, image = tiny("cascade", ndim).eval(), random_image(ndim)
    centres = torch.full((len(image), LANDMARKS, ndim), 9.0)
    gone = centres.clone()
    gone[0, 1] = torch.nan
    with torch.no_grad():
        whole, answer = net(image, centres), net(image, gone)
    assert torch.isnan(answer.points[0, 1]).all()
    kept = torch.ones(len(image), LANDMARKS, dtype=torch.bool)
    kept[0, 1] = False
    torch.testing.assert_close(answer.points[kept], whole.points[kept])
    torch.testing.assert_close(answer.patch_maps[kept], whole.patch_maps[kept], rtol=1e-4, atol=1e-5)
    assert torch.isfinite(answer.patch_maps).all()
    with torch.no_grad():
        blind = seeing(ndim, 1, 1, 1, 1)(torch.zeros(1, LANDMARKS, *([16] * ndim)))
    assert torch.isnan(blind.points).all()
    assert torch.isfinite(blind.patch_maps).all()


def test_the_refiner_listens_to_which_landmark_it_is_asked_for():
    torch.manual_seed(0)
    refiner = models.PatchRefiner(2, 1, 4, features=(8, 8), stride=2, context=2)
    region = torch.randn(1, 1, 32, 32).expand(4, -1, -1, -1)
    logits = refiner(region, torch.arange(4))
    assert logits.shape == (4, 8, 8)
    assert (logits[0] - logits[1]).abs().max() > 1e-3
    with pytest.raises(ValueError, match="multiple of 4"):
        refiner(torch.zeros(1, 1, 20, 20), torch.zeros(1, dtype=torch.int64))


def test_a_refiner_sees_its_surroundings():
    torch.manual_seed(0)
    refiner = models.PatchRefiner(2, 1, 1, features=(8, 8), stride=1, context=2)
    region, which = torch.randn(1, 1, 16, 16), torch.zeros(1, dtype=torch.int64)
    other = region.clone()
    other[..., 0, 0] += 10
    assert not torch.allclose(refiner(region, which), refiner(other, which))


def test_stages_that_do_not_fit_are_refused():
    coarse = models.HeatmapUNet(2, 1, 3, features=(8,) * 5)
    with pytest.raises(ValueError, match="same dimensions"):
        models.CascadeNet(coarse, models.PatchRefiner(2, 1, 4))
    with pytest.raises(ValueError, match="multiples of 16"):
        models.CascadeNet(coarse, models.PatchRefiner(2, 1, 3), patch_size=40)
    with pytest.raises(ValueError, match="downsample"):
        models.CascadeNet(coarse, models.PatchRefiner(2, 1, 3), downsample=0)


@pytest.mark.parametrize("ndim", [2, 3])
def test_coordinates_are_those_of_the_cell_that_is_looked_at(ndim):
    """With all the attention on one cell and no shift, the point is the middle of that cell."""
    net = tiny("coordinate", ndim).eval()
    image, _ = blobs(ndim, 16, batch=1)
    features = torch.zeros(1, 16, *([4] * ndim))
    features[(0, 0, *([2] * (ndim - 1)), 1)] = 1
    with torch.no_grad():
        net.weight.zero_()
        net.attention.looks.weight.zero_()
        net.attention.looks.weight[:, 0] = 100
        net.encoder = nn.Sequential()
        net.encoder.forward = lambda _: features
        points = net(image)
    # Cells are 4 pixels wide: the third spans pixels 8 to 11, the second 4 to 7.
    expected = torch.tensor([9.5] * (ndim - 1) + [5.5])
    torch.testing.assert_close(points, expected.expand(1, LANDMARKS, ndim))
