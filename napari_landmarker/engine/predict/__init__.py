"""Prediction: the model folder, the predictor, and judging a model on a split.

Importing this package is quick; torch and MONAI are loaded when a model is.
"""

from napari_landmarker.engine.predict.bundle import ModelInfo, read_info
from napari_landmarker.engine.predict.evaluate import evaluate_model
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.predict.predictor import Predictor

__all__ = ["ModelInfo", "Prediction", "Predictor", "evaluate_model", "read_info"]
