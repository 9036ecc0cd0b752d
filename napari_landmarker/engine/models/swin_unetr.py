"""MONAI's SwinUNETR as a heatmap network in 2D and 3D."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets.swin_unetr import SwinUNETR
from torch import Tensor

from napari_landmarker.engine.models.base import HeatmapNetwork
from napari_landmarker.engine.models.sound_conv import with_sound_gradients


class HeatmapSwinUNETR(HeatmapNetwork):
    """MONAI's `SwinUNETR`: attention in shifted windows on the way down, convolutions on the way up.

    6.3 M parameters in 2D with 1 channel and 19 landmarks. An image is padded to at least 64 folded pixels along each
    axis. Source: Hatamizadeh et al., Swin UNETR, BrainLes 2021.

    Args:
        spatial_dims: ``D``, 2 or 3.
        in_channels: ``C`` of the image.
        out_channels: ``L``.
        features: channels of the first level, a multiple of 12.
        stride: image pixels per heatmap pixel, along each axis.
        depths: blocks of each of the four levels.
        num_heads: heads of each of the four levels.
        window_size: of the attention, in patches.
        dropout: probability of dropping an activation.

    Raises:
        ValueError: if there are not four levels, or ``features`` is not a multiple of 12.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        features: int = 24,
        stride: int = 1,
        depths: Sequence[int] = (2, 2, 2, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24),
        window_size: int = 7,
        dropout: float = 0.0,
    ) -> None:
        if len(depths) != 4 or len(num_heads) != 4:
            raise ValueError("depths and num_heads must name four levels.")
        super().__init__(spatial_dims, in_channels, out_channels, stride, factor=32, cells=2)
        self.net = with_sound_gradients(
            SwinUNETR(
                in_channels=self.folded_channels,
                out_channels=out_channels,
                depths=depths,
                num_heads=num_heads,
                window_size=window_size,
                feature_size=features,
                drop_rate=dropout,
                spatial_dims=spatial_dims,
            )
        )

    def maps(self, folded: Tensor) -> Tensor:
        """Logits ``(B, L, *grid)`` for ``(B, C * stride^D, *grid)``."""
        logits: Tensor = self.net(folded)
        return logits
