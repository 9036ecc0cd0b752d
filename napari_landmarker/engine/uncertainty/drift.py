"""Drift: do the regions still cover, on images that came later?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.uncertainty.calibration import Calibration
from napari_landmarker.engine.uncertainty.coverage import all_inside

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction

#: With fewer images, a word that is kept says little.
ENOUGH_IMAGES = 10
#: How rarely regions that keep their word are said not to.
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Drift:
    """Whether regions keep their word on later images.

    Attributes:
        confidence: what was promised.
        images: how many were judged.
        count: true places that were judged; of a joint calibration, images.
        covered: how many of them lie inside; of an image, all of its places.
        expected: how many were promised, on average.
        p_value: the probability that regions which keep their word cover so few or fewer.
        kept: whether the word is kept as far as can be seen: ``p_value`` is 0.05 or more.
        enough: whether there are images enough for this to say much.
        landmarks: those that are to blame, where each landmark has its own promise.
        sentence: all this, in plain words.
    """

    confidence: float
    images: int
    count: int
    covered: int
    expected: float
    p_value: float
    kept: bool
    enough: bool
    landmarks: tuple[str, ...]
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self)


def drift(calibration: Calibration, items: Iterable[tuple[Prediction, LandmarkSet]], confidence: float = 0.95) -> Drift:
    """Ask whether regions cover images that came later as often as they promised.

    The test is exact. Of ``m`` new images, the number that regions from ``n`` others cover has a beta-binomial law,
    which is wider than the binomial one as the ``n`` images are a sample too (Vovk, *Conditional validity of inductive
    conformal predictors*, Machine Learning 92, 2013). Landmarks of one image err together and are not counted as
    independent: each is tested alone, and the smallest p-value counts as often as there are landmarks; with one
    threshold for all, an image counts as the share of its points; with a joint promise, as one. Ties, several
    components and shares make it cautious.

    Args:
        calibration: of the model.
        items: what the model said of each image, and the places that a person then set; points that were accepted
            unseen would make regions look better than they are.
        confidence: what was promised.

    Raises:
        CalibrationError: if an image does not fit the calibration, or the confidence is not between 0 and 1.
    """
    names, how = calibration.names, calibration.config.landmarks
    rows = []
    for prediction, truth in items:
        inside = dict(zip(prediction.names, calibration.covers(prediction, truth, confidence), strict=True))
        rows.append([inside.get(name, np.nan) for name in names])
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    table = table[~np.isnan(table).all(axis=1)]
    judged = all_inside(table) if calibration.config.joint else table[~np.isnan(table)]
    cases = [calibration.cases_for(name) for name in names]
    if how == "each":
        found = [
            _p_value(calibration, n, own[~np.isnan(own)], confidence) for n, own in zip(cases, table.T, strict=True)
        ]
    else:
        shares = np.nanmean(table, axis=1) if how == "pooled" and len(table) else judged
        found = [_p_value(calibration, min(filter(None, cases), default=0), shares, confidence)]
    corrected = [min(1.0, p * len(found)) for p in found]
    slipped = [n for n, p in zip(names, corrected, strict=False) if p < SIGNIFICANCE] if how == "each" else []
    p_value = min(corrected, default=1.0)
    kept, enough = p_value >= SIGNIFICANCE, len(table) >= ENOUGH_IMAGES
    expected, covered = confidence * len(judged), int(judged.sum())
    what = "images, with all of their points," if calibration.config.joint else "points"
    sentence = _sentence(f"{covered} of {len(judged)} {what}", expected, kept, enough, slipped)
    return Drift(
        confidence, len(table), len(judged), covered, expected, p_value, kept, enough, tuple(slipped), sentence
    )


def _p_value(calibration: Calibration, cases: int, covered: FloatArray, confidence: float) -> float:
    """How probable it is that regions from ``cases`` images cover so little: ``covered`` ``(m,)``, shares of images."""
    from scipy import stats  # slow to load

    count, seen = len(covered), ceil(covered.sum() - 1e-9)
    if calibration.config.calibrator == "parametric":
        return float(stats.binom.cdf(seen, count, confidence))
    rank = ceil((cases + 1) * confidence - 1e-9)
    if rank > cases:  # whole images: nothing is claimed that could be wrong
        return 1.0
    return float(stats.betabinom.cdf(seen, count, rank, cases + 1 - rank))


def _sentence(seen: str, expected: float, kept: bool, enough: bool, slipped: Sequence[str]) -> str:
    """What is told a person."""
    start = f"{seen} lie inside their regions, where about {expected:.0f} were promised"
    if not kept:
        of = f" of {', '.join(slipped)}" if slipped else ""
        return f"{start}: the regions{of} no longer keep their word. Calibrate again with these images."
    if not enough:
        return f"{start}. That is too few images to tell whether the regions keep their word."
    return f"{start}: the regions keep their word."
