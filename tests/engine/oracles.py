"""Networks whose answers are known exactly, and predictors made of them."""

from __future__ import annotations

import numpy as np
import torch

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.heatmap.configs import DecoderConfig
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.losses.configs import CrossEntropyConfig
from napari_landmarker.engine.models import CascadeNet
from napari_landmarker.engine.models.base import HeatmapNetwork, LandmarkNetwork
from napari_landmarker.engine.models.configs import UNetConfig
from napari_landmarker.engine.predict.bundle import ModelInfo
from napari_landmarker.engine.predict.member import Member
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.frame import NetworkFrame


def ramps(shape, spacing=None):
    """An image in colour whose first ``D`` colours are the index along each axis: `Ramps` sees places in it."""
    values = np.zeros((*shape, 3), np.float32)
    for axis, index in enumerate(np.indices(shape)):
        values[..., axis] = index
    return Image.from_array(values, Grid(shape, spacing), color=True)


class Ramps(HeatmapNetwork):
    """Gaussians about places that it recognises by the colours of `ramps`, however the image is drawn.

    ``places`` and ``sigma`` are in pixels of the image, whose standardisation ``(v - mean) / spread`` is undone.
    """

    def __init__(self, image, places, sigma, *, gain=1.0, logits=True, stride=1):
        ndim = len(image.grid.shape)
        super().__init__(ndim, 3, len(places), stride=stride)
        values = image.channels_first()
        self.mean, self.spread = _standardisation(values)
        self.places = torch.tensor(places, dtype=torch.float32)
        self.sigma, self.gain, self.logits = sigma, gain, logits

    def forward(self, image):
        seen = image * self.spread + self.mean
        if self.stride > 1:
            pool = torch.nn.functional.avg_pool2d if self.spatial_dims == 2 else torch.nn.functional.avg_pool3d
            seen = pool(seen, self.stride)
        seen = seen[:, None, : self.spatial_dims]
        places = self.places.reshape(1, -1, self.spatial_dims, *[1] * self.spatial_dims)
        logits = -0.5 * ((seen - places) / self.sigma).square().sum(dim=2)
        return self.gain * (logits if self.logits else logits.exp())


class RampRefiner(LandmarkNetwork):
    """As `Ramps`, one landmark at a time, in patches."""

    context, levels = 1, 1

    def __init__(self, ramps_network, stride):
        super().__init__(ramps_network.spatial_dims, 3, ramps_network.out_channels, stride=stride)
        self.ramps = ramps_network
        self.ramps.stride = stride

    def forward(self, region, landmark):
        return self.ramps(region)[torch.arange(len(region)), landmark]


def ramp_cascade(image, places, stride=1):
    """A cascade of which both stages recognise places as `Ramps` does."""
    coarse, fine = Ramps(image, places, 4.0), Ramps(image, places, 1.0)
    return CascadeNet(coarse, RampRefiner(fine, stride), patch_size=16, downsample=4, window=7)


class Fixed(HeatmapNetwork):
    """The same maps for every image."""

    def __init__(self, maps, stride=1):
        super().__init__(maps.ndim - 1, 1, len(maps), stride=stride)
        self.fixed = maps

    def forward(self, image):
        return self.fixed[None].expand(len(image), *self.fixed.shape).clone()


class FixedPoints(LandmarkNetwork):
    """The same points for every image."""

    def __init__(self, points):
        super().__init__(points.shape[1], 1, len(points))
        self.fixed = points

    def forward(self, image):
        return self.fixed[None]


def info_of(names, shape, *, model=None, loss=None, decoder=None, spacing=None, channels=3, instances=1, **more):
    """What a model is that was never trained."""
    config = TrainConfig(
        model=model or UNetConfig(stride_2d=1),
        loss=loss or CrossEntropyConfig(),
        decoder=decoder or DecoderConfig(),
    )
    schema = LandmarkSchema(
        landmarks=tuple({"name": name} for name in names), instances=instances, pairs=more.pop("pairs", ())
    )
    return ModelInfo(
        name=more.pop("name", "oracle"),
        landmarks=schema,
        ndim=len(shape),
        channels=channels,
        frame=NetworkFrame(shape=shape, spacing_mm=spacing, multiple=more.pop("multiple", 1)),
        config=config,
        n_train=1,
        n_validation=0,
        validation_error=None,
        minutes=1.0,
        steps=1,
    )


def member(network, shape, names=None, **options):
    """A member of a predictor with a network whose answers are known."""
    names = names or tuple("abcdefgh"[: network.out_channels])
    return Member(info_of(names, shape, channels=network.in_channels, **options), network)


def gaussian(shape, centre, covariance):
    """``exp(-d' C^-1 d / 2)`` on a grid, float32."""
    away = np.moveaxis(np.indices(shape, dtype=float), 0, -1) - np.asarray(centre)
    return torch.from_numpy(np.exp(-0.5 * np.einsum("...i,ij,...j", away, np.linalg.inv(covariance), away))).float()


def _standardisation(values):
    """Mean and spread that standardising these values takes away and divides by."""
    from napari_landmarker.engine.transforms import standardise

    seen = standardise(values)
    low, high = np.percentile(values, (20, 80))
    inside = (values > low) & (values < high)
    spread, mean = np.polyfit(seen[inside], values[inside], 1)
    return float(mean), float(spread)
