"""Distances, angles and ratios, against triangles one can compute in the head."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_landmarker.engine.errors import AnnotationError, GeometryError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics import (
    CaseResult,
    Evaluation,
    evaluate,
    landmark_angle,
    landmark_distance,
    landmark_ratio,
    line_angle,
    measure,
)
from napari_landmarker.engine.schema import LandmarkSchema, Measurement

NAN = float("nan")
DISTANCE = Measurement(name="width", kind="distance", landmarks=("a", "b"))
ANGLE = Measurement(name="bend", kind="angle", landmarks=("a", "b", "c"))
LINES = Measurement(name="tilt", kind="angle", landmarks=("a", "b", "b", "c"))
RATIO = Measurement(name="share", kind="ratio", landmarks=("a", "b", "b", "c"))


def test_distance_uses_the_spacing_of_each_axis() -> None:
    assert landmark_distance((0, 0), (3, 4)) == 5.0
    assert landmark_distance((0, 0), (3, 4), (1.0, 3.0)) == pytest.approx(np.sqrt(153))
    assert landmark_distance((0, 0, 0), (1, 2, 2), (2.0, 0.5, 1.0)) == pytest.approx(3.0)


def test_angles_in_2d_and_3d() -> None:
    assert landmark_angle((0, 1), (0, 0), (1, 0)) == pytest.approx(90.0)
    assert landmark_angle((0, 1), (0, 0), (1, 1)) == pytest.approx(45.0)
    assert landmark_angle((0, 1), (0, 0), (1, 1), (np.sqrt(3), 1.0)) == pytest.approx(60.0)
    assert landmark_angle((1, 0, 0), (0, 0, 0), (0, 1, 1), (1, 1, 1)) == pytest.approx(90.0)
    assert landmark_angle((1, 1, 0), (0, 0, 0), (0, 1, 1)) == pytest.approx(60.0)
    assert landmark_angle((1, 1, 0), (0, 0, 0), (2, 2, 0)) == 0.0
    assert landmark_angle((1, 1, 0), (0, 0, 0), (-2, -2, 0)) == pytest.approx(180.0)


def test_a_tiny_angle_is_not_lost() -> None:
    assert landmark_angle((0, 1), (0, 0), (1e-9, 1)) == pytest.approx(np.degrees(1e-9), rel=1e-6)


def test_lines_have_a_direction_and_need_not_meet() -> None:
    assert line_angle((0, 0), (0, 5), (7, 7), (9, 7)) == pytest.approx(90.0)
    assert line_angle((0, 0), (0, 5), (7, 7), (7, 1)) == pytest.approx(180.0)
    assert line_angle((0, 0, 0), (1, 0, 0), (5, 5, 5), (6, 5, 6)) == pytest.approx(45.0)


def test_ratios() -> None:
    assert landmark_ratio((0, 0), (0, 6), (0, 0), (3, 0)) == 2.0
    assert landmark_ratio((0, 0), (0, 6), (0, 0), (3, 0), (2.0, 1.0)) == 1.0


def test_what_is_missing_or_not_defined_is_nan_and_warns_not() -> None:
    gone = (NAN, NAN)
    assert np.isnan(landmark_distance((0, 0), gone))
    assert np.isnan(landmark_distance((0, 0), (np.inf, 0)))
    assert np.isnan(landmark_angle((0, 1), (0, 0), gone))
    assert np.isnan(landmark_angle((0, 0), (0, 0), (1, 1)))
    assert np.isnan(line_angle((0, 0), (1, 1), (2, 2), (2, 2)))
    assert np.isnan(landmark_ratio((0, 0), (1, 1), (2, 2), (2, 2)))


def test_many_images_at_once_and_tensors() -> None:
    torch = pytest.importorskip("torch")
    a, b = torch.zeros((3, 2)), torch.tensor([[3.0, 4.0], [NAN, 0.0], [0.0, 2.0]])
    np.testing.assert_array_equal(landmark_distance(a, b), [5.0, NAN, 2.0])
    np.testing.assert_array_equal(landmark_distance(a, b, [(1, 1), (1, 1), (1, 0.5)]), [5.0, NAN, 1.0])
    with pytest.raises(GeometryError, match="cannot be measured"):
        landmark_distance(a, b[:2])


@pytest.mark.parametrize("ndim", [2, 3])
def test_turning_and_moving_changes_nothing(ndim: int) -> None:
    rng = np.random.default_rng(ndim)
    points = rng.normal(size=(4, ndim))
    turn, _ = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    moved = points @ turn.T + 7
    assert landmark_angle(*points[:3]) == pytest.approx(landmark_angle(*moved[:3]), abs=1e-9)
    assert line_angle(*points) == pytest.approx(line_angle(*moved), abs=1e-9)
    assert landmark_ratio(*points) == pytest.approx(landmark_ratio(*moved))


@pytest.mark.parametrize(
    ("kind", "names", "words"),
    [
        ("distance", "abc", "between 2 landmarks, not 3"),
        ("angle", "ab", "3 landmarks .* or 4, not 2"),
        ("ratio", "abc", "between 4 landmarks, not 3"),
        ("distance", "aa", "two different landmarks"),
        ("angle", "aab", "two different landmarks"),
        ("angle", "abb", "two different landmarks"),
        ("ratio", "abcc", "two different landmarks"),
    ],
)
def test_a_measurement_knows_how_many_names_it_needs(kind: str, names: str, words: str) -> None:
    content = {"landmarks": [{"name": n} for n in "abc"]}
    content["measurements"] = [{"name": "m", "kind": kind, "landmarks": list(names)}]  # type: ignore[list-item]
    with pytest.raises(AnnotationError, match=words):
        LandmarkSchema.parse(content)


def test_measurements_have_names_of_their_own() -> None:
    content = {
        "landmarks": [{"name": n} for n in "abc"],
        "measurements": [{"name": "m", "kind": "distance", "landmarks": pair} for pair in (("a", "b"), ("b", "c"))],
    }
    with pytest.raises(AnnotationError, match="measurement name 'm' is given twice"):
        LandmarkSchema.parse(content)
    content["measurements"][1]["name"] = "n"  # type: ignore[index]
    assert LandmarkSchema.parse(content).reduced(["a", "b"]).measurements[0].name == "m"


def evaluation(spacing: tuple[float, ...] | None, measurements: tuple[Measurement, ...]) -> Evaluation:
    """Three images: b is 4 px right of a and c 4 px below b; predictions err, miss b, and lack c in truth."""
    grid = Grid((50, 50), spacing)
    true = {"a": (10.0, 10.0), "b": (10.0, 14.0), "c": (14.0, 14.0)}
    found = [{**true, "b": (10.0, 16.0)}, {"a": (0.0, 0.0), "c": (1.0, 1.0)}, {**true, "a": (10.0, 11.0)}]
    truths = [true, true, {k: v for k, v in true.items() if k != "c"}]
    results = [
        CaseResult(str(i), LandmarkSet.from_points(t, grid, names="abc"), LandmarkSet.from_points(f, grid, names="abc"))
        for i, (t, f) in enumerate(zip(truths, found, strict=True))
    ]
    return evaluate(results, model="m", split="test", measurements=measurements)


def test_the_error_of_a_measurement() -> None:
    scores = evaluation((0.5, 0.5), (DISTANCE, ANGLE, RATIO)).measurements
    width = scores["width"]
    assert [(case.true, case.predicted) for case in width.cases] == [(2.0, 3.0), (2.0, None), (2.0, 1.5)]
    assert (width.n, width.missing, width.missed, width.unit) == (3, 0, 1, "mm")
    assert (width.mean, width.median, width.max, width.std) == (0.75, 0.75, 1.0, 0.25)
    assert width.bias == 0.25
    bend = scores["bend"]
    assert (bend.n, bend.missing, bend.missed, bend.unit, bend.square_pixels) == (2, 1, 1, "°", False)
    assert bend.cases[0].true == pytest.approx(90.0)
    assert bend.mean == pytest.approx(np.degrees(np.arctan2(2, 4)))
    share = scores["share"]
    assert share.unit == ""
    assert share.cases[0].predicted == pytest.approx(6 / np.sqrt(20))


def test_without_a_spacing_it_says_that_pixels_were_taken_as_square() -> None:
    scores = evaluation(None, (DISTANCE, ANGLE)).measurements
    assert (scores["width"].unit, scores["width"].square_pixels) == ("px", False)
    assert (scores["bend"].unit, scores["bend"].square_pixels) == ("°", True)
    assert scores["width"].mean == 1.5


def test_measurements_are_in_the_json_and_strict() -> None:
    result = evaluation((0.5, 0.5), (DISTANCE, LINES))
    content = result.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["measurements"]["width"]["mean"] == 0.75
    assert content["measurements"]["width"]["mean_interval"] is None
    assert content["cases"][1]["measurements"]["width"] == {"true": 2.0, "predicted": None}


def test_one_image_is_measured_in_its_own_spacing() -> None:
    points = LandmarkSet.from_points({"a": (0, 0, 0), "b": (1, 0, 0), "c": (1, 2, 0)}, Grid((9, 9, 9), (3.0, 1.0, 1.0)))
    assert measure(DISTANCE, points) == 3.0
    assert measure(DISTANCE, points, "px") == 1.0
    assert measure(ANGLE, points) == pytest.approx(90.0)
    assert measure(RATIO, points) == 1.5
    assert measure(DISTANCE, points.without_point("a")) is None
    with pytest.raises(GeometryError, match="one point a landmark"):
        measure(DISTANCE, LandmarkSet.empty("ab", points.grid, instances=2))
    with pytest.raises(AnnotationError, match="no landmark 'a'"):
        measure(DISTANCE, points.reordered("bc"))
