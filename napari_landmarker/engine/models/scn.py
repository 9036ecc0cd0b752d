"""The spatial configuration network on MONAI's residual U-Net (after Payer et al., Medical Image Analysis 54, 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from napari_landmarker.engine.models.base import HeatmapNetwork
from napari_landmarker.engine.models.spatial_configuration import (
    SpatialConfiguration,
    grid_factor,
    local_appearance_unet,
    scn_rectifier,
)


class SpatialConfigurationNet(HeatmapNetwork):
    """Local appearance times spatial configuration: maps of peak 1, to be trained on a squared error.

    As `OriginalSpatialConfigurationNet`, with strided convolutions and residual units in place of pooling, and with the
    image before the spatial configuration. 6.83 M parameters in 2D with 1 channel and 19 landmarks.

    Args:
        spatial_dims: ``D``, 2 or 3.
        in_channels: ``C`` of the image.
        out_channels: ``L``.
        la_channels: channels of the levels of the U-Net.
        la_kernel_size: of the U-Net, odd, in pixels.
        la_strides: how many times coarser each level of the U-Net is, one fewer than levels.
        la_num_res_units: convolutions in each residual unit of the U-Net.
        la_norm: MONAI's name of the normalisation of the U-Net.
        la_activation: MONAI's name of the activation of the U-Net.
        la_adn_ordering: order of activation, dropout and normalisation in the U-Net.
        la_dropout: probability of dropping an activation of the U-Net.
        sp_channels: channels of the spatial configuration.
        sp_kernel_size: odd, in coarse pixels.
        sp_downsample: how many times coarser the grid of the spatial configuration is.
        sp_image_input: whether the spatial configuration sees the image beside the rough maps.
        stride: image pixels per heatmap pixel, along each axis.

    Raises:
        ValueError: for an even kernel, a number below 1, or not one stride between any two levels.
    """

    rectifier: Callable[[], nn.Module] = staticmethod(scn_rectifier)
    bounded = True

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        out_channels: int = 4,
        la_channels: Sequence[int] = (128, 128, 128, 128),
        la_kernel_size: int | Sequence[int] = 3,
        la_strides: Sequence[int] = (2, 2, 2),
        la_num_res_units: int = 2,
        la_norm: str = "INSTANCE",
        la_activation: str = "PRELU",
        la_adn_ordering: str = "ADN",
        la_dropout: float = 0.0,
        sp_channels: int = 128,
        sp_kernel_size: int = 11,
        sp_downsample: int = 16,
        sp_image_input: bool = True,
        stride: int = 1,
    ) -> None:
        super().__init__(spatial_dims, in_channels, out_channels, stride, grid_factor(la_strides, sp_downsample), 2)
        self.sp_image_input = sp_image_input
        self.local_appearance = local_appearance_unet(
            spatial_dims,
            self.folded_channels,
            out_channels,
            la_channels,
            la_kernel_size,
            la_strides,
            la_num_res_units,
            la_norm,
            la_activation,
            la_adn_ordering,
            la_dropout,
        )
        self.spatial_configuration = SpatialConfiguration(
            spatial_dims,
            out_channels + self.folded_channels * sp_image_input,
            out_channels,
            sp_channels,
            sp_kernel_size,
            sp_downsample,
            rectifier=self.rectifier,
            bounded=self.bounded,
        )

    def maps(self, folded: Tensor) -> Tensor:
        """Maps ``(B, L, *grid)`` for ``(B, C * stride^D, *grid)``."""
        local = self.local_appearance(folded)
        seen = torch.cat((folded, local), dim=1) if self.sp_image_input else local
        return self.together(local, self.spatial_configuration(seen))

    def together(self, local: Tensor, configuration: Tensor) -> Tensor:
        """One map out of both halves, ``(B, L, *grid)`` each."""
        return local * configuration
