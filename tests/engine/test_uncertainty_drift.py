"""Drift: p-values by hand, how often a kept word is doubted, and what is told a person."""

import numpy as np
import pytest
from coverage_checks import Check, judge
from scipy import stats
from uncertain_cases import grid_of, names_of, predicted, truth_of

from napari_landmarker.engine.uncertainty import Calibration, CalibrationConfig, EuclideanScore, MahalanobisScore, drift
from napari_landmarker.engine.uncertainty.drift import _p_value

GRID = grid_of(2)


def _calibration(scores, landmarks="each"):
    config = CalibrationConfig(score=EuclideanScore(), landmarks=landmarks)
    return Calibration.from_scores(config, names_of(scores.shape[1]), 2, scores[..., None], "px")


def _case(errors):
    points = np.full((len(errors), 2), 20.0)
    return predicted(points, GRID), truth_of(points + np.column_stack([np.zeros(len(errors)), errors]), GRID)


def test_the_p_value_is_that_of_ranks_among_all_images():
    """How often new images, shuffled among those of the calibration, are covered so rarely: by enumeration."""
    rng = np.random.default_rng(0)
    cases, new, confidence = 19, 12, 0.9
    ranks = rng.permuted(np.tile(np.arange(cases + new), (40_000, 1)), axis=1)
    thresholds = np.sort(ranks[:, :cases], axis=1)[:, 17]  # rank 18 of 19
    covered = (ranks[:, cases:] <= thresholds[:, None]).sum(axis=1)
    calibration = _calibration(np.arange(1.0, 20)[:, None])
    for seen in range(new + 1):
        p_value = _p_value(calibration, cases, np.arange(new) < seen, confidence)
        assert p_value == pytest.approx((covered <= seen).mean(), abs=0.01)


def test_a_word_that_is_kept_and_one_that_is_not():
    calibration = _calibration(np.arange(1.0, 100)[:, None] * [1, 1])
    good = drift(calibration, [_case([5.0 * n, 40.0]) for n in range(20)], 0.95)
    assert (good.images, good.count, good.covered, good.kept, good.enough) == (20, 40, 40, True, True)
    assert good.expected == pytest.approx(38)
    assert good.sentence == (
        "40 of 40 points lie inside their regions, where about 38 were promised: the regions keep their word."
    )
    items = [_case([5.0, 40.0 if n < 12 else 97.0]) for n in range(20)]
    bad = drift(calibration, iter(items), 0.95)  # thresholds 95: 8 of 20 points 'b' are missed
    assert bad.landmarks == ("b",)
    assert bad.p_value == pytest.approx(2 * stats.betabinom.cdf(12, 20, 95, 5))
    assert not bad.kept
    assert bad.sentence == (
        "32 of 40 points lie inside their regions, where about 38 were promised: "
        "the regions of b no longer keep their word. Calibrate again with these images."
    )
    assert bad.to_dict()["landmarks"] == ("b",)


def test_few_images_are_said_to_be_few():
    calibration = _calibration(np.arange(1.0, 100)[:, None])
    few = drift(calibration, [_case([5.0])] * 3)
    assert few.kept
    assert not few.enough
    assert few.sentence.endswith("That is too few images to tell whether the regions keep their word.")
    none = drift(calibration, [_case([np.nan])])
    assert (none.images, none.count, none.p_value, none.kept) == (0, 0, 1.0, True)
    assert drift(calibration, []).kept
    whole = drift(_calibration(np.ones((3, 1))), [_case([50.0])] * 30)
    assert (whole.covered, whole.p_value) == (30, 1.0)


def test_a_joint_promise_is_judged_by_images():
    calibration = _calibration(np.arange(1.0, 100)[:, None] * [1, 1], "max")
    found = drift(calibration, [_case([5.0, 97.0 if n < 9 else 5.0]) for n in range(20)], 0.95)
    assert (found.count, found.covered, found.landmarks) == (20, 11, ())
    assert found.p_value == pytest.approx(stats.betabinom.cdf(11, 20, 95, 5))
    assert "11 of 20 images, with all of their points, lie inside" in found.sentence


def test_a_parametric_promise_is_binomial():
    config = CalibrationConfig(score=MahalanobisScore(), calibrator="parametric")
    calibration = Calibration.from_scores(config, ("a",), 2)
    points = np.full((1, 2), 20.0)
    items = [
        (predicted(points, GRID, np.eye(2)[None] * 4), truth_of(points + (1.0 if n < 14 else 9.0), GRID))
        for n in range(20)
    ]
    assert drift(calibration, items).p_value == pytest.approx(stats.binom.cdf(14, 20, 0.95))


def test_a_kept_word_is_seldom_doubted_though_landmarks_err_together():
    checks = []
    for number, landmarks in enumerate(("each", "pooled", "bonferroni", "max")):
        rng, doubted = np.random.default_rng((0, number)), 0
        for _ in range(60):
            scores = np.abs(rng.normal(size=(55, 3)) * 0.3 + rng.normal(size=(55, 1))) * 3
            items = [_case(own) for own in scores[40:]]
            doubted += not drift(_calibration(scores[:40], landmarks), items, 0.8).kept
        checks.append(Check(landmarks, number, doubted, 60, 0.0, 0.05))
    judge(checks)
