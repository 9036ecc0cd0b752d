"""Configurations of the networks that give points: coordinate regression, and the cascade of two stages."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from napari_landmarker.engine.models.config_base import PACKAGE, AnswerKind, Channels, NetworkConfig
from napari_landmarker.engine.models.config_landmark import HourglassConfig, OriginalSCNConfig, ProbSCNConfig, SCNConfig
from napari_landmarker.engine.models.config_monai import (
    DynUNetConfig,
    FlexibleUNetConfig,
    ResidualUNetConfig,
    SegResNetConfig,
    SwinUNETRConfig,
    UNetConfig,
)

Levels = Annotated[tuple[Channels, ...], Field(min_length=1, max_length=7)]
#: Networks that give one map per landmark and nothing else.
MapsConfig = Annotated[
    UNetConfig
    | ResidualUNetConfig
    | DynUNetConfig
    | SegResNetConfig
    | SwinUNETRConfig
    | FlexibleUNetConfig
    | OriginalSCNConfig
    | SCNConfig
    | ProbSCNConfig
    | HourglassConfig,
    Field(discriminator="kind"),
]


class CoordinateRegressionConfig(NetworkConfig):
    """An encoder that gives coordinates, without heatmaps."""

    network: ClassVar[str] = "CoordinateRegressionNet"
    answer: ClassVar[AnswerKind] = "points"
    kind: Literal["coordinate"] = "coordinate"
    features_2d: Levels = Field(
        (32, 64, 128, 128), title="Channels (2D)", description="Of the levels; between any two the grid is halved."
    )
    features_3d: Levels = Field(
        (16, 32, 64, 128), title="Channels (3D)", description="Of the levels; between any two the grid is halved."
    )
    fold_2d: int = Field(2, ge=1, le=16, title="Folding (2D)", description="Pixels folded into one, along each axis.")
    fold_3d: int = Field(1, ge=1, le=16, title="Folding (3D)", description="Voxels folded into one, along each axis.")
    dropout: float = Field(0.0, ge=0, lt=1, title="Dropout", description="Share of the features dropped at the end.")

    def definition(self, ndim: int, channels: int, landmarks: int) -> dict[str, Any]:
        """See `NetworkConfig`."""
        return {
            "_target_": f"{PACKAGE}.{self.network}",
            "spatial_dims": ndim,
            "in_channels": channels,
            "out_channels": landmarks,
            "features": list(self.features_2d if ndim == 2 else self.features_3d),
            "stride": self.fold_2d if ndim == 2 else self.fold_3d,
            "dropout": self.dropout,
        }

    def stride(self, ndim: int) -> int:
        """See `NetworkConfig`."""
        return 1

    def multiple(self, ndim: int) -> int:
        """See `NetworkConfig`."""
        levels, fold = (self.features_2d, self.fold_2d) if ndim == 2 else (self.features_3d, self.fold_3d)
        return int(fold * 2 ** (len(levels) - 1))


class CascadeConfig(NetworkConfig):
    """A coarse stage that sees the whole image, and a fine one that refines each landmark in a patch."""

    network: ClassVar[str] = "CascadeNet"
    answer: ClassVar[AnswerKind] = "cascade"
    kind: Literal["cascade"] = "cascade"
    coarse: MapsConfig = Field(UNetConfig(), title="First stage", description="The network that sees the whole image.")
    downsample_2d: int = Field(
        2, ge=1, le=16, title="Coarser (2D)", description="Pixels, along each axis, that the first stage sees as one."
    )
    downsample_3d: int = Field(
        2, ge=1, le=16, title="Coarser (3D)", description="Voxels, along each axis, that the first stage sees as one."
    )
    patch_2d: int = Field(96, ge=2, le=512, title="Patch (2D)", description="Width of the patches, pixels.")
    patch_3d: int = Field(32, ge=2, le=128, title="Patch (3D)", description="Width of the patches, voxels.")
    features_2d: Levels = Field(
        (40, 64, 96, 128), title="Channels of the second stage (2D)", description="The grid is halved between levels."
    )
    features_3d: Levels = Field(
        (16, 32, 64, 96), title="Channels of the second stage (3D)", description="The grid is halved between levels."
    )
    patch_stride_2d: int = Field(
        2, ge=1, le=8, title="Patch stride (2D)", description="Patch pixels per heatmap pixel."
    )
    patch_stride_3d: int = Field(
        1, ge=1, le=8, title="Patch stride (3D)", description="Patch voxels per heatmap voxel."
    )
    context: int = Field(
        2, ge=1, le=4, title="Surroundings", description="How many times wider than the patch; 1: none."
    )
    window: int = Field(
        7, ge=3, le=31, title="Window", description="Full width in which maps are read, heatmap pixels."
    )
    dropout: float = Field(0.0, ge=0, lt=1, title="Dropout", description="Share dropped in the second stage.")

    @model_validator(mode="after")
    def _patches_fit(self) -> CascadeConfig:
        for ndim, patch in ((2, self.patch_2d), (3, self.patch_3d)):
            multiple = self._patch_multiple(ndim)
            if patch % multiple:
                raise ValueError(f"The width of the patches in {ndim}D must be a multiple of {multiple}, not {patch}.")
        return self

    def definition(self, ndim: int, channels: int, landmarks: int) -> dict[str, Any]:
        """See `NetworkConfig`."""
        flat = ndim == 2
        return {
            "_target_": f"{PACKAGE}.{self.network}",
            "coarse": self.coarse.definition(ndim, channels, landmarks),
            "refiner": {
                "_target_": f"{PACKAGE}.PatchRefiner",
                "spatial_dims": ndim,
                "in_channels": channels,
                "out_channels": landmarks,
                "features": list(self.features_2d if flat else self.features_3d),
                "stride": self.patch_stride_2d if flat else self.patch_stride_3d,
                "context": self.context,
                "dropout": self.dropout,
            },
            "patch_size": self.patch_2d if flat else self.patch_3d,
            "downsample": self._downsample(ndim),
            "window": self.window,
        }

    def stride(self, ndim: int) -> int:
        """Image pixels per pixel of the first stage's maps."""
        return self._downsample(ndim) * self.coarse.stride(ndim)

    def multiple(self, ndim: int) -> int:
        """See `NetworkConfig`."""
        return self._downsample(ndim) * self.coarse.multiple(ndim)

    def _downsample(self, ndim: int) -> int:
        return self.downsample_2d if ndim == 2 else self.downsample_3d

    def _patch_multiple(self, ndim: int) -> int:
        features, stride = (
            (self.features_2d, self.patch_stride_2d) if ndim == 2 else (self.features_3d, self.patch_stride_3d)
        )
        return math.lcm(2, int(stride * 2 ** (len(features) - 1)))
