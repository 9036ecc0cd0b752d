"""Simulated: regions cover what they promise, for every score, calibrator and way to take landmarks together.

How the many checks of this are judged is said in `coverage_checks`; all draws begin at seed 0.
"""

from functools import cache
from math import ceil

import numpy as np
import pytest
from coverage_checks import Check, judge
from scipy import stats
from uncertain_cases import ANISOTROPIC, covariance_of, names_of, predicted, truth_of

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.uncertainty import (
    Calibration,
    CalibrationConfig,
    EuclideanScore,
    MahalanobisScore,
    PerAxisScore,
    conformal_quantile,
    evaluate_regions,
    leave_one_out,
)
from napari_landmarker.engine.uncertainty.coverage import binomial_interval
from napari_landmarker.engine.uncertainty.quantile import landmark_thresholds, level_of_each
from napari_landmarker.engine.visualize import reliability_figure

SEED = 0
DRAWS = 2000
COUNTS = (5, 18, 19, 39, 100)
CONFIDENCES = (0.5, 0.9, 0.95)
LANDMARKS = 2
TOGETHER = ("each", "pooled", "bonferroni", "max")
SCORES = [
    EuclideanScore(),
    MahalanobisScore(),
    *(PerAxisScore(scaled=s, combine=c) for s in (True, False) for c in ("max", "bonferroni")),
]


@cache
def _images(ndim, turned):
    """Predictions in images of different size and spacing, with spreads that differ in each."""
    made = []
    for image in range(4):
        grid = Grid((40 + 17 * image,) * ndim, tuple(np.multiply(ANISOTROPIC[ndim], 1 + image / 2)))
        covariances = np.stack([covariance_of(ndim, 10 * image + k, 1.0 + image) for k in range(LANDMARKS)])
        if not turned:
            covariances = covariances * np.eye(ndim)
        made.append(predicted(np.full((LANDMARKS, ndim), 20.0 + image), grid, covariances))
    return made


def _scores(score, ndim, count, rng, gaussian=False):
    """Scores ``(count, L, K, DRAWS)`` of true places, with errors that are not what the model thinks of them.

    Unless they are Gaussian as the covariance says, errors have heavy tails, a bias, and are alike in one image.
    """
    which = rng.integers(4, size=(count, DRAWS))
    table = np.empty((count, LANDMARKS, score.components(ndim), DRAWS))
    common = rng.normal(size=(count, DRAWS, ndim))
    for image, prediction in enumerate(_images(ndim, not gaussian)):
        at = which == image
        for row in range(LANDMARKS):
            noise = rng.normal(size=(int(at.sum()), ndim))
            if not gaussian:
                noise = (noise + common[at]) * (0.3 + rng.exponential(size=(len(noise), 1))) + 0.4
            root = np.linalg.cholesky(prediction.landmarks.covariance[row])
            measured = score.measure(prediction, row, prediction.landmarks.points[row] + noise @ root.T)
            table[:, row].swapaxes(1, 2)[at] = measured
    return table


def _hits(inside, landmarks):
    """How many draws keep the promise: ``inside`` ``(L, DRAWS)``."""
    if landmarks == "each":
        return [int(own.sum()) for own in inside]
    if landmarks == "pooled":  # a landmark at random
        return [int(inside[np.arange(DRAWS) % LANDMARKS, np.arange(DRAWS)].sum())]
    return [int(inside.all(axis=0).sum())]


def _conformal(score, ndim, count, number):
    """The checks of one table of scores, and whether its thresholds are infinite where the images are too few."""
    table = _scores(score, ndim, count + 1, np.random.default_rng((SEED, ndim, number, count)))
    for confidence in CONFIDENCES:
        for landmarks in TOGETHER:
            level = level_of_each(confidence, landmarks, LANDMARKS, score.components(ndim))
            thresholds = landmark_thresholds(table[:count], level, landmarks)
            hits = _hits((table[-1] <= thresholds).all(axis=1), landmarks)
            enough = level * (count + 1) <= count + 1e-9
            yield (np.isfinite if enough else np.isinf)(thresholds).all() and (enough or set(hits) == {DRAWS})
            slack = 1 + 1 / LANDMARKS if landmarks == "pooled" else 1  # ``pooled`` meets ties of an image's own
            most = level + slack / (count + 1) if enough else 1.0
            for hit in hits:
                what = f"{score!r} {ndim}D n={count} c={confidence} {landmarks}"
                yield Check(what, (ndim, number, count), hit, DRAWS, confidence, most)


def test_conformal_regions_cover_what_they_promise_whatever_the_errors():
    found = [
        one
        for ndim in (2, 3)
        for number, score in enumerate(SCORES)
        for count in COUNTS
        for one in _conformal(score, ndim, count, number)
    ]
    checks = [one for one in found if isinstance(one, Check)]
    assert len(checks) == 2 * len(SCORES) * len(COUNTS) * len(CONFIDENCES) * (LANDMARKS + len(TOGETHER) - 1)
    assert all(one for one in found if not isinstance(one, Check))
    judge(checks)


@pytest.mark.parametrize(
    "rank", [lambda n, c: ceil(n * c), lambda n, c: ceil((n + 1) * c) + 1, lambda n, c: n * c // 1]
)
def test_a_wrong_rank_would_be_seen(rank):
    """The same checks of ranks that are one off, or where ``n`` stands for ``n + 1``, of scores without ties."""
    checks = {right: [] for right in (True, False)}
    for number in range(len(SCORES)):
        for count in COUNTS:
            table = np.sort(np.random.default_rng((SEED, number, count)).random((count, DRAWS)), axis=0)
            new = np.random.default_rng((SEED, number, count, 1)).random(DRAWS)
            for confidence in CONFIDENCES:
                enough = confidence * (count + 1) <= count + 1e-9
                most = confidence + 1 / (count + 1) if enough else 1.0
                for right, place in ((True, ceil((count + 1) * confidence - 1e-9)), (False, rank(count, confidence))):
                    inside = np.full(DRAWS, True) if place > count else new <= table[max(int(place), 1) - 1]
                    check = Check(
                        f"n={count} c={confidence}", (number, count), int(inside.sum()), DRAWS, confidence, most
                    )
                    checks[right].append(check)
    judge(checks[True])
    with pytest.raises(AssertionError):
        judge(checks[False])


def test_parametric_regions_cover_what_they_promise_of_gaussian_errors():
    """Exactly so for axes and landmarks that err independently, also where Bonferroni's inequality is cautious."""
    checks = []
    for ndim in (2, 3):
        for number, score in enumerate((MahalanobisScore(), PerAxisScore(), PerAxisScore(combine="bonferroni"))):
            components = score.components(ndim)
            (table,) = _scores(score, ndim, 1, np.random.default_rng((SEED, ndim, number)), gaussian=True)
            for landmarks in TOGETHER:
                config = CalibrationConfig(score=score, calibrator="parametric", landmarks=landmarks)
                calibration = Calibration.from_scores(config, names_of(LANDMARKS), ndim)
                for c in CONFIDENCES:
                    inside = (table <= calibration.thresholds(c)[..., None]).all(axis=1)
                    shares = components * (LANDMARKS if landmarks == "bonferroni" else 1)
                    exact = (1 - (1 - c) / shares) ** shares
                    if landmarks == "max":  # each landmark keeps c ** (1 / L)
                        exact = (1 - (1 - c ** (1 / LANDMARKS)) / components) ** (components * LANDMARKS)
                    assert exact >= c - 1e-12
                    what = f"{score!r} {ndim}D {landmarks} c={c}"
                    checks += [
                        Check(what, (ndim, number), hit, DRAWS, exact, exact) for hit in _hits(inside, landmarks)
                    ]
    judge(checks)


def test_bonferroni_covers_as_often_as_independent_scores_do_together():
    """Rank ``k`` of ``n`` covers with probability ``k / (n + 1)``, and independent scores with the product of these."""
    table = np.random.default_rng(SEED).random((101, 3, 2, DRAWS))
    level = level_of_each(0.9, "bonferroni", 3, 2)
    thresholds = landmark_thresholds(table[:100], level, "bonferroni")
    rank = 100  # ceil(101 (1 - 0.1 / 6)) = ceil(99.32)
    hits = int((table[-1] <= thresholds).all(axis=(0, 1)).sum())
    judge([Check("all", 0, hits, DRAWS, (rank / 101) ** 6, (rank / 101) ** 6)])


def test_ties_broken_by_chance_cover_exactly():
    """Scores of few values, several of each image: without chance above the promise, with it on it."""
    checks, draws = [], 20_000
    for count in (1, 5, 19):
        for c in CONFIDENCES:
            key = (SEED, count, round(100 * c))
            rng = np.random.default_rng(key)
            table = rng.integers(0, 4, (count + 1, 3, draws)) + rng.integers(0, 2, (count + 1, 1, draws)).astype(float)
            table[rng.random(table.shape) < 0.2] = np.nan
            table[:, 0] = np.nan_to_num(table[:, 0], nan=2.0)
            new = table[-1, 0]
            chance = conformal_quantile(table[:count, :1], c, rng)
            drawn = np.where(np.isnan(table[-1]), -1, rng.random((3, draws))).argmax(axis=0)
            pooled = conformal_quantile(table[:count], c, rng)
            for what, inside, most in (
                ("by chance", new <= chance, c),
                ("without", new <= conformal_quantile(table[:count, :1], c), 1.0),
                ("pooled by chance", table[-1, drawn, np.arange(draws)] <= pooled, c),
            ):
                checks.append(Check(f"n={count} c={c} {what}", key, int(inside.sum()), draws, c, most))
    judge(checks)


def test_chance_draws_whole_images_as_often_as_needed():
    """Of 5 images 95 % is 5.7 of 6 ranks: the fifth three times in ten, else none is enough."""
    scores = np.repeat(np.arange(1.0, 6)[:, None, None], 20_000, axis=2)
    thresholds = conformal_quantile(scores, 0.95, np.random.default_rng(SEED))
    judge([Check("whole", 0, int(np.isinf(thresholds).sum()), 20_000, 0.7, 0.7)])
    assert set(thresholds[np.isfinite(thresholds)]) <= {5.0, np.nextafter(5.0, 0)}
    assert np.isneginf(conformal_quantile(scores[:0], 0.1, np.random.default_rng(SEED))).any()


def _case(errors, size=1.0, spacing=1.0, ndim=2):
    """A prediction and the truth, ``errors`` px away along the last axis; ``size`` is the predicted deviation, px."""
    grid = Grid((50,) * ndim, None if spacing is None else (spacing,) * ndim)
    points = np.full((len(errors), ndim), 20.0)
    truth = points.copy()
    truth[:, -1] += errors
    covariance = np.eye(ndim) * np.square(size) * np.ones((len(errors), 1, 1))
    return predicted(points, grid, covariance), truth_of(truth, grid)


def _calibration(scores, score=None, landmarks="each", unit="mm", **changed):
    scores = np.asarray(scores, dtype=float)
    config = CalibrationConfig(score=score or EuclideanScore(), landmarks=landmarks, **changed)
    return Calibration.from_scores(config, names_of(scores.shape[1]), 2, scores[..., None], unit)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_report_by_hand(ndim):
    config = CalibrationConfig(score=MahalanobisScore())
    scores = np.stack([np.arange(1.0, 20), np.arange(2.0, 40, 2)], axis=1)[..., None]
    calibration = Calibration.from_scores(config, ("a", "b"), ndim, scores)
    items = [_case([4.0, 30.0], 0.5, 2.0, ndim), _case([12.0, np.nan], 1, 2.0, ndim), _case([6.0, 1.0], 1, 2.0, ndim)]
    report = evaluate_regions(calibration, iter(items), (0.5, 0.9), confidence=0.5)  # thresholds 10 and 20
    a, b = report.landmarks["a"], report.landmarks["b"]
    ball = {2: np.pi, 3: 4 * np.pi / 3}[ndim] * 2.0**ndim
    assert (a.n, a.covered, b.n, b.covered) == (3, 2, 2, 1)  # scores 8, 12, 6 and 60, 1
    assert report.unit == {2: "mm²", 3: "mm³"}[ndim]
    assert a.mean_size == pytest.approx(ball * (5**ndim + 2 * 10**ndim) / 3)
    assert a.median_size == pytest.approx(ball * 10**ndim)
    assert a.adaptivity == pytest.approx(stats.spearmanr([5, 10, 10], [4, 12, 6]).statistic)
    assert (report.points.n, report.points.covered, report.points.interval) == (5, 3, None)
    assert (report.images.n, report.images.covered) == (3, 1)
    assert report.reliability == ((0.5, 0.6), (0.9, 0.8))
    assert report.to_dict()["landmarks"]["b"]["coverage"] == 0.5


def test_joint_promises_are_judged_by_images():
    calibration = _calibration(np.arange(1.0, 20)[:, None] * [1, 1], landmarks="max")
    report = evaluate_regions(calibration, [_case([1, 30]), _case([1, 2])], (0.5,), confidence=0.5)
    assert report.reliability == ((0.5, 0.5),)
    assert report.points.coverage == 0.75


@pytest.mark.parametrize("landmarks", ["each", "pooled", "bonferroni", "max"])
def test_the_figure_of_reliability_says_what_is_counted(landmarks):
    """Points, or images of which all landmarks are inside: a share of the one is not a share of the other."""
    calibration = _calibration(np.arange(1.0, 20)[:, None] * [1, 1], landmarks=landmarks)
    for report in (evaluate_regions(calibration, [_case([1, 30])], (0.5,)), leave_one_out(calibration, (0.5,))):
        label = reliability_figure(report).axes[0].get_ylabel()
        assert report.joint == (landmarks in ("bonferroni", "max"))
        assert label == (
            "images whose landmarks all lie inside (%)" if report.joint else "true points inside their regions (%)"
        )


def test_whole_images_and_mixed_units_are_told_apart():
    few = evaluate_regions(_calibration([[1.0], [2.0]]), [_case([1.0])], (), confidence=0.9)
    assert (few.landmarks["a"].whole, few.landmarks["a"].covered, few.landmarks["a"].mean_size) == (1, 1, 2500.0)
    calibration = _calibration([[1.0], [2.0]], MahalanobisScore(), unit=None)
    mixed = evaluate_regions(calibration, [_case([1.0]), _case([1.0], spacing=None)], (), confidence=0.5)
    assert (mixed.unit, mixed.points.mean_size, mixed.points.n) == (None, None, 2)
    nothing = evaluate_regions(calibration, [], (0.5,), confidence=0.5)
    assert (nothing.points.n, nothing.points.coverage, nothing.reliability) == (0, None, ((0.5, None),))


def test_intervals_are_those_of_tables():
    assert binomial_interval(8, 10) == pytest.approx((0.4439, 0.9748), abs=1e-4)
    assert binomial_interval(0, 10) == pytest.approx((0.0, 0.3085), abs=1e-4)
    exact = stats.binomtest(37, 40).proportion_ci(0.95, "exact")
    assert binomial_interval(37, 40) == pytest.approx((exact.low, exact.high))


def test_leaving_one_out_covers_by_ranks():
    """Without one of ``1 ... 20``, the threshold at 50 % is rank 10 of 19, so the ten smallest are covered."""
    scores = np.column_stack([np.arange(1.0, 21), np.where(np.arange(20) < 19, np.arange(20.0), np.nan)])
    report = leave_one_out(_calibration(scores), (0.9,), confidence=0.5)
    assert (report.landmarks["a"].n, report.landmarks["a"].covered) == (20, 10)
    assert (report.landmarks["b"].n, report.landmarks["b"].covered) == (19, 10)  # rank ceil(9.5) of 18
    assert report.points.mean_size is None
