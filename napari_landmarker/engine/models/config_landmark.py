"""Configurations of the networks that were made for landmarks: spatial configuration networks and hourglasses."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from napari_landmarker.engine.models.config_base import AnswerKind, Channels, OddPixels, StridedConfig

Levels = Annotated[tuple[Channels, ...], Field(min_length=1, max_length=7)]


class _SCNConfig(StridedConfig):
    """What all spatial configuration networks can be told."""

    stride_2d: int = Field(2, ge=1, le=16, title="Stride (2D)", description="Pixels per heatmap pixel in 2D.")
    la_channels_2d: Channels = Field(64, title="Channels (2D)", description="Of the U-Net; 128 in the paper.")
    la_channels_3d: Channels = Field(32, title="Channels (3D)", description="Of the U-Net; 64 in the paper.")
    la_depth: int = Field(3, ge=1, le=6, title="Depth", description="How many times the U-Net halves the grid.")
    la_dropout: float = Field(0.0, ge=0, lt=1, title="Dropout", description="Share dropped in the U-Net.")
    sp_channels_2d: Channels = Field(64, title="Configuration channels (2D)", description="128 in the paper.")
    sp_channels_3d: Channels = Field(32, title="Configuration channels (3D)", description="64 in the paper.")
    sp_kernel_size_2d: OddPixels = Field(11, title="Configuration kernel (2D)", description="Odd, in coarse pixels.")
    sp_kernel_size_3d: OddPixels = Field(7, title="Configuration kernel (3D)", description="Odd, in coarse voxels.")
    sp_downsample_2d: int = Field(
        16, ge=1, le=64, title="Configuration grid (2D)", description="How many times coarser than the maps."
    )
    sp_downsample_3d: int = Field(
        4, ge=1, le=64, title="Configuration grid (3D)", description="How many times coarser than the maps."
    )

    def factor(self, ndim: int) -> int:
        """See `StridedConfig`."""
        return math.lcm(2**self.la_depth, self.sp_downsample_2d if ndim == 2 else self.sp_downsample_3d)

    def configuration(self, ndim: int) -> dict[str, Any]:
        """Arguments of the spatial configuration."""
        flat = ndim == 2
        return {
            "sp_channels": self.sp_channels_2d if flat else self.sp_channels_3d,
            "sp_kernel_size": self.sp_kernel_size_2d if flat else self.sp_kernel_size_3d,
            "sp_downsample": self.sp_downsample_2d if flat else self.sp_downsample_3d,
        }


class OriginalSCNConfig(_SCNConfig):
    """The spatial configuration network as published."""

    network: ClassVar[str] = "OriginalSpatialConfigurationNet"
    kind: Literal["original_scn"] = "original_scn"
    la_dropout: float = Field(0.5, ge=0, lt=1, title="Dropout", description="Share of channels dropped in the U-Net.")

    def dimensions(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        return {"spatial_dim": ndim}

    def arguments(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        return {
            "la_channels": self.la_channels_2d if ndim == 2 else self.la_channels_3d,
            "la_depth": self.la_depth,
            "la_dropout": self.la_dropout,
            **self.configuration(ndim),
        }


class SCNConfig(_SCNConfig):
    """The spatial configuration network on a residual U-Net."""

    network: ClassVar[str] = "SpatialConfigurationNet"
    kind: Literal["scn"] = "scn"
    la_num_res_units: int = Field(2, ge=0, le=8, title="Residual units", description="Convolutions in each.")
    sp_image_input: bool = Field(
        True, title="Image for the configuration", description="Whether the spatial configuration sees the image."
    )

    def arguments(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        channels = self.la_channels_2d if ndim == 2 else self.la_channels_3d
        return {
            "la_channels": [channels] * (self.la_depth + 1),
            "la_strides": [2] * self.la_depth,
            "la_num_res_units": self.la_num_res_units,
            "la_dropout": self.la_dropout,
            **self.configuration(ndim),
            "sp_image_input": self.sp_image_input,
        }


class ProbSCNConfig(SCNConfig):
    """The probabilistic spatial configuration network, whose maps are logits."""

    network: ClassVar[str] = "ProbSpatialConfigurationNet"
    kind: Literal["prob_scn"] = "prob_scn"  # type: ignore[assignment]
    la_depth: int = Field(4, ge=1, le=6, title="Depth", description="How many times the U-Net halves the grid.")


class HourglassConfig(StridedConfig):
    """One hourglass."""

    network: ClassVar[str] = "Hourglass"
    kind: Literal["hourglass"] = "hourglass"
    channels_2d: Levels = Field(
        (32, 64, 96, 128), title="Channels (2D)", description="Of the levels; after each the grid is halved."
    )
    channels_3d: Levels = Field(
        (16, 32, 64, 96), title="Channels (3D)", description="Of the levels; after each the grid is halved."
    )
    up_sample_mode: Literal["nearest", "linear"] = Field(
        "nearest", title="Up-sampling", description="How a coarse grid is made finer."
    )

    def arguments(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        channels = self.channels_2d if ndim == 2 else self.channels_3d
        return {"channels": list(channels), "up_sample_mode": self.up_sample_mode}

    def factor(self, ndim: int) -> int:
        """See `StridedConfig`."""
        return int(2 ** len(self.channels_2d if ndim == 2 else self.channels_3d))


class StackedHourglassConfig(HourglassConfig):
    """Hourglasses one after the other, each of which is judged."""

    network: ClassVar[str] = "StackedHourglass"
    answer: ClassVar[AnswerKind] = "stacks"
    kind: Literal["stacked_hourglass"] = "stacked_hourglass"  # type: ignore[assignment]
    stacks: int = Field(2, ge=1, le=8, title="Stacks", description="How many hourglasses.")

    def arguments(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        return {"nb_stacks": self.stacks, **super().arguments(ndim)}


class CholeskyHourglassConfig(HourglassConfig):
    """One hourglass with a covariance per landmark."""

    network: ClassVar[str] = "CholeskyHourglass"
    answer: ClassVar[AnswerKind] = "maps_and_covariances"
    kind: Literal["cholesky_hourglass"] = "cholesky_hourglass"  # type: ignore[assignment]

    def dimensions(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        return {"img_size": [self.multiple(ndim)] * ndim}


class StackedCholeskyHourglassConfig(StackedHourglassConfig):
    """Hourglasses one after the other, each of which is judged, with a covariance per landmark."""

    network: ClassVar[str] = "StackedCholeskyHourglass"
    answer: ClassVar[AnswerKind] = "stacks_and_covariances"
    kind: Literal["stacked_cholesky_hourglass"] = "stacked_cholesky_hourglass"  # type: ignore[assignment]

    def dimensions(self, ndim: int) -> dict[str, Any]:
        """See `StridedConfig`."""
        return {"img_size": [self.multiple(ndim)] * ndim}
