"""Temperature scaling: the right temperature is found, and heat keeps its order."""

import json
from dataclasses import replace

import numpy as np
import pytest
from coverage_checks import Check, judge
from scipy import stats
from test_uncertainty_density import _bumpy, _drawn, _prediction
from uncertain_cases import covariance_of, grid_of, predicted, truth_of

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.uncertainty import (
    Calibration,
    CalibrationConfig,
    DensityScore,
    EuclideanScore,
    MahalanobisScore,
    PerAxisScore,
    RankScore,
    TemperatureScaling,
    evaluate_regions,
    leave_one_out,
)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_of_drawn_places_is_found(true, ndim):
    rng = np.random.default_rng(0)
    shown = [_prediction(_bumpy(ndim, seed)) for seed in range(600)]
    real = [_prediction(_bumpy(ndim, seed) ** (1 / true)) for seed in range(600)]
    truths = [LandmarkSet.from_points({"a": _drawn(one, 1, rng)[0]}, one.landmarks.grid) for one in real]
    found = TemperatureScaling.fit(iter(shown), iter(truths))
    assert found.temperature == pytest.approx(true, rel=0.15)
    scaled = found.applied(shown[0]).heatmaps
    assert scaled.dtype == np.float32
    assert scaled.max() == 1
    np.testing.assert_array_equal(np.argsort(scaled, axis=None)[-20:], np.argsort(shown[0].heatmaps, axis=None)[-20:])


def test_the_likelihood_is_the_largest_of_all_temperatures():
    """Oracle: the likelihood of the true cells, written out, of two maps."""
    heats = [_bumpy(2, seed) for seed in (1, 2)]
    cells = [np.unravel_index(np.argsort(h, axis=None)[-k], h.shape) for h, k in zip(heats, (3, 30), strict=True)]
    shown = [_prediction(heat) for heat in heats]
    places = [{"a": 2 * np.array(cell) + 0.5} for cell in cells]
    truths = [LandmarkSet.from_points(p, one.landmarks.grid) for p, one in zip(places, shown, strict=True)]
    tried = np.linspace(0.2, 40, 4000)
    nll = [
        sum(np.log((h ** (1 / t)).sum()) - np.log(h[c]) / t for h, c in zip(heats, cells, strict=True)) for t in tried
    ]
    assert TemperatureScaling.fit(shown, truths).temperature == pytest.approx(tried[np.argmin(nll)], rel=0.02)


def test_a_gaussian_gets_the_variance_times_the_temperature():
    y, x = np.indices((61, 61)) - 30.0
    heat = np.exp(-(y**2 + x**2) / (2 * 3.0**2))[None].astype(np.float32)
    flatter = TemperatureScaling(temperature=4).apply(heat)
    assert (flatter[0] * y**2).sum() / flatter.sum() == pytest.approx(36, rel=1e-2)


@pytest.mark.parametrize("ndim", [2, 3])
def test_heat_that_was_raised_to_a_power_is_brought_back(ndim):
    heat = np.stack([_bumpy(ndim, seed) for seed in (0, 1)])
    raised = TemperatureScaling(temperature=2.5, own={"a": 4.0}).apply(heat**4 * 7, ("a", "b"))
    np.testing.assert_allclose(raised[0], heat[0])
    np.testing.assert_allclose(raised[1], heat[1] ** 1.6)


def test_each_landmark_can_have_a_temperature_of_its_own():
    """Oracle: of two landmarks, each of which is shown as sharp as its own power says, each alone."""
    rng = np.random.default_rng(0)
    true = {"a": 0.5, "b": 3.0}
    shown, truths = [], []
    for seed in range(400):
        one = _prediction(_bumpy(2, seed))
        places = {name: _drawn(_prediction(_bumpy(2, seed) ** (1 / power)), 1, rng)[0] for name, power in true.items()}
        grid = one.landmarks.grid
        points = LandmarkSet.from_points(dict.fromkeys("abc", np.array(grid.shape) / 2), grid)
        shown.append(Prediction(points, np.repeat(one.heatmaps, 3, axis=0), one.to_heatmap))
        truths.append(LandmarkSet.from_points(places, grid))
    found = TemperatureScaling.fit(shown, truths, per_landmark=True)
    assert found.own == pytest.approx(true, rel=0.2)
    assert found.own["a"] < found.temperature < found.own["b"]
    for name, other in ("ab", "ba"):
        alone = [truth.without_point(other) for truth in truths]
        assert TemperatureScaling.fit(shown, alone).temperature == pytest.approx(found.own[name])
    scaled = found.applied(shown[0]).heatmaps
    np.testing.assert_allclose(scaled[2], shown[0].heatmaps[2] ** (1 / found.temperature), rtol=1e-5)
    assert TemperatureScaling.model_validate_json(found.model_dump_json()) == found
    with pytest.raises(CalibrationError, match="3 heatmaps do not fit 2 landmarks"):
        found.apply(scaled, ("a", "b"))


def _too_sure(count, power, seed):
    """Maps that are shown sharper than places are drawn from, and these places."""
    rng = np.random.default_rng(seed)
    real = [_prediction(_bumpy(2, number)) for number in range(count)]
    truths = [LandmarkSet.from_points({"a": _drawn(one, 1, rng)[0]}, one.landmarks.grid) for one in real]
    return [replace(one, heatmaps=one.heatmaps**power) for one in real], truths


def test_a_calibration_with_a_temperature_makes_probabilities_right():
    """Where the model is twice too sure, parametric ranks cover what they promise only at the right temperature."""
    shown, truths = _too_sure(750, 2, 0)
    plain = CalibrationConfig(score=RankScore(), calibrator="parametric")
    tempered = plain.changed(temperature="common")
    made = {config: Calibration.fit(config, shown, truths) for config in (plain, tempered)}
    assert [one.count for one in made.values()] == [750, 500]
    # no image that is judged set the temperature
    share = {config: dict(leave_one_out(one).reliability)[0.8] for config, one in made.items()}
    assert 750 * share[plain] < stats.binom.ppf(0.0005, 750, 0.8)
    judge([Check("tempered", 0, round(500 * share[tempered]), 500, 0.8)])
    assert made[tempered].scaling.temperature == pytest.approx(2, rel=0.25)


@pytest.mark.parametrize("landmarks", ["each", "max"])
@pytest.mark.parametrize("temperature", ["common", "each"])
@pytest.mark.parametrize("score", [RankScore(), DensityScore(relative=False), MahalanobisScore()], ids=repr)
def test_a_third_sets_temperatures_and_the_others_thresholds(score, temperature, landmarks):
    """Oracle: the two parts done by hand, with predictions that are brought to the temperature beforehand."""
    rng, cases = np.random.default_rng(0), []
    for image in range(31):
        one = _prediction(_bumpy(2, image))
        grid = one.landmarks.grid
        points = LandmarkSet.from_points(dict.fromkeys("ab", np.array(grid.shape) / 2), grid)
        said = replace(points, covariance=np.stack([np.eye(2) * 4, np.diag([9.0, 25.0])]))
        places = {"a": _drawn(one, 1, rng)[0], "b": rng.uniform(0, 20, 2)}
        heat = np.concatenate([one.heatmaps, one.heatmaps[:, ::-1] ** 3])
        cases.append((Prediction(said, heat, one.to_heatmap), LandmarkSet.from_points(places, grid)))
    config = CalibrationConfig(score=score, landmarks=landmarks, temperature=temperature)
    assert (config.for_temperature(31), config.images_for(21), config.images_for(1)) == (10, 31, 3)
    predictions, truths = zip(*cases, strict=True)
    made = Calibration.fit(config, iter(predictions), iter(truths))
    assert made.count == 21
    scaling = TemperatureScaling.fit(predictions[:10], truths[:10], temperature == "each", score.tempered)
    assert made.scaling == scaling
    assert set(scaling.own) == ({"a", "b"} if temperature == "each" else set())
    by_hand = Calibration.fit(config.changed(temperature="none"), map(scaling.applied, predictions[10:]), truths[10:])
    np.testing.assert_array_equal(made.scores, by_hand.scores)
    again = Calibration.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again.scaling == scaling
    warm = [(scaling.applied(prediction), truth) for prediction, truth in cases]
    for (prediction, truth), (said, _) in zip(cases[:4], warm, strict=False):
        expected = by_hand.regions(said, 0.8)
        for calibration in (made, again):
            for name, region in calibration.regions(prediction, 0.8).items():
                assert region.size == pytest.approx(expected[name].size)
            np.testing.assert_array_equal(calibration.covers(prediction, truth, 0.8), by_hand.covers(said, truth, 0.8))
    report = evaluate_regions(made, cases[:5], confidence=0.8)
    assert report.points.covered == evaluate_regions(by_hand, warm[:5], confidence=0.8).points.covered


def test_the_promise_holds_with_a_temperature():
    """Also where the images are few: they are drawn anew each time, and a new one."""
    inside, draws, images, count = [], 150, 300, 29
    shown, truths = _too_sure(images, 3, 0)
    config = CalibrationConfig(score=RankScore(), temperature="common")
    for number in range(draws):
        *own, new = np.random.default_rng((0, number)).choice(images, count + 1, replace=False)
        made = Calibration.fit(config, [shown[k] for k in own], [truths[k] for k in own])
        inside.append([made.covers(shown[new], truths[new], c)[0] for c in (0.5, 0.9)])
    assert made.count == 20
    hits = np.sum(inside, axis=0).astype(int).tolist()
    # ties, as all places in a cell have one score, only ever cover more
    judge([Check(f"c={c}", 0, own, draws, c) for c, own in zip((0.5, 0.9), hits, strict=True)])


@pytest.mark.parametrize("ndim", [2, 3])
def test_covariances_get_the_factor_that_errors_have(ndim):
    """Oracle: the mean squared Mahalanobis distance of an axis, in plain algebra; and parametric ellipsoids cover."""
    rng, true = np.random.default_rng(0), np.array([4.0, 0.5])
    grid, cases, squared = grid_of(ndim), [], []
    for k in range(1200):
        own, points = np.stack([covariance_of(ndim, k), covariance_of(ndim, 2000 + k)]), np.full((2, ndim), 30.0)
        errors = np.einsum("lij,lj->li", np.linalg.cholesky(own * true[:, None, None]), rng.normal(size=(2, ndim)))
        squared.append([e @ np.linalg.inv(c) @ e for e, c in zip(errors, own, strict=True)])
        cases.append((predicted(points, grid, own), truth_of(points + errors, grid)))
    config = CalibrationConfig(calibrator="parametric", temperature="each")
    made = Calibration.fit(config, *zip(*cases, strict=True))
    expected = np.mean(squared[:400], axis=0) / ndim
    assert expected == pytest.approx(true, rel=0.2)
    assert made.scaling.own == pytest.approx(dict(zip("ab", expected, strict=True)))
    assert made.scaling.temperature == pytest.approx(expected.mean())
    report = leave_one_out(made, confidence=0.9)
    judge([Check(name, name, one.covered, one.n, 0.88, 0.92) for name, one in report.landmarks.items()])
    plain = leave_one_out(Calibration.fit(config.changed(temperature="none"), *zip(*cases, strict=True)))
    assert plain.landmarks["a"].coverage < 0.75
    assert plain.landmarks["b"].coverage > 0.98


def test_one_threshold_for_all_landmarks_is_smaller_where_each_has_its_temperature():
    """Of two landmarks whose spreads are stated alike, and one of which errs ten times as much as the other."""
    rng, cases = np.random.default_rng(0), []
    for _ in range(120):
        points, errors = np.full((2, 2), 30.0), rng.normal(size=(2, 2)) * [[0.5], [5.0]]
        spread = np.tile(np.eye(2), (2, 1, 1))
        cases.append((predicted(points, grid_of(2), spread), truth_of(points + errors, grid_of(2))))
    sizes = {}
    for temperature in ("none", "common", "each"):
        config = CalibrationConfig(landmarks="max", temperature=temperature)
        regions = Calibration.fit(config, *zip(*cases, strict=True)).regions(cases[0][0], 0.9)
        sizes[temperature] = np.array([regions[name].size for name in "ab"])
    assert sizes["each"][0] < sizes["none"][0] / 20
    assert sizes["each"][1] < 1.6 * sizes["none"][1]
    assert sizes["common"][0] == pytest.approx(sizes["common"][1])


def test_choices_that_have_nothing_to_temper_and_too_few_images_are_told():
    for score in (EuclideanScore(), PerAxisScore(scaled=False)):
        with pytest.raises(ValueError, match="neither heatmaps nor spreads"):
            CalibrationConfig(score=score, temperature="common")
    tempered = CalibrationConfig(temperature="each")
    with pytest.raises(CalibrationError, match="score 'euclidean' reads neither") as caught:
        tempered.changed(score="euclidean")
    assert "\n" not in str(caught.value)
    assert tempered.changed(score="euclidean", temperature="none").temperature == "none"
    with pytest.raises(CalibrationError, match="'none', 'common', 'each' or 'scatter'"):
        tempered.changed(temperature="hot")
    config = CalibrationConfig(score=RankScore(), temperature="common")
    with pytest.raises(CalibrationError, match="at least 3 images"):
        Calibration.fit(config, *_too_sure(2, 2, 0))
    with pytest.raises(CalibrationError, match="temperatures exactly where"):
        Calibration.from_scores(config, ("a",), 2)
    few = _too_sure(3, 2, 0)
    stored = Calibration.fit(config, *few).to_dict()
    for damage in ({"temperature": None}, {"temperature": {"temperature": -1}}, {"temperature": {"of": "covariance"}}):
        with pytest.raises(CalibrationError, match="damaged"):
            Calibration.from_dict({**stored, **damage})
    assert "temperature" not in Calibration.fit(config.changed(temperature="none"), *few).to_dict()


def test_regions_by_density_do_not_change_and_parametric_ranks_grow():
    prediction = _prediction(_bumpy(2, 4))
    warm = TemperatureScaling(temperature=3).applied(prediction)
    assert RankScore().region(warm, 0, 0.9).size > RankScore().region(prediction, 0, 0.9).size
    places = _drawn(prediction, 2, np.random.default_rng(0))
    for threshold, place in zip(DensityScore().measure(prediction, 0, places), places, strict=True):
        same = DensityScore().measure(warm, 0, place[None])[0]
        assert DensityScore().region(prediction, 0, threshold).size == DensityScore().region(warm, 0, same).size


def test_maps_that_say_nothing_stay_as_they_are():
    heat = np.stack([np.zeros((2, 2)), np.full((2, 2), np.nan), np.array([[1, 0.25], [0, 0]])]).astype(np.float32)
    scaled = TemperatureScaling(temperature=2).apply(heat)
    np.testing.assert_array_equal(scaled[:2], heat[:2])
    np.testing.assert_allclose(scaled[2], [[1, 0.5], [0, 0]])


def test_nothing_to_learn_from_is_said():
    flat = _prediction(np.ones((4, 4)))
    truth = LandmarkSet.from_points({"a": [1.0, 1.0]}, flat.landmarks.grid)
    with pytest.raises(CalibrationError, match="at least one true place"):
        TemperatureScaling.fit([flat], [truth])
    with pytest.raises(CalibrationError, match="true places of each image"):
        TemperatureScaling.fit([flat], [])
