"""MONAI's U-Net as a heatmap network in 2D and 3D."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets.basic_unet import BasicUNet
from torch import Tensor

from napari_landmarker.engine.models.base import HeatmapNetwork
from napari_landmarker.engine.models.layers import GROUPS, SLOPE
from napari_landmarker.engine.models.sound_conv import with_sound_gradients


class HeatmapUNet(HeatmapNetwork):
    """Space-to-depth, then MONAI's `BasicUNet`: one logit map per landmark.

    Folding ``stride`` pixels of each axis into channels lets a small network see a fine image at low cost; the maps
    are ``stride`` times coarser than the image. 0.88 M parameters in 2D with 1 channel and 19 landmarks.
    Source: Ronneberger et al., MICCAI 2015; Falk et al., 2019.

    Args:
        spatial_dims: ``D``, 2 or 3.
        in_channels: ``C`` of the image.
        out_channels: ``L``.
        features: channels of the five levels, each a multiple of 8.
        stride: image pixels per heatmap pixel, along each axis.
        dropout: probability of dropping an activation.

    Raises:
        ValueError: if there are not five levels, or channels are not multiples of 8.
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
        if len(features) != 5 or any(channels % GROUPS for channels in features):
            raise ValueError(f"features must name the channels of five levels, multiples of {GROUPS}.")
        # groups of one channel on a single pixel have nothing to be normalised by
        cells = 2 if features[-1] == GROUPS else 1
        super().__init__(spatial_dims, in_channels, out_channels, stride, factor=16, cells=cells)
        self.unet = with_sound_gradients(
            BasicUNet(
                spatial_dims=spatial_dims,
                in_channels=self.folded_channels,
                out_channels=out_channels,
                features=(*features, features[0]),
                act=("leakyrelu", {"negative_slope": SLOPE, "inplace": True}),
                norm=("group", {"num_groups": GROUPS}),
                dropout=dropout,
                upsample="nontrainable",
            )
        )

    def maps(self, folded: Tensor) -> Tensor:
        """Logits ``(B, L, *grid)`` for ``(B, C * stride^D, *grid)``."""
        logits: Tensor = self.unet(folded)
        return logits
