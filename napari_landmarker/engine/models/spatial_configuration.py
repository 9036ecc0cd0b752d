"""The two halves of spatial configuration networks: what a landmark looks like, and where it is among the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from monai.networks.nets.unet import UNet
from torch import nn

from napari_landmarker.engine.models.layers import AVERAGE_POOLS, Enlarge, convolution
from napari_landmarker.engine.models.sound_conv import with_sound_gradients

#: Slope of the leaky rectifier below zero, as in the paper.
SCN_SLOPE = 0.1
#: How large maps are at the start, beside what they are made of: nearly flat.
HEAD_SHARE = 0.1


def scn_rectifier() -> nn.Module:
    """The paper's leaky rectifier."""
    return nn.LeakyReLU(SCN_SLOPE, inplace=True)


class SpatialConfiguration(nn.Sequential):
    """From rough maps to where each landmark may be, by the places of all others; on a coarse grid with large kernels.

    Args:
        spatial_dims: ``D``.
        in_channels: channels of the rough maps, and of the image if that is seen too.
        out_channels: ``L``.
        channels: of the convolutions between.
        kernel_size: odd, in coarse pixels.
        downsample: how many times coarser the grid is.
        rectifier: makes one layer between two convolutions.
        bounded: whether the answer is squeezed into [-1, 1].
        init_weights: whether weights start by `start_as_relay`.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        channels: int,
        kernel_size: int,
        downsample: int,
        rectifier: Callable[[], nn.Module] = scn_rectifier,
        bounded: bool = True,
        init_weights: bool = True,
    ) -> None:
        layers: list[nn.Module] = [AVERAGE_POOLS[spatial_dims](downsample)]
        for inward in (in_channels, channels, channels):
            layers += [convolution(spatial_dims, inward, channels, kernel_size), rectifier()]
        head = convolution(spatial_dims, channels, out_channels, kernel_size)
        layers += [head, Enlarge(spatial_dims, downsample)]
        super().__init__(*layers, *([nn.Tanh()] if bounded else []))
        if init_weights:
            start_as_relay(self, head=head)


def start_as_relay(module: nn.Module, head: nn.Module) -> None:
    """Weights at the start: every convolution keeps the size of what passes (He et al., 2015), the head's are small.

    The paper's heads have one small standard deviation for all; here it goes with the number of inputs, so that narrow
    networks and volumes leave the flat start as soon as wide ones do.
    """
    for part in module.modules():
        if isinstance(part, (nn.Conv2d, nn.Conv3d)):
            if part is head:
                nn.init.normal_(part.weight, std=HEAD_SHARE / math.sqrt(part.weight[0].numel()))
            else:
                nn.init.kaiming_normal_(part.weight, a=SCN_SLOPE)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def local_appearance_unet(
    spatial_dims: int,
    in_channels: int,
    out_channels: int,
    channels: Sequence[int],
    kernel_size: int | Sequence[int],
    strides: Sequence[int],
    num_res_units: int,
    norm: str,
    activation: str,
    adn_ordering: str,
    dropout: float,
) -> UNet:
    """MONAI's U-Net with residual units for rough maps.

    Raises:
        ValueError: if there is not one stride between any two levels.
    """
    if len(strides) != len(channels) - 1 or min(strides) < 1:
        raise ValueError(f"la_strides must be {len(channels) - 1} positive numbers, one fewer than la_channels.")
    net = UNet(
        spatial_dims=spatial_dims,
        in_channels=in_channels,
        out_channels=out_channels,
        channels=channels,
        strides=strides,
        kernel_size=kernel_size,
        up_kernel_size=kernel_size,
        num_res_units=num_res_units,
        norm=norm,
        act=activation,
        adn_ordering=adn_ordering,
        dropout=dropout,
    )
    return with_sound_gradients(net)


def grid_factor(strides: Sequence[int], downsample: int) -> int:
    """What sizes must be a multiple of for both halves."""
    return math.lcm(math.prod(strides), downsample)
