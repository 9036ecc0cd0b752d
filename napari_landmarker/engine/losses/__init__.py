"""Losses of points and heatmaps, in 2D and 3D, to which missing landmarks contribute nothing."""

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
    "MultivariateGaussianNLLLoss",
    "NLLLoss",
    "StackedLoss",
    "StarLoss",
    "WingLoss",
]
