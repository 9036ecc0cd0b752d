"""Losses of points and heatmaps, in 2D and 3D, to which missing landmarks contribute nothing.

What a loss can be told stands in `napari_landmarker.engine.losses.configs`; a loss is loaded, with torch, when its name
is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_landmarker.engine.losses.configs import LossConfig

if TYPE_CHECKING:
    from napari_landmarker.engine.losses.adaptive_wing import AdaptiveWingLoss
    from napari_landmarker.engine.losses.base import LandmarkLoss
    from napari_landmarker.engine.losses.cross_entropy import HeatmapCrossEntropyLoss
    from napari_landmarker.engine.losses.euclidean_variance import EuclideanDistanceVarianceReg
    from napari_landmarker.engine.losses.gaussian_heatmap_l2 import GaussianHeatmapL2Loss
    from napari_landmarker.engine.losses.generalized_normal_heatmap import GeneralizedNormalHeatmapLoss
    from napari_landmarker.engine.losses.huber import HuberLoss
    from napari_landmarker.engine.losses.l1 import L1Loss
    from napari_landmarker.engine.losses.l2 import L2Loss
    from napari_landmarker.engine.losses.multivariate_gaussian_nll import MultivariateGaussianNLLLoss
    from napari_landmarker.engine.losses.nll import NLLLoss
    from napari_landmarker.engine.losses.stacked import StackedLoss
    from napari_landmarker.engine.losses.star import StarLoss
    from napari_landmarker.engine.losses.wing import WingLoss

_HOMES = {
    "AdaptiveWingLoss": "adaptive_wing",
    "EuclideanDistanceVarianceReg": "euclidean_variance",
    "GaussianHeatmapL2Loss": "gaussian_heatmap_l2",
    "GeneralizedNormalHeatmapLoss": "generalized_normal_heatmap",
    "HeatmapCrossEntropyLoss": "cross_entropy",
    "HuberLoss": "huber",
    "L1Loss": "l1",
    "L2Loss": "l2",
    "LandmarkLoss": "base",
    "MultivariateGaussianNLLLoss": "multivariate_gaussian_nll",
    "NLLLoss": "nll",
    "StackedLoss": "stacked",
    "StarLoss": "star",
    "WingLoss": "wing",
}

__all__ = [
    "AdaptiveWingLoss",
    "EuclideanDistanceVarianceReg",
    "GaussianHeatmapL2Loss",
    "GeneralizedNormalHeatmapLoss",
    "HeatmapCrossEntropyLoss",
    "HuberLoss",
    "L1Loss",
    "L2Loss",
    "LandmarkLoss",
    "LossConfig",
    "MultivariateGaussianNLLLoss",
    "NLLLoss",
    "StackedLoss",
    "StarLoss",
    "WingLoss",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
