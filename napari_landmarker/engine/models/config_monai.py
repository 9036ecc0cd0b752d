"""Configurations of MONAI's networks."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from napari_landmarker.engine.models.config_base import Channels, EightChannels, StridedConfig

FiveLevels = tuple[EightChannels, EightChannels, EightChannels, EightChannels, EightChannels]
TwoLevelsOrMore = Annotated[tuple[Channels, ...], Field(min_length=2, max_length=7)]
ThreeLevelsOrMore = Annotated[tuple[Channels, ...], Field(min_length=3, max_length=7)]
Backbone = Literal[
    "resnet10",
    "resnet18",
    "resnet34",
    "resnet50",
    "efficientnet-b0",
    "efficientnet-b1",
    "efficientnet-b2",
    "efficientnet-b3",
    "efficientnet-b4",
]


class UNetConfig(StridedConfig):
    """MONAI's U-Net with one map per landmark."""

    network: ClassVar[str] = "HeatmapUNet"
    kind: Literal["unet"] = "unet"
    features_2d: FiveLevels = Field(
        (32, 32, 64, 96, 128), title="Channels (2D)", description="Multiples of 8, five levels."
    )
    features_3d: FiveLevels = Field(
        (16, 32, 64, 96, 128), title="Channels (3D)", description="Multiples of 8, five levels."
    )
    dropout: float = Field(0.0, ge=0, lt=1, title="Dropout", description="Share of activations dropped.")

    def features(self, ndim: int) -> tuple[int, ...]:
        """Channels of the levels in 2D or 3D."""
        return self.features_2d if ndim == 2 else self.features_3d

    def arguments(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        return {"features": list(self.features(ndim)), "dropout": self.dropout}

    def factor(self, ndim: int) -> int:
        """See `StridedConfig`."""
        return 16


class ResidualUNetConfig(StridedConfig):
    """MONAI's U-Net with residual units."""

    network: ClassVar[str] = "HeatmapResidualUNet"
    kind: Literal["residual_unet"] = "residual_unet"
    features_2d: TwoLevelsOrMore = Field(
        (32, 64, 128, 256), title="Channels (2D)", description="Of two levels or more."
    )
    features_3d: TwoLevelsOrMore = Field((16, 32, 64, 128), title="Channels (3D)", description="Of two levels or more.")
    num_res_units: int = Field(2, ge=0, le=8, title="Residual units", description="Convolutions in each; 0 for none.")
    dropout: float = Field(0.0, ge=0, lt=1, title="Dropout", description="Share of activations dropped.")

    def arguments(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        features = self.features_2d if ndim == 2 else self.features_3d
        return {"features": list(features), "num_res_units": self.num_res_units, "dropout": self.dropout}

    def factor(self, ndim: int) -> int:
        """See `StridedConfig`."""
        return int(2 ** (len(self.features_2d if ndim == 2 else self.features_3d) - 1))


class DynUNetConfig(StridedConfig):
    """MONAI's DynUNet, the U-Net of nnU-Net."""

    network: ClassVar[str] = "HeatmapDynUNet"
    kind: Literal["dynunet"] = "dynunet"
    features_2d: ThreeLevelsOrMore = Field(
        (32, 64, 128, 256), title="Channels (2D)", description="Of three levels or more."
    )
    features_3d: ThreeLevelsOrMore = Field(
        (16, 32, 64, 128), title="Channels (3D)", description="Of three levels or more."
    )
    res_block: bool = Field(False, title="Short cuts", description="Whether blocks have a short cut.")
    dropout: float = Field(0.0, ge=0, lt=1, title="Dropout", description="Share of activations dropped.")

    def arguments(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        features = self.features_2d if ndim == 2 else self.features_3d
        return {"features": list(features), "res_block": self.res_block, "dropout": self.dropout}

    def factor(self, ndim: int) -> int:
        """See `StridedConfig`."""
        return int(2 ** (len(self.features_2d if ndim == 2 else self.features_3d) - 1))


class SegResNetConfig(StridedConfig):
    """MONAI's SegResNet."""

    network: ClassVar[str] = "HeatmapSegResNet"
    kind: Literal["segresnet"] = "segresnet"
    features: Channels = Field(
        16, title="Channels", description="Of the first level; each further one has twice as many."
    )
    blocks: tuple[Annotated[int, Field(ge=1, le=16)], ...] = Field(
        (1, 2, 2, 4), min_length=2, max_length=6, title="Blocks", description="Residual blocks of each level."
    )
    dropout: float = Field(0.0, ge=0, lt=1, title="Dropout", description="Share of channels dropped.")

    def arguments(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        return {"features": self.features, "blocks": list(self.blocks), "dropout": self.dropout}

    def factor(self, ndim: int) -> int:
        """See `StridedConfig`."""
        return int(2 ** (len(self.blocks) - 1))


class SwinUNETRConfig(StridedConfig):
    """MONAI's SwinUNETR: attention in shifted windows."""

    network: ClassVar[str] = "HeatmapSwinUNETR"
    kind: Literal["swin_unetr"] = "swin_unetr"
    features: int = Field(
        24, ge=12, le=768, multiple_of=12, title="Channels", description="Of the first level, a multiple of 12."
    )
    window_size: int = Field(7, ge=2, le=16, title="Window", description="Of the attention, in patches.")
    dropout: float = Field(0.0, ge=0, lt=1, title="Dropout", description="Share of activations dropped.")

    def arguments(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        return {"features": self.features, "window_size": self.window_size, "dropout": self.dropout}

    def factor(self, ndim: int) -> int:
        """See `StridedConfig`."""
        return 32


class FlexibleUNetConfig(StridedConfig):
    """MONAI's FlexibleUNet: a U-Net on a ResNet or EfficientNet, from scratch."""

    network: ClassVar[str] = "HeatmapFlexibleUNet"
    kind: Literal["flexible_unet"] = "flexible_unet"
    backbone: Backbone = Field("resnet18", title="Encoder", description="A residual or efficient network.")
    decoder_features: tuple[Channels, Channels, Channels, Channels, Channels] = Field(
        (256, 128, 64, 32, 16), title="Channels of the decoder", description="Five levels, coarse to fine."
    )
    dropout: float = Field(0.0, ge=0, lt=1, title="Dropout", description="Share of the decoder's activations dropped.")

    def arguments(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        return {
            "backbone": self.backbone,
            "decoder_features": list(self.decoder_features),
            "dropout": self.dropout,
        }

    def factor(self, ndim: int) -> int:
        """See `StridedConfig`."""
        return 32
