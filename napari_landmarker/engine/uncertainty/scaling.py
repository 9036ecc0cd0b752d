"""What predictions are changed by before they are scored: temperatures, or typical errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.uncertainty.configs import CalibrationConfig
from napari_landmarker.engine.uncertainty.scatter import ErrorScatter
from napari_landmarker.engine.uncertainty.temperature import TemperatureScaling

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction

Scaling = TemperatureScaling | ErrorScatter


def learn_scaling(
    config: CalibrationConfig, predictions: Iterable[Prediction], truths: Sequence[LandmarkSet]
) -> Scaling:
    """The temperatures, or typical errors, that a choice asks for, from the images that are kept for that.

    Raises:
        CalibrationError: if there is no image, or they do not suit the choice.
    """
    of = config.score.tempered
    if not truths or of is None:
        raise CalibrationError(
            f"A calibration with temperatures needs at least {config.images_for(1)} images: keep more apart, or choose "
            "no temperature."
        )
    if config.temperature == "scatter":
        return ErrorScatter.fit(predictions, truths)
    return TemperatureScaling.fit(predictions, truths, config.temperature == "each", of)


def scaled(prediction: Prediction, scaling: Scaling | None) -> Prediction:
    """A prediction as it is scored."""
    return prediction if scaling is None else scaling.applied(prediction)


def suits(scaling: Scaling | None, config: CalibrationConfig) -> bool:
    """Whether this is what a choice asks for."""
    if scaling is None or config.temperature == "none":
        return scaling is None and config.temperature == "none"
    return scaling.of == config.score.tempered and isinstance(scaling, ErrorScatter) == (
        config.temperature == "scatter"
    )
