"""MONAI's U-Net as a heatmap network in 2D and 3D."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets.basic_unet import BasicUNet
from torch import Tensor, nn

#: Groups of the group normalisation.
GROUPS = 8


class HeatmapUNet(nn.Module):
    """Space-to-depth, then MONAI's `BasicUNet`: one logit map per landmark.

    Folding ``stride`` pixels of each axis into channels lets a small network see a fine image at low cost; the maps
    are ``stride`` times coarser than the image. Source: Ronneberger et al., MICCAI 2015; Falk et al., 2019.

    Args:
        spatial_dims: ``D``, 2 or 3.
        in_channels: ``C`` of the image.
        out_channels: ``L``.
        features: channels of the five levels, each a multiple of 8.
        stride: image pixels per heatmap pixel, along each axis.
        dropout: probability of dropping an activation.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        features: Sequence[int] = (32, 32, 64, 96, 128),
        stride: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if len(features) != 5 or any(channels % GROUPS for channels in features):
            raise ValueError(f"features must name the channels of five levels, multiples of {GROUPS}.")
        self.spatial_dims, self.stride = spatial_dims, stride
        self.unet = BasicUNet(
            spatial_dims=spatial_dims,
            in_channels=in_channels * stride**spatial_dims,
            out_channels=out_channels,
            features=(*features, features[0]),
            act=("leakyrelu", {"negative_slope": 0.05, "inplace": True}),
            norm=("group", {"num_groups": GROUPS}),
            dropout=dropout,
            upsample="nontrainable",
        )

    @property
    def multiple(self) -> int:
        """Sizes that are multiples of this need no padding."""
        return self.stride * 16

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(B, L, *ceil(space / stride))`` for an image ``(B, C, *space)`` of any size."""
        space = image.shape[2:]
        padding = [(-size) % self.multiple for size in space]
        if any(padding):
            flat = [amount for size in reversed(padding) for amount in (0, size)]
            image = nn.functional.pad(image, flat, mode="constant")
        logits: Tensor = self.unet(_space_to_depth(image, self.stride))
        crop = tuple(slice(0, -(-size // self.stride)) for size in space)
        return logits[(slice(None), slice(None), *crop)]


def _space_to_depth(image: Tensor, stride: int) -> Tensor:
    """``(B, C, *space)`` to ``(B, C * stride^D, *space / stride)``."""
    if stride == 1:
        return image
    batch, channels, *space = image.shape
    split = [part for size in space for part in (size // stride, stride)]
    ndim = len(space)
    order = [0, 1, *(3 + 2 * axis for axis in range(ndim)), *(2 + 2 * axis for axis in range(ndim))]
    folded = image.reshape(batch, channels, *split).permute(order)
    return folded.reshape(batch, channels * stride**ndim, *(size // stride for size in space)).contiguous(
        memory_format=torch.channels_last if ndim == 2 else torch.channels_last_3d
    )
