"""How sure a model is: regions that hold the true place of a landmark as often as they promise.

Score x region x calibrator, composed: a score (`uncertainty.score`) says how badly a place fits a prediction, its level
sets are the regions (`uncertainty.regions`), and a `Calibration` says from images with known places how far they must
reach. Everything works in two and three dimensions, on predictions of images of any size and spacing, without torch.

The regressors of the paper, and temperature scaling, are loaded when their name is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_landmarker.engine.uncertainty.box import Box, WholeImage
from napari_landmarker.engine.uncertainty.calibration import Calibration
from napari_landmarker.engine.uncertainty.cells import CellGrid, CellSet
from napari_landmarker.engine.uncertainty.configs import CalibrationConfig, ScoreConfig
from napari_landmarker.engine.uncertainty.coverage import Coverage, CoverageReport, evaluate_regions, leave_one_out
from napari_landmarker.engine.uncertainty.density import DensityScore, RankScore
from napari_landmarker.engine.uncertainty.drift import Drift, drift
from napari_landmarker.engine.uncertainty.ellipsoid import Ellipsoid
from napari_landmarker.engine.uncertainty.quantile import cases_needed, conformal_quantile
from napari_landmarker.engine.uncertainty.regions import Region
from napari_landmarker.engine.uncertainty.score import Score
from napari_landmarker.engine.uncertainty.scores import EuclideanScore, MahalanobisScore, PerAxisScore

if TYPE_CHECKING:
    from napari_landmarker.engine.uncertainty.heat_regressors import MR2C2R, MR2CCP, ContourHuggingRegressor
    from napari_landmarker.engine.uncertainty.regressors import (
        ConformalRegressorBonferroni,
        ConformalRegressorMahalanobis,
        ConformalRegressorMaxNonconformity,
        MultivariateNormalRegressor,
    )
    from napari_landmarker.engine.uncertainty.scatter import ErrorScatter
    from napari_landmarker.engine.uncertainty.temperature import TemperatureScaling

_HOMES = {
    "ConformalRegressorBonferroni": "regressors",
    "ConformalRegressorMahalanobis": "regressors",
    "ConformalRegressorMaxNonconformity": "regressors",
    "ContourHuggingRegressor": "heat_regressors",
    "MR2C2R": "heat_regressors",
    "MR2CCP": "heat_regressors",
    "MultivariateNormalRegressor": "regressors",
    "ErrorScatter": "scatter",
    "TemperatureScaling": "temperature",
}

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
    "ErrorScatter",
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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
