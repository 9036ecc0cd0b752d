"""Temperature scaling: heat that is as sure as it is right.

A network's heatmap often claims too narrow a place, or too wide. Raised to the power ``1 / T`` and brought to a sum of
1 again, it is flatter for a temperature above 1 and sharper below; the maximum stays where it is. The temperature is
that under which the true cells of some images are most likely. Of a softmax it divides the logits; of a Gaussian it
multiplies the variance, which is what it does to covariances: there it is that under which the true places are most
likely.

A calibration with ``temperature`` in its configuration does both: some of its images set the temperature, the others,
whose heat is brought to that, the thresholds. So what is promised holds as without: whatever is done to a prediction
that does not depend on the images of the thresholds, these and a new image stay alike. Were they the same images, their
scores would be smaller than those of new ones.

Which regions change? A temperature that all landmarks share keeps the order of covariances, and of the scores of a
relative `DensityScore`: their conformal regions stay, up to the images that set it; parametric ones change, and all
others of heat. With a temperature for each landmark, the scores of landmarks can be compared, so that regions which
share a threshold (``max``, ``pooled``) are not all as large as those of the landmark that the model is too sure of.

Source: Guo et al., *On calibration of modern neural networks*, ICML 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.uncertainty.density import DensityScore
from napari_landmarker.engine.uncertainty.score import covariances_of, places_of
from napari_landmarker.engine.uncertainty.scores import MahalanobisScore

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction

#: Of all temperatures that are tried.
LOWEST, HIGHEST = 0.02, 50.0
_BINS = 1024
#: No cell is taken to be less likely than this beside the maximum: what float32 can tell from zero.
_LEAST = float(np.finfo(np.float32).tiny)


class TemperatureScaling(BaseModel):
    """A temperature for heatmaps, or for covariances.

    Attributes:
        temperature: above 1 it makes heatmaps flatter and covariances larger, below 1 sharper and smaller.
        own: those of landmarks that have one of their own, by name.
        of: what it changes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperature: float = Field(1.0, ge=LOWEST, le=HIGHEST, title="Temperature")
    own: dict[str, Annotated[float, Field(ge=LOWEST, le=HIGHEST)]] = Field({}, title="Of single landmarks")
    of: Literal["heat", "covariance"] = Field("heat", title="Of")

    @classmethod
    def fit(
        cls,
        predictions: Iterable[Prediction],
        truths: Iterable[LandmarkSet],
        per_landmark: bool = False,
        of: Literal["heat", "covariance"] = "heat",
    ) -> TemperatureScaling:
        """The temperature under which true places are most likely.

        Args:
            predictions: what the model says of images it has not learnt from; none is kept.
            truths: the true places in each, matched by name; missing ones, and maps that say nothing, are left out.
            per_landmark: whether each landmark gets one of its own; one without a true place keeps that of all.
            of: what it shall change.

        Raises:
            CalibrationError: if no true place has a heatmap (or covariance), or images and truths are not equally many.
        """
        summaries, most_likely = _OF[of]
        seen: dict[str, list[Any]] = {}
        for prediction, truth in zip_longest(predictions, truths):
            if prediction is None or truth is None:
                raise CalibrationError("A temperature needs the true places of each image, and a prediction of each.")
            for name, summary in summaries(prediction, truth):
                seen.setdefault(name, []).append(summary)
        if not seen:
            what = "heatmap" if of == "heat" else "covariance"
            raise CalibrationError(f"A temperature needs at least one true place with a {what}: add annotated images.")
        common = most_likely([summary for of_landmark in seen.values() for summary in of_landmark])
        own = {name: most_likely(of_landmark) for name, of_landmark in seen.items()} if per_landmark else {}
        return cls(temperature=common, own=own, of=of)

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
        each = self._of_each(names) or [self.temperature] * len(heat)
        out = heat.copy()
        for own, temperature in zip(out, each, strict=True):
            peak = own.max()
            if np.isfinite(peak) and peak > 0:
                np.power(own / peak, 1 / temperature, out=own)
        return out

    def applied(self, prediction: Prediction) -> Prediction:
        """A prediction whose heatmaps, or whose covariances, are at this temperature; all else stays as it is.

        Raises:
            CalibrationError: if a temperature of covariances meets points without any.
        """
        if self.of == "covariance":
            landmarks, each = prediction.landmarks, np.array(self._of_each(prediction.names))
            scaled = covariances_of(landmarks) * each[:, None, None]
            shape = (*landmarks.points.shape, landmarks.grid.ndim)
            return replace(prediction, landmarks=replace(landmarks, covariance=scaled.reshape(shape)))
        heat = self.apply(prediction.heatmaps, prediction.names)
        return replace(prediction, heatmaps=heat.astype(np.float32, copy=False))

    def _of_each(self, names: Sequence[str]) -> list[float]:
        return [self.own.get(name, self.temperature) for name in names]


def of_row(prediction: Prediction, row: int) -> Prediction:
    """What a prediction says of one landmark, so that no more than that is brought to a temperature."""
    landmarks = prediction.landmarks.reordered([prediction.names[row]])
    return replace(prediction, landmarks=landmarks, heatmaps=prediction.heatmaps[[row]])


class _Summary(NamedTuple):
    """What is needed of one heatmap: how often which logarithms of heat occur, and that of the true cell.

    Sums over all cells are those over the bins, to a thousandth: bins hold the mean of their logarithms.
    """

    levels: FloatArray
    counts: FloatArray
    own: float


def _heat_of(prediction: Prediction, truth: LandmarkSet) -> Iterator[tuple[str, _Summary]]:
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


def _likely_heat(seen: Sequence[_Summary]) -> float:
    """The temperature under which the true cells of some heatmaps are most likely."""
    from scipy import optimize  # slow to load

    levels, counts, own = (np.stack(column) for column in zip(*seen, strict=True))

    def unlikely(log_temperature: float) -> float:
        sharpness = np.exp(-log_temperature)
        mass = (counts * np.exp(sharpness * levels)).sum(axis=1)
        return float((np.log(mass) - sharpness * own).mean())

    found = optimize.minimize_scalar(unlikely, bounds=np.log([LOWEST, HIGHEST]), method="bounded")
    return float(np.clip(np.exp(found.x), LOWEST, HIGHEST))


def _distance_of(prediction: Prediction, truth: LandmarkSet) -> Iterator[tuple[str, float]]:
    """Of each landmark that has a true place and a covariance: the squared Mahalanobis distance of an axis."""
    scores = MahalanobisScore().at(prediction, places_of(truth.truth(), prediction.names))[:, 0]
    for row in np.flatnonzero(np.isfinite(scores)).tolist():
        yield prediction.names[row], float(np.square(scores[row])) / prediction.landmarks.grid.ndim


def _likely_spread(seen: Sequence[float]) -> float:
    """The factor of covariances under which the true places of some Gaussians are most likely."""
    return float(np.clip(np.mean(seen), LOWEST, HIGHEST))


#: What is read of a prediction, and what of that is most likely.
_OF: dict[str, tuple[Callable[[Prediction, LandmarkSet], Iterator[tuple[str, Any]]], Callable[..., float]]] = {
    "heat": (_heat_of, _likely_heat),
    "covariance": (_distance_of, _likely_spread),
}
