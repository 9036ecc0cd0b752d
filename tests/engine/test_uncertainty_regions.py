"""Regions: exact sizes, what lies inside, their drawings, and the scores whose level sets they are."""

import numpy as np
import pytest
from scipy import stats
from uncertain_cases import ANISOTROPIC, covariance_of, grid_of, predicted

from napari_landmarker.engine.errors import CalibrationError, GeometryError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.uncertainty import (
    Box,
    Ellipsoid,
    EuclideanScore,
    MahalanobisScore,
    PerAxisScore,
    WholeImage,
)

SCORES = [
    EuclideanScore(),
    MahalanobisScore(),
    *(PerAxisScore(scaled=s, combine=c) for s in (True, False) for c in ("max", "bonferroni")),
]
SPACINGS = [None, "anisotropic"]


def _prediction(ndim, spacing=None, **changed):
    grid = grid_of(ndim, ANISOTROPIC[ndim] if spacing else None)
    centre = np.array([[29.3, 33.8, 41.1][:ndim]])
    return predicted(centre, grid, changed.get("covariance", covariance_of(ndim)[None]))


def _region(score, prediction, radius=2.5):
    return score.region(prediction, 0, np.full(score.components(prediction.landmarks.grid.ndim), radius))


def _shoelace(polygon):
    y, x = polygon.T
    return abs(np.dot(y, np.roll(x, -1)) - np.dot(x, np.roll(y, -1))) / 2


def _enclosed(vertices, faces):
    """Volume by the divergence theorem; positive where all triangles face outwards, in the frame (z, y, x)."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_sizes_are_those_of_the_formulas_in_mm(ndim, spacing):
    prediction = _prediction(ndim, spacing)
    covariance = prediction.landmarks.covariance[0]
    step = np.array(ANISOTROPIC[ndim]) if spacing else np.ones(ndim)
    unit_ball = {2: np.pi, 3: 4 * np.pi / 3}[ndim]
    sigma_mm = np.sqrt(np.diag(covariance)) * step
    for score, size in (
        (EuclideanScore(), unit_ball * 2.5**ndim),
        (MahalanobisScore(), unit_ball * 2.5**ndim * np.sqrt(np.linalg.det(covariance)) * step.prod()),
        (PerAxisScore(), np.prod(5 * sigma_mm)),
        (PerAxisScore(scaled=False), 5.0**ndim),
    ):
        region = _region(score, prediction)
        assert region.size == pytest.approx(size, rel=1e-12)
        assert region.unit == ("mm" if spacing else "px") + {2: "²", 3: "³"}[ndim]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_sizes_and_bounds_are_those_of_random_places(score, ndim):
    prediction = _prediction(ndim, "anisotropic")
    region = _region(score, prediction)
    lower, upper = region.bounds()
    margin = (upper - lower) * 0.05
    rng = np.random.default_rng(1)
    places = rng.uniform(lower - margin, upper + margin, (200_000, ndim))
    inside = region.contains(places)
    tight = np.ptp(places[inside], axis=0) / (upper - lower)
    assert np.all((tight > 0.97) & (tight <= 1))
    volume = inside.mean() * np.prod((upper - lower + 2 * margin) * ANISOTROPIC[ndim])
    assert volume == pytest.approx(region.size, rel=0.01)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_a_region_contains_a_place_exactly_where_the_score_keeps_the_threshold(score, ndim):
    """Also on the very border: a threshold that is the score of a place itself."""
    rng = np.random.default_rng(2)
    prediction = _prediction(ndim, "anisotropic")
    places = prediction.landmarks.points[0] + rng.normal(0, 3, (40, ndim))
    scores = np.stack([score.at(prediction, place[None])[0] for place in places])
    assert np.array_equal(scores, score.measure(prediction, 0, places))
    for own in scores:
        region = score.region(prediction, 0, own)
        assert np.array_equal(region.contains(places), (scores <= own).all(axis=1))
    centre = prediction.landmarks.points
    assert (score.at(prediction, centre) == 0).all()
    assert score.region(prediction, 0, np.zeros(scores.shape[1])).contains(centre[0])
    assert not score.region(prediction, 0, scores[0]).contains(np.full(ndim, np.nan))


def test_scores_by_hand():
    grid = Grid((50, 50), (2.0, 0.5))
    prediction = predicted([[10.0, 20.0]], grid, np.array([[[4.0, 0.0], [0.0, 9.0]]]))
    place = np.array([[13.0, 26.0]])  # 3 and 6 px away: 6 and 3 mm, 1.5 and 2 standard deviations
    assert EuclideanScore().at(prediction, place) == pytest.approx(np.sqrt(45))
    assert MahalanobisScore().at(prediction, place) == pytest.approx(2.5)
    assert PerAxisScore().at(prediction, place) == pytest.approx(2)
    assert PerAxisScore(combine="bonferroni").at(prediction, place)[0] == pytest.approx([1.5, 2])
    assert PerAxisScore(scaled=False, combine="bonferroni").at(prediction, place)[0] == pytest.approx([6, 3])
    assert np.isnan(EuclideanScore().at(prediction, [[np.nan, np.nan]])).all()


def test_parametric_thresholds_by_tables():
    assert MahalanobisScore().parametric(0.95, 2) ** 2 == pytest.approx(5.991, abs=5e-4)
    assert MahalanobisScore().parametric(0.95, 3) ** 2 == pytest.approx(7.815, abs=5e-4)
    assert PerAxisScore(combine="bonferroni").parametric(0.95, 3) == pytest.approx(1.960, abs=5e-4)
    assert (2 * stats.norm.cdf(PerAxisScore().parametric(0.9, 3)) - 1) ** 3 == pytest.approx(0.9)
    for score in (EuclideanScore(), PerAxisScore(scaled=False)):
        with pytest.raises(CalibrationError, match="no probabilities of its own"):
            score.parametric(0.9, 2)


def test_a_contour_lies_on_the_border_and_closes_on_the_area():
    for score in SCORES:
        region = _region(score, _prediction(2))
        (outline,) = region.contour(720)
        centre = _prediction(2).landmarks.points[0]
        assert region.contains(centre + 0.999 * (outline - centre)).all()
        assert not region.contains(centre + 1.001 * (outline - centre)).any()
        assert _shoelace(outline) == pytest.approx(region.size, rel=1e-4)


def test_a_surface_faces_outwards_and_holds_the_volume():
    mirrored = Ellipsoid(grid_of(3), np.full(3, 30.0), np.diag([2.0, -3.0, 4.0]), 2.0)
    for region in [mirrored, *(_region(score, _prediction(3)) for score in SCORES)]:
        vertices, faces = region.surface()
        assert _enclosed(vertices, faces) == pytest.approx(region.size, rel=0.02)
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
        assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()  # no gap
        centre = region.centre
        assert region.contains(centre + 0.999 * (vertices - centre)).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("score", SCORES[:3], ids=repr)
def test_sections_are_the_cut_and_their_areas_sum_to_the_volume(score, axis):
    region = _region(score, _prediction(3))
    lower, upper = (bound[axis] for bound in region.bounds())
    steps = np.linspace(lower, upper, 201)
    middle = (steps[1:] + steps[:-1]) / 2
    areas = [sum(map(_shoelace, region.section(axis, at))) for at in middle]
    assert np.sum(areas) * (steps[1] - steps[0]) == pytest.approx(region.size, rel=5e-3)
    at = lower + 0.3 * (upper - lower)
    (outline,) = region.section(axis, at)
    for factor, expected in ((0.999, True), (1.001, False)):
        cut = outline.mean(axis=0) + factor * (outline - outline.mean(axis=0))
        assert (region.contains(np.insert(cut, axis, at, axis=1)) == expected).all()
    assert region.section(axis, lower - 0.1) == region.section(axis, upper + 0.1) == []


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_mask_counts_the_pixels_of_a_box(ndim):
    for score in SCORES[:3]:
        region = _region(score, _prediction(ndim))
        whole = region.mask([0] * ndim, region.grid.shape)
        assert whole.shape == region.grid.shape
        assert whole.sum() == pytest.approx(region.size, rel=0.1)
        lower, upper = region.pixel_bounds()
        assert region.mask().sum() == whole.sum()
        assert np.array_equal(region.mask(), whole[tuple(slice(a, b) for a, b in zip(lower, upper, strict=True))])
    outside = Box(grid_of(2), np.full(2, -30.0), np.ones(2), np.full(2, 3.0))
    assert outside.mask().size == 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_whole_image_says_nothing_and_says_so(ndim):
    region = WholeImage(Grid((6, 4, 5)[:ndim], (2.0, 0.5, 1.0)[:ndim]), "Because.")
    assert region.whole
    assert region.reason == "Because."
    assert region.size == pytest.approx({2: 24, 3: 120}[ndim])
    assert region.contains(np.full(ndim, -100.0))
    assert not region.contains(np.full(ndim, np.nan))
    assert region.mask().all()
    assert region.mask().shape == region.grid.shape
    assert region.bounds()[0] == pytest.approx(-0.5)
    endless = WholeImage(Grid.without_image(ndim), "Because.")
    assert np.isinf(endless.size)
    if ndim == 2:
        assert _shoelace(region.contour()[0]) == 24
        assert endless.contour() == []
    else:
        assert _enclosed(*region.surface()) == pytest.approx(120)
        assert len(endless.surface()[0]) == 0
        assert endless.section(0, 0.0) == []


def test_drawings_of_the_other_dimension_are_refused():
    flat, deep = (_region(EuclideanScore(), _prediction(ndim)) for ndim in (2, 3))
    with pytest.raises(GeometryError, match="ask for its surface or section"):
        deep.contour()
    for refused in (flat.surface, lambda: flat.section(0, 1.0)):
        with pytest.raises(GeometryError, match="ask for its contour"):
            refused()


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("score", SCORES, ids=repr)
def test_a_landmark_that_was_not_found_may_be_anywhere(score, ndim):
    grid = grid_of(ndim)
    prediction = predicted(np.full((1, ndim), np.nan), grid, np.full((1, ndim, ndim), np.nan))
    assert (score.at(prediction, np.zeros((1, ndim))) == np.inf).all()
    region = _region(score, prediction)
    assert region.whole
    assert "found no 'a'" in region.reason
    found = _prediction(ndim)
    assert score.region(found, 0, np.full(score.components(ndim), np.inf)).whole


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("score", [MahalanobisScore(), PerAxisScore()], ids=repr)
def test_flat_and_impossible_covariances_are_widened_to_a_pixel(score, ndim):
    line = np.zeros((ndim, ndim))
    line[0, 0] = 9.0
    negative = np.diag([9.0, -4.0, 2.0][:ndim])
    skewed = covariance_of(ndim) + np.triu(np.full((ndim, ndim), 1e-9), 1)
    for covariance in (
        np.zeros((ndim, ndim)),
        line,
        negative,
        skewed,
        np.ones((ndim, ndim)),
        1e9 * np.ones((ndim, ndim)),
    ):
        prediction = _prediction(ndim, covariance=covariance[None])
        region = _region(score, prediction, 1.0)
        half = (region.bounds()[1] - region.bounds()[0]) / 2
        assert np.isfinite(region.size)
        assert region.size > 0
        assert (half >= np.sqrt(1 / 12) - 1e-6).all()
        assert np.isfinite(score.at(prediction, prediction.landmarks.points + 3)).all()
    half = np.subtract(*_region(score, _prediction(ndim, covariance=line[None]), 1.0).bounds()[::-1]) / 2
    assert half == pytest.approx([3.0, *[np.sqrt(1 / 12)] * (ndim - 1)])
    unknown = _prediction(ndim, covariance=np.full((1, ndim, ndim), np.nan))
    assert _region(score, unknown).whole


def test_what_cannot_be_drawn_is_told_in_a_sentence():
    bare = predicted([[1.0, 2.0]], grid_of(2))
    with pytest.raises(CalibrationError, match="choose the score 'euclidean'"):
        MahalanobisScore().at(bare, [[1.0, 2.0]])
    for threshold in ([-1.0], [np.nan], [1.0, 2.0]):
        with pytest.raises(CalibrationError, match="thresholds of 0 or more"):
            EuclideanScore().region(bare, 0, threshold)
    with pytest.raises(CalibrationError, match="do not fit 1 landmarks"):
        EuclideanScore().at(bare, np.zeros((2, 2)))
