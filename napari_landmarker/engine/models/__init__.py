"""Networks: each takes images ``(B, C, *space)`` of any size, in 2D and 3D.

Heatmap networks give ``(B, L, *ceil(space / stride))``; stacked ones a list of those, Cholesky ones covariances beside,
`CoordinateRegressionNet` points and `CascadeNet` a `CascadeAnswer`. `heatmap_stacks` and `covariance_stacks` read the
answer of any heatmap network. What a network can be told stands in `napari_landmarker.engine.models.configs`; a network
is loaded, with torch and MONAI, when its name is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_landmarker.engine.models.base import (
        HeatmapNetwork,
        LandmarkNetwork,
        covariance_stacks,
        heatmap_stacks,
    )
    from napari_landmarker.engine.models.cascade import CascadeAnswer, CascadeNet
    from napari_landmarker.engine.models.cholesky_hourglass import CholeskyHourglass
    from napari_landmarker.engine.models.coord_conv import AddCoordChannels, AddCoordinates, CoordConv, CoordConvLayer
    from napari_landmarker.engine.models.coordinate_regression import CoordinateRegressionNet
    from napari_landmarker.engine.models.dynunet import HeatmapDynUNet
    from napari_landmarker.engine.models.flexible_unet import HeatmapFlexibleUNet
    from napari_landmarker.engine.models.hourglass import Hourglass
    from napari_landmarker.engine.models.original_scn import (
        OriginalSpatialConfigurationNet,
        OriginalSpatialConfigurationNet3d,
    )
    from napari_landmarker.engine.models.patches import cut_patches
    from napari_landmarker.engine.models.prob_scn import ProbSpatialConfigurationNet
    from napari_landmarker.engine.models.refiner import PatchRefiner
    from napari_landmarker.engine.models.residual_unet import HeatmapResidualUNet
    from napari_landmarker.engine.models.scn import SpatialConfigurationNet
    from napari_landmarker.engine.models.segresnet import HeatmapSegResNet
    from napari_landmarker.engine.models.stacked_cholesky_hourglass import StackedCholeskyHourglass
    from napari_landmarker.engine.models.stacked_hourglass import StackedHourglass
    from napari_landmarker.engine.models.swin_unetr import HeatmapSwinUNETR
    from napari_landmarker.engine.models.unet import HeatmapUNet

_HOMES = {
    "AddCoordChannels": "coord_conv",
    "AddCoordinates": "coord_conv",
    "CascadeAnswer": "cascade",
    "CascadeNet": "cascade",
    "CholeskyHourglass": "cholesky_hourglass",
    "CoordConv": "coord_conv",
    "CoordConvLayer": "coord_conv",
    "CoordinateRegressionNet": "coordinate_regression",
    "HeatmapDynUNet": "dynunet",
    "HeatmapFlexibleUNet": "flexible_unet",
    "HeatmapNetwork": "base",
    "HeatmapResidualUNet": "residual_unet",
    "HeatmapSegResNet": "segresnet",
    "HeatmapSwinUNETR": "swin_unetr",
    "HeatmapUNet": "unet",
    "Hourglass": "hourglass",
    "LandmarkNetwork": "base",
    "OriginalSpatialConfigurationNet": "original_scn",
    "OriginalSpatialConfigurationNet3d": "original_scn",
    "PatchRefiner": "refiner",
    "ProbSpatialConfigurationNet": "prob_scn",
    "SpatialConfigurationNet": "scn",
    "StackedCholeskyHourglass": "stacked_cholesky_hourglass",
    "StackedHourglass": "stacked_hourglass",
    "covariance_stacks": "base",
    "cut_patches": "patches",
    "heatmap_stacks": "base",
}

__all__ = [
    "AddCoordChannels",
    "AddCoordinates",
    "CascadeAnswer",
    "CascadeNet",
    "CholeskyHourglass",
    "CoordConv",
    "CoordConvLayer",
    "CoordinateRegressionNet",
    "HeatmapDynUNet",
    "HeatmapFlexibleUNet",
    "HeatmapNetwork",
    "HeatmapResidualUNet",
    "HeatmapSegResNet",
    "HeatmapSwinUNETR",
    "HeatmapUNet",
    "Hourglass",
    "LandmarkNetwork",
    "OriginalSpatialConfigurationNet",
    "OriginalSpatialConfigurationNet3d",
    "PatchRefiner",
    "ProbSpatialConfigurationNet",
    "SpatialConfigurationNet",
    "StackedCholeskyHourglass",
    "StackedHourglass",
    "covariance_stacks",
    "cut_patches",
    "heatmap_stacks",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
