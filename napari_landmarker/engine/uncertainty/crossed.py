"""Typical errors of a cross-validation: those of each fold are told by the others, so that no image is used up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.uncertainty.calibration import Calibration
from napari_landmarker.engine.uncertainty.configs import CalibrationConfig
from napari_landmarker.engine.uncertainty.scatter import ErrorScatter

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction


def crossed(
    config: CalibrationConfig, folds: Sequence[Sequence[tuple[Prediction, LandmarkSet]]], made_from: str = ""
) -> Calibration:
    """A calibration with typical errors from what the folds of a cross-validation held out.

    The errors of a fold's images are measured in spreads that the errors of the other folds were added to, as those of
    a new image will be measured in spreads that the errors of all were added to. All images set the thresholds. As of
    any cross-validation, nothing is proven (see `predict.calibrate.calibrate_model`).

    Args:
        config: the choice, with the temperature ``"scatter"``.
        folds: at least two; of each image what the model that has not met it says, and the true places.
        made_from: in words, which images these are.

    Raises:
        CalibrationError: as `Calibration.fit` and `ErrorScatter.fit`.
    """
    predictions, truths = [], []
    for number, fold in enumerate(folds):
        others = [one for other, rest in enumerate(folds) if other != number for one in rest]
        scatter = ErrorScatter.fit(*_columns(others))
        own, known = _columns(fold)
        predictions += [scatter.applied(prediction) for prediction in own]
        truths += known
    plain = Calibration.fit(config.changed(temperature="none"), predictions, truths, made_from)
    every = [one for fold in folds for one in fold]
    return replace(plain, config=config, scaling=ErrorScatter.fit(*_columns(every)), crossed=True)


def _columns(
    items: Sequence[tuple[Prediction, LandmarkSet]],
) -> tuple[list[Prediction], list[LandmarkSet]]:
    return [prediction for prediction, _ in items], [truth for _, truth in items]
