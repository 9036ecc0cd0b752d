"""Layers that take the number of dimensions as an argument."""

from __future__ import annotations

import math

from monai.networks.blocks.convolutions import ResidualUnit
from torch import Tensor, nn

from napari_landmarker.engine.models.sound_conv import SoundConv3d, with_sound_gradients

#: Slope of the leaky rectifier below zero.
SLOPE = 0.05
#: Most groups of a group normalisation.
GROUPS = 8
CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: SoundConv3d}
MAX_POOLS: dict[int, type[nn.Module]] = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE_POOLS: dict[int, type[nn.Module]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}
DROPOUTS: dict[int, type[nn.Module]] = {2: nn.Dropout2d, 3: nn.Dropout3d}
LINEAR_MODES = {2: "bilinear", 3: "trilinear"}


def convolution(
    spatial_dims: int, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1
) -> nn.Conv2d | nn.Conv3d:
    """A convolution that keeps the size, divided by its stride.

    Raises:
        ValueError: for an even kernel, whose middle is no pixel.
    """
    if kernel_size % 2 == 0:
        raise ValueError(f"A kernel must be an odd number of pixels wide, not {kernel_size}.")
    return CONVOLUTIONS[spatial_dims](in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2)


def groups_of(channels: int) -> int:
    """Groups of a group normalisation of so many channels: at most `GROUPS`, and a divisor."""
    return math.gcd(channels, GROUPS)


def normalised_convolution(
    spatial_dims: int, in_channels: int, out_channels: int, kernel_size: int = 3, stride: int = 1
) -> nn.Sequential:
    """Convolution, group normalisation, leaky rectifier."""
    return nn.Sequential(
        convolution(spatial_dims, in_channels, out_channels, kernel_size, stride),
        nn.GroupNorm(groups_of(out_channels), out_channels),
        nn.LeakyReLU(SLOPE, inplace=True),
    )


def residual_block(spatial_dims: int, in_channels: int, out_channels: int, strides: int = 1) -> nn.Module:
    """Two convolutions beside a short cut: MONAI's residual unit with group normalisation, fit for small batches."""
    unit = ResidualUnit(
        spatial_dims,
        in_channels,
        out_channels,
        strides=strides,
        act=("leakyrelu", {"negative_slope": SLOPE, "inplace": True}),
        norm=("group", {"num_groups": groups_of(out_channels)}),
    )
    return with_sound_gradients(unit)


class Enlarge(nn.Module):
    """Makes a grid several times finer.

    Args:
        spatial_dims: ``D``.
        factor: how many times.
        mode: ``"linear"``, or a mode of `torch.nn.functional.interpolate` such as ``"nearest"``.
    """

    def __init__(self, spatial_dims: int, factor: int = 2, mode: str = "linear") -> None:
        super().__init__()
        linear = mode in ("linear", *LINEAR_MODES.values())
        self.mode = LINEAR_MODES[spatial_dims] if linear else mode
        self.factor = float(factor)

    def forward(self, values: Tensor) -> Tensor:
        """``(B, C, *space)`` to ``(B, C, *space * factor)``."""
        return nn.functional.interpolate(values, scale_factor=self.factor, mode=self.mode)
