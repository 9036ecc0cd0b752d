"""Calibration: ranks by hand, missing truths, mixed images, what a file holds, and what is refused."""

import json
from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from uncertain_cases import ANISOTROPIC, grid_of, names_of, predicted, truth_of

from napari_landmarker.engine.errors import AnnotationError, CalibrationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.uncertainty import (
    Calibration,
    CalibrationConfig,
    EuclideanScore,
    MahalanobisScore,
    PerAxisScore,
    cases_needed,
    conformal_quantile,
)

NAN, INF = np.nan, np.inf


def _made(scores, score=None, landmarks="each", unit="mm", **changed):
    """A 2D calibration from scores ``(n, L)`` of one component."""
    scores = np.asarray(scores, dtype=float)
    config = CalibrationConfig(score=score or EuclideanScore(), landmarks=landmarks, **changed)
    return Calibration.from_scores(config, names_of(scores.shape[1]), 2, scores[..., None], unit)


def _thresholds(calibration, confidence):
    return [float(calibration.threshold(name, confidence)[0]) for name in calibration.names]


def _prediction(count=1, spacing=(0.5, 0.2)):
    return predicted(np.full((count, 2), 20.0), grid_of(2, spacing), np.tile(np.eye(2) * 4, (count, 1, 1)))


@pytest.mark.parametrize("percent", [1, 5, 29, 50, 57, 58, 90, 95, 99])
def test_the_rank_is_that_of_exact_arithmetic(percent):
    level = Fraction(percent, 100)
    for count in range(1, 130):
        rank = ceil((count + 1) * level)
        expected = rank if rank <= count else INF
        assert conformal_quantile(np.arange(1.0, count + 1)[::-1, None], percent / 100) == expected
    needed = next(n for n in range(1, 1000) if ceil((n + 1) * level) <= n)
    assert cases_needed(percent / 100) == needed


def test_ranks_by_hand():
    assert _thresholds(_made(np.arange(1.0, 20)[:, None]), 0.95) == [19]
    assert _thresholds(_made(np.arange(1.0, 19)[:, None]), 0.95) == [INF]
    assert _thresholds(_made(np.arange(1.0, 20)[:, None]), 0.5) == [10]
    assert _thresholds(_made([[3.0]]), 0.5) == [3]


def test_missing_truths_are_left_out_for_each_landmark():
    known = np.arange(1.0, 20)
    scores = np.full((30, 3), NAN)
    scores[:19, 0], scores[5:24, 1] = known, known[::-1]
    calibration = _made(scores)
    assert _thresholds(calibration, 0.95) == [19, 19, INF]
    assert [calibration.cases_for(name) for name in "abc"] == [19, 19, 0]
    assert calibration.count == 30
    never = calibration.region(_prediction(3), "c", 0.5)
    assert never.whole
    assert "takes 1 images with 'c' to learn from, not 0" in never.reason


def test_joint_thresholds_by_hand():
    a, b = np.arange(1.0, 40), np.arange(39.0, 0, -1) + 0.5
    assert _thresholds(_made(np.column_stack([a, b]), landmarks="bonferroni"), 0.9) == [38, 38.5]  # rank 40 * 0.95
    assert _thresholds(_made(np.column_stack([a, b]), landmarks="max"), 0.5) == [30, 30]
    worst = np.sort(np.maximum(a, b))
    assert _thresholds(_made(np.column_stack([a, b]), landmarks="max"), 0.9) == [worst[35]] * 2
    missing = np.column_stack([a, np.where(a > 19, NAN, b), np.full(39, NAN)])
    joint = _made(missing, landmarks="max")
    assert joint.cases_for("a") == 19
    assert joint.cases_for("c") == 0
    assert _thresholds(joint, 0.95) == [39.5, 39.5, INF]  # of 19 complete images; never annotated is no hindrance
    assert "with all landmarks" in _made(missing[:20], landmarks="max").region(_prediction(3), "a", 0.99).reason


def test_pooled_thresholds_count_each_image_once():
    scores = [[1.0, 2.0], [3.0, NAN], [4.0, 5.0]]
    calibration = _made(scores, landmarks="pooled")
    # shares of 4: 1 and 2 half an image, 3 a whole one, 4 and 5 half; c * 4 must be reached
    assert [_thresholds(calibration, c)[0] for c in (0.1, 0.125, 0.126, 0.25, 0.26, 0.5, 0.51, 0.75, 0.76)] == [
        1, 1, 2, 2, 3, 3, 4, 5, INF
    ]  # fmt: skip
    assert _thresholds(_made([[1.0, NAN], [2.0, NAN]], landmarks="pooled"), 0.5) == [2, INF]
    assert calibration.cases_for("b") == 3


def test_components_share_the_allowed_misses():
    config = CalibrationConfig(score=PerAxisScore(combine="bonferroni"))
    scores = np.stack([np.arange(1.0, 40), np.arange(2.0, 80, 2)], axis=1)[:, None]
    calibration = Calibration.from_scores(config, ("a",), 2, scores)
    assert calibration.threshold("a", 0.9) == pytest.approx([38, 76])  # each at 0.95 of 39
    assert calibration.cases_needed(0.9) == 19
    box = calibration.region(_prediction(spacing=None), "a", 0.9)
    assert box.size == pytest.approx(2 * 38 * 2 * 2 * 76 * 2)


@pytest.mark.parametrize("ndim", [2, 3])
def test_images_of_different_size_and_spacing_make_one_calibration(ndim):
    rng = np.random.default_rng(3)
    predictions, truths, expected = [], [], []
    for image in range(19):
        grid = Grid(
            tuple(30 + image + 3 * axis for axis in range(ndim)), tuple(np.multiply(ANISOTROPIC[ndim], 1 + image))
        )
        points = rng.uniform(5, 20, (2, ndim))
        errors = rng.normal(size=(2, ndim))
        expected.append(np.sqrt(np.square(errors * grid.spacing).sum(axis=1)))
        predictions.append(predicted(points, grid))
        truths.append(truth_of((points + errors)[::-1], grid, ("b", "a")))  # another order
    config = CalibrationConfig(score=EuclideanScore())
    calibration = Calibration.fit(config, iter(predictions), iter(truths))
    assert calibration.unit == "mm"
    assert calibration.scores[..., 0] == pytest.approx(np.array(expected))
    assert calibration.threshold("a", 0.95) == pytest.approx(np.max(expected, axis=0)[0])
    region = calibration.region(predictions[4], "b", 0.95)
    assert region.size == pytest.approx({2: np.pi, 3: 4 * np.pi / 3}[ndim] * np.max(expected, axis=0)[1] ** ndim)
    border = truth_of(np.full((2, ndim), -0.5), predictions[0].landmarks.grid)
    assert np.isfinite(config.scores_of(predictions[0], border)).all()


def test_only_places_that_a_person_set_are_true():
    prediction = _prediction(3)
    truth = truth_of([[20.0, 25.0], [20.0, 25.0], [NAN, NAN]], prediction.landmarks.grid)
    truth = truth.with_status("b", LandmarkStatus.PREDICTED).with_status("c", LandmarkStatus.ABSENT)
    scores = CalibrationConfig(score=EuclideanScore()).scores_of(prediction, truth)[:, 0]
    assert scores == pytest.approx([1.0, NAN, NAN], nan_ok=True)


@pytest.mark.parametrize("landmarks", ["each", "bonferroni", "max", "pooled"])
@pytest.mark.parametrize("score", [EuclideanScore(), MahalanobisScore(), PerAxisScore(combine="bonferroni")], ids=repr)
def test_what_is_covered_lies_in_the_region(score, landmarks):
    rng = np.random.default_rng(5)
    grid = grid_of(2, (0.5, 0.2))
    cases = []
    for _ in range(60):
        points = rng.uniform(10, 40, (3, 2))
        true = points + rng.normal(0, 2, (3, 2))
        true[rng.random(3) < 0.1] = NAN
        points[rng.random(3) < 0.03] = NAN
        cases.append((predicted(points, grid, np.tile(np.eye(2) * rng.uniform(1, 5), (3, 1, 1))), truth_of(true, grid)))
    config = CalibrationConfig(score=score, landmarks=landmarks)
    calibration = Calibration.fit(config, *zip(*cases[:50], strict=True))
    for prediction, truth in cases:
        regions = calibration.regions(prediction, 0.8)
        covered = calibration.covers(prediction, truth, 0.8)
        for row, name in enumerate(prediction.names):
            place = truth.point(name)
            expected = NAN if np.isnan(place).any() else float(regions[name].contains(place))
            assert covered[row] == pytest.approx(expected, nan_ok=True)


def test_missed_landmarks_make_whole_images():
    scores = np.arange(1.0, 20)[:, None]
    scores[15:] = INF
    calibration = _made(scores)
    assert _thresholds(calibration, 0.75) == [15]
    region = calibration.region(_prediction(), "a", 0.95)
    assert region.whole
    assert region.reason == "The model misses 'a' too often for a smaller region at 95 %."
    assert calibration.enough_for("a", 0.95)


def test_one_case_promises_a_half_and_else_the_whole_image():
    prediction = _prediction()
    truth = truth_of([[20.0, 30.0]], prediction.landmarks.grid)  # 10 px, 2 mm
    calibration = Calibration.fit(CalibrationConfig(score=EuclideanScore()), [prediction], [truth])
    assert calibration.region(prediction, "a", 0.5).size == pytest.approx(np.pi * 4)
    assert not calibration.enough_for("a", 0.95)
    assert calibration.cases_needed(0.95) == 19
    region = calibration.region(prediction, "a", 0.95)
    assert region.whole
    assert region.size == pytest.approx(60 * 0.5 * 70 * 0.2)
    assert region.reason == "For 95 % it takes 19 images with 'a' to learn from, not 1."
    chances = [calibration.region(prediction, "a", 0.6, np.random.default_rng(s)).whole for s in range(40)]
    assert 0 < sum(chances) < 20  # rank 1.2 of 2: whole in one of five


def test_chance_never_makes_an_empty_region():
    calibration = _made(np.zeros((5, 1)))
    for seed in range(20):
        region = calibration.region(_prediction(), "a", 0.5, np.random.default_rng(seed))
        assert region.contains([20.0, 20.0])


def test_a_landmark_that_was_not_calibrated_may_be_anywhere():
    prediction = predicted([[1.0, 1.0], [2.0, 2.0]], grid_of(2, (1.0, 1.0)), names=("a", "new"))
    calibration = _made(np.ones((5, 1)))
    assert calibration.regions(prediction, 0.5)["new"].reason.startswith("No images with 'new'")
    truth = truth_of([[1.0, 1.0], [2.0, 2.0]], grid_of(2, (1.0, 1.0)), ("a", "new"))
    assert calibration.covers(prediction, truth, 0.5) == pytest.approx([1, NAN], nan_ok=True)
    with pytest.raises(AnnotationError, match="no landmark 'old'"):
        calibration.region(prediction, "old", 0.5)


def test_a_calibration_survives_a_file():
    rng = np.random.default_rng(8)
    scores = rng.exponential(size=(7, 2, 2)) / 3
    scores[1, 0], scores[2, 1] = NAN, INF
    config = CalibrationConfig(score=PerAxisScore(scaled=False, combine="bonferroni"), landmarks="bonferroni")
    calibration = Calibration.from_scores(config, ("nasion", "sella"), 2, scores, "px", "7 images kept apart")
    text = json.dumps(calibration.to_dict(), allow_nan=False)
    read = Calibration.from_dict(json.loads(text))
    assert np.array_equal(read.scores, scores, equal_nan=True)
    assert (read.config, read.names, read.ndim, read.unit) == (config, ("nasion", "sella"), 2, "px")
    assert read.made_from == "7 images kept apart"
    empty = Calibration.from_scores(CalibrationConfig(calibrator="parametric"), ("a",), 3)
    assert Calibration.from_dict(json.loads(json.dumps(empty.to_dict()))).threshold("a", 0.95)[0] ** 2 == pytest.approx(
        7.8147, abs=1e-4
    )


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 2},
        {"config": {"score": {"kind": "unheard of"}}},
        {"names": ["a"]},
        {"names": ["a", "a"]},
        {"ndim": 4},
        {"unit": None},
        {"unit": "inch"},
        {"scores": [[[1.0], [2.0]], [[1.0]]]},
        {"scores": [[[1.0], [-2.0]]]},
        {"scores": [[[1.0], ["a few"]]]},
        {"scores": [[[1.0, 2.0], [1.0, 2.0]]]},
        {"scores": None},
        {"patient": "somebody"},
    ],
    ids=str,
)
def test_a_damaged_file_is_told_in_a_sentence(damage):
    stored = _made([[1.0, 2.0]]).to_dict()
    assert Calibration.from_dict(stored).count == 1
    with pytest.raises(CalibrationError, match=r"damaged or of a newer version of the program: calibrate it again\.$"):
        Calibration.from_dict({**stored, **damage})


def test_a_file_that_lacks_what_it_needs_or_holds_no_table_is_damaged():
    for stored in ({}, [], None, "text", {k: v for k, v in _made([[1.0]]).to_dict().items() if k != "names"}):
        with pytest.raises(CalibrationError, match="damaged"):
            Calibration.from_dict(stored)


@pytest.mark.parametrize("confidence", [0, 1, 0.0, 1.0, -0.5, 95, NAN, INF])
@pytest.mark.parametrize("calibrator", ["conformal", "parametric"])
def test_a_confidence_lies_between_0_and_1(confidence, calibrator):
    for landmarks in ("each", "max"):
        calibration = _made([[1.0]], MahalanobisScore(), landmarks, None, calibrator=calibrator)
        for ask in (
            lambda c=calibration: c.threshold("a", confidence),
            lambda c=calibration: c.region(_prediction(), "a", confidence),
            lambda c=calibration: c.cases_needed(confidence),
        ):
            with pytest.raises(CalibrationError, match=r"between 0 and 1, as 0\.95 does for 95 %"):
                ask()


def test_images_that_do_not_fit_are_refused_in_a_sentence():
    euclidean = CalibrationConfig(score=EuclideanScore())
    with_mm, without = _prediction(), _prediction(spacing=None)
    truths = [truth_of([[20.0, 20.0]], p.landmarks.grid) for p in (with_mm, without)]
    with pytest.raises(CalibrationError, match="all of them a known spacing"):
        Calibration.fit(euclidean, [with_mm, without], truths)
    assert Calibration.fit(CalibrationConfig(), [with_mm, without], truths).unit is None
    calibration = Calibration.fit(euclidean, [with_mm], truths[:1])
    with pytest.raises(CalibrationError, match="calibrated in mm, but this image is measured in px"):
        calibration.region(without, "a", 0.5)
    with pytest.raises(CalibrationError, match="calibrated on 2D images; this one is 3D"):
        calibration.region(predicted(np.zeros((1, 3)), grid_of(3)), "a", 0.5)
    with pytest.raises(CalibrationError, match="no image to calibrate on"):
        Calibration.fit(euclidean, [], [])
    with pytest.raises(CalibrationError, match="and a prediction of each"):
        Calibration.fit(euclidean, [with_mm], truths)
    with pytest.raises(CalibrationError, match="same landmarks"):
        Calibration.fit(euclidean, [with_mm, _prediction(2)], [truths[0], truths[0]])
    with pytest.raises(CalibrationError, match=r"image of \(9, 9\) pixels"):
        euclidean.scores_of(with_mm, truth_of([[1.0, 1.0]], Grid((9, 9))))
    with pytest.raises(CalibrationError, match="no regions for 'z'"):
        calibration.threshold("z", 0.5)
    with pytest.raises(CalibrationError, match="states no probabilities"):
        _made([[1.0]], calibrator="parametric")
    with pytest.raises(CalibrationError, match="scores of 0 or more"):
        Calibration.from_scores(euclidean, ("a",), 2, [[[1.0]], [[1.0], [2.0]]], "mm")


def test_several_instances_are_refused_and_one_is_not():
    grid = grid_of(2)
    prediction = predicted([[1.0, 1.0]], grid)
    one = truth_of([[1.0, 2.0]], grid)
    config = CalibrationConfig(score=EuclideanScore())
    for instances, fits in ((1, True), (2, False)):
        points = np.full((1, instances, 2), 1.0)
        status = np.full((1, instances), LandmarkStatus.CONFIRMED.value)
        truth = type(one)(("a",), points, status, grid)
        if fits:
            assert config.scores_of(prediction, truth)[0, 0] == 0
            continue
        with pytest.raises(CalibrationError, match="one point of each landmark"):
            config.scores_of(prediction, truth)
