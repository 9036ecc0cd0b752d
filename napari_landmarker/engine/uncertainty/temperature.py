"""Temperature scaling: heat that is as sure as it is right.

A network's heatmap often claims too narrow a place, or too wide. Raised to the power ``1 / T`` and brought to a sum of
1 again, it is flatter for a temperature above 1 and sharper below; the maximum stays where it is. The temperature is
that under which the true cells of some images are most likely. Of a softmax it divides the logits; of a Gaussian it
multiplies the variance.

Conformal regions of `DensityScore` do not change by it (where it is relative), as it keeps the order of cells; those of
`RankScore`, conformal or parametric, do.

Source: Guo et al., *On calibration of modern neural networks*, ICML 2017.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy import optimize

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.uncertainty.density import DensityScore
from napari_landmarker.engine.uncertainty.score import places_of

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction

#: Of all temperatures that are tried.
LOWEST, HIGHEST = 0.02, 50.0
_BINS = 1024
#: No cell is taken to be less likely than this beside the maximum: what float32 can tell from zero.
_LEAST = float(np.finfo(np.float32).tiny)


class TemperatureScaling(BaseModel):
    """A temperature for heatmaps.

    Attributes:
        temperature: above 1 it makes them flatter, below 1 sharper.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperature: float = Field(1.0, ge=LOWEST, le=HIGHEST, title="Temperature")

    @classmethod
    def fit(cls, predictions: Iterable[Prediction], truths: Iterable[LandmarkSet]) -> TemperatureScaling:
        """The temperature under which true places are most likely, all landmarks together.

        Args:
            predictions: what the model says of images it has not learnt from; none is kept.
            truths: the true places in each, matched by name; missing ones, and maps that say nothing, are left out.

        Raises:
            CalibrationError: if no true place has a heatmap, or images and truths are not equally many.
        """
        seen: list[_Summary] = []
        for prediction, truth in zip_longest(predictions, truths):
            if prediction is None or truth is None:
                raise CalibrationError("A temperature needs the true places of each image, and a prediction of each.")
            seen.extend(_summaries(prediction, truth))
        if not seen:
            raise CalibrationError("A temperature needs at least one true place with a heatmap: add annotated images.")
        levels, counts, own = (np.stack(column) for column in zip(*seen, strict=True))

        def unlikely(log_temperature: float) -> float:
            sharpness = np.exp(-log_temperature)
            mass = (counts * np.exp(sharpness * levels)).sum(axis=1)
            return float((np.log(mass) - sharpness * own).mean())

        found = optimize.minimize_scalar(unlikely, bounds=np.log([LOWEST, HIGHEST]), method="bounded")
        return cls(temperature=float(np.clip(np.exp(found.x), LOWEST, HIGHEST)))

    def apply(self, heat: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Heatmaps ``(L, *space)`` of 0 or more, each with its maximum at 1, at this temperature: the same type.

        A map that is zero, or has a value that is no number, stays as it is.
        """
        peak = heat.max(axis=tuple(range(1, heat.ndim)), keepdims=True)
        usable = np.isfinite(peak) & (peak > 0)
        scaled = np.divide(heat, peak, out=np.zeros_like(heat), where=usable)
        np.power(scaled, 1 / self.temperature, out=scaled)
        return np.where(usable, scaled, heat)

    def applied(self, prediction: Prediction) -> Prediction:
        """A prediction whose heatmaps are at this temperature; its points and covariances stay as they are."""
        return replace(prediction, heatmaps=self.apply(prediction.heatmaps).astype(np.float32, copy=False))


class _Summary(NamedTuple):
    """What is needed of one heatmap: how often which logarithms of heat occur, and that of the true cell.

    Sums over all cells are those over the bins, to a thousandth: bins hold the mean of their logarithms.
    """

    levels: FloatArray
    counts: FloatArray
    own: float


def _summaries(prediction: Prediction, truth: LandmarkSet) -> Iterator[_Summary]:
    score = DensityScore()
    places = places_of(truth.truth(), prediction.names)
    for row in np.flatnonzero(np.isfinite(places).all(axis=1)).tolist():
        if not score.found(prediction, row):
            continue
        heat = score.heat(prediction, row)
        logs = np.log(np.maximum(heat.values.astype(np.float64) / heat.peak, _LEAST))
        at = np.minimum((logs * (_BINS / np.log(_LEAST))).astype(np.int64), _BINS - 1).ravel()
        counts = np.bincount(at, minlength=_BINS).astype(np.float64)
        sums = np.bincount(at, logs.ravel(), _BINS)
        own = logs[tuple(heat.tiles.cell_of(places[row]))]
        yield _Summary(sums / np.maximum(counts, 1), counts, float(own))
