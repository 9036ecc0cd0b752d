"""Typical errors joined to covariances: what they are, where they go, and that the promise holds with them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from coverage_checks import Check, judge
from uncertain_cases import ANISOTROPIC, covariance_of, grid_of, predicted, truth_of

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.uncertainty import (
    Calibration,
    CalibrationConfig,
    ErrorScatter,
    PerAxisScore,
    TemperatureScaling,
)

SCATTER = CalibrationConfig(temperature="scatter")


def _cases(ndim, count, seed, spacing=None):
    """Two landmarks whose spreads are stated alike: one errs along an axis, the other little and as it is stated."""
    rng, grid, cases = np.random.default_rng(seed), grid_of(ndim, spacing), []
    for number in range(count):
        own = np.stack([covariance_of(ndim, number), covariance_of(ndim, 9000 + number)])
        errors = np.einsum("lij,lj->li", np.linalg.cholesky(own), rng.normal(size=(2, ndim)))
        errors[0, 0] += rng.normal(scale=9.0)
        points = rng.uniform(20, 40, (2, ndim))
        cases.append((predicted(points, grid, own), truth_of(points + errors, grid)))
    return cases


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_scatter_is_the_mean_of_squared_errors_in_mm(ndim):
    """Oracle: sums written out for three images, one of which does not show the second landmark."""
    spacing = ANISOTROPIC[ndim]
    grid, rng = grid_of(ndim, spacing), np.random.default_rng(0)
    errors = rng.normal(size=(3, 2, ndim))
    errors[2, 1] = np.nan
    points = np.full((2, ndim), 30.0)
    cases = [(predicted(points, grid, np.tile(np.eye(ndim), (2, 1, 1))), truth_of(points + e, grid)) for e in errors]
    found = ErrorScatter.fit(*zip(*cases, strict=True))
    mm = errors * spacing
    typical = np.nanmean(mm**2)
    for row, name, count in ((0, "a", 3), (1, "b", 2)):
        total = sum(np.outer(e, e) for e in mm[:count, row])
        expected = (total + ndim * typical * np.eye(ndim)) / (count + ndim)
        np.testing.assert_allclose(found.scatter[name], expected)
    assert (found.unit, found.of) == ("mm", "covariance")


@pytest.mark.parametrize("ndim", [2, 3])
def test_what_tells_the_errors_weighs_and_what_does_not_hardly_does(ndim):
    """Of spreads that are stated, one kind is a quarter of what is true in each image, the other says nothing."""
    rng, spacing = np.random.default_rng(0), ANISOTROPIC[ndim]
    grid, points = grid_of(ndim, spacing), np.full((1, ndim), 30.0)
    telling, idle = [], []
    for number in range(600):
        own = covariance_of(ndim, number) * np.exp(rng.uniform(-3, 3))
        error = np.linalg.cholesky(4 * own) @ rng.normal(size=ndim)
        telling.append((predicted(points, grid, own[None]), truth_of(points + error, grid)))
        idle.append((predicted(points, grid, own[None]), truth_of(points + rng.normal(size=ndim) * 2, grid)))
    found = ErrorScatter.fit(*zip(*telling, strict=True))
    assert found.stated == pytest.approx(4, rel=0.15)
    assert found.typical < 0.05
    found = ErrorScatter.fit(*zip(*idle, strict=True))
    assert found.typical == pytest.approx(1, rel=0.1)
    assert found.stated < 0.05
    given = found.applied(idle[0][0]).landmarks.covariance[0]
    np.testing.assert_allclose(given, np.eye(ndim) * 4, atol=0.6)


def test_an_error_does_not_tell_its_own_measure():
    """Oracle: the likelihood with each error left out of the scatter, written out, is largest at the weights."""
    cases = _cases(2, 12, 3)
    found = ErrorScatter.fit(*zip(*cases, strict=True))
    said = [(p.landmarks.points, p.landmarks.covariance, t.points) for p, t in cases]
    errors = np.array([there - here for here, _, there in said])
    prior = 2 * np.mean(errors**2) * np.eye(2)

    def unlikely(typical, stated):
        total = 0.0
        for k, (_, own, _) in enumerate(said):
            for row in range(2):
                others = sum(np.outer(e, e) for e in np.delete(errors[:, row], k, axis=0))
                joined = typical * (others + prior) / (11 + 2) + stated * own[row]
                total += errors[k, row] @ np.linalg.inv(joined) @ errors[k, row] + np.log(np.linalg.det(joined))
        return total + np.log(typical) ** 2 + np.log(stated) ** 2

    best = unlikely(found.typical, found.stated)
    for up in (0.9, 1 / 0.9):
        assert best < unlikely(found.typical * up, found.stated)
        assert best < unlikely(found.typical, found.stated * up)


@pytest.mark.parametrize("ndim", [2, 3])
def test_it_is_added_in_the_pixels_of_each_image(ndim):
    """The same scatter in mm, in images of unlike spacing; all else of the prediction stays."""
    scatter = np.diag(np.arange(1.0, ndim + 1))
    scatter[0, 1] = scatter[1, 0] = 0.5
    tables = {"a": scatter.tolist(), "b": (3 * scatter).tolist()}
    made = ErrorScatter(scatter=tables, unit="mm", typical=0.5, stated=2.0)
    for spacing in (ANISOTROPIC[ndim], ANISOTROPIC[ndim][::-1]):
        own = np.stack([covariance_of(ndim, 1), covariance_of(ndim, 2)])
        said = predicted(np.full((2, ndim), 30.0), grid_of(ndim, spacing), own)
        widened = made.applied(said)
        for row, factor in ((0, 1), (1, 3)):
            for i in range(ndim):
                for j in range(ndim):
                    expected = 2 * own[row, i, j] + 0.5 * factor * scatter[i, j] / (spacing[i] * spacing[j])
                    assert widened.landmarks.covariance[row, i, j] == pytest.approx(expected)
        np.testing.assert_array_equal(widened.landmarks.points, said.landmarks.points)
        assert widened.heatmaps is said.heatmaps
    stranger = replace(said, landmarks=replace(said.landmarks, names=("a", "z")))
    mean = made.applied(stranger).landmarks.covariance[1] - 2 * own[1]
    np.testing.assert_allclose(mean, scatter / np.multiply.outer(spacing, spacing))


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_third_tells_the_scatter_and_the_others_the_thresholds(ndim):
    """Oracle: both parts by hand; it comes back from a file the same."""
    cases = _cases(ndim, 31, 0, ANISOTROPIC[ndim])
    predictions, truths = zip(*cases, strict=True)
    made = Calibration.fit(SCATTER, iter(predictions), iter(truths))
    scatter = ErrorScatter.fit(predictions[:10], truths[:10])
    assert made.scaling == scatter
    plain = CalibrationConfig()
    by_hand = Calibration.fit(plain, map(scatter.applied, predictions[10:]), truths[10:])
    np.testing.assert_array_equal(made.scores, by_hand.scores)
    again = Calibration.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again.scaling == scatter
    expected = by_hand.regions(scatter.applied(predictions[0]), 0.8)
    for name, region in again.regions(predictions[0], 0.8).items():
        assert region.size == pytest.approx(expected[name].size)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_promise_holds_and_regions_are_smaller(ndim):
    """600 draws of 29 images and a new one: 9 of them tell the scatter, 20 the thresholds, in each landmark."""
    pool, rng, inside, sizes = _cases(ndim, 600, 1), np.random.default_rng(0), [], []
    for _ in range(600):
        *own, new = rng.choice(600, 30, replace=False)
        made = Calibration.fit(SCATTER, *zip(*(pool[k] for k in own), strict=True))
        inside.append(np.stack([made.covers(*pool[new], c) for c in (0.5, 0.9)]))
        if len(sizes) < 100:
            plain = Calibration.fit(CalibrationConfig(), *zip(*(pool[k] for k in own), strict=True))
            sizes.append([one.region(pool[new][0], "a", 0.9).size for one in (made, plain)])
    assert made.count == 20
    hits = np.sum(inside, axis=0).astype(int)
    checks = [
        Check(f"{name} at {c}", name, int(hits[level, row]), 600, c, c + 1 / 21)
        for level, c in enumerate((0.5, 0.9))
        for row, name in enumerate("ab")
    ]
    judge(checks)
    narrow, wide = np.median(sizes, axis=0)
    assert narrow < 0.7 * wide


def test_choices_and_images_that_it_does_not_suit_are_told():
    with pytest.raises(CalibrationError, match="score 'rank' reads heatmaps and no spreads") as caught:
        SCATTER.changed(score="rank")
    assert "\n" not in str(caught.value)
    assert CalibrationConfig(score=PerAxisScore(), temperature="scatter").temperature == "scatter"
    cases = _cases(2, 6, 0, (0.5, 0.5))
    made = Calibration.fit(SCATTER, *zip(*cases, strict=True))
    for other in (_cases(2, 1, 0)[0][0], _cases(3, 1, 0, ANISOTROPIC[3])[0][0]):
        with pytest.raises(CalibrationError, match="calibrate it again"):
            made.scaling.applied(other)
    with pytest.raises(CalibrationError, match="Some of the images have a spacing"):
        ErrorScatter.fit(*zip(*cases, *_cases(2, 1, 0), strict=True))
    with pytest.raises(CalibrationError, match="true places of each image"):
        ErrorScatter.fit([cases[0][0]], [])
    point = np.full((1, 2), 30.0)
    for place in (point, point * np.nan):
        with pytest.raises(CalibrationError, match="differ from the points"):
            ErrorScatter.fit([predicted(point, grid_of(2), np.eye(2)[None])], [truth_of(place, grid_of(2))])
    with pytest.raises(CalibrationError, match="exactly where"):
        Calibration.from_scores(SCATTER, ("a",), 2, scaling=TemperatureScaling(of="covariance"))
    stored = made.to_dict()
    good = stored["temperature"]
    for table in ([[1, 0]], [[1, 0, 0], [0, 1, 0]], [[1, 3], [3, 1]], [[1, 0.5], [0, 1]], [[0, 0], [0, 0]]):
        with pytest.raises(CalibrationError, match="damaged"):
            Calibration.from_dict({**stored, "temperature": {**good, "scatter": {"a": table, "b": [[1, 0], [0, 1]]}}})
    with pytest.raises(CalibrationError, match="damaged"):
        Calibration.from_dict({**stored, "temperature": {**good, "scatter": {}}})
