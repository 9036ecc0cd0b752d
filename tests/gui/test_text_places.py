"""Texts around points: they cover each other and the points as little as possible, and do not jump about."""

from __future__ import annotations

from itertools import combinations, product
from time import process_time

import numpy as np
import pytest

from napari_landmarker.gui.text_places import (
    SIDES,
    Surroundings,
    about_places,
    beside_points,
    boxes_of,
    choose,
)

WIDE = np.array([-1e4, -1e4, 1e4, 1e4])
DISC_PX = 15.0


def around(points: np.ndarray, planes: list[int] | None = None, bounds: np.ndarray = WIDE) -> Surroundings:
    """Discs at points, all on one slice or on these."""
    rows = np.zeros(len(points), dtype=int) if planes is None else np.array(planes)
    return Surroundings(boxes_of(points, DISC_PX), rows, rows, bounds)


def named(points: np.ndarray, width: float = 80.0) -> tuple[np.ndarray, np.ndarray]:
    """Where names of a width may stand, and their sizes."""
    sizes = np.tile([width, 14.0], (len(points), 1))
    return points[:, None] + beside_points(sizes, 10.0), sizes


def covered(first: np.ndarray, second: np.ndarray) -> float:
    """The area that two boxes have in common, from the four lines that bound it."""
    left, top = max(first[0], second[0]), max(first[1], second[1])
    right, bottom = min(first[2], second[2]), min(first[3], second[3])
    return max(0.0, float(right - left)) * max(0.0, float(bottom - top))


def total(boxes: np.ndarray, discs: np.ndarray) -> float:
    """All that names cover, of each other and of the discs."""
    names = sum(covered(a, b) for a, b in combinations(boxes, 2))
    return names + sum(covered(a, b) for a, b in product(boxes, discs))


def test_a_name_alone_stands_to_the_right_of_its_point_and_touches_it_not() -> None:
    points = np.array([[50.0, 60.0]])
    middles, sizes = named(points)
    places, written = choose(middles, sizes, around(points), np.array([-1]))
    assert (SIDES[places[0]], written.tolist()) == ((1, 0), [True])
    left, top, right, bottom = boxes_of(middles, sizes[:, None])[0, places[0]]
    assert (left, right - left, (top + bottom) / 2) == (50 + 10 + 3, 80, 60)


def test_names_of_points_side_by_side_cover_nothing() -> None:
    points = np.array([[100.0, 100.0], [120.0, 100.0], [110.0, 118.0], [100.0, 82.0]])
    middles, sizes = named(points)
    places, written = choose(middles, sizes, around(points), np.full(4, -1))
    boxes = boxes_of(middles, sizes[:, None])
    assert total(boxes[np.arange(4), places], boxes_of(points, DISC_PX)) == 0
    assert total(boxes[:, 0], boxes_of(points, DISC_PX)) > 0, "all to the right would"
    assert written.all()


def test_dense_points_cover_hardly_more_than_in_the_best_of_all_ways() -> None:
    """Four points in a heap: compared with all 8^4 ways to write their names."""
    for seed in range(3):
        points = np.random.default_rng(seed).uniform(0, 45, (4, 2))
        middles, sizes = named(points, 60.0)
        boxes, discs = boxes_of(middles, sizes[:, None]), boxes_of(points, DISC_PX)
        places, _ = choose(middles, sizes, around(points), np.full(4, -1))
        best = min(total(boxes[np.arange(4), list(way)], discs) for way in product(range(len(SIDES)), repeat=4))
        right = total(boxes[:, 0], discs)
        found = total(boxes[np.arange(4), places], discs)
        assert found <= best + 0.25 * max(right - best, 0) + 0.15 * 60 * 14


def test_points_of_other_slices_do_not_matter() -> None:
    points = np.array([[100.0, 100.0], [120.0, 100.0], [110.0, 102.0]])
    middles, sizes = named(points)
    places, written = choose(middles, sizes, around(points, [0, 1, 2]), np.full(3, -1))
    assert [SIDES[place] for place in places] == [(1, 0)] * 3
    assert written.all()


def test_a_name_that_would_be_cut_off_by_the_border_stands_on_the_other_side() -> None:
    points = np.array([[180.0, 100.0], [20.0, 150.0], [500.0, 100.0]])
    middles, sizes = named(points)
    bounds = np.array([0.0, 0.0, 200.0, 200.0])
    places, _ = choose(middles, sizes, around(points, bounds=bounds), np.full(3, -1))
    box = boxes_of(middles, sizes[:, None])[0, places[0]]
    assert box[2] <= 200
    assert [SIDES[place] for place in places[1:]] == [(1, 0), (1, 0)], "one has room, one is not seen at all"


def test_names_keep_their_side_until_another_is_clearly_better() -> None:
    points = np.array([[100.0, 100.0]])
    middles, sizes = named(points)
    left = SIDES.index((-1, 0))
    places, _ = choose(middles, sizes, around(points), np.array([left]))
    assert places.tolist() == [left]
    beside = Surroundings(np.array([[20.0, 90.0, 90.0, 110.0]]), *(np.zeros(1, int),) * 2, WIDE)
    places, _ = choose(middles, sizes, beside, np.array([left]))
    assert places[0] != left


def test_of_three_hundred_names_those_are_written_that_can_be_read_and_one_always() -> None:
    points = np.random.default_rng(2).uniform(0, 400, (300, 2))
    middles, sizes = named(points)
    first, written = choose(middles, sizes, around(points), np.full(300, -1))
    assert 10 < written.sum() < 300
    boxes = boxes_of(middles, sizes[:, None])[np.arange(300), first]
    worst = max(covered(boxes[a], boxes[b]) for a, b in combinations(np.flatnonzero(written), 2))
    assert worst <= 0.3 * 80 * 14
    hidden = int(np.flatnonzero(~written)[0])
    assert choose(middles, sizes, around(points), first, hidden)[1][hidden]


def test_a_value_makes_way_for_a_point() -> None:
    sizes = np.array([[90.0, 14.0]])
    middles = np.array([[[100.0, 100.0]]]) + about_places(sizes)
    for disc, moved in (([130.0, 100.0], True), ([130.0, 130.0], False)):
        at = around(np.array([disc]))
        place = choose(middles, sizes, at, np.array([-1]))[0][0]
        assert bool((middles[0, place] != (100, 100)).any()) is moved
        assert covered(boxes_of(middles[0, place], sizes[0]), at.taken[0]) < 0.01 * 90 * 14


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """What each box covers of each other, all at once: the least that any way to choose has to know."""
    first, second = boxes.reshape(-1, 1, 4), others[None]
    shared = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    return np.maximum(shared, 0.0).prod(axis=-1)


@pytest.mark.parametrize(("count", "times"), [(40, 4.5), (300, 1.0)])
def test_places_are_chosen_at_once(count: int, times: float) -> None:
    """In a few times what it takes to know what all places cover, measured in turns: other programs are at work."""
    points = np.random.default_rng(0).uniform(0, 25 * count**0.5 * 4, (count, 2))
    middles, sizes = named(points)
    at, before, took = around(points), np.full(count, -1), []
    boxes = boxes_of(middles, sizes[:, None])
    for _ in range(30):
        start = process_time()
        choose(middles, sizes, at, before)
        between = process_time()
        overlaps(boxes, boxes[:, 0])
        took.append((between - start, process_time() - between))
    ours, least = np.array(took).min(axis=0)
    assert ours < times * least


def test_without_texts_there_is_nothing_to_choose() -> None:
    middles, sizes = named(np.empty((0, 2)))
    places, written = choose(middles, sizes, around(np.empty((0, 2))), np.empty(0, dtype=int))
    assert (len(places), len(written)) == (0, 0)
