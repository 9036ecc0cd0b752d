"""One tiny network of every kind, for 2 channels and 3 landmarks, and blobs to learn from."""

import torch

from napari_landmarker.engine import models
from napari_landmarker.engine.heatmap import GaussianHeatmapGenerator

CHANNELS, LANDMARKS = 2, 3
FACE = (CHANNELS, LANDMARKS)
SCN = {"la_channels": (8, 8, 8), "la_strides": (2, 2), "sp_channels": 8, "sp_kernel_size": 3, "sp_downsample": 8}

#: Makes a network of so many dimensions.
ZOO = {
    "unet": lambda ndim: models.HeatmapUNet(ndim, *FACE, features=(8,) * 5),
    "unet_stride": lambda ndim: models.HeatmapUNet(ndim, *FACE, features=(8,) * 5, stride=2),
    "residual_unet": lambda ndim: models.HeatmapResidualUNet(ndim, *FACE, features=(8, 8, 8)),
    "dynunet": lambda ndim: models.HeatmapDynUNet(ndim, *FACE, features=(8, 8, 8), dropout=0.1),
    "segresnet": lambda ndim: models.HeatmapSegResNet(ndim, *FACE, features=8, blocks=(1, 1, 1), stride=2),
    "swin_unetr": lambda ndim: models.HeatmapSwinUNETR(ndim, *FACE, features=12, depths=(1,) * 4, window_size=3),
    "flexible_unet": lambda ndim: models.HeatmapFlexibleUNet(
        ndim, *FACE, backbone="resnet10", decoder_features=(16, 16, 8, 8, 8)
    ),
    "original_scn": lambda ndim: models.OriginalSpatialConfigurationNet(
        *FACE, la_channels=8, la_depth=2, sp_channels=8, sp_kernel_size=3, sp_downsample=8, spatial_dim=ndim
    ),
    "scn": lambda ndim: models.SpatialConfigurationNet(ndim, *FACE, **SCN),
    "prob_scn": lambda ndim: models.ProbSpatialConfigurationNet(ndim, *FACE, **SCN, stride=2),
    "hourglass": lambda ndim: models.Hourglass(ndim, *FACE, channels=(8, 8, 8)),
    "stacked_hourglass": lambda ndim: models.StackedHourglass(2, ndim, *FACE, channels=(8, 8), stride=2),
    "cholesky_hourglass": lambda ndim: models.CholeskyHourglass((64,) * ndim, *FACE, channels=(8, 8, 8)),
    "stacked_cholesky_hourglass": lambda ndim: models.StackedCholeskyHourglass(
        2, (64,) * ndim, *FACE, channels=(8, 8), up_sample_mode="linear"
    ),
    "coordinate": lambda ndim: models.CoordinateRegressionNet(ndim, *FACE, features=(8, 8, 16)),
    "cascade": lambda ndim: models.CascadeNet(
        models.HeatmapUNet(ndim, *FACE, features=(8,) * 5),
        models.PatchRefiner(ndim, *FACE, features=(8, 8), stride=1),
        patch_size=12,
        downsample=2,
    ),
}
HEATMAPS = [name for name in ZOO if name not in ("coordinate", "cascade")]
SPACES = {2: (37, 50), 3: (20, 35, 17)}


def tiny(name, ndim):
    torch.manual_seed(0)
    return ZOO[name](ndim)


def tensors(answer):
    """All that a network answered, in order; what is a whole number is left out."""
    if isinstance(answer, torch.Tensor):
        return [answer] if answer.is_floating_point() else []
    return [one for part in answer for one in tensors(part)]


def random_image(ndim, batch=None, space=None, seed=0):
    batch = batch or 4 - ndim
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, CHANNELS, *(space or SPACES[ndim]), generator=generator)


def blobs(ndim, size, batch=3):
    """Noisy images of three blobs of different heights in two channels, and where they are."""
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(batch, LANDMARKS, ndim, generator=generator) * (size - 9) + 4
    drawn = GaussianHeatmapGenerator(LANDMARKS, 1.5, heatmap_size=(size,) * ndim)(points).detach()
    drawn = drawn / drawn.amax()
    heights = torch.tensor([[1.0, 0.6, -1.0], [0.3, -1.0, 0.6]])
    image = torch.einsum("bl...,cl->bc...", drawn, heights)
    return image + 0.02 * torch.randn(image.shape, generator=generator), points


def targets(points, space, stride, sigma=1.5):
    """Gaussians of peak 1 on a grid that is ``stride`` times coarser than an image of that shape."""
    size = tuple(-(-n // stride) for n in space)
    drawn = GaussianHeatmapGenerator(points.shape[1], sigma, heatmap_size=size)((points + 0.5) / stride - 0.5).detach()
    return drawn / drawn.amax()
