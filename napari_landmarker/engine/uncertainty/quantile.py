"""The conformal quantile: how far a region must reach to hold the true place of a new image as often as it promises.

If the images of a calibration set and a new image are alike (exchangeable), the score of the new one is as likely to
be the smallest of all as the second, the third ... or the largest. A threshold at the score of rank ``ceil((n + 1) c)``
among ``n`` therefore holds it with a probability of at least ``c``, and at most ``c + 1 / (n + 1)`` where no two scores
are equal; whatever the model, the images or the law of the errors. Where the rank is beyond ``n``, no finite threshold
can promise that.

Sources: Vovk, Gammerman and Shafer, *Algorithmic learning in a random world*, 2005 (also the randomised ranks); Lei et
al., *Distribution-free predictive inference for regression*, JASA 113, 2018; several scores of one image: Lee, Barber
and Willett, *Distribution-free inference with hierarchical data*, arXiv 2306.06342, and Dunn, Wasserman and Ramdas,
*Distribution-free prediction sets for two-layer hierarchical models*, JASA 118, 2023.
"""

from __future__ import annotations

from math import ceil
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import FloatArray

Landmarks = Literal["each", "pooled", "bonferroni", "max"]

#: Ranks are counted in floats: what is this close to a whole number is that number.
_TOLERANCE = 1e-9


def checked_confidence(confidence: float) -> float:
    """A confidence that can be promised.

    Raises:
        CalibrationError: if it is not between 0 and 1, both excluded.
    """
    if not 0 < confidence < 1:
        raise CalibrationError(f"A confidence lies between 0 and 1, as 0.95 does for 95 %; {confidence} does not.")
    return float(confidence)


def cases_needed(confidence: float) -> int:
    """The fewest images that can promise a confidence: the smallest ``n`` with ``ceil((n + 1) c) <= n``."""
    level = checked_confidence(confidence)
    return max(1, ceil(level / (1 - level) * (1 - _TOLERANCE)))


def conformal_quantile(
    scores: FloatArray, confidence: npt.ArrayLike, rng: np.random.Generator | None = None
) -> FloatArray:
    """The threshold that the score of a new image keeps with a probability of at least ``confidence``.

    Each image counts the same, however many scores it has, and the new image's count as infinite; what is promised is
    then the probability for one of them at random.

    Args:
        scores: ``(n, J, *rest)``, the ``J`` scores of each image; NaN where there is none, infinite where nothing
            finite is enough. Images without any score are left out. ``rest`` are problems of their own.
        confidence: what is promised, between 0 and 1; a number, or one for each of ``rest``.
        rng: breaks ties and the rank's fraction by chance, so that the probability is exactly ``confidence``: a score
            equal to the threshold may then lie outside, and another call gives another threshold. Of images with
            several scores, one at random is then used.

    Returns:
        ``(*rest)``: infinite where the images are too few; with ``rng`` minus infinite where chance says that no score
        keeps it, which only happens where ``confidence < 1 / (n + 1)``.
    """
    scores = np.asarray(scores, dtype=np.float64)
    known = ~np.isnan(scores)
    per_image = known.sum(axis=1, keepdims=True)
    ranks = ((per_image > 0).sum(axis=(0, 1)) + 1.0) * np.asarray(confidence, dtype=np.float64)
    filled = np.where(known, scores, np.inf)
    if rng is not None:
        drawn = np.where(known, rng.random(scores.shape), -1.0).argmax(axis=1, keepdims=True)
        return _randomised(np.take_along_axis(filled, drawn, axis=1)[:, 0], ranks, rng)
    ranks = ranks - _TOLERANCE * ranks
    flat = filled.reshape(-1, *scores.shape[2:])
    if scores.shape[1] == 1:  # all images that count have one share: the rank is a place
        return _taken(np.sort(flat, axis=0), np.ceil(ranks).astype(np.int64) - 1)
    order = flat.argsort(axis=0)
    shares = (known / np.maximum(per_image, 1)).reshape(flat.shape)
    reached = np.take_along_axis(shares, order, axis=0).cumsum(axis=0)
    return _taken(np.take_along_axis(flat, order, axis=0), (reached < ranks).sum(axis=0))


def _randomised(scores: FloatArray, ranks: FloatArray, rng: np.random.Generator) -> FloatArray:
    """`conformal_quantile` of one score an image, ``(n, *rest)``, infinite where there is none.

    The rank of the new score, drawn among its equals, is uniform in ``1 ... n + 1``; it shall be at most a whole number
    that is ``ranks`` on average.
    """
    whole = np.floor(ranks + _TOLERANCE * ranks)
    rank = (whole + (rng.random(ranks.shape) < ranks - whole)).astype(np.int64)
    threshold = _taken(np.sort(scores, axis=0), np.maximum(rank - 1, 0))
    below, equal = (scores < threshold).sum(axis=0), (scores == threshold).sum(axis=0)
    keeps = np.isinf(threshold) | (rng.random(ranks.shape) < (rank - below) / (equal + 1))
    return np.where(rank < 1, -np.inf, np.where(keeps, threshold, np.nextafter(threshold, -np.inf)))


def _taken(ordered: FloatArray, at: npt.NDArray[np.int64]) -> FloatArray:
    """Row ``at`` ``(*rest)`` of ``(n, *rest)``; infinite beyond the last."""
    beyond = np.full((1, *ordered.shape[1:]), np.inf)
    rows = np.minimum(at, len(ordered))[None]
    return np.asarray(np.take_along_axis(np.concatenate([ordered, beyond]), rows, axis=0)[0])


def landmark_thresholds(
    scores: FloatArray, level: float, landmarks: Landmarks, rng: np.random.Generator | None = None
) -> FloatArray:
    """A threshold for each landmark, from the images that count for it.

    Args:
        scores: ``(n, L, *rest)``, NaN where a landmark has no true place.
        level: what each threshold promises; the share of `level_of_each`.
        landmarks: see `uncertainty.calibration`; ``max`` counts images that show all landmarks which any image shows.
        rng: see `conformal_quantile`.

    Returns:
        ``(L, *rest)``, infinite where the images are too few, or none shows the landmark.
    """
    shown = (~np.isnan(scores)).any(axis=0)
    if landmarks == "pooled":
        common = conformal_quantile(scores, level, rng)
    elif landmarks == "max":
        worst = np.where(shown, scores, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
        common = conformal_quantile(worst, level, rng)
    else:
        return conformal_quantile(scores[:, None], level, rng)
    return np.where(shown, common, np.inf)


def keeps(scores: FloatArray, thresholds: FloatArray) -> FloatArray:
    """Whether regions hold the places with scores ``(..., K)``: 1 or 0, NaN without a place: ``(...)``.

    They do where all components keep their thresholds, and where the scores are infinite: of a landmark that was not
    found, the region is the whole image.
    """
    inside = (scores <= thresholds).all(axis=-1) | np.isposinf(scores).any(axis=-1)
    return np.where(np.isnan(scores + thresholds).any(axis=-1), np.nan, inside)


def level_of_each(confidence: float, landmarks: Landmarks, count: int, components: int) -> float:
    """What each of several thresholds must promise, so that all together keep a confidence.

    (Bonferroni's inequality: misses add up at worst.)

    Args:
        confidence: what all together promise.
        landmarks: how landmarks are taken together.
        count: landmarks that have thresholds.
        components: thresholds of each landmark.

    Raises:
        CalibrationError: if the confidence is not between 0 and 1.
    """
    shares = components * (max(count, 1) if landmarks == "bonferroni" else 1)
    return 1 - (1 - checked_confidence(confidence)) / shares
