"""Coordinates straight out of an encoder, without heatmaps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_landmarker.engine.models.attention import LandmarkAttention
from napari_landmarker.engine.models.base import LandmarkNetwork
from napari_landmarker.engine.models.coord_conv import AddCoordChannels
from napari_landmarker.engine.models.layers import residual_block


class CoordinateRegressionNet(LandmarkNetwork):
    """An encoder of residual units and a head that says where each landmark is.

    On the encoder's grid every landmark has a share of each cell; the mean position by these shares, and a shift that
    is read from the mean features, are its point. The input carries its coordinates (Liu et al., NeurIPS 2018), as the
    shift must know where it is. 0.83 M parameters in 2D with 1 channel and 19 landmarks.
    Source: Sun et al., Integral human pose regression, ECCV 2018; Jonkers et al., SoftwareX 2025, section 2.

    Args:
        spatial_dims: ``D``, 2 or 3.
        in_channels: ``C`` of the image.
        out_channels: ``L``.
        features: channels of the encoder's levels; after each but the last the grid is halved.
        stride: image pixels that are folded into one before the encoder, along each axis.
        dropout: probability of dropping a feature before the shift.

    Raises:
        ValueError: if there are no levels.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        features: Sequence[int] = (32, 64, 128, 128),
        stride: int = 1,
        dropout: float = 0.0,
    ) -> None:
        if not features:
            raise ValueError("An encoder needs at least one level.")
        super().__init__(spatial_dims, in_channels, out_channels, stride, factor=2 ** (len(features) - 1))
        self.add_coordinates = AddCoordChannels()
        inward = [self.folded_channels + spatial_dims, *features[:-1]]
        self.encoder = nn.Sequential(
            *(
                residual_block(spatial_dims, own, out, strides=1 if level == 0 else 2)
                for level, (own, out) in enumerate(zip(inward, features, strict=True))
            )
        )
        self.attention = LandmarkAttention(spatial_dims, features[-1], out_channels)
        self.drop = nn.Dropout(dropout)
        bound = 0.1 / math.sqrt(features[-1])
        self.weight = nn.Parameter(torch.randn(out_channels, features[-1], spatial_dims) * bound)
        self.bias = nn.Parameter(torch.zeros(out_channels, spatial_dims))

    def forward(self, image: Tensor) -> Tensor:
        """Points ``(B, L, D)`` in index coordinates of the image, for an image ``(B, C, *space)`` of any size.

        Pixels in array order, a pixel's centre at whole numbers. Nothing holds a point inside the image.
        """
        features = self.encoder(self.add_coordinates(self.fit(image)))
        shares, means = self.attention(features)
        step = self.multiple
        axes = [
            (torch.arange(cells, dtype=shares.dtype, device=shares.device) + 0.5) * step - 0.5
            for cells in features.shape[2:]
        ]
        centres = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, -2)
        point = (shares[..., None] * centres).sum(dim=-2)
        shift = (self.drop(means).to(shares.dtype)[..., None] * self.weight).sum(dim=-2) + self.bias
        points: Tensor = point + step * shift
        return points
