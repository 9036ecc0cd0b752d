"""Several points of a class: matching against every possible one, and counts against numbers computed by hand."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest

from napari_landmarker.engine.errors import GeometryError, LandmarkerError
from napari_landmarker.engine.metrics import match_points, multi_instance_point_error, transform_multi_instance_tensor

NAN = float("nan")


def best_by_hand(distance: np.ndarray, threshold: float) -> tuple[int, float]:
    """Most pairs within the threshold, and the smallest total distance of so many, over every possible matching."""
    if distance.shape[0] > distance.shape[1]:
        distance = distance.T
    rows, columns = distance.shape
    for count in range(rows, 0, -1):
        totals = [
            sum(distance[r, c] for r, c in zip(chosen, order, strict=True))
            for chosen in combinations(range(rows), count)
            for order in permutations(range(columns), count)
            if all(distance[r, c] <= threshold for r, c in zip(chosen, order, strict=True))
        ]
        if totals:
            return count, min(totals)
    return 0, 0.0


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("threshold", [None, 0.25, 0.5])
def test_matching_is_the_best_of_all(ndim: int, threshold: float | None) -> None:
    rng = np.random.default_rng(ndim)
    for _ in range(40):
        true, predicted = (rng.uniform(0, 1, (rng.integers(1, 5), ndim)) for _ in range(2))
        distance = np.linalg.norm(true[:, None] - predicted[None], axis=-1)
        count, total = best_by_hand(distance, np.inf if threshold is None else threshold)
        match = match_points(true, predicted, threshold)
        assert match.true.size == count
        assert match.distance.sum() == pytest.approx(total, abs=1e-12)
        assert len(set(match.true)) == len(set(match.predicted)) == count
        assert match.distance == pytest.approx(distance[match.true, match.predicted])


@pytest.mark.parametrize("ndim", [2, 3])
def test_greedy_is_not_best_and_order_does_not_matter(ndim: int) -> None:
    # On a line: true 0 and 4, predicted 3 and 5.5. Taking the first first pairs 3 with 4 and then 5.5 with 0.
    true, predicted = np.zeros((1, 1, 2, ndim)), np.zeros((1, 1, 2, ndim))
    true[..., 0], predicted[..., 0] = (0, 4), (3, 5.5)
    for t in (true, true[:, :, ::-1]):
        for p in (predicted, predicted[:, :, ::-1]):
            found = multi_instance_point_error(t, p)
            assert found[:4] == (pytest.approx((3 + 1.5) / 2), 2, 0, 0)


@pytest.mark.parametrize("ndim", [2, 3])
def test_filling_up_with_nan_never_counts(ndim: int) -> None:
    true = np.full((1, 1, 4, ndim), NAN)
    true[0, 0, 1], true[0, 0, 3] = 1.0, 9.0
    predicted = np.full((1, 1, 6, ndim), NAN)
    predicted[0, 0, 2], predicted[0, 0, 5] = 9.0, 1.0
    error, tp, fp, fn, matched = multi_instance_point_error(true, predicted)
    assert (error, tp, fp, fn) == (0.0, 2, 0, 0)
    np.testing.assert_array_equal(matched, true)


def test_a_pair_beyond_the_threshold_is_no_match() -> None:
    true = [[[[0.0, 0.0], [10.0, 0.0]]]]
    predicted = [[[[0.0, 2.0], [10.0, 5.0], [50.0, 50.0]]]]
    found = multi_instance_point_error(true, predicted, threshold=3.0)
    assert found[:4] == (2.0, 1, 2, 1)
    assert (found.precision, found.recall, found.f1) == (pytest.approx(1 / 3), 0.5, pytest.approx(0.4))
    assert multi_instance_point_error(true, predicted, threshold=5.0)[:4] == (3.5, 2, 1, 0)
    assert np.isnan(found.matched[0, 0, 1]).all()
    # In mm: 2 px are 1 mm, 5 px are 2.5 mm.
    assert multi_instance_point_error(true, predicted, pixel_spacing=(2.0, 0.5), threshold=3.0)[:4] == (1.75, 2, 1, 0)


def test_more_pairs_come_before_a_smaller_distance() -> None:
    # True 0 and 3, predicted 2.9 and 5.8: pairing 3 with 2.9 would leave the others 5.8 apart.
    match = match_points([[0.0, 0], [3.0, 0]], [[2.9, 0], [5.8, 0]], threshold=3.0)
    assert match.predicted.tolist() == [0, 1]


def test_numbers_of_each_image_and_class() -> None:
    true = np.full((2, 2, 2, 2), NAN)
    true[0, 0] = [(0, 0), (10, 10)]
    true[0, 1, 0] = (5, 5)
    predicted = [[[(0.0, 3.0)], [(5.0, 6.0), (80.0, 80.0)]], [[(1.0, 1.0)], []]]
    found = multi_instance_point_error(true, predicted, reduction="none")
    np.testing.assert_array_equal(found.error, [[3.0, 1.0], [NAN, NAN]])
    np.testing.assert_array_equal(found.true_positives, [[1, 1], [0, 0]])
    np.testing.assert_array_equal(found.false_positives, [[0, 1], [1, 0]])
    np.testing.assert_array_equal(found.false_negatives, [[1, 0], [0, 0]])
    np.testing.assert_array_equal(found.precision, [[1.0, 0.5], [0.0, NAN]])
    np.testing.assert_array_equal(found.recall, [[0.5, 1.0], [NAN, NAN]])
    np.testing.assert_array_equal(found.f1, [[2 / 3, 2 / 3], [0.0, NAN]])
    assert multi_instance_point_error(true, predicted)[:4] == (2.0, 2, 2, 1)


def test_nothing_at_all_is_nan_and_warns_not() -> None:
    found = multi_instance_point_error(np.full((1, 1, 2, 3), NAN), [[[]]])
    assert np.isnan([found.error, found.precision, found.recall, found.f1]).all()
    assert found[1:4] == (0, 0, 0)


@pytest.mark.parametrize("predicted", [[], np.zeros((0, 2, 3, 3))])
def test_an_empty_batch_has_no_points(predicted: object) -> None:
    true = np.zeros((0, 2, 4, 3))
    found = multi_instance_point_error(true, predicted, pixel_spacing=np.ones((0, 3)))  # type: ignore[arg-type]
    assert np.isnan(found.error)
    assert found[1:4] == (0, 0, 0)
    assert found.matched.shape == true.shape
    assert multi_instance_point_error(true, predicted, reduction="none").error.shape == (0, 2)  # type: ignore[arg-type,union-attr]


@pytest.mark.parametrize("ndim", [2, 3])
def test_predictions_of_every_shape_are_understood(ndim: int) -> None:
    torch = pytest.importorskip("torch")
    points = np.arange(3.0 * ndim).reshape(3, ndim)
    true = torch.tensor(points)[None, None]
    rows = [torch.tensor(point) for point in points]
    for predicted in (
        rows,
        [rows],
        [[rows]],
        true,
        true[0],
        true[0, 0],
        [[true[0, 0]]],
        points,
        [points],
        true.numpy(),
    ):
        assert multi_instance_point_error(true, predicted)[:4] == (0.0, 3, 0, 0)
    assert multi_instance_point_error(true[0], [rows])[:4] == (0.0, 3, 0, 0)
    empty = torch.empty((0, ndim))
    assert multi_instance_point_error(true, [[empty]])[1:4] == (0, 0, 3)


def test_the_network_frame_is_undone_before_the_threshold() -> None:
    # 100 x 200 in 64 x 64 with 16 rows of padding: 1 px of the frame is 3.125 px of the image.
    true = [[[[30.0, 30.0]]]]
    frame = ((64, 64), (100, 200), None, (16, 0))
    assert multi_instance_point_error(true, [[[[31.0, 30.0]]]], *frame)[0] == pytest.approx(3.125)
    assert multi_instance_point_error(true, [[[[31.0, 30.0]]]], *frame, threshold=3.0)[1:4] == (0, 1, 1)
    assert multi_instance_point_error(true, [[[[31.0, 30.0]]]], *frame).matched.tolist() == [[[[31.0, 30.0]]]]


def test_lists_of_points_without_those_that_fill_up() -> None:
    array = np.array([[[[1.0, 2], [NAN, NAN]], [[NAN, NAN], [NAN, NAN]]]])
    (first, second) = transform_multi_instance_tensor(array)[0]
    assert [point.tolist() for point in first] == [[1.0, 2.0]]
    assert second == []
    assert len(transform_multi_instance_tensor(array[0, 0])) == 1
    torch = pytest.importorskip("torch")
    assert isinstance(transform_multi_instance_tensor(torch.tensor(array))[0][0][0], torch.Tensor)
    with pytest.raises(GeometryError, match="two to four axes"):
        transform_multi_instance_tensor(np.zeros(3))


def test_what_does_not_fit_is_one_sentence() -> None:
    true = np.zeros((2, 1, 1, 2))
    with pytest.raises(GeometryError, match="do not fit 2 images with 1 classes"):
        multi_instance_point_error(true, [[[(0.0, 0.0)]]])
    with pytest.raises(GeometryError, match="do not fit true points of 2 dimensions"):
        multi_instance_point_error(true[:1], [[[(0.0, 0.0, 0.0)]]])
    with pytest.raises(GeometryError, match="several points each"):
        multi_instance_point_error(np.zeros((1, 2)), [[[]]])
    with pytest.raises(LandmarkerError, match="positive distance"):
        multi_instance_point_error(true[:1], [[[(0.0, 0.0)]]], threshold=0)
    with pytest.raises(LandmarkerError, match="'max' is not known"):
        multi_instance_point_error(true[:1], [[[]]], reduction="max")  # type: ignore[arg-type]
