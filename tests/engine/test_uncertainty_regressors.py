"""The paper's regressors: how often they cover, what they return, and that they are the compositions they claim."""

import numpy as np
import pytest
import torch
from coverage_checks import Check, judge
from scipy import stats

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.uncertainty import (
    MR2C2R,
    MR2CCP,
    ConformalRegressorBonferroni,
    ConformalRegressorMahalanobis,
    ConformalRegressorMaxNonconformity,
    ContourHuggingRegressor,
    MultivariateNormalRegressor,
)

ROOT = {2: np.array([[2.0, 0.0], [1.5, 1.0]]), 3: np.array([[2.0, 0, 0], [1, 1.5, 0], [0.5, -1, 3]])}
BALL = {2: np.pi, 3: 4 * np.pi / 3}
HEAT = [
    MR2CCP,
    MR2C2R,
    lambda *given: MR2C2R(*given, aps=True),
    ContourHuggingRegressor,
]


def _points(ndim, count=40, landmarks=2, seed=0):
    """Points, covariances, and places that are Gaussian with them."""
    rng = np.random.default_rng(seed)
    pred = rng.uniform(20, 80, (count, landmarks, ndim))
    covariance = np.broadcast_to(ROOT[ndim] @ ROOT[ndim].T, (count, landmarks, ndim, ndim))
    return pred, covariance, pred + rng.normal(size=pred.shape) @ ROOT[ndim].T


def _maps(ndim, count=40, landmarks=2, seed=0):
    """Maps ``(N, C, *size)``, places drawn from them, and the sizes and paddings of the images."""
    rng = np.random.default_rng(seed)
    size, factor, pad = ((12, 10), (9, 8, 7))[ndim - 2], 3, 3
    maps = rng.random((count, landmarks, *size)).astype(np.float32) ** 20
    inner = tuple(slice(1, -1) for _ in size)
    inside = np.zeros_like(maps)
    inside[(..., *inner)] = maps[(..., *inner)]  # of the padding, one cell all around, nothing is true
    target = np.empty((count, landmarks, ndim))
    for at in np.ndindex(count, landmarks):
        flat = inside[at].astype(float).ravel()
        cell = np.unravel_index(rng.choice(flat.size, p=flat / flat.sum()), size)
        target[at] = factor * (np.array(cell) - 1) + 1 + rng.uniform(-1.4, 1.4, ndim)
    dims = np.tile(factor * (np.array(size) - 2), (count, 1))
    return size, maps, target, dims, np.full((count, ndim), pad)


@pytest.mark.parametrize("ndim", [2, 3])
def test_normal_ellipsoids_cover_what_they_promise(ndim):
    """By the chi-square of the right dimension: simulated, and by the volume's formula."""
    pred, covariance, target = _points(ndim, 1000)
    regressor = MultivariateNormalRegressor(ndim, 2)
    judge(
        [Check(f"{c}", 0, int(regressor.in_region(pred, covariance, target, c).sum()), 2000, c, c) for c in (0.5, 0.95)]
    )
    spacing = np.tile([0.5, 0.2, 3.0][:ndim], (1, 1))
    volume = BALL[ndim] * np.sqrt(stats.chi2.ppf(0.95, ndim)) ** ndim * abs(np.linalg.det(ROOT[ndim]))
    area = regressor.area_prediction_region(covariance[:1], spacing)
    assert area == pytest.approx(np.full((1, 2), volume * spacing.prod()))


@pytest.mark.parametrize("ndim", [2, 3])
def test_ellipsoids_reach_to_the_score_of_the_right_rank(ndim):
    pred, covariance, target = _points(ndim, 19)
    regressor = ConformalRegressorMahalanobis(ndim, 2)
    regressor.fit(torch.tensor(pred, requires_grad=True), torch.tensor(covariance), torch.tensor(target))
    centres, matrices = regressor.predict(pred, covariance, 0.95)
    distance = np.linalg.norm((target - pred) @ np.linalg.inv(ROOT[ndim]).T, axis=-1)
    np.testing.assert_array_equal(centres, pred)
    np.testing.assert_allclose(matrices[3, 1], covariance[3, 1] * distance[:, 1].max() ** 2)
    assert regressor.in_region(pred, covariance, target).all()
    assert (regressor.predict(pred, covariance, 0.96)[1] == np.inf).all()  # 19 images promise no more than 0.95
    assert regressor.in_region(pred, covariance, target + 1000, 0.96).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_boxes_are_the_intervals_of_each_axis(ndim):
    """Oracle: ranks of sorted deviations, by hand."""
    pred, _, target = _points(ndim, 39)
    sigmas = np.random.default_rng(1).uniform(1, 2, pred.shape)
    deviations = np.sort(np.abs(target - pred) / sigmas, axis=0)
    bonferroni = ConformalRegressorBonferroni(ndim, 2)
    bonferroni.fit(pred, target, sigmas)
    rank = {2: 38, 3: 39}[ndim]  # ceil(40 * (1 - 0.1 / D))
    box = bonferroni.predict(pred, sigmas, 0.9)
    np.testing.assert_allclose(box[..., 0], pred - sigmas * deviations[rank - 1])
    np.testing.assert_allclose(box[..., 1], pred + sigmas * deviations[rank - 1])
    largest = ConformalRegressorMaxNonconformity(ndim, 2)
    largest.fit(pred, target, sigmas)
    worst = np.sort((np.abs(target - pred) / sigmas).max(axis=2), axis=0)[35]  # of rank 36 of 39
    np.testing.assert_allclose(largest.predict(pred, sigmas, 0.9)[..., 1], pred + sigmas * worst[:, None])
    inside = (np.abs(target - pred) <= sigmas * worst[:, None]).all(axis=2)
    np.testing.assert_array_equal(largest.in_region(pred, sigmas, target, 0.9), inside)
    plain = ConformalRegressorMaxNonconformity(ndim, 2)
    plain.fit(pred, target)
    reach = np.sort(np.abs(target - pred).max(axis=2), axis=0)[35]
    np.testing.assert_allclose(plain.predict(pred, confidence=0.9)[..., 0], pred - reach[:, None])
    spacing = np.array([[0.5, 0.2, 3.0], [1.0, 1.0, 1.0]])[:, :ndim]
    volume = (2 * reach) ** ndim * spacing.prod(axis=1, keepdims=True)
    np.testing.assert_allclose(plain.area_prediction_region(spacing=spacing, confidence=0.9), volume)
    np.testing.assert_allclose(plain.area_prediction_region(confidence=0.9), volume[1:])


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("make", HEAT)
def test_regions_of_heatmaps_are_the_pixels_that_they_hold(make, ndim):
    size, maps, target, dims, padding = _maps(ndim)
    regressor = make(ndim, 2, size)
    regressor.fit(maps, target, dims, padding)
    spacing = np.full((40, ndim), 0.5)
    for confidence in (0.5, 0.9):
        masks = regressor.predict(maps, dims, padding, confidence)
        assert masks.shape == (40, 2, *dims[0])
        volume = masks.reshape(40, 2, -1).sum(axis=2) * 0.5**ndim
        np.testing.assert_allclose(regressor.area_prediction_region(maps, dims, padding, spacing, confidence), volume)
        nearest = np.rint(target).astype(int)
        held = [[masks[(n, c, *nearest[n, c])] for c in range(2)] for n in range(40)]
        inside = regressor.in_region(maps, target, dims, padding, confidence)
        np.testing.assert_array_equal(inside, held)
        assert (inside.sum(axis=0) >= (41 * confidence if "Contour" not in type(regressor).__name__ else 0)).all()


def test_contour_hugging_holds_at_least_the_confidence():
    size, maps, target, dims, padding = _maps(2, count=500)
    regressor = ContourHuggingRegressor(2, 2, size)
    regressor.fit(maps, target, dims, padding)
    inside = {c: regressor.in_region(maps, target, dims, padding, c) for c in (0.5, 0.95)}
    judge([Check(f"{c}", 0, int(own.sum()), own.size, c) for c, own in inside.items()])


def test_tensors_of_any_type_are_read():
    size, maps, target, dims, padding = _maps(2)
    regressor = MR2CCP(2, 2, size)
    half = torch.tensor(maps, dtype=torch.bfloat16, requires_grad=True)
    regressor.fit(half, torch.tensor(target), torch.tensor(dims), torch.tensor(padding))
    masks = regressor.predict(half, torch.tensor(dims), torch.tensor(padding))
    np.testing.assert_array_equal(masks, regressor.predict(half.detach().float().numpy(), dims, padding))


def test_images_of_different_size_give_masks_of_their_own():
    size, maps, target, dims, padding = _maps(2)
    dims = dims + np.arange(40)[:, None]
    regressor = MR2C2R(2, 2, size)
    regressor.fit(maps, target, dims, padding)
    masks = regressor.predict(maps[:3], dims[:3], padding[:3], 0.5)
    assert [mask.shape for mask in masks] == [(2, *dim) for dim in dims[:3]]


@pytest.mark.parametrize("ndim", [2, 3])
def test_contours(ndim):
    pred, covariance, target = _points(ndim)
    ellipsoid = ConformalRegressorMahalanobis(ndim, 2)
    ellipsoid.fit(pred, covariance, target)
    size, maps, places, dims, padding = _maps(ndim)
    cells = MR2CCP(ndim, 2, size)
    cells.fit(maps, places, dims, padding)
    drawn, sets = ellipsoid.predict_contour(pred, covariance), cells.predict_contour(maps, dims, padding, 0.5)
    if ndim == 2:
        assert drawn.shape == (40, 200, 2, 2)
        _, matrices = ellipsoid.predict(pred, covariance)
        offset = drawn[5, :, 1] - pred[5, 1]
        np.testing.assert_allclose(np.einsum("pi,ij,pj->p", offset, np.linalg.inv(matrices[5, 1]), offset), 1)
        assert all(polygon.shape[1] == 2 for polygon in sets[5][1])
        assert np.isnan(ellipsoid.predict_contour(pred, covariance, 0.99)).all()
        boxes = ConformalRegressorBonferroni(2, 2)
        boxes.fit(pred, target)
        assert boxes.predict_contour(pred).shape == (40, 4, 2, 2)
    else:
        for vertices, faces in (drawn[5][1], sets[5][1]):
            assert vertices.shape[1] == faces.shape[1] == 3
            assert faces.max() == len(vertices) - 1


def test_evaluation_by_hand():
    pred, covariance = (
        np.zeros((4, 1, 2)),
        np.tile(np.eye(2), (4, 1, 1, 1)) * np.array([1, 4, 9, 16])[:, None, None, None],
    )
    target = np.array([[[0.0, 0.1]], [[0, 0.2]], [[0, 100]], [[np.nan, np.nan]]])
    found = MultivariateNormalRegressor(2, 1).evaluate(pred, covariance, target, np.full((4, 2), 2.0), 0.5)
    unit = np.pi * stats.chi2.ppf(0.5, 2) * 4
    assert found["coverage"] == pytest.approx(2 / 3)
    assert found["efficiency_mean"] == pytest.approx(unit * 14 / 3)
    assert found["efficiency_median"] == pytest.approx(unit * 4)
    assert found["adaptivity"] == pytest.approx(1)
    inside, area, error = MultivariateNormalRegressor(2, 1).evaluate(
        pred, covariance, target, np.full((4, 2), 2.0), 0.5, return_summary=False
    )
    assert inside.ravel().tolist() == [True, True, False, False]
    assert area.ravel() == pytest.approx(unit * np.array([1, 4, 9, 16]))
    assert error.ravel() == pytest.approx([0.2, 0.4, 200, np.nan], nan_ok=True)


def test_missing_places_and_maps_are_left_out():
    size, maps, target, dims, padding = _maps(2)
    maps, target = maps.copy(), target.copy()
    target[:10, 0], maps[20:23, 1] = np.nan, np.nan
    regressor = MR2C2R(2, 2, size, aps=True)
    regressor.fit(maps, target, dims, padding)
    assert regressor.calibration.cases_for("0") == 30
    inside = regressor.in_region(maps, target, dims, padding, 0.5)
    assert not inside[:10, 0].any()
    assert inside[20:23, 1].all()  # nothing was found: the whole image


def test_what_is_refused_is_said_in_a_sentence():
    pred, covariance, target = _points(2)
    with pytest.raises(CalibrationError, match="call fit first"):
        ConformalRegressorMahalanobis(2, 2).predict(pred, covariance)
    with pytest.raises(CalibrationError, match="shape"):
        ConformalRegressorMahalanobis(2, 3).fit(pred, covariance, target)
    with pytest.raises(CalibrationError, match="Covariances"):
        MultivariateNormalRegressor(2, 2).predict(pred, covariance[:, :1])
    with pytest.raises(CalibrationError, match="Heatmaps"):
        MR2CCP(2, 1, (4, 4)).fit(np.zeros((3, 1, 5, 5)), np.zeros((3, 1, 2)))
    with pytest.raises(CalibrationError, match="Sigmas must have the shape"):
        ConformalRegressorBonferroni(2, 2).fit(pred, target, np.ones(3))
    with pytest.raises(CalibrationError, match="of 4 images, not of 40"):
        MultivariateNormalRegressor(2, 2).in_region(pred, covariance, target[:4])
    size, maps, places, dims, padding = _maps(2)
    cells = ContourHuggingRegressor(2, 2, size)
    with pytest.raises(CalibrationError, match="Points must have the shape"):
        cells.evaluate(maps, places[:4], places, dims, padding)
    with pytest.raises(CalibrationError, match="The sizes of images must have the shape"):
        cells.predict(maps, dims[:, :1].repeat(3, axis=1), padding)
    for wrong in (dims * np.nan, -dims):
        with pytest.raises(CalibrationError, match="must be positive numbers"):
            cells.predict(maps, wrong, padding)
    with pytest.raises(CalibrationError, match="no true place"):
        cells.evaluate(maps, places, places * np.nan, dims, padding)
    for confidence in (0, 1, 1.5):
        with pytest.raises(CalibrationError, match="between 0 and 1"):
            MultivariateNormalRegressor(2, 2).predict(pred, covariance, confidence)
