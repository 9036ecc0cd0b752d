"""Temperature scaling: the right temperature is found, and heat keeps its order."""

import numpy as np
import pytest
from scipy import stats
from test_uncertainty_density import _bumpy, _drawn, _prediction

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.uncertainty import (
    Calibration,
    CalibrationConfig,
    DensityScore,
    RankScore,
    TemperatureScaling,
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


def test_a_temperature_comes_before_a_calibration():
    """Where the model is twice too sure, parametric ranks cover what they promise only at the right temperature."""
    rng = np.random.default_rng(1)
    shown = [_prediction(_bumpy(2, seed) ** 2) for seed in range(500)]
    real = [_prediction(_bumpy(2, seed)) for seed in range(500)]
    truths = [LandmarkSet.from_points({"a": _drawn(one, 1, rng)[0]}, one.landmarks.grid) for one in real]
    scaling = TemperatureScaling.fit(shown[:250], truths[:250])
    regions = Calibration.from_scores(CalibrationConfig(score=RankScore(), calibrator="parametric"), ("a",), 2)
    others = list(zip(shown[250:], truths[250:], strict=True))
    too_sure = sum(regions.covers(one, truth, 0.8)[0] for one, truth in others)
    right = sum(regions.covers(scaling.applied(one), truth, 0.8)[0] for one, truth in others)
    assert too_sure < stats.binom.ppf(0.005, 250, 0.8) <= right


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
