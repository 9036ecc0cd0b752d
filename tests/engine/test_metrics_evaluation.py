"""The evaluation of a split, against numbers computed by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from napari_landmarker.engine.errors import GeometryError, LandmarkerError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.metrics import CaseResult, evaluate, landmark_errors

PLANE = Grid((100, 200))
VOLUME = Grid((30, 40, 50), (2.0, 1.0, 0.5))
Points = Mapping[str, Sequence[float]]


def case(
    name: str, truth: Points, predicted: Points, grid: Grid = PLANE, names: Sequence[str] | None = None
) -> CaseResult:
    return CaseResult(
        name,
        LandmarkSet.from_points(truth, grid, names=names),
        LandmarkSet.from_points(predicted, grid, status=LandmarkStatus.PREDICTED),
    )


@pytest.fixture
def results() -> list[CaseResult]:
    """Errors: a 5, 10, missed; b 0, 3; c never annotated."""
    names = ("a", "b", "c")
    return [
        case("one", {"a": (10, 10), "b": (20, 20)}, {"b": (20, 20), "a": (13, 14)}, names=names),
        case("two", {"a": (50, 50), "b": (20, 20)}, {"b": (20, 23), "a": (56, 58), "z": (1, 1)}, names=names),
        case("three", {"a": (50, 50)}, {"b": (1, 1), "c": (2, 2)}, names=names),
    ]


def test_numbers_of_each_landmark(results: list[CaseResult]) -> None:
    a = evaluate(results, model="m", split="test", radii=(10, 5)).landmarks["a"]
    assert (a.n, a.missing, a.missed) == (3, 0, 1)
    assert (a.mean, a.median, a.std, a.max) == (7.5, 7.5, 2.5, 10.0)
    assert a.sdr == {5.0: pytest.approx(100 / 3), 10.0: pytest.approx(200 / 3)}


def test_a_landmark_without_truth_has_no_numbers(results: list[CaseResult]) -> None:
    c = evaluate(results, model="m", split="test", radii=(5,)).landmarks["c"]
    assert (c.n, c.missing, c.missed) == (0, 3, 0)
    assert (c.mean, c.median, c.std, c.max, c.sdr) == (None, None, None, None, {5.0: None})


def test_overall_weighs_every_point_the_same(results: list[CaseResult]) -> None:
    overall = evaluate(results, model="m", split="test", radii=(3,)).overall
    assert (overall.n, overall.missing, overall.missed) == (5, 4, 1)
    assert overall.mean == 4.5  # of 5, 0, 10, 3
    assert overall.median == 4.0
    assert overall.std == pytest.approx(np.sqrt((0.25 + 20.25 + 30.25 + 2.25) / 4))
    assert overall.max == 10.0
    assert overall.sdr == {3.0: 40.0}


def test_report_json_has_the_agreed_keys_and_is_strict(results: list[CaseResult]) -> None:
    content = evaluate(results, model="m", split="test", radii=(2, 2.5)).to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert {"model", "split", "unit", "n_images", "overall", "landmarks"} <= content.keys()
    assert (content["model"], content["split"], content["unit"], content["n_images"]) == (
        "m",
        "test",
        "px",
        3,
    )
    assert list(content["landmarks"]) == ["a", "b", "c"]
    for numbers in (content["overall"], *content["landmarks"].values()):
        assert {"n", "missing", "mean", "median", "std", "max", "sdr"} <= numbers.keys()
        assert list(numbers["sdr"]) == ["2.0", "2.5"]
    assert content["cases"][2] == {
        "case": "three",
        "n": 1,
        "missing": 2,
        "missed": 1,
        "mean": None,
        "median": None,
        "max": None,
        "errors": {"a": None},
        "measurements": {},
    }


def test_errors_in_3d_are_in_mm_along_each_axis() -> None:
    evaluation = evaluate([case("v", {"a": (5, 5, 5)}, {"a": (6, 7, 9)}, VOLUME)], model="m", split="test")
    assert evaluation.unit == "mm"
    assert evaluation.overall.mean == pytest.approx(np.sqrt(12), abs=1e-12)
    assert evaluation.radii == (2.0, 2.5, 3.0, 4.0)
    assert evaluation.overall.sdr == {2.0: 0.0, 2.5: 0.0, 3.0: 0.0, 4.0: 100.0}


def test_one_image_without_spacing_makes_everything_pixels() -> None:
    known = case("known", {"a": (5, 5)}, {"a": (8, 9)}, Grid((100, 100), (0.1, 0.1)))
    unknown = case("unknown", {"a": (5, 5)}, {"a": (5, 6)})
    evaluation = evaluate([known, unknown], model="m", split="test")
    assert evaluation.unit == "px"
    assert evaluation.errors("a").tolist() == [5.0, 1.0]
    assert evaluation.radii == (5.0, 10.0, 20.0, 40.0)
    assert evaluation.physical_scale == "no physical scale: pixels (1 of 2 images state no spacing)"


@pytest.mark.parametrize(
    ("spacings", "words"),
    [
        ([None], "no physical scale: pixels"),
        ([(0.25, 0.25)], "0.25 mm per pixel"),
        ([(0.1, 0.1), (0.25, 0.25)], "0.1 to 0.25 mm per pixel"),
        ([(0.5, 0.25)], "y 0.5, x 0.25 mm per pixel"),
        ([(3.0, 0.5, 0.5), (5.0, 0.5, 0.5)], "z 3 to 5, y 0.5, x 0.5 mm per voxel"),
    ],
)
def test_the_scale_in_words(spacings: list[tuple[float, ...] | None], words: str) -> None:
    given = []
    for number, spacing in enumerate(spacings):
        grid = Grid((20,) * len(spacing or (1, 1)), spacing)
        point = {"a": (1.0,) * grid.ndim}
        given.append(case(str(number), point, point, grid))
    assert evaluate(given, model="m", split="test").physical_scale == words


def test_only_what_a_person_stands_behind_is_truth() -> None:
    truth = LandmarkSet.empty(("a", "b", "c", "d"), PLANE)
    truth = truth.with_point("a", (1, 1), LandmarkStatus.PREDICTED)
    truth = truth.with_point("b", (2, 2), LandmarkStatus.EDITED)
    truth = truth.with_point("c", (3, 3), LandmarkStatus.CONFIRMED)
    truth = truth.without_point("d", LandmarkStatus.ABSENT)
    predicted = LandmarkSet.from_points(dict.fromkeys("abcd", (2, 2)), PLANE, status=LandmarkStatus.PREDICTED)
    evaluation = evaluate([CaseResult("x", truth, predicted)], model="m", split="test")
    assert [evaluation.landmarks[name].n for name in "abcd"] == [0, 1, 1, 0]
    assert evaluation.overall.missing == 2
    assert landmark_errors(truth, predicted) == {"b": 0.0, "c": pytest.approx(np.sqrt(2))}


def test_a_name_that_a_case_does_not_have_is_missing_there() -> None:
    one = case("one", {"a": (1, 1), "b": (1, 1)}, {"a": (1, 1), "b": (1, 1)})
    two = case("two", {"a": (1, 1)}, {"a": (1, 1)})
    evaluation = evaluate([one, two], model="m", split="test")
    assert (evaluation.landmarks["b"].n, evaluation.landmarks["b"].missing) == (1, 1)
    assert evaluation.overall.missing == 1
    assert [score.missing for score in evaluation.cases] == [0, 1]


def test_worst_cases_first_those_that_were_missed(results: list[CaseResult]) -> None:
    nothing = case("blank", {}, {"a": (1, 1)}, names=("a", "b", "c"))
    evaluation = evaluate([*results, nothing], model="m", split="test")
    assert [c.case_id for c in evaluation.worst_cases()] == ["three", "two", "one"]
    assert [c.worst_landmark for c in evaluation.worst_cases(2)] == ["a", "a"]
    two = evaluation.worst_cases()[1]
    assert (two.n, two.missed, two.mean, two.max) == (2, 0, 6.5, 10.0)
    assert evaluation.n_images == 4


@pytest.mark.parametrize("path", ["/home/someone/models/unet", r"C:\Users\someone\models\unet", "unet", "unet/"])
def test_no_folder_of_a_person_in_the_model_name(path: str, results: list[CaseResult]) -> None:
    assert evaluate(results, model=path, split="test").model == "unet"


def test_no_prediction_at_all_fails_everywhere() -> None:
    overall = evaluate([case("x", {"a": (1, 1)}, {"b": (1, 1)})], model="m", split="test", radii=(5,)).overall
    assert (overall.n, overall.missed, overall.mean, overall.max, overall.sdr) == (
        1,
        1,
        None,
        None,
        {5.0: 0.0},
    )


def test_radii_are_sorted_and_each_once(results: list[CaseResult]) -> None:
    assert evaluate(results, model="m", split="test", radii=(9, 3, 3.0)).radii == (3.0, 9.0)


@pytest.mark.parametrize("radii", [(), (0,), (-1,), (float("nan"),), (float("inf"),)])
def test_radii_that_make_no_sense(radii: tuple[float, ...], results: list[CaseResult]) -> None:
    with pytest.raises(LandmarkerError, match="positive numbers"):
        evaluate(results, model="m", split="test", radii=radii)


def test_a_split_without_images_or_truth_is_one_sentence() -> None:
    with pytest.raises(LandmarkerError, match="The 'test' split holds no image"):
        evaluate([], model="m", split="test")
    with pytest.raises(LandmarkerError, match="No image of the 'test' split has an annotated landmark"):
        evaluate([case("x", {}, {"a": (1, 1)}, names=("a",))], model="m", split="test")


def test_cases_that_do_not_belong_together(results: list[CaseResult]) -> None:
    with pytest.raises(LandmarkerError, match="'one' is given twice"):
        evaluate([results[0], results[0]], model="m", split="test")
    with pytest.raises(GeometryError, match="mixes 2D and 3D"):
        evaluate([results[0], case("v", {"a": (5, 5, 5)}, {}, VOLUME)], model="m", split="test")
    other = LandmarkSet.from_points({"a": (1, 1)}, Grid((9, 9)))
    with pytest.raises(GeometryError, match=r"Case 'one': .*same image"):
        evaluate([CaseResult("one", results[0].truth, other)], model="m", split="test")
    flipped = LandmarkSet.from_points({"a": (1, 1)}, Grid(PLANE.shape, direction=np.diag([1.0, -1.0])))
    with pytest.raises(GeometryError, match="same image"):
        evaluate([CaseResult("one", results[0].truth, flipped)], model="m", split="test")
    several = LandmarkSet.empty(("a",), PLANE, instances=2)
    with pytest.raises(GeometryError, match="several points"):  # of a truth that has one of each
        evaluate([CaseResult("one", results[0].truth, several)], model="m", split="test")
    with pytest.raises(LandmarkerError, match="annotate at least one"):
        evaluate([CaseResult("one", several, several)], model="m", split="test")
    with pytest.raises(GeometryError, match=r"Case 'one': .*same image"):
        evaluate([CaseResult("one", several, other)], model="m", split="test")
    with pytest.raises(GeometryError, match="no spacing"):
        landmark_errors(results[0].truth, results[0].predicted, unit="mm")
