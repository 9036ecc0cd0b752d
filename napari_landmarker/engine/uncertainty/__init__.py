"""How sure a model is: regions that hold the true place of a landmark as often as they promise.

Score x region x calibrator, composed: a score (`uncertainty.score`) says how badly a place fits a prediction, its level
sets are the regions (`uncertainty.regions`), and a `Calibration` says from images with known places how far they must
reach. Everything works in two and three dimensions, on predictions of images of any size and spacing, without torch.
"""

from napari_landmarker.engine.uncertainty.box import Box, WholeImage
from napari_landmarker.engine.uncertainty.calibration import Calibration
from napari_landmarker.engine.uncertainty.cells import CellGrid, CellSet
from napari_landmarker.engine.uncertainty.configs import CalibrationConfig, ScoreConfig
from napari_landmarker.engine.uncertainty.coverage import Coverage, CoverageReport, evaluate_regions, leave_one_out
from napari_landmarker.engine.uncertainty.density import DensityScore, RankScore
from napari_landmarker.engine.uncertainty.drift import Drift, drift
from napari_landmarker.engine.uncertainty.ellipsoid import Ellipsoid
from napari_landmarker.engine.uncertainty.heat_regressors import MR2C2R, MR2CCP, ContourHuggingRegressor
from napari_landmarker.engine.uncertainty.quantile import cases_needed, conformal_quantile
from napari_landmarker.engine.uncertainty.regions import Region
from napari_landmarker.engine.uncertainty.regressors import (
    ConformalRegressorBonferroni,
    ConformalRegressorMahalanobis,
    ConformalRegressorMaxNonconformity,
    MultivariateNormalRegressor,
)
from napari_landmarker.engine.uncertainty.score import Score
from napari_landmarker.engine.uncertainty.scores import EuclideanScore, MahalanobisScore, PerAxisScore
from napari_landmarker.engine.uncertainty.temperature import TemperatureScaling

__all__ = [
    "MR2C2R",
    "MR2CCP",
    "Box",
    "Calibration",
    "CalibrationConfig",
    "CellGrid",
    "CellSet",
    "ConformalRegressorBonferroni",
    "ConformalRegressorMahalanobis",
    "ConformalRegressorMaxNonconformity",
    "ContourHuggingRegressor",
    "Coverage",
    "CoverageReport",
    "DensityScore",
    "Drift",
    "Ellipsoid",
    "EuclideanScore",
    "MahalanobisScore",
    "MultivariateNormalRegressor",
    "PerAxisScore",
    "RankScore",
    "Region",
    "Score",
    "ScoreConfig",
    "TemperatureScaling",
    "WholeImage",
    "cases_needed",
    "conformal_quantile",
    "drift",
    "evaluate_regions",
    "leave_one_out",
]
