"""Do the regions keep their word? How often they contain the true places, how large they are, and where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.uncertainty.calibration import Calibration
from napari_landmarker.engine.uncertainty.quantile import checked_confidence, keeps
from napari_landmarker.engine.uncertainty.score import places_of, points_of

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.prediction import Prediction

CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
#: Of the intervals of coverages.
INTERVAL = 0.95


@dataclass(frozen=True)
class Coverage:
    """How often regions contain the truth, and how large they are.

    Attributes:
        n: true places that were judged, or images.
        covered: how many of them lie inside; of an image, all of its places.
        coverage: ``covered / n``; None where there are none.
        interval: 95 % interval of the coverage of other such images (Clopper and Pearson, *Biometrika* 26, 1934);
            None where there are none, and of the places of several landmarks, as those of an image err together.
        whole: regions that are the whole image.
        mean_size: of the regions, in the report's unit; None where images differ in it, or a region has no end.
        median_size: the same.
        adaptivity: rank correlation (Spearman) of the size of a region with the error of its point: regions that know
            which points are bad have one well above 0. None where all sizes, or all errors, are equal.
    """

    n: int
    covered: int
    coverage: float | None
    interval: tuple[float, float] | None
    whole: int = 0
    mean_size: float | None = None
    median_size: float | None = None
    adaptivity: float | None = None


@dataclass(frozen=True)
class CoverageReport:
    """What regions are worth, at one confidence, and how often they cover at others.

    Attributes:
        confidence: what was promised.
        unit: of sizes; None where images differ in it, or regions were not drawn.
        landmarks: each landmark.
        points: the places of all landmarks.
        images: images of which all true places lie in their regions: what a joint calibration promises.
        reliability: confidences and the coverage of the points (of the images, where the promise is joint) at each.
        joint: whether the promise is one about all landmarks of an image together.
    """

    confidence: float
    unit: str | None
    landmarks: dict[str, Coverage]
    points: Coverage
    images: Coverage
    reliability: tuple[tuple[float, float | None], ...] = field(default=())
    joint: bool = False

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self)


def evaluate_regions(
    calibration: Calibration,
    items: Iterable[tuple[Prediction, LandmarkSet]],
    confidences: Sequence[float] = CONFIDENCES,
    *,
    confidence: float = 0.95,
) -> CoverageReport:
    """Judge regions on images that neither the model nor the calibration has learnt from.

    Args:
        calibration: of the model.
        items: what the model says of each image, and the true places in it; one at a time, none is kept.
        confidences: those of the reliability.
        confidence: the one that all else is told of.

    Raises:
        CalibrationError: if an image does not fit the calibration, or a confidence is not between 0 and 1.
    """
    limits = _limits(calibration, [confidence, *confidences])
    scores, drawn = [], _Drawn(confidence)
    for prediction, truth in items:
        calibration.check(prediction)
        rows = [prediction.landmarks.row(name) for name in calibration.names]
        scores.append(calibration.scores_of(prediction, truth)[rows])
        drawn.add(calibration, prediction, truth)
    table = np.reshape(scores, (len(scores), *calibration.scores.shape[1:]))
    return _report(calibration, keeps(table[None], limits[:, None]), (confidence, *confidences), drawn)


def leave_one_out(
    calibration: Calibration,
    confidences: Sequence[float] = CONFIDENCES,
    *,
    confidence: float = 0.95,
    items: Iterable[tuple[Prediction, LandmarkSet]] | None = None,
) -> CoverageReport:
    """Judge a calibration on its own images, each by the others.

    Args:
        calibration: of the model.
        confidences: those of the reliability.
        confidence: the one that all else is told of.
        items: what it was made from, in the same order, to tell the sizes of regions; None where that is gone.

    Raises:
        CalibrationError: if a confidence is not between 0 and 1.
    """
    levels = (confidence, *confidences)
    inside = np.full((len(levels), *calibration.scores.shape[:2]), np.nan)
    others = [calibration.without(image) for image in range(calibration.count)]
    for image, own in enumerate(others):
        inside[:, image] = keeps(calibration.scores[image], _limits(own, levels))
    if items is None:
        return _report(calibration, inside, levels, None)
    drawn = _Drawn(confidence)
    for own, (prediction, truth) in zip(others, items, strict=True):
        drawn.add(own, prediction, truth)
    return _report(calibration, inside, levels, drawn)


class _Drawn:
    """The regions of images at one confidence where the true places are known: how large, and how wrong the points."""

    def __init__(self, confidence: float) -> None:
        self._confidence = confidence
        self._sizes: list[FloatArray] = []
        self._errors: list[FloatArray] = []
        self._whole: list[npt.NDArray[np.bool_]] = []
        self._units: set[str] = set()

    def add(self, calibration: Calibration, prediction: Prediction, truth: LandmarkSet) -> None:
        """Draw the regions of one more image."""
        names, landmarks = calibration.names, prediction.landmarks
        places = places_of(truth.truth(), names)
        points = points_of(landmarks)[[landmarks.row(name) for name in names]]
        size, whole = np.full(len(names), np.nan), np.zeros(len(names), dtype=np.bool_)
        for row in np.flatnonzero(np.isfinite(places).all(axis=1)).tolist():
            region = calibration.region(prediction, names[row], self._confidence)
            size[row], whole[row] = region.size, region.whole
            self._units.add(region.unit)
        self._sizes.append(size)
        self._errors.append(landmarks.grid.distance(points, places))
        self._whole.append(whole)

    @property
    def unit(self) -> str | None:
        """Unit of the sizes; None where images differ in it."""
        return next(iter(self._units)) if len(self._units) == 1 else None

    def of(self, rows: list[int]) -> tuple[FloatArray, FloatArray, int]:
        """Sizes and errors of some landmarks in all images, NaN where unknown, and how many are the whole image."""
        if not self._sizes:
            return np.empty(0), np.empty(0), 0
        sizes: FloatArray = np.stack(self._sizes)[:, rows].ravel()
        errors: FloatArray = np.stack(self._errors)[:, rows].ravel()
        whole = sum(int(own[rows].sum()) for own in self._whole)
        return (sizes if self.unit else np.full_like(sizes, np.nan)), errors, whole


def _limits(calibration: Calibration, confidences: Sequence[float]) -> FloatArray:
    """Thresholds ``(C, L, K)``."""
    return np.stack([calibration.thresholds(checked_confidence(c)) for c in confidences])


def all_inside(inside: FloatArray) -> FloatArray:
    """Whether all landmarks of an image are inside, ``(m,)``, of 1, 0 or NaN for each, ``(n, L)``; none if all NaN."""
    known = ~np.isnan(inside)
    return np.asarray(np.where(known, inside, 1.0).min(axis=1, initial=1.0)[known.any(axis=1)])


def _report(
    calibration: Calibration, inside: FloatArray, levels: Sequence[float], drawn: _Drawn | None
) -> CoverageReport:
    """The report of ``inside`` ``(C, n, L)``, the first of ``levels`` being that of which all is told."""
    joint = calibration.config.joint
    rates = [_counted((all_inside(own) if joint else own).ravel()).coverage for own in inside[1:]]
    first = inside[0]
    return CoverageReport(
        confidence=levels[0],
        unit=None if drawn is None else drawn.unit,
        landmarks={n: _described(first[:, [r]], drawn, [r]) for r, n in enumerate(calibration.names)},
        points=_described(first, drawn, list(range(first.shape[1]))),
        images=_counted(all_inside(first)),
        reliability=tuple(zip(levels[1:], rates, strict=True)),
        joint=joint,
    )


def _described(inside: FloatArray, drawn: _Drawn | None, rows: list[int]) -> Coverage:
    """The coverage ``(n, len(rows))`` of some landmarks, with what is known of their regions."""
    counted = asdict(_counted(inside.ravel(), together=len(rows) > 1))
    if drawn is None:
        return Coverage(**counted)
    sizes, errors, whole = drawn.of(rows)
    known = sizes[~np.isnan(sizes)]
    ended = known.size > 0 and bool(np.isfinite(known).all())
    counted.update(
        whole=whole,
        mean_size=float(known.mean()) if ended else None,
        median_size=float(np.median(known)) if ended else None,
        adaptivity=_rank_correlation(sizes, errors),
    )
    return Coverage(**counted)


def _counted(inside: FloatArray, together: bool = False) -> Coverage:
    known = inside[~np.isnan(inside)]
    n, covered = len(known), int(known.sum())
    if not n:
        return Coverage(0, 0, None, None)
    return Coverage(n, covered, covered / n, None if together else binomial_interval(covered, n))


def binomial_interval(covered: int, n: int, level: float = INTERVAL) -> tuple[float, float]:
    """The exact interval of a probability of which ``covered`` of ``n`` were seen (Clopper and Pearson).

    Raises:
        CalibrationError: if there are no cases, or ``covered`` is not among them.
    """
    from scipy import stats  # slow to load

    if not 0 <= covered <= n or n < 1:
        raise CalibrationError(f"{covered} of {n} is not a share.")
    tail = (1 - checked_confidence(level)) / 2
    low = stats.beta.ppf(tail, covered, n - covered + 1) if covered else 0.0
    high = stats.beta.isf(tail, covered + 1, n - covered) if covered < n else 1.0
    return float(low), float(high)


def _rank_correlation(sizes: FloatArray, errors: FloatArray) -> float | None:
    from scipy import stats  # slow to load

    known = np.isfinite(sizes) & np.isfinite(errors)
    if known.sum() < 3 or np.ptp(sizes[known]) == 0 or np.ptp(errors[known]) == 0:
        return None
    return float(stats.spearmanr(sizes[known], errors[known]).statistic)
