"""Regions of heatmaps: what they hold, and that simulated places lie in them as often as is promised.

How the many checks of the latter are judged is said in `coverage_checks`; all draws begin at seed 0.
"""

from functools import cache

import numpy as np
import pytest
from coverage_checks import Check, judge
from scipy import ndimage
from skimage.morphology import reconstruction

from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.uncertainty import (
    Calibration,
    CalibrationConfig,
    CellGrid,
    DensityScore,
    RankScore,
    WholeImage,
)
from napari_landmarker.engine.uncertainty.quantile import landmark_thresholds, level_of_each

SEED = 0
DRAWS = 2000
COUNTS = (5, 18, 19, 39, 100)
CONFIDENCES = (0.5, 0.9, 0.95)
SIZE = {2: 16, 3: 8}
SCORES = [
    DensityScore(),
    DensityScore(relative=False),
    RankScore(),
    DensityScore(connected=True),
    RankScore(connected=True),
]


def _prediction(heat, spacing=None, factor=2, pad=0):
    """A map ``(*heat)`` over an image of ``factor`` pixels a cell, of which ``pad`` cells all around are padding."""
    heat = np.asarray(heat, dtype=np.float32)
    shape = tuple((size - 2 * pad) * factor for size in heat.shape)
    grid = Grid(shape, spacing)
    landmarks = LandmarkSet.from_points({"a": np.array(shape) / 2}, grid)
    return Prediction(landmarks, heat[None], AffineMap.scaling(shape, [1 / factor] * heat.ndim, heat.shape))


def _bumpy(ndim, seed):
    """Several soft hills, which differ everywhere."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(SIZE[ndim],) * ndim), 1.2, mode="wrap")
    heat = np.exp(4 * noise / noise.std())
    return heat / heat.max()


def _drawn(prediction, count, rng):
    """Places drawn from a map as from a density, ``(count, D)``, index coordinates of the image."""
    heat = prediction.heatmaps[0].astype(float)
    at = rng.choice(heat.size, size=count, p=(heat / heat.sum()).ravel())
    cells = np.stack(np.unravel_index(at, heat.shape), axis=1)
    return prediction.to_heatmap.inverse.apply(cells + rng.uniform(-0.499, 0.499, cells.shape))


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_a_place_is_in_the_region_exactly_where_its_score_is_low_enough(score, ndim):
    for seed in range(3):
        prediction = _prediction(_bumpy(ndim, seed))
        pixels = np.moveaxis(np.indices(prediction.landmarks.grid.shape), 0, -1).reshape(-1, ndim)
        some = pixels[np.random.default_rng(seed).permutation(len(pixels))[:150]]
        scores = score.measure(prediction, 0, some)[:, 0]
        assert (scores >= 0).all()
        assert np.isfinite(scores).all()
        for threshold in [0.0, *np.quantile(scores, [0.2, 0.7]), scores[0], scores.max()]:
            region = score.region(prediction, 0, threshold)
            np.testing.assert_array_equal(region.contains(some), scores <= threshold)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_the_smallest_region_is_the_cell_of_the_maximum(score, ndim):
    prediction = _prediction(_bumpy(ndim, 1), spacing=(0.5,) * ndim)
    assert score.region(prediction, 0, 0.0).size == pytest.approx(1.0)  # a cell of 2 pixels along each axis


def test_the_mass_of_a_region_is_what_was_asked_for():
    """Oracle: heat by hand. 0.5 lies in the maximum, 0.8 in the first two, and all in the first three."""
    heat = np.zeros((3, 3))
    heat[1] = [0.3, 0.5, 0.2]
    prediction, score = _prediction(heat, factor=1), RankScore()
    np.testing.assert_allclose(
        score.measure(prediction, 0, np.array([[1.0, 1], [1, 0], [1, 2], [0, 0]]))[:, 0], [0, 0.5, 0.8, 1]
    )
    for threshold, count in ((0.49, 1), (0.51, 2), (0.79, 2), (0.81, 3)):
        assert score.region(prediction, 0, threshold).size == count


def test_a_region_in_one_piece_leaves_out_the_second_hill():
    heat = np.full((9, 9), 0.01)
    heat[2, 2], heat[6, 6] = 1.0, 0.9
    prediction = _prediction(heat, factor=1)
    assert DensityScore().region(prediction, 0, 0.5).size == 2
    assert DensityScore(connected=True).region(prediction, 0, 0.5).size == 1
    heat[3, 3] = heat[4, 4] = heat[5, 5] = 0.6
    assert DensityScore(connected=True).region(_prediction(heat, factor=1), 0, 0.5).size == 5


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_regions_in_one_piece_are(score, ndim):
    prediction = _prediction(_bumpy(ndim, 3), factor=1)
    cells = CellGrid.of(prediction.landmarks.grid, prediction.to_heatmap)
    for threshold in np.quantile(
        score.measure(prediction, 0, _drawn(prediction, 200, np.random.default_rng(0))), [0.5, 0.9]
    ):
        mask = score.region(prediction, 0, threshold).mask((0,) * ndim, cells.shape)
        parts = ndimage.label(mask, np.ones((3,) * ndim))[1]
        assert parts == 1 or not score.connected


@pytest.mark.parametrize("ndim", [2, 3])
def test_levels_in_one_piece_are_those_of_the_reconstruction(ndim):
    """Oracle: morphological reconstruction of the heat from its maximum."""
    prediction = _prediction(_bumpy(ndim, 6), factor=1)
    heat = prediction.heatmaps[0]
    seed = np.where(heat == heat.max(), heat, heat.min())
    lowest = reconstruction(seed, heat, footprint=np.ones((3,) * ndim))
    every = np.moveaxis(np.indices(heat.shape), 0, -1).reshape(-1, ndim)
    scores = DensityScore(connected=True).measure(prediction, 0, every)[:, 0]
    np.testing.assert_allclose(scores, 1 - lowest.ravel() / heat.max(), atol=1e-12)
    mass = heat / heat.sum(dtype=float)
    above = [mass[lowest > level].sum() for level in lowest.ravel()[:100]]
    np.testing.assert_allclose(RankScore(connected=True).measure(prediction, 0, every[:100])[:, 0], above, atol=1e-12)


@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_a_map_whose_axes_are_turned_and_swapped_has_the_same_regions(score):
    straight = _prediction(_bumpy(3, 8)[:, :7, :6])
    shape = straight.to_heatmap.target_shape
    moved = AffineMap.permute(shape, (2, 0, 1)).then(AffineMap.flip((6, 8, 7), (0, 2)))
    heat = np.flip(straight.heatmaps[0].transpose(2, 0, 1), (0, 2))
    other = Prediction(straight.landmarks, heat[None], straight.to_heatmap.then(moved))
    for threshold in (0.3, 0.8):
        here, there = (score.region(one, 0, threshold) for one in (straight, other))
        np.testing.assert_array_equal(here.mask((0, 0, 0), (16, 14, 12)), there.mask((0, 0, 0), (16, 14, 12)))
        assert here.size == pytest.approx(there.size)


def test_a_landmark_without_a_point_may_be_anywhere():
    prediction = _prediction(_bumpy(2, 1))
    missing = Prediction(prediction.landmarks.without_point("a"), prediction.heatmaps, prediction.to_heatmap)
    assert all(score.region(missing, 0, 0.5).whole for score in SCORES)


@pytest.mark.parametrize(
    "heat", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.full((4, 4), np.inf)], ids=["zero", "nan", "inf"]
)
@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_a_map_that_says_nothing_gives_the_whole_image(score, heat):
    prediction = _prediction(heat)
    region = score.region(prediction, 0, 0.5)
    assert isinstance(region, WholeImage)
    assert region.reason
    assert np.isinf(score.at(prediction, [[3.0, 3.0]])).all()


def test_a_flat_map_is_the_whole_image_by_itself():
    prediction = _prediction(np.ones((4, 4)))
    assert all(score.region(prediction, 0, 0.0).size == 64 for score in SCORES)


def test_heat_in_the_padding_does_not_count():
    heat = np.zeros((8, 8))
    heat[0, 0], heat[3, 3], heat[4, 4] = 5.0, 1.0, 0.5
    prediction = _prediction(heat, factor=1, pad=2)
    assert RankScore().region(prediction, 0, 0.5).size == 1
    np.testing.assert_array_equal(RankScore().region(prediction, 0, 0.5).bounds()[0], [0.5, 0.5])


@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_a_place_beyond_the_border_belongs_to_the_nearest_cell(score):
    prediction = _prediction(_bumpy(2, 5))
    inside, beyond = score.measure(prediction, 0, np.array([[0.0, 3.0], [-7.0, 3.0]]))
    assert inside == beyond


@cache
def _scores_of_cells(score, ndim, image):
    """The cells of a map, and the score of each."""
    prediction = _prediction(_bumpy(ndim, 100 + image))
    cells = CellGrid.of(prediction.landmarks.grid, prediction.to_heatmap)
    every = np.moveaxis(np.indices(cells.shape), 0, -1).reshape(-1, ndim)
    return cells, score.measure(prediction, 0, prediction.to_heatmap.inverse.apply(every)).reshape(cells.shape)


def _table(score, ndim, count, rng, as_the_map_says):
    """Scores ``(count, 1, 1, DRAWS)`` of places drawn from maps, or from maps that are not what the model shows."""
    table = np.empty((count, 1, 1, DRAWS))
    which = rng.integers(12, size=(count, DRAWS))
    for image in range(12):
        source = _prediction(_bumpy(ndim, 100 + image) ** (1 if as_the_map_says else 0.5))
        at = which == image
        cells, scores = _scores_of_cells(score, ndim, image)
        places = _drawn(source, int(at.sum()), rng)
        table[:, 0, 0][at] = scores[tuple(cells.cell_of(places).T)]
    return table


def _settings():
    """Every score, dimension and number of images, with what tells their draws from others."""
    for ndim in (2, 3):
        for number, score in enumerate(SCORES):
            for count in COUNTS:
                yield score, ndim, count, (SEED, ndim, number, count)


def test_conformal_regions_of_heatmaps_cover_what_they_promise():
    """And exactly that where ties are broken by chance, as places in one cell have the same score."""
    checks = []
    for score, ndim, count, key in _settings():
        rng = np.random.default_rng(key)
        table = _table(score, ndim, count + 1, rng, as_the_map_says=False)
        for confidence in CONFIDENCES:
            what = f"{score!r} {ndim}D n={count} c={confidence}"
            threshold = landmark_thresholds(table[:-1], confidence, "each", None)
            hits = int((table[-1] <= threshold).sum())
            enough = count >= confidence / (1 - confidence) - 1e-9
            assert (np.isfinite if enough else np.isinf)(threshold).all()
            # behind a bottleneck many cells have one score, and ties only ever cover more
            most = 1.0 if score.connected or not enough else confidence + 1 / (count + 1)
            checks.append(Check(what, key, hits, DRAWS, confidence, most))
            exact = int((table[-1] <= landmark_thresholds(table[:-1], confidence, "each", rng)).sum())
            checks.append(Check(f"{what}, by chance", key, exact, DRAWS, confidence, confidence))
    judge(checks)


def test_conformal_regions_of_several_landmarks_cover_what_they_promise():
    """Of two landmarks, of which the second errs as its map says: one of them at random, or both together."""
    checks = []
    for score, ndim, count, key in _settings():
        rng = np.random.default_rng((*key, 2))
        table = np.concatenate([_table(score, ndim, count + 1, rng, right) for right in (False, True)], axis=1)
        for landmarks in ("pooled", "bonferroni", "max"):
            for confidence in CONFIDENCES:
                level = level_of_each(confidence, landmarks, 2, 1)
                thresholds = landmark_thresholds(table[:-1], level, landmarks)
                inside = (table[-1] <= thresholds).all(axis=1)
                one = inside[np.arange(DRAWS) % 2, np.arange(DRAWS)]
                hits = int((one if landmarks == "pooled" else inside.all(axis=0)).sum())
                enough = level * (count + 1) <= count + 1e-9
                assert (np.isfinite if enough else np.isinf)(thresholds).all()
                most = level + (1.5 if landmarks == "pooled" else 1) / (count + 1)
                what = f"{score!r} {ndim}D n={count} c={confidence} {landmarks}"
                most = 1.0 if score.connected or not enough else most
                checks.append(Check(what, key, hits, DRAWS, confidence, most))
    judge(checks)


@pytest.mark.parametrize("landmarks", ["each", "pooled", "bonferroni", "max"])
@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_what_is_covered_lies_in_the_region(score, landmarks):
    """Also of images of different size, with missing places and maps that say nothing."""
    rng = np.random.default_rng(5)
    cases = []
    for image in range(40):
        one = _prediction(_bumpy(2, image)[: 16 - image % 3], spacing=(0.5, 0.2))
        grid = one.landmarks.grid
        heat = np.stack([one.heatmaps[0], one.heatmaps[0, ::-1]])
        if image % 19 == 3:
            heat[1] = np.nan
        points = LandmarkSet.from_points(dict.fromkeys("ab", np.array(grid.shape) / 2), grid)
        places = {"a": _drawn(one, 1, rng)[0], "b": rng.uniform(0, 20, 2)}
        truth = LandmarkSet.from_points(places, grid)
        cases.append((Prediction(points, heat, one.to_heatmap), truth.without_point("a") if image % 7 == 2 else truth))
    config = CalibrationConfig(score=score, landmarks=landmarks)
    calibration = Calibration.fit(config, *zip(*cases[:30], strict=True))
    for prediction, truth in cases:
        regions, covered = calibration.regions(prediction, 0.7), calibration.covers(prediction, truth, 0.7)
        for row, name in enumerate(prediction.names):
            place = truth.point(name)
            expected = np.nan if np.isnan(place).any() else float(regions[name].contains(place))
            assert covered[row] == pytest.approx(expected, nan_ok=True)


def test_parametric_regions_cover_where_the_map_is_right():
    """They hold at least what they promise."""
    checks = []
    for ndim in (2, 3):
        for connected in (False, True):
            score, key = RankScore(connected=connected), (SEED, ndim, connected)
            table = _table(score, ndim, 1, np.random.default_rng(key), as_the_map_says=True)
            for c in CONFIDENCES:
                hits = int((table <= score.parametric(c, ndim)).sum())
                checks.append(Check(f"{score!r} {ndim}D c={c}", key, hits, DRAWS, c))
    judge(checks)


@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_a_calibration_of_heatmaps_survives_its_file(score):
    prediction = _prediction(_bumpy(2, 1), spacing=(0.5, 0.5))
    truths = [
        LandmarkSet.from_points({"a": p}, prediction.landmarks.grid)
        for p in _drawn(prediction, 30, np.random.default_rng(1))
    ]
    config = CalibrationConfig(score=score)
    made = Calibration.fit(config, [prediction] * 30, truths)
    again = Calibration.from_dict(made.to_dict())
    assert again.region(prediction, "a", 0.9).size == made.region(prediction, "a", 0.9).size > 0
    assert np.mean([made.covers(prediction, truth, 0.9) for truth in truths]) >= 0.9
