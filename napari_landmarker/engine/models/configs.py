"""What each network can be told: one model for the form, the command line, the file on disk and the docs.

A configuration says its ``kind``; `ModelConfig` is any of them. None of this loads torch, before a network is built.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from napari_landmarker.engine.models.config_base import AnswerKind, NetworkConfig
from napari_landmarker.engine.models.config_landmark import (
    CholeskyHourglassConfig,
    HourglassConfig,
    OriginalSCNConfig,
    ProbSCNConfig,
    SCNConfig,
    StackedCholeskyHourglassConfig,
    StackedHourglassConfig,
)
from napari_landmarker.engine.models.config_monai import (
    DynUNetConfig,
    FlexibleUNetConfig,
    ResidualUNetConfig,
    SegResNetConfig,
    SwinUNETRConfig,
    UNetConfig,
)
from napari_landmarker.engine.models.config_points import CascadeConfig, CoordinateRegressionConfig

ModelConfig = Annotated[
    UNetConfig
    | ResidualUNetConfig
    | DynUNetConfig
    | SegResNetConfig
    | SwinUNETRConfig
    | FlexibleUNetConfig
    | OriginalSCNConfig
    | SCNConfig
    | ProbSCNConfig
    | HourglassConfig
    | StackedHourglassConfig
    | CholeskyHourglassConfig
    | StackedCholeskyHourglassConfig
    | CoordinateRegressionConfig
    | CascadeConfig,
    Field(discriminator="kind"),
]

__all__ = [
    "AnswerKind",
    "CascadeConfig",
    "CholeskyHourglassConfig",
    "CoordinateRegressionConfig",
    "DynUNetConfig",
    "FlexibleUNetConfig",
    "HourglassConfig",
    "ModelConfig",
    "NetworkConfig",
    "OriginalSCNConfig",
    "ProbSCNConfig",
    "ResidualUNetConfig",
    "SCNConfig",
    "SegResNetConfig",
    "StackedCholeskyHourglassConfig",
    "StackedHourglassConfig",
    "SwinUNETRConfig",
    "UNetConfig",
]
