"""The spatial configuration network as published.

Source: Payer et al., Integrating spatial configuration into heatmap regression based CNNs for landmark localization,
Medical Image Analysis 54, 2019.
"""

from __future__ import annotations

from torch import Tensor, nn

from napari_landmarker.engine.models.base import HeatmapNetwork
from napari_landmarker.engine.models.layers import AVERAGE_POOLS, DROPOUTS, Enlarge, convolution
from napari_landmarker.engine.models.spatial_configuration import (
    SpatialConfiguration,
    grid_factor,
    scn_rectifier,
    start_as_relay,
)


class _LocalAppearance(nn.Module):
    """A U-Net whose levels have the same number of channels and whose skips are added."""

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        channels: int,
        depth: int,
        kernel: int,
        drop: float,
    ) -> None:
        super().__init__()

        def step(inward: int) -> nn.Sequential:
            return nn.Sequential(convolution(spatial_dims, inward, channels, kernel), scn_rectifier())

        def level() -> nn.Sequential:
            return nn.Sequential(step(channels), DROPOUTS[spatial_dims](drop), step(channels))

        self.first = step(in_channels)
        self.down = nn.ModuleList(level() for _ in range(depth))
        self.bottom = nn.Sequential(step(channels), step(channels))
        self.skip = nn.ModuleList(step(channels) for _ in range(depth))
        self.pool, self.enlarge = AVERAGE_POOLS[spatial_dims](2), Enlarge(spatial_dims)
        self.head = convolution(spatial_dims, channels, out_channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        values, levels = self.first(image), []
        for down in self.down:
            levels.append(down(values))
            values = self.pool(levels[-1])
        values = self.bottom(values)
        for skip, level in zip(self.skip, reversed(levels), strict=True):
            values = self.enlarge(values) + skip(level)
        maps: Tensor = self.head(values)
        return maps


class OriginalSpatialConfigurationNet(HeatmapNetwork):
    """Local appearance times spatial configuration: maps of peak 1, to be trained on a squared error.

    A U-Net makes a rough map of each landmark; on a coarse grid, large kernels say from all rough maps together where
    each landmark may be; the product of both keeps what looks right in the right place. Small weights before both
    answers let the maps start nearly flat. 6.18 M parameters in 2D with 1 channel and 19 landmarks.

    Args:
        in_channels: ``C`` of the image.
        out_channels: ``L``.
        la_channels: channels of the U-Net at every level.
        la_depth: how many times the U-Net halves the grid.
        la_kernel_size: odd, in pixels.
        la_dropout: probability of dropping a channel.
        sp_channels: channels of the spatial configuration.
        sp_kernel_size: odd, in coarse pixels.
        sp_downsample: how many times coarser the grid of the spatial configuration is.
        init_weights: whether weights start as in the paper (He et al., 2015; small ones before the maps); as torch
            starts them if not.
        spatial_dim: ``D``, 2 or 3.
        stride: image pixels per heatmap pixel, along each axis.

    Raises:
        ValueError: for an even kernel, or numbers below 1.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 4,
        la_channels: int = 128,
        la_depth: int = 3,
        la_kernel_size: int = 3,
        la_dropout: float = 0.5,
        sp_channels: int = 128,
        sp_kernel_size: int = 11,
        sp_downsample: int = 16,
        init_weights: bool = True,
        spatial_dim: int = 2,
        stride: int = 1,
    ) -> None:
        super().__init__(spatial_dim, in_channels, out_channels, stride, grid_factor([2] * la_depth, sp_downsample))
        self.local_appearance = _LocalAppearance(
            spatial_dim, self.folded_channels, out_channels, la_channels, la_depth, la_kernel_size, la_dropout
        )
        self.spatial_configuration = SpatialConfiguration(
            spatial_dim,
            out_channels,
            out_channels,
            sp_channels,
            sp_kernel_size,
            sp_downsample,
            init_weights=init_weights,
        )
        if init_weights:
            start_as_relay(self.local_appearance, head=self.local_appearance.head)

    def maps(self, folded: Tensor) -> Tensor:
        """Maps ``(B, L, *grid)`` for ``(B, C * stride^D, *grid)``."""
        local = self.local_appearance(folded)
        maps: Tensor = local * self.spatial_configuration(local)
        return maps


class OriginalSpatialConfigurationNet3d(OriginalSpatialConfigurationNet):
    """`OriginalSpatialConfigurationNet` with the paper's sizes for volumes; 4.86 M parameters with 19 landmarks.

    Args:
        in_channels: as for `OriginalSpatialConfigurationNet`, and so are the others.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 4,
        la_channels: int = 64,
        la_depth: int = 3,
        la_kernel_size: int = 3,
        la_dropout: float = 0.5,
        sp_channels: int = 64,
        sp_kernel_size: int = 7,
        sp_downsample: int = 4,
        init_weights: bool = True,
        stride: int = 1,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            la_channels,
            la_depth,
            la_kernel_size,
            la_dropout,
            sp_channels,
            sp_kernel_size,
            sp_downsample,
            init_weights,
            spatial_dim=3,
            stride=stride,
        )
