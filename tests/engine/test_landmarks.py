"""Schemas and landmark sets; a plain dictionary is the oracle for edits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_landmarker.engine.errors import AnnotationError, GeometryError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.schema import PALETTE, LandmarkSchema

GRID = Grid((20, 30), (2.0, 0.5))
NAMES = ("a", "b", "c")
PLACED = [status for status in LandmarkStatus if status.has_point]
BARE = [status for status in LandmarkStatus if not status.has_point]


def test_a_schema_of_names() -> None:
    schema = LandmarkSchema.from_names([" tip ", "base"])
    assert schema.names == ("tip", "base")
    assert [d.color for d in schema.landmarks] == list(PALETTE[:2])
    assert schema.definition("base").color == PALETTE[1]
    assert schema.instances == 1
    assert LandmarkSchema.from_names(["plant"], instances=4).instances == 4
    with pytest.raises(AnnotationError, match="instances"):
        LandmarkSchema.from_names(["plant"], instances=0)
    with pytest.raises(AnnotationError, match="no landmark 'x': this project has tip, base"):
        schema.definition("x")


def test_colours_are_distinct_and_stated_ones_stay() -> None:
    assert len(set(PALETTE)) == len(PALETTE)
    schema = LandmarkSchema.parse({"landmarks": [{"name": "a", "color": "#123456"}, {"name": "b"}]})
    assert [d.color for d in schema.landmarks] == ["#123456", PALETTE[1]]


def test_a_schema_survives_its_json() -> None:
    content = {
        "landmarks": [{"name": "a", "group": "skull"}, {"name": "b"}, {"name": "c"}],
        "pairs": [["a", "b"]],
        "edges": [["b", "c"]],
        "measurements": [{"name": "angle", "kind": "angle", "landmarks": ["a", "b", "c"]}],
    }
    schema = LandmarkSchema.parse(content)
    assert LandmarkSchema.model_validate_json(schema.model_dump_json()) == schema


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"landmarks": []}, "names no landmark"),
        ({"landmarks": [{"name": "a"}, {"name": " a"}]}, "'a' is given twice"),
        ({"landmarks": [{"name": " "}]}, "one line"),
        ({"landmarks": [{"name": "a\nb"}]}, "one line"),
        ({"landmarks": [{"name": "a", "color": "red"}]}, "landmarks.0.color"),
        ({"landmarks": [{"name": "a"}], "edges": [["a", "b"]]}, "'b' is used"),
        ({"landmarks": [{"name": "a"}], "instances": 0}, "instances"),
        ({"landmarks": [{"name": n} for n in "abc"], "pairs": [["a", "b"], ["c", "b"]]}, "'b' stands in more than one"),
        ({"landmarks": [{"name": n} for n in "ab"], "pairs": [["a", "b"], ["b", "a"]]}, "'a' stands in more than one"),
        ({"landmarks": [{"name": "a"}], "pairs": [["a", "a"]]}, "'a' stands in more than one .*or twice in one"),
        ({"landmarks": [{"name": "a"}], "colour": 1}, "colour"),
        ([1], "schema.json is not valid"),
    ],
)
def test_schemas_that_cannot_be(content: Any, words: str) -> None:
    with pytest.raises(AnnotationError, match=words) as raised:
        LandmarkSchema.parse(content, "schema.json")
    assert str(raised.value).startswith("schema.json is not valid: ")
    assert "\n" not in str(raised.value)


def test_what_a_status_means() -> None:
    assert {s.value for s in BARE} == {"unplaced", "absent"}
    assert {s.value for s in LandmarkStatus if s.by_person} == {"absent", "edited", "confirmed"}


def test_an_empty_set() -> None:
    empty = LandmarkSet.empty(NAMES, GRID)
    assert empty.points.shape == (3, 2)
    assert np.isnan(empty.points).all()
    assert not empty.placed.any()
    assert not empty.by_person.any()
    assert LandmarkSet.empty(NAMES, GRID, instances=4).points.shape == (3, 4, 2)


def test_a_set_from_points() -> None:
    made = LandmarkSet.from_points({"c": (1, 2), "a": (np.nan, np.nan)}, GRID, names=NAMES, score={"c": 0.5})
    assert made.status.tolist() == ["unplaced", "unplaced", "confirmed"]
    assert made.score_of("c") == 0.5
    np.testing.assert_allclose(made.world()[2], [2 * 0.5, 1 * 2.0])
    with pytest.raises(AnnotationError, match="no landmark 'z'"):
        LandmarkSet.from_points({"z": (1, 2)}, GRID, names=NAMES)
    with pytest.raises(AnnotationError, match="finite"):
        LandmarkSet.from_points({"a": (np.inf, 2)}, GRID)
    with pytest.raises(GeometryError, match="no spacing"):
        LandmarkSet.from_points({"a": (1, 2)}, Grid((20, 30))).world()


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, tuple[float, float] | None, LandmarkStatus, float]:
    name = draw(st.sampled_from(NAMES))
    if draw(st.booleans()):
        return name, None, draw(st.sampled_from(BARE)), np.nan
    point = (draw(st.floats(-5, 40)), draw(st.floats(-5, 40)))
    return name, point, draw(st.sampled_from(PLACED)), draw(st.floats(0, 1))


@settings(max_examples=60, deadline=None)
@given(st.lists(edits(), max_size=12), st.permutations([*NAMES, "new"]))
def test_edits_against_a_dictionary(changes: list[Any], order: list[str]) -> None:
    landmarks = LandmarkSet.empty(NAMES, GRID)
    model: dict[str, Any] = {}
    for name, point, status, score in changes:
        before = LandmarkSet(landmarks.names, landmarks.points, landmarks.status, GRID, landmarks.score)
        if point is None:
            after = landmarks.without_point(name, status)
        else:
            after = landmarks.with_point(name, point, status, score)
        assert landmarks == before  # a set never changes
        landmarks, model[name] = after, (point, status, score)
    for names in (NAMES, tuple(order)):
        view = landmarks.reordered(names)
        assert view.names == names
        for name in names:
            point, status, score = model.get(name, (None, LandmarkStatus.UNPLACED, np.nan))
            assert view.status_of(name) is status
            np.testing.assert_array_equal(view.point(name), (np.nan, np.nan) if point is None else point)
            np.testing.assert_array_equal(view.score_of(name), score)
        truth = view.truth()
        assert (truth.placed == (view.placed & view.by_person)).all()
        assert LandmarkSet.empty(NAMES, GRID).taking("a", view).taking("b", view).taking("c", view) == landmarks


def test_another_status() -> None:
    landmarks = LandmarkSet.empty(NAMES, GRID).with_point("a", (1, 2), LandmarkStatus.PREDICTED, 0.25)
    accepted = landmarks.with_status("a", LandmarkStatus.CONFIRMED)
    assert (accepted.point("a").tolist(), accepted.score_of("a")) == ([1, 2], 0.25)
    absent = landmarks.with_status("a", LandmarkStatus.ABSENT)
    assert np.isnan(absent.point("a")).all()
    assert absent.by_person.tolist() == [True, False, False]
    with pytest.raises(AnnotationError, match="finite coordinates"):
        landmarks.with_status("b", LandmarkStatus.CONFIRMED)


def test_several_instances() -> None:
    landmarks = LandmarkSet.empty(NAMES, GRID, instances=2).with_point("b", (1, 2), instance=1)
    assert landmarks.placed.tolist() == [[False, False], [False, True], [False, False]]
    assert landmarks.point("b", 1).tolist() == [1, 2]
    assert landmarks.reordered(["b"]).point("b", 1).tolist() == [1, 2]
    for instance in (2, -1):
        with pytest.raises(AnnotationError, match="2 point"):
            landmarks.point("b", instance)
    with pytest.raises(AnnotationError, match="1 point"):
        LandmarkSet.empty(NAMES, GRID).point("b", 1)


def test_covariance_goes_with_its_landmark_and_not_with_an_edit() -> None:
    covariance = np.stack([np.eye(2) * k for k in (1, 2, 3)])
    landmarks = LandmarkSet(NAMES, np.ones((3, 2)), np.full(3, "predicted"), GRID, covariance=covariance)
    moved = landmarks.reordered(["c", "a"])
    assert moved.covariance is not None
    np.testing.assert_array_equal(moved.covariance, covariance[[2, 0]])
    assert landmarks.with_point("a", (0, 0)).covariance is None
    with_new = landmarks.reordered(["new", "b"])
    assert with_new.covariance_of("new") is None
    np.testing.assert_array_equal(with_new.covariance_of("b"), 2 * np.eye(2))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "points", "status", "words"),
    [
        (("a", "a"), np.ones((2, 2)), ["confirmed"] * 2, "twice"),
        (("a",), np.ones((2, 2)), ["confirmed"] * 2, "do not fit"),
        (("a",), np.ones((1, 3)), ["confirmed"], "do not fit"),
        (("a",), np.ones((1, 2)), ["confirmed"] * 2, "one status"),
        (("a",), np.ones((1, 2)), ["good"], "'good' is not a landmark status"),
        (("a",), np.ones((1, 2)), ["confirmed at last"], "'confirmed at last' is not"),
        (("a",), np.ones((1, 2)), ["absent"], "finite coordinates"),
        (("a",), np.array([[np.nan, 1]]), ["unplaced"], "finite coordinates"),
        (("a",), np.full((1, 2), np.nan), ["confirmed"], "finite coordinates"),
        (("a",), np.array([[np.inf, 1]]), ["confirmed"], "finite coordinates"),
    ],
)
def test_sets_that_cannot_be(names: tuple[str, ...], points: Any, status: list[str], words: str) -> None:
    with pytest.raises(AnnotationError, match=words):
        LandmarkSet(names, points, np.array(status), GRID)


def test_points_of_another_kind_are_refused() -> None:
    landmarks = LandmarkSet.empty(NAMES, GRID)
    for point in (5.0, (1,), (1, 2, 3)):
        with pytest.raises(AnnotationError, match="needs 2 coordinates"):
            landmarks.with_point("a", point)
    with pytest.raises(AnnotationError, match="no landmark 'z'"):
        landmarks.with_point("z", (1, 2))
    elsewhere = LandmarkSet.from_points({"a": (1, 2)}, Grid((9, 9)), names=NAMES)
    with pytest.raises(AnnotationError, match="another image"):
        landmarks.taking("a", elsewhere)


def test_a_set_cannot_be_changed_through_its_arrays() -> None:
    landmarks = LandmarkSet.from_points({"a": (1, 2)}, GRID)
    for array in (landmarks.points, landmarks.status, landmarks.score):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_another_frame_keeps_everything_but_the_places() -> None:
    landmarks = LandmarkSet.from_points({"a": (1, 2)}, GRID, names=NAMES, score={"a": 0.5})
    moved = landmarks.moved_to(Grid((40, 60)), landmarks.points * 2)
    assert moved.point("a").tolist() == [2, 4]
    assert moved.status.tolist() == landmarks.status.tolist()
    assert moved.score_of("a") == 0.5
