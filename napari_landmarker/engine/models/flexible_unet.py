"""MONAI's FlexibleUNet as a heatmap network in 2D and 3D."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from monai.networks.nets.flexible_unet import FLEXUNET_BACKBONE, FlexibleUNet
from torch import Tensor, nn

from napari_landmarker.engine.models.base import HeatmapNetwork
from napari_landmarker.engine.models.layers import groups_of
from napari_landmarker.engine.models.sound_conv import with_sound_gradients


class HeatmapFlexibleUNet(HeatmapNetwork):
    """MONAI's `FlexibleUNet`: a U-Net on an encoder of another task, EfficientNet or ResNet, from scratch.

    Batch normalisation is replaced by group normalisation, which is fit for small batches, and what only serves to
    classify is left out. 13.5 M parameters in 2D with ``resnet18``, 1 channel and 19 landmarks.
    Source: Tan and Le, EfficientNet, ICML 2019; He et al., Deep residual learning, CVPR 2016.

    Args:
        spatial_dims: ``D``, 2 or 3.
        in_channels: ``C`` of the image.
        out_channels: ``L``.
        backbone: MONAI's name of the encoder, ``"efficientnet-b0"`` to ``"-b8"`` or ``"resnet10"`` to ``"resnet200"``.
        stride: image pixels per heatmap pixel, along each axis.
        decoder_features: channels of the decoder's levels, coarse to fine.
        dropout: probability of dropping an activation of the decoder.

    Raises:
        ValueError: if there is no such encoder, or not as many levels as it needs.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        backbone: str = "resnet18",
        stride: int = 1,
        decoder_features: Sequence[int] = (256, 128, 64, 32, 16),
        dropout: float = 0.0,
    ) -> None:
        known = FLEXUNET_BACKBONE.register_dict
        if backbone not in known:
            raise ValueError(f"backbone must be one of {', '.join(known)}, not {backbone!r}.")
        levels = known[backbone]["feature_number"]
        if len(decoder_features) < levels:
            raise ValueError(f"decoder_features must name the channels of {levels} levels.")
        super().__init__(spatial_dims, in_channels, out_channels, stride, factor=2**levels)
        self.net = with_sound_gradients(
            FlexibleUNet(
                in_channels=self.folded_channels,
                out_channels=out_channels,
                backbone=backbone,
                decoder_channels=tuple(decoder_features[:levels]),
                spatial_dims=spatial_dims,
                dropout=dropout,
            )
        )
        normalise_in_groups(self.net)
        open_short_cuts(self.net)

    def maps(self, folded: Tensor) -> Tensor:
        """Logits ``(B, L, *grid)`` for ``(B, C * stride^D, *grid)``."""
        logits: Tensor = self.net(folded)
        return logits


class ShortCut(nn.Module):
    """Every ``stride``-th pixel, with channels of zeros beside: the short cut of residual networks without weights.

    MONAI's own is the same but cuts the gradient off, and cannot be exported.

    Args:
        channels: of the answer.
        stride: in pixels.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, values: Tensor) -> Tensor:
        """``(B, channels, *ceil(space / stride))`` for ``(B, C, *space)``, ``C`` not above ``channels``."""
        ndim = values.ndim - 2
        coarse = values[(slice(None), slice(None), *[slice(None, None, self.stride)] * ndim)]
        return nn.functional.pad(coarse, [0, 0] * ndim + [0, self.channels - coarse.shape[1]])


def open_short_cuts(module: nn.Module) -> None:
    """Replace every short cut of MONAI's that has no weights by a `ShortCut`."""
    for part in module.modules():
        cut = getattr(part, "downsample", None)
        if isinstance(cut, partial):
            part.downsample = ShortCut(cut.keywords["planes"], cut.keywords["stride"])


def normalise_in_groups(module: nn.Module) -> None:
    """Replace every batch normalisation by a group normalisation."""
    for name, part in module.named_children():
        if isinstance(part, (nn.BatchNorm2d, nn.BatchNorm3d)):
            setattr(module, name, nn.GroupNorm(groups_of(part.num_features), part.num_features, eps=part.eps))
        else:
            normalise_in_groups(part)
