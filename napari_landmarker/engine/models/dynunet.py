"""MONAI's DynUNet as a heatmap network in 2D and 3D."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets.dynunet import DynUNet
from torch import Tensor

from napari_landmarker.engine.models.base import HeatmapNetwork
from napari_landmarker.engine.models.sound_conv import with_sound_gradients


class HeatmapDynUNet(HeatmapNetwork):
    """MONAI's `DynUNet`, the U-Net of nnU-Net: instance normalisation, leaky rectifier, transposed convolutions up.

    1.93 M parameters in 2D with 1 channel and 19 landmarks. Source: Isensee et al., nnU-Net, Nature Methods 2021.

    Args:
        spatial_dims: ``D``, 2 or 3.
        in_channels: ``C`` of the image.
        out_channels: ``L``.
        features: channels of the levels, three at least; between any two the grid is halved.
        stride: image pixels per heatmap pixel, along each axis.
        res_block: whether its blocks have a short cut.
        dropout: probability of dropping an activation.

    Raises:
        ValueError: if there are fewer than three levels.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        features: Sequence[int] = (32, 64, 128, 256),
        stride: int = 1,
        res_block: bool = False,
        dropout: float = 0.0,
    ) -> None:
        if len(features) < 3:
            raise ValueError("features must name the channels of at least three levels.")
        steps = len(features) - 1
        super().__init__(spatial_dims, in_channels, out_channels, stride, factor=2**steps, cells=2)
        self.unet = with_sound_gradients(
            DynUNet(
                spatial_dims=spatial_dims,
                in_channels=self.folded_channels,
                out_channels=out_channels,
                kernel_size=[3] * (steps + 1),
                strides=[1] + [2] * steps,
                upsample_kernel_size=[2] * steps,
                filters=features,
                res_block=res_block,
                dropout=dropout or None,
            )
        )

    def maps(self, folded: Tensor) -> Tensor:
        """Logits ``(B, L, *grid)`` for ``(B, C * stride^D, *grid)``."""
        logits: Tensor = self.unet(folded)
        return logits
