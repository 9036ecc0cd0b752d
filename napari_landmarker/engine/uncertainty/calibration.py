"""Calibration: a score and the scores of images with known places make regions that keep their word.

What is promised, at a confidence ``c`` and for images like those of the calibration set:

========== =========================================================================================================
landmarks  conformal regions contain, with a probability of at least ``c``
========== =========================================================================================================
each       the true place of each landmark (at most ``c + 1 / (n + 1)`` for scores of one component without ties)
pooled     the true place of a landmark at random: one threshold for all, which needs fewer images
bonferroni the true places of all landmarks of an image: each keeps ``1 - (1 - c) / L``
max        the same, from the worst landmark of each image, which needs fewer images; one threshold for all
========== =========================================================================================================

With a ``temperature``, heatmaps or covariances are first made as sure as they are right, or covariances are joined by
typical errors; a third of the images sets that and no threshold, so that what is promised stays true (see
`uncertainty.temperature`, `uncertainty.scatter`).

The parametric calibrator needs no images: it believes the model's own probabilities, of landmarks that err
independently (``max``: each keeps ``c ** (1 / L)``), and promises nothing where these are wrong.

Source: Jonkers et al., arXiv 2503.14106, and those named in `uncertainty.quantile` and `uncertainty.scores`. Joint
regions from the largest score: Messoudi et al., *Copula-based conformal prediction*, Pattern Recognition 120, 2021.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.uncertainty.box import WholeImage
from napari_landmarker.engine.uncertainty.configs import CalibrationConfig
from napari_landmarker.engine.uncertainty.quantile import (
    cases_needed,
    checked_confidence,
    keeps,
    landmark_thresholds,
    level_of_each,
)
from napari_landmarker.engine.uncertainty.regions import Region
from napari_landmarker.engine.uncertainty.scaling import Scaling, learn_scaling, scaled, suits
from napari_landmarker.engine.uncertainty.stored import StoredFields
from napari_landmarker.engine.uncertainty.temperature import of_row

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction


@dataclass(frozen=True, eq=False)
class Calibration:
    """A choice of regions and the scores that they stand on. It holds numbers only, and nothing of whom they are of.

    Attributes:
        config: the choice.
        names: the landmarks, ``L`` of them.
        ndim: dimensions ``D`` of the images.
        unit: of the scores: ``"mm"``, ``"px"``, or None for plain numbers.
        scores: ``(n, L, K)`` of ``n`` images, as `CalibrationConfig.scores_of` gives them.
        made_from: in words, which images these are.
        scaling: what predictions are changed by before they are scored; None where the choice is none.
        crossed: whether the scores are those of a cross-validation, of which the promise is not proven.
    """

    config: CalibrationConfig
    names: tuple[str, ...]
    ndim: int
    unit: str | None
    scores: FloatArray
    made_from: str = ""
    scaling: Scaling | None = None
    crossed: bool = False

    def __post_init__(self) -> None:
        scores = np.array(self.scores, dtype=np.float64)
        shape = (len(self.names), self.config.score.components(self.ndim))
        if scores.ndim != 3 or scores.shape[1:] != shape or (scores < 0).any():
            raise CalibrationError(f"A calibration needs scores of 0 or more, {shape} for each image.")
        if len(set(self.names)) != len(self.names) or (self.unit is None) == self.config.score.physical:
            raise CalibrationError(
                "A calibration needs each landmark once, and a unit exactly where scores are lengths."
            )
        if not suits(self.scaling, self.config):
            raise CalibrationError("A calibration needs temperatures exactly where its choice says so.")
        if self.config.calibrator == "parametric":
            self.config.score.parametric(0.5, self.ndim)  # says so if it cannot
        scores.setflags(write=False)
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "scores", scores)

    @classmethod
    def fit(
        cls,
        config: CalibrationConfig,
        predictions: Iterable[Prediction],
        truths: Iterable[LandmarkSet],
        made_from: str = "",
    ) -> Calibration:
        """Calibrate on images that the model has not learnt from, of any sizes and spacings.

        With a temperature, the first third of the images sets that, and the others the thresholds.

        Args:
            config: the choice.
            predictions: what the model says of each image; a generator will do, as none is kept.
            truths: the true places in each image, matched by name.
            made_from: in words, which images these are.

        Raises:
            CalibrationError: if there is no image, or they do not fit each other or the choice.
        """
        scaling = None
        if config.temperature != "none":
            truths, predictions = list(truths), iter(predictions)
            first = config.for_temperature(len(truths))
            scaling = learn_scaling(config, islice(predictions, first), truths[:first])
            truths = truths[first:]
        names: tuple[str, ...] = ()
        units: list[str | None] = []
        rows: list[FloatArray] = []
        ndim = 0
        for prediction, truth in zip_longest(predictions, truths):
            if prediction is None or truth is None:
                raise CalibrationError("A calibration needs the true places of each image, and a prediction of each.")
            names, grid = names or prediction.names, prediction.landmarks.grid
            units.append(config.unit_of(grid))
            ndim = ndim or grid.ndim
            if set(prediction.names) != set(names) or grid.ndim != ndim or units[-1] != units[0]:
                raise CalibrationError(
                    "The images of a calibration must have the same landmarks and dimensions, "
                    "and for scores in mm all of them a known spacing."
                )
            order = [prediction.names.index(name) for name in names]
            rows.append(config.scores_of(scaled(prediction, scaling), truth)[order])
        if not rows:
            raise CalibrationError("There is no image to calibrate on: keep at least one with true places apart.")
        return cls(config, names, ndim, units[0], np.stack(rows), made_from, scaling)

    @classmethod
    def from_scores(
        cls,
        config: CalibrationConfig,
        names: Sequence[str],
        ndim: int,
        scores: Sequence[npt.ArrayLike] = (),
        unit: str | None = None,
        made_from: str = "",
        scaling: Scaling | None = None,
    ) -> Calibration:
        """A calibration from scores ``(L, K)`` of each image; without images, one that is parametric.

        Raises:
            CalibrationError: if these do not fit the choice.
        """
        shape = (len(names), config.score.components(ndim))
        try:
            table = np.array(scores, dtype=np.float64) if len(scores) else np.empty((0, *shape))
        except ValueError:
            raise CalibrationError(f"A calibration needs scores of 0 or more, {shape} for each image.") from None
        return cls(config, tuple(names), ndim, unit, table, made_from, scaling)

    @property
    def count(self) -> int:
        """How many images its thresholds were made from."""
        return len(self.scores)

    def cases_for(self, name: str) -> int:
        """How many of the images count for a landmark: those that show it; for ``max`` all, for ``pooled`` any."""
        known = np.asarray(~np.isnan(self.scores).any(axis=2))
        own, shown = known[:, self._row(name)], np.asarray(known.any(axis=0))
        if self.config.landmarks == "max":
            own = np.asarray(own & known[:, shown].all(axis=1))
        elif self.config.landmarks == "pooled" and own.any():
            own = np.asarray(known.any(axis=1))
        return int(own.sum())

    def cases_needed(self, confidence: float) -> int:
        """The fewest images that can promise a confidence; 0 if it is not learnt from images."""
        level = self._level(confidence)
        return cases_needed(level) if self.config.calibrator == "conformal" else 0

    def enough_for(self, name: str, confidence: float) -> bool:
        """Whether there are images enough for a landmark; if not, its region is the whole image."""
        return self.cases_for(name) >= self.cases_needed(confidence)

    def thresholds(self, confidence: float, rng: np.random.Generator | None = None) -> FloatArray:
        """How large the score of each landmark may be inside its region.

        Args:
            confidence: what is promised, between 0 and 1.
            rng: breaks ties by chance, for exactly the confidence (see `conformal_quantile`); never below 0, so that
                regions are not empty.

        Returns:
            ``(L, K)``, infinite where the images are too few.

        Raises:
            CalibrationError: if the confidence is not between 0 and 1.
        """
        level = self._level(confidence)
        if self.config.calibrator == "conformal":
            return np.maximum(landmark_thresholds(self.scores, level, self.config.landmarks, rng), 0.0)
        return np.full(self.scores.shape[1:], self.config.score.parametric(level, self.ndim))

    def threshold(self, name: str, confidence: float, rng: np.random.Generator | None = None) -> FloatArray:
        """`thresholds` of one landmark, ``(K,)``; CalibrationError if there is no such landmark."""
        return np.asarray(self.thresholds(confidence, rng)[self._row(name)])

    def region(
        self, prediction: Prediction, name: str, confidence: float, rng: np.random.Generator | None = None
    ) -> Region:
        """Where a landmark may be in one image; the whole image, with the reason, where nothing less can be promised.

        Args:
            prediction: what the model says of the image.
            name: the landmark.
            confidence: what is promised, between 0 and 1.
            rng: see `threshold`.

        Raises:
            CalibrationError: if the image does not fit the calibration, or the confidence is not between 0 and 1.
        """
        self.check(prediction)
        row, grid = prediction.landmarks.row(name), prediction.landmarks.grid
        if name not in self.names:
            return WholeImage(grid, f"No images with '{name}' were kept to learn from how far it may be.")
        threshold = self.threshold(name, confidence, rng)
        if np.isfinite(threshold).all():
            if self.scaling is None:
                return self.config.score.region(prediction, row, threshold)
            return self.config.score.region(self.scaling.applied(of_row(prediction, row)), 0, threshold)
        promise, known, needed = f"{100 * confidence:.6g} %", self.cases_for(name), self.cases_needed(confidence)
        if known >= needed:
            return WholeImage(grid, f"The model misses '{name}' too often for a smaller region at {promise}.")
        shown = "all landmarks" if self.config.landmarks == "max" else f"'{name}'"
        return WholeImage(grid, f"For {promise} it takes {needed} images with {shown} to learn from, not {known}.")

    def regions(self, prediction: Prediction, confidence: float) -> dict[str, Region]:
        """The region of each landmark of a prediction, by name; see `region`."""
        return {name: self.region(prediction, name, confidence) for name in prediction.names}

    def scores_of(self, prediction: Prediction, truth: LandmarkSet) -> FloatArray:
        """See `CalibrationConfig.scores_of`; at the calibration's temperatures."""
        return self.config.scores_of(scaled(prediction, self.scaling), truth)

    def covers(self, prediction: Prediction, truth: LandmarkSet, confidence: float) -> FloatArray:
        """Whether the regions contain the true places of an image.

        Returns:
            ``(L,)`` in the prediction's order: 1 or 0, NaN where no true place is known or nothing was calibrated.

        Raises:
            CalibrationError: as `region` and `CalibrationConfig.scores_of`.
        """
        self.check(prediction)
        scores = self.scores_of(prediction, truth)
        thresholds = dict(zip(self.names, self.thresholds(confidence), strict=True))
        unknown = np.full(scores.shape[1], np.nan)
        limits = np.array([thresholds.get(name, unknown) for name in prediction.names])
        return keeps(scores, limits)

    def check(self, prediction: Prediction) -> None:
        """Check that an image fits the calibration.

        Raises:
            CalibrationError: if it has another number of dimensions, or another unit.
        """
        grid = prediction.landmarks.grid
        if grid.ndim != self.ndim:
            raise CalibrationError(f"These regions were calibrated on {self.ndim}D images; this one is {grid.ndim}D.")
        unit = self.config.unit_of(grid)
        if unit != self.unit:
            raise CalibrationError(
                f"These regions were calibrated in {self.unit}, but this image is measured in {unit}: "
                "give all images a spacing, or none."
            )

    def without(self, image: int) -> Calibration:
        """The calibration without one of its images, to judge it on that one."""
        return replace(self, scores=np.delete(self.scores, image, axis=0))

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file: null where no true place was known, ``"inf"`` where none was predicted."""
        scores = [
            [[None if np.isnan(s) else s if np.isfinite(s) else "inf" for s in row] for row in image]
            for image in self.scores.tolist()
        ]
        return {**StoredFields.of(self), "scores": scores}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Calibration:
        """Read what `to_dict` gave.

        Raises:
            CalibrationError: if it is damaged, or of a newer version of the program.
        """
        try:
            read = StoredFields.model_validate(stored)
            scores = [np.array(image, dtype=np.float64) for image in read.scores]
            made = cls.from_scores(
                read.config, read.names, read.ndim, scores, read.unit, read.made_from, read.temperature
            )
            return replace(made, crossed=read.crossed)
        except (ValueError, CalibrationError):
            raise CalibrationError(
                "The calibration of this model is damaged or of a newer version of the program: calibrate it again."
            ) from None

    def _level(self, confidence: float) -> float:
        """What each component of each landmark must keep, so that all together keep the confidence."""
        how, components = self.config.landmarks, self.config.score.components(self.ndim)
        if self.config.calibrator == "conformal":
            shown = int((~np.isnan(self.scores)).any(axis=(0, 2)).sum())
            return level_of_each(confidence, how, shown, components)
        together = checked_confidence(confidence) ** (1 / len(self.names)) if how == "max" else confidence
        return level_of_each(together, how, len(self.names), components)

    def _row(self, name: str) -> int:
        if name not in self.names:
            raise CalibrationError(
                f"There are no regions for '{name}': they were calibrated for {', '.join(self.names)}."
            )
        return self.names.index(name)
