"""Distances from lines, differences of angles, norms: against numbers one can compute by hand."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.measurement_table import export_measurements
from napari_landmarker.engine.metrics import (
    CaseResult,
    angle_difference,
    distance_to_line,
    evaluate,
    landmark_angle,
    measure,
    measurements_of,
)
from napari_landmarker.engine.report.table import cases_csv, measurements_csv
from napari_landmarker.engine.schema import LandmarkSchema, Measurement

NAN = float("nan")
TO_LINE = Measurement(name="lip", kind="distance_to_line", landmarks=("a", "b", "c"), norm=2.0, deviation=0.5)
SIGNED = Measurement(name="lip", kind="distance_to_line", landmarks=("a", "b", "c", "d"), norm=2.0, deviation=0.5)
DIFFERENCE = Measurement(name="anb", kind="angle_difference", landmarks=("a", "b", "c", "d"), norm=2.0, deviation=2.0)


# ---- distance from a line


def test_the_distance_from_a_line_is_that_of_the_upright() -> None:
    assert distance_to_line((3, 10), (0, 0), (0, 7)) == pytest.approx(3.0)
    assert distance_to_line((3, 10), (0, 0), (0, 7), (2.0, 0.5)) == pytest.approx(6.0)
    # In mm the line goes from (0, 0) to (3, 8) and the point lies at (0, 8): |3 * 8 - 8 * 0| / |(3, 8)|.
    assert distance_to_line((0, 4), (0, 0), (3, 4), (1.0, 2.0)) == pytest.approx(24 / math.sqrt(73))
    assert distance_to_line((1, 2, 9), (0, 0, 0), (0, 0, 4), (3.0, 1.0, 0.7)) == pytest.approx(math.hypot(3, 2))


def test_it_is_not_the_distance_from_the_line_s_ends() -> None:
    assert distance_to_line((1, 100), (0, 0), (0, 1)) == pytest.approx(1.0)


@pytest.mark.parametrize("mirror", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_the_sign_is_below_0_on_the_side_of_the_fourth_point_whichever_way_the_image_faces(
    mirror: tuple[int, int],
) -> None:
    a, b, behind, before, back = (np.multiply(p, mirror) for p in ((0, 0), (10, 0), (3, -7), (4, 2), (20, -2)))
    for line in ((a, b), (b, a)):
        assert distance_to_line(before, *line, behind=behind) == pytest.approx(2.0)
        assert distance_to_line(back, *line, behind=behind) == pytest.approx(-2.0)


def test_the_sign_in_3d() -> None:
    line = ((0, 0, 0), (0, 0, 5))
    assert distance_to_line((0, 3, 1), *line, (1.0, 2.0, 1.0), behind=(4, -1, 9)) == pytest.approx(6.0)
    assert distance_to_line((0, -3, 1), *line, (1.0, 2.0, 1.0), behind=(4, -1, 9)) == pytest.approx(-6.0)


def test_where_it_is_not_defined() -> None:
    assert np.isnan(distance_to_line((1, 1), (2, 2), (2, 2)))
    assert np.isnan(distance_to_line((1, NAN), (0, 0), (2, 2)))
    assert np.isnan(distance_to_line((1, 0), (0, 0), (0.3, 0.9), behind=(0.7, 2.1)))
    assert distance_to_line((0, 3), (0, 0), (0, 9), behind=(5, 5)) == 0.0


@pytest.mark.parametrize("ndim", [2, 3])
def test_turning_and_moving_changes_no_distance_from_a_line(ndim: int) -> None:
    rng = np.random.default_rng(ndim)
    points = rng.normal(size=(4, ndim))
    turn, _ = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    moved = points @ turn.T + 7
    assert distance_to_line(*points[:3], behind=points[3]) == pytest.approx(
        float(distance_to_line(*moved[:3], behind=moved[3]))
    )


def test_many_images_at_once() -> None:
    points = np.array([[1.0, 5.0], [NAN, 0.0], [-4.0, 2.0]])
    found = distance_to_line(points, np.zeros((3, 2)), np.tile([0.0, 1.0], (3, 1)), [(1, 1), (1, 1), (0.5, 1)])
    np.testing.assert_allclose(found, [1.0, NAN, 2.0])


# ---- difference of two angles


def test_a_difference_of_angles_has_a_sign() -> None:
    common, vertex = (0, 10), (0, 0)
    assert angle_difference(common, vertex, (10, 0), (10, 10)) == pytest.approx(45.0)
    assert angle_difference(common, vertex, (10, 10), (10, 0)) == pytest.approx(-45.0)
    # Pixels twice as high as wide: the second side lies at atan2(2, 1).
    assert angle_difference(common, vertex, (10, 0), (10, 10), (2.0, 1.0)) == pytest.approx(
        90 - math.degrees(math.atan2(2, 1))
    )


def test_mirroring_changes_no_difference_of_angles() -> None:
    points = np.array([(3.0, 9.0), (1.0, 2.0), (8.0, 1.0), (9.0, 4.0)])
    assert angle_difference(*points) == pytest.approx(float(angle_difference(*(points * (1, -1)))))
    parts = landmark_angle(*points[:3]) - landmark_angle(points[0], points[1], points[3])
    assert angle_difference(*points) == pytest.approx(float(parts))


# ---- in the schema


@pytest.mark.parametrize(
    ("kind", "names", "words"),
    [
        ("distance_to_line", "ab", "3 landmarks .* or 4, not 2"),
        ("distance_to_line", "aab", "two different landmarks where it has 'a' twice"),
        ("distance_to_line", "abb", "two different landmarks where it has 'b' twice"),
        ("distance_to_line", "abcb", "two different landmarks where it has 'b' twice"),
        ("angle_difference", "abc", "4 landmarks .* not 3"),
        ("angle_difference", "abcc", "two different landmarks where it has 'c' twice"),
        ("angle_difference", "bbca", "two different landmarks where it has 'b' twice"),
    ],
)
def test_each_kind_knows_which_landmarks_it_needs(kind: str, names: str, words: str) -> None:
    content = {"landmarks": [{"name": n} for n in "abc"]}
    content["measurements"] = [{"name": "m", "kind": kind, "landmarks": list(names)}]  # type: ignore[list-item]
    with pytest.raises(AnnotationError, match=words):
        LandmarkSchema.parse(content)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"deviation": 1.0}, "a deviation but no norm"),
        ({"norm": 1.0, "deviation": 0.0}, "deviation"),
        ({"norm": float("nan")}, "norm"),
    ],
)
def test_a_norm_that_cannot_be_is_refused(numbers: dict[str, float], words: str) -> None:
    content = {"landmarks": [{"name": n} for n in "ab"]}
    content["measurements"] = [{"name": "m", "kind": "distance", "landmarks": ["a", "b"], **numbers}]  # type: ignore[list-item]
    with pytest.raises(AnnotationError, match=words):
        LandmarkSchema.parse(content)


def test_norms_are_kept_in_a_project(tmp_path: Path) -> None:
    PillowImage.new("L", (9, 8)).save(tmp_path / "a.png")
    schema = LandmarkSchema.parse({"landmarks": [{"name": n} for n in "abcd"], "measurements": [SIGNED.model_dump()]})
    project = create_project(tmp_path / "study", schema, [tmp_path / "a.png"])
    assert type(project).open(project.root).schema.measurements == (SIGNED,)


# ---- of one image


def lips(spacing: tuple[float, float] | None) -> LandmarkSet:
    """a is 6 px in front of the line from b to c, on the other side than d."""
    points = {"a": (5.0, 16.0), "b": (0.0, 10.0), "c": (20.0, 10.0), "d": (5.0, 2.0)}
    return LandmarkSet.from_points(points, Grid((30, 30), spacing))


def test_the_value_and_how_far_it_is_from_the_norm() -> None:
    (one,) = measurements_of(lips((1.0, 0.5)), [SIGNED])
    assert (one.value, one.unit, one.off, one.deviations) == (3.0, "mm", 1.0, 2.0)
    assert not one.square_pixels
    assert not one.predicted
    assert one.missing == ()


def test_px_are_never_compared_with_mm() -> None:
    (one,) = measurements_of(lips(None), [TO_LINE])
    assert (one.value, one.unit, one.off, one.deviations) == (6.0, "px", None, None)
    assert one.square_pixels
    (angle,) = measurements_of(lips(None), [DIFFERENCE])
    assert angle.unit == "°"
    assert angle.deviations is not None
    assert angle.square_pixels


def test_what_is_missing_or_predicted_is_said() -> None:
    (one,) = measurements_of(lips((1.0, 1.0)).without_point("c"), [TO_LINE])
    assert (one.value, one.missing, one.deviations) == (None, ("c",), None)
    (one,) = measurements_of(lips((1.0, 1.0)).with_status("a", LandmarkStatus.PREDICTED), [TO_LINE])
    assert one.predicted
    (one,) = measurements_of(lips((1.0, 1.0)).reordered("ab"), [TO_LINE])
    assert one.missing == ("c",)


def test_a_volume_is_measured_in_its_own_spacing() -> None:
    points = {"a": (1, 2, 9), "b": (0, 0, 0), "c": (0, 0, 4), "d": (-1, -1, 0)}
    landmarks = LandmarkSet.from_points(points, Grid((12, 12, 12), (3.0, 1.0, 0.7)))
    assert measure(TO_LINE, landmarks) == pytest.approx(math.sqrt(13))
    assert measure(TO_LINE, landmarks, "px") == pytest.approx(math.sqrt(5))
    assert measure(SIGNED, landmarks) == pytest.approx(math.sqrt(13))


# ---- report and table


def test_the_report_knows_the_new_kinds() -> None:
    truth = lips((1.0, 0.5))
    found = truth.with_point("a", (5.0, 18.0))
    result = evaluate([CaseResult("one", truth, found)], model="m", split="test", measurements=(SIGNED, DIFFERENCE))
    lip = result.measurements["lip"]
    assert (lip.unit, lip.mean, lip.bias, lip.square_pixels) == ("mm", 1.0, 1.0, False)
    assert result.measurements["anb"].unit == "°"
    assert "lip,a; b; c; d,distance_to_line,mm,1,0,0,1.0" in measurements_csv(result)
    assert "lip (mm), true" in cases_csv(result).splitlines()[0]


def test_a_table_of_all_images(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.png" for name in ("one", "two")]
    for path in paths:
        PillowImage.new("L", (30, 30)).save(path)
    content = {
        "landmarks": [{"name": n} for n in "abcd"],
        "measurements": [SIGNED.model_dump(), DIFFERENCE.model_dump()],
    }
    project = create_project(tmp_path / "study", LandmarkSchema.parse(content), paths, spacing=(1.0, 0.5))
    project.save_annotations("one", lips((1.0, 0.5)).with_status("d", LandmarkStatus.PREDICTED))
    project.save_annotations("two", lips((1.0, 0.5)))
    seen: list[tuple[int, int]] = []
    out = tmp_path / "measured.csv"
    assert export_measurements(project, out, progress=lambda *at: seen.append(at)) == 1
    assert seen == [(1, 2), (2, 2)]
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [(row["case"], row["measurement"]) for row in rows] == [("two", "lip"), ("two", "anb")]
    assert rows[0] == {
        "case": "two",
        "measurement": "lip",
        "value": "3.0",
        "unit": "mm",
        "norm": "2.0",
        "deviation": "0.5",
        "deviations_from_norm": "2.0",
        "square_pixels_assumed": "no",
    }
