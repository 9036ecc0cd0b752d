"""Temperature scaling: heat that is as sure as it is right.

A network's heatmap often claims too narrow a place, or too wide. Raised to the power ``1 / T`` and brought to a sum of
1 again, it is flatter for a temperature above 1 and sharper below; the maximum stays where it is. The temperature is
that under which the true cells of some images are most likely. Of a softmax it divides the logits; of a Gaussian it
multiplies the variance.

It comes before a calibration, which must then see, as each new image must, the heat at that temperature::

    scaling = TemperatureScaling.fit(predictions, truths)
    calibration = Calibration.fit(config, map(scaling.applied, others), truths_of_others)
    region = calibration.region(scaling.applied(prediction), name, 0.95)

The images of the two are best not the same: what was fitted to images fits these better than it will others, and the
promise of a calibration rests on images like any other. Conformal regions of a relative `DensityScore` do not change by
one temperature, as it keeps the order of cells; those of `RankScore`, conformal or parametric, do.

Source: Guo et al., *On calibration of modern neural networks*, ICML 2017.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, NamedTuple

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
        own: those of landmarks that have one of their own, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperature: float = Field(1.0, ge=LOWEST, le=HIGHEST, title="Temperature")
    own: dict[str, Annotated[float, Field(ge=LOWEST, le=HIGHEST)]] = Field({}, title="Of single landmarks")

    @classmethod
    def fit(
        cls, predictions: Iterable[Prediction], truths: Iterable[LandmarkSet], per_landmark: bool = False
    ) -> TemperatureScaling:
        """The temperature under which true places are most likely.

        Args:
            predictions: what the model says of images it has not learnt from; none is kept.
            truths: the true places in each, matched by name; missing ones, and maps that say nothing, are left out.
            per_landmark: whether each landmark gets one of its own; one without a true place keeps that of all.

        Raises:
            CalibrationError: if no true place has a heatmap, or images and truths are not equally many.
        """
        seen: dict[str, list[_Summary]] = {}
        for prediction, truth in zip_longest(predictions, truths):
            if prediction is None or truth is None:
                raise CalibrationError("A temperature needs the true places of each image, and a prediction of each.")
            for name, summary in _summaries(prediction, truth):
                seen.setdefault(name, []).append(summary)
        if not seen:
            raise CalibrationError("A temperature needs at least one true place with a heatmap: add annotated images.")
        common = _most_likely([summary for summaries in seen.values() for summary in summaries])
        own = {name: _most_likely(summaries) for name, summaries in seen.items()} if per_landmark else {}
        return cls(temperature=common, own=own)

    def apply(self, heat: npt.NDArray[np.floating], names: Sequence[str] = ()) -> npt.NDArray[np.floating]:
        """Heatmaps at this temperature, each brought to a maximum of 1; a map that says nothing stays as it is.

        Args:
            heat: ``(L, *space)``, 0 or more.
            names: the landmarks; without, none has a temperature of its own.

        Returns:
            A copy of the same type: maps that are zero, or have a value that is no finite number, unchanged.

        Raises:
            CalibrationError: if there are names, but not one for each map.
        """
        if len(names) not in (0, len(heat)):
            raise CalibrationError(f"{len(heat)} heatmaps do not fit {len(names)} landmarks.")
        each = [self.own.get(name, self.temperature) for name in names] or [self.temperature] * len(heat)
        out = heat.copy()
        for own, temperature in zip(out, each, strict=True):
            peak = own.max()
            if np.isfinite(peak) and peak > 0:
                np.power(own / peak, 1 / temperature, out=own)
        return out

    def applied(self, prediction: Prediction) -> Prediction:
        """A prediction whose heatmaps are at this temperature; its points and covariances stay as they are."""
        heat = self.apply(prediction.heatmaps, prediction.names)
        return replace(prediction, heatmaps=heat.astype(np.float32, copy=False))


class _Summary(NamedTuple):
    """What is needed of one heatmap: how often which logarithms of heat occur, and that of the true cell.

    Sums over all cells are those over the bins, to a thousandth: bins hold the mean of their logarithms.
    """

    levels: FloatArray
    counts: FloatArray
    own: float


def _summaries(prediction: Prediction, truth: LandmarkSet) -> Iterator[tuple[str, _Summary]]:
    """Of each landmark that has a true place and heat."""
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
        yield prediction.names[row], _Summary(sums / np.maximum(counts, 1), counts, float(own))


def _most_likely(seen: Sequence[_Summary]) -> float:
    """The temperature under which the true cells of some heatmaps are most likely."""
    levels, counts, own = (np.stack(column) for column in zip(*seen, strict=True))

    def unlikely(log_temperature: float) -> float:
        sharpness = np.exp(-log_temperature)
        mass = (counts * np.exp(sharpness * levels)).sum(axis=1)
        return float((np.log(mass) - sharpness * own).mean())

    found = optimize.minimize_scalar(unlikely, bounds=np.log([LOWEST, HIGHEST]), method="bounded")
    return float(np.clip(np.exp(found.x), LOWEST, HIGHEST))
