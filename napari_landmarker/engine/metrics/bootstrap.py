"""Confidence intervals of the numbers of an evaluation, by resampling its images.

The points of one image err together, so whole images are drawn with replacement, not points (Field and Welsh,
*Bootstrapping clustered data*, Journal of the Royal Statistical Society B 69, 2007), and the interval is that of the
percentiles (Efron, *The jackknife, the bootstrap and other resampling plans*, 1982). It says how much a number would
vary if other images of the same kind had been taken; it says nothing of images of another kind.

No interval is given where it would mislead: with fewer than `MIN_IMAGES` images, and where all images agree, as where
all points lie within a radius, because resampling cannot show what it has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.geometry import FloatArray

#: An interval needs at least this many images that have something to compare.
MIN_IMAGES = 10
LEVEL = 0.95
RESAMPLES = 2000
SEED = 20250101
#: Weights times values that are in memory at once while medians are computed.
_CHUNK = 4_000_000

#: How often each image is in each resample, ``(R, N)``.
Weights = FloatArray


class Interval(NamedTuple):
    """A confidence interval, both ends included, in the unit of its number."""

    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """The confidence intervals of the numbers of a landmark, or of all; None where there is none.

    Attributes:
        mean: of the mean error.
        median: of the median error.
        sdr: of the success rate at each radius, in percent.
    """

    mean: Interval | None = None
    median: Interval | None = None
    sdr: dict[float, Interval | None] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The intervals as strict JSON: ``[low, high]`` or None; radii are keys such as ``"2.0"``."""
        as_list = {str(radius): _listed(interval) for radius, interval in self.sdr.items()}
        return {"mean": _listed(self.mean), "median": _listed(self.median), "sdr": as_list}


def draw_weights(n_images: int, *, resamples: int = RESAMPLES, seed: int = SEED) -> Weights:
    """How often each image is in each resample: ``(R, N)``, rows that sum to ``N``. The same seed, the same draws."""
    shares = np.full(n_images, 1 / n_images)
    return np.random.default_rng(seed).multinomial(n_images, shares, size=resamples).astype(np.float64)


def bootstrap_intervals(
    errors: FloatArray, image: npt.NDArray[np.intp], radii: Sequence[float], weights: Weights, level: float = LEVEL
) -> Intervals:
    """Intervals of mean, median and success rates.

    Args:
        errors: of true points ``(n,)``, NaN where the model gave no point: no error, and a failure at any radius.
        image: the image of each, an index below ``N``, ``(n,)``.
        radii: radii of the SDR.
        weights: see `draw_weights`; share them between landmarks, so that the draws are the same images.
        level: share of the resamples that the interval holds.
    """
    measured = np.isfinite(errors)
    values, of_value = errors[measured], image[measured]
    mean = median = None
    if _enough(of_value) and np.ptp(values) > 0:
        mean = _interval(_means(values, of_value, weights), level)
        median = _interval(_medians(values, of_value, weights), level)
    sdr: dict[float, Interval | None] = {}
    for radius in radii:
        hit = errors <= radius
        sdr[radius] = None
        if _enough(image) and hit.any() and not hit.all():
            sdr[radius] = _interval(_means(np.where(hit, 100.0, 0.0), image, weights), level)
    return Intervals(mean, median, sdr)


def _enough(image: npt.NDArray[np.intp]) -> bool:
    return np.unique(image).size >= MIN_IMAGES


def _means(values: FloatArray, image: npt.NDArray[np.intp], weights: Weights) -> FloatArray:
    """Mean of the values in each resample ``(R,)``, NaN where none was drawn."""
    n_images = weights.shape[1]
    total = weights @ np.bincount(image, values, n_images)
    drawn = weights @ np.bincount(image, minlength=n_images).astype(np.float64)
    return np.asarray(np.divide(total, drawn, out=np.full(len(weights), np.nan), where=drawn > 0))


def _medians(values: FloatArray, image: npt.NDArray[np.intp], weights: Weights) -> FloatArray:
    """Median of the values in each resample ``(R,)``: each counts as often as its image was drawn."""
    order = np.argsort(values, kind="stable")
    values, image = values[order], image[order]
    out = np.full(len(weights), np.nan)
    step = max(1, _CHUNK // values.size)
    for start in range(0, len(weights), step):
        reached = np.cumsum(weights[start : start + step][:, image], axis=1)
        total = reached[:, -1]
        drawn = np.flatnonzero(total > 0)
        middle = [(reached[drawn] <= rank[drawn, None]).sum(axis=1) for rank in ((total - 1) // 2, total // 2)]
        out[start + drawn] = (values[middle[0]] + values[middle[1]]) / 2
    return out


def _interval(statistic: FloatArray, level: float) -> Interval | None:
    known = statistic[np.isfinite(statistic)]
    if not known.size:
        return None
    low, high = np.percentile(known, [50 * (1 - level), 50 * (1 + level)])
    return Interval(float(low), float(high)) if high > low else None


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)
