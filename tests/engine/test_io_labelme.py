"""labelme files: coordinates from the corner, what survives, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import (
    read_annotation_file,
    read_labelme,
    read_landmarks,
    write_annotation_file,
    write_labelme,
    write_landmarks,
)
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

SHARED = Path(__file__).parents[2] / "../shared/data"
GRID = Grid((20, 30))
FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def content(**changes: Any) -> dict[str, Any]:
    """A file as labelme 5.7 writes it: a point on the pixel (y=3, x=10)'s centre, and a polygon."""
    point = {
        "label": "a",
        "points": [[10.5, 3.5]],
        "group_id": 4,
        "description": "tip",
        "shape_type": "point",
        "flags": {"sure": True},
        "mask": None,
        "colour": "red",
    }
    corners = {"points": [[1.0, 2.0], [3.0, 4.0], [5.0, 1.0]], "shape_type": "polygon"}
    out = {
        "version": "5.7.0",
        "flags": {"done": False},
        "shapes": [point, {"label": "bone", **corners, "group_id": None, "description": None, "flags": {}}],
        "imagePath": "..\\images\\scan.png",
        "imageData": None,
        "imageHeight": 20,
        "imageWidth": 30,
        "project": {"id": 7},
    }
    return out | changes


def save(path: Path, value: object) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def load(path: Path) -> dict[str, Any]:
    out: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return out


def test_a_pixels_centre_is_half_a_pixel_from_labelmes_corner(tmp_path: Path) -> None:
    read = read_labelme(save(tmp_path / "a.json", content()), GRID)
    assert read.names == ("a",)
    assert read.point("a").tolist() == [3.0, 10.0]
    assert read.status_of("a") is LandmarkStatus.CONFIRMED


def test_names_are_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "a.json", content())
    read = read_labelme(path, GRID, ["b", "a"], "scan.png")
    assert read.names == ("b", "a")
    assert read.status.tolist() == ["unplaced", "confirmed"]
    assert read_landmarks(path, GRID, ["b", "a"], "scan.png") == read


def test_a_new_file_is_laid_out_as_labelme_does(tmp_path: Path) -> None:
    landmarks = LandmarkSet.from_points({"a": (3, 10.25)}, GRID, names=["a", "b"])
    path = tmp_path / "annotations" / "scan.json"
    write_labelme(landmarks, path, tmp_path / "images" / "scan.png")
    assert path.read_text(encoding="utf-8").startswith('{\n  "version": "5.7.0",\n  "flags": {},\n  "shapes": [\n')
    written = load(path)
    assert list(written) == [
        "version",
        "flags",
        "shapes",
        "imagePath",
        "imageData",
        "imageHeight",
        "imageWidth",
    ]
    assert written["shapes"] == [
        {"label": "a", "points": [[10.75, 3.5]], "group_id": None, "description": "", "shape_type": "point",
         "flags": {}, "mask": None}
    ]  # fmt: skip
    assert written["imagePath"] == "../images/scan.png"
    assert written["imageData"] is None
    assert (written["imageHeight"], written["imageWidth"]) == (20, 30)


def test_what_else_is_in_a_file_survives(tmp_path: Path) -> None:
    path = save(tmp_path / "a.json", content(version="4.5.6", imageData="aGVsbG8="))
    landmarks = read_labelme(path, GRID, ["a", "b"]).with_point("a", (4, 11)).with_point("b", (1, 2))
    write_labelme(landmarks, path, tmp_path / "scan.png")
    before, after = content(), load(path)
    assert after["version"] == "4.5.6"
    assert after["imageData"] == "aGVsbG8="
    assert after["project"] == {"id": 7}
    assert after["flags"] == {"done": False}
    assert after["shapes"][0] == before["shapes"][0] | {"points": [[11.5, 4.5]]}
    assert after["shapes"][1] == before["shapes"][1]
    assert after["shapes"][2]["label"] == "b"
    assert after["imagePath"] == "scan.png"


def test_points_go_when_their_landmark_does_but_only_those(tmp_path: Path) -> None:
    two = content()
    two["shapes"].append(two["shapes"][0] | {"label": "stranger"})
    path = save(tmp_path / "a.json", two)
    write_labelme(LandmarkSet.empty(["a", "b"], GRID), path, "scan.png")
    assert [shape["label"] for shape in load(path)["shapes"]] == ["bone", "stranger"]


def test_status_score_and_absence_are_kept_and_go_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    landmarks = LandmarkSet.empty(["a", "b", "c", "d"], GRID)
    landmarks = landmarks.with_point("a", (1, 2), LandmarkStatus.PREDICTED, 0.75)
    landmarks = landmarks.with_point("b", (3, 4), LandmarkStatus.EDITED)
    landmarks = landmarks.without_point("c", LandmarkStatus.ABSENT)
    write_labelme(landmarks, path, "scan.png")
    assert load(path)["absent_landmarks"] == ["c"]
    assert read_labelme(path, GRID, landmarks.names) == landmarks
    landmarks = landmarks.with_point("a", (1, 2)).with_point("c", (5, 6))
    write_labelme(landmarks, path, "scan.png")
    assert "absent_landmarks" not in load(path)
    assert "status" not in load(path)["shapes"][0]
    assert "score" not in load(path)["shapes"][0]
    assert read_labelme(path, GRID, landmarks.names) == landmarks


def test_strangers_that_are_absent_stay_absent(tmp_path: Path) -> None:
    path = save(tmp_path / "a.json", content(absent_landmarks=["stranger", "a2"]))
    write_labelme(LandmarkSet.empty(["a", "a2"], GRID), path, "scan.png")
    assert load(path)["absent_landmarks"] == ["stranger"]


def test_other_kinds_of_shapes_are_no_landmarks(tmp_path: Path) -> None:
    shapes = [shape | {"shape_type": "circle"} for shape in content()["shapes"]]
    assert read_labelme(save(tmp_path / "a.json", content(shapes=shapes)), GRID).names == ()


NAN_POINT = json.dumps(content()).replace("[[10.5, 3.5]]", "[[NaN, 3.5]]")
POINT = content()["shapes"][0]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "no valid JSON"),
        ("[]", "not a JSON object"),
        ("{", "no valid JSON"),
        ({}, "no list of shapes"),
        (content(shapes={}), "no list of shapes"),
        (content(shapes=[3]), "no list of shapes"),
        (content(shapes=[POINT, POINT]), "'a' twice"),
        (content(shapes=[POINT | {"label": "z"}]), "a landmark 'z', which is none of a, b"),
        (content(shapes=[POINT | {"label": 3}]), "usable label"),
        (content(shapes=[POINT | {"label": " "}]), "usable label"),
        (content(shapes=[POINT | {"points": []}]), "no position"),
        (content(shapes=[POINT | {"points": [[1, 2], [3, 4]]}]), "no position"),
        (content(shapes=[POINT | {"points": [[1, 2, 3]]}]), "not 2 numbers"),
        (content(shapes=[POINT | {"points": [["1", 2]]}]), "not 2 numbers"),
        (content(shapes=[POINT | {"points": [[10**400, 2]]}]), "not 2 numbers"),
        (NAN_POINT, "not 2 numbers"),
        (content(shapes=[POINT | {"status": "absent"}]), "status 'absent'"),
        (content(shapes=[POINT | {"status": "sure"}]), "status 'sure'"),
        (content(shapes=[POINT | {"status": ["x"]}]), "status"),
        (content(shapes=[POINT | {"score": "high"}]), "score"),
        (content(absent_landmarks="b"), "no list of names"),
        (content(absent_landmarks=["a"]), "'a' is absent but also places it"),
        (content(absent_landmarks=["q"]), "a landmark 'q'"),
        (content(imagePath="other.png"), "is of another image: it was made for other.png, not for scan.png"),
        (content(imageHeight=21), "30 x 21 pixels, but this one has 30 x 20"),
        (content(imageWidth="30"), "pixels"),
    ],
)
def test_bad_files_are_refused_in_one_sentence_that_names_them(tmp_path: Path, value: object, words: str) -> None:
    path = save(tmp_path / "scan.json", value)
    with pytest.raises(AnnotationError, match=words) as raised:
        read_labelme(path, GRID, ["a", "b"], "scan.png")
    message = str(raised.value)
    assert message.startswith(str(path))
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize(
    "value",
    ["{ half", content(imagePath="other.png"), content(imageHeight=9), content(shapes=[POINT, POINT])],
)
def test_a_damaged_or_foreign_file_is_not_overwritten(tmp_path: Path, value: object) -> None:
    path = save(tmp_path / "scan.json", value)
    before = path.read_bytes()
    with pytest.raises(AnnotationError, match=r"scan\.json"):
        write_labelme(LandmarkSet.from_points({"a": (1, 1)}, GRID), path, "scan.png")
    assert path.read_bytes() == before


def test_what_json_cannot_hold_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    bad = json.dumps(content()).replace("[1.0, 2.0]", "[NaN, 2.0]")
    path = save(tmp_path / "scan.json", bad)
    with pytest.raises(AnnotationError, match="left as it is"):
        write_labelme(LandmarkSet.from_points({"a": (1, 1)}, GRID), path, "scan.png")
    assert path.read_text(encoding="utf-8") == bad


def test_volumes_are_for_other_formats(tmp_path: Path) -> None:
    solid = LandmarkSet.empty(["a"], Grid((4, 5, 6)))
    with pytest.raises(AnnotationError, match=r"\.mrk\.json"):
        write_labelme(solid, tmp_path / "a.json", "scan.png")
    with pytest.raises(AnnotationError, match=r"\.mrk\.json"):
        read_labelme(save(tmp_path / "b.json", content()), solid.grid)
    assert not (tmp_path / "a.json").exists()


def test_the_way_to_the_image_never_shows_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path.resolve()
    monkeypatch.setenv("HOME", str(root / "home" / "jane"))
    monkeypatch.setenv("USERPROFILE", str(root / "home" / "jane"))
    ways = {
        ("home/jane/out", "home/jane/data"): "../data/scan.png",
        ("data/out", "home/jane/data"): "scan.png",
        ("home/jane/out", "home/jim/data"): "scan.png",
        ("home/jane/out", "data"): "../../../data/scan.png",
        ("data/a/out", "data/b"): "../../b/scan.png",
        ("data", "data"): "scan.png",
    }
    for (folder, image), expected in ways.items():
        path = root / folder / "scan.json"
        write_labelme(LandmarkSet.empty(["a"], GRID), path, root / image / "scan.png")
        assert load(path)["imagePath"] == expected
        assert str(root) not in path.read_text(encoding="utf-8")


LETTERS = st.characters(min_codepoint=33, exclude_categories=["Cs", "Zs", "Cc"])
NAMES = st.lists(st.text(LETTERS, min_size=1).filter(lambda s: s.strip() == s), min_size=1, max_size=5, unique=True)
PLACES = st.floats(-1e4, 1e4)


@st.composite
def sets(draw: st.DrawFn, grid: Grid) -> LandmarkSet:
    landmarks = LandmarkSet.empty(draw(NAMES), grid)
    for name in landmarks.names:
        status = draw(st.sampled_from(LandmarkStatus))
        if status.has_point:
            point = [draw(PLACES) for _ in range(grid.ndim)]
            landmarks = landmarks.with_point(name, point, status, draw(st.one_of(st.just(np.nan), st.floats(0, 1))))
        else:
            landmarks = landmarks.without_point(name, status)
    return landmarks


@FAST
@given(first=sets(GRID), second=sets(GRID))
def test_round_trip(tmp_path: Path, first: LandmarkSet, second: LandmarkSet) -> None:
    path = tmp_path / "scan.json"
    path.unlink(missing_ok=True)
    write_landmarks(second, path, "scan.png")
    write_landmarks(first, path, "scan.png")
    everything = (*first.names, *(name for name in second.names if name not in first.names))
    read = read_landmarks(path, GRID, everything, "scan.png")
    for landmarks in (first, second.reordered([name for name in second.names if name not in first.names])):
        back = read.reordered(landmarks.names)
        assert back.status.tolist() == landmarks.status.tolist()
        np.testing.assert_allclose(back.points, landmarks.points, atol=4e-12)
        np.testing.assert_array_equal(back.score, landmarks.score)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="does not exist"):
        read_landmarks(tmp_path / "none.json", GRID)
    with pytest.raises(AnnotationError, match=r"must end in \.json"):
        read_landmarks(tmp_path / "points.xml", GRID)
    with pytest.raises(AnnotationError, match=r"must end in \.json"):
        write_landmarks(LandmarkSet.empty(["a"], GRID), tmp_path / "points.xml", "scan.png")
    with pytest.raises(AnnotationError, match="is none of labelme, 3D Slicer markups"):
        read_landmarks(save(tmp_path / "other.json", {"x": 1}), GRID)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(AnnotationError, match=r"folder\.json"):
        read_landmarks(tmp_path / "folder.json", GRID)


@pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")
def test_a_file_of_labelme_itself(tmp_path: Path) -> None:
    theirs = SHARED / "formats/labelme/primitives.json"
    grid = Grid((450, 560))
    read = read_labelme(theirs, grid, ["point"], "primitives.jpg")
    assert read.point("point").tolist() == [173.5, 344.5]
    path = tmp_path / "primitives.json"
    path.write_bytes(theirs.read_bytes())
    write_labelme(read, path, tmp_path / "primitives.jpg")
    assert load(path) == load(theirs)


def grouped(*groups: object, label: str = "a", **more: object) -> list[dict[str, Any]]:
    """Points of one label on the pixel centres (0, 0), (1, 1), ... in these groups."""
    return [
        POINT | {"label": label, "points": [[i + 0.5, i + 0.5]], "group_id": group} | more
        for i, group in enumerate(groups)
    ]


def test_points_of_one_label_in_different_groups_are_instances(tmp_path: Path) -> None:
    path = save(tmp_path / "a.json", content(shapes=grouped(7, 2, 5)))
    read = read_labelme(path, GRID)
    assert read.points[0].tolist() == [[1, 1], [2, 2], [0, 0]]
    write_labelme(read.with_point("a", (9, 9), instance=1), path, "scan.png")
    after = load(path)["shapes"]
    assert [(shape["group_id"], shape["points"][0]) for shape in after] == [
        (7, [0.5, 0.5]), (2, [1.5, 1.5]), (5, [9.5, 9.5]),
    ]  # fmt: skip
    assert all(shape["description"] == "tip" and shape["colour"] == "red" for shape in after)


def test_what_belongs_together_stays_together(tmp_path: Path) -> None:
    shapes = grouped(1, 2, 3) + grouped(3, label="b") + grouped(9, label="c") + grouped(None, label="d")
    read = read_labelme(save(tmp_path / "a.json", content(shapes=shapes)), GRID)
    assert read.placed.tolist() == [[True] * 3, [False, False, True], [True, False, False], [True, False, False]]
    path = tmp_path / "b.json"
    write_labelme(read, path, "scan.png")
    assert [shape["group_id"] for shape in load(path)["shapes"]] == [1, 2, 3, 3, None, None]
    assert read_labelme(path, GRID) == read


@pytest.mark.parametrize("groups", [(1, 1), (None, None), (1, None), ("x", 2)])
def test_points_of_one_label_without_groups_of_their_own(tmp_path: Path, groups: tuple[object, ...]) -> None:
    path = save(tmp_path / "a.json", content(shapes=grouped(*groups)))
    with pytest.raises(AnnotationError, match=r"'a' twice.*or give each its own group id"):
        read_labelme(path, GRID)
    read = read_labelme(path, GRID, instances=2)
    assert sorted(read.points[0].tolist()) == [[0, 0], [1, 1]]
    write_labelme(read, path, "scan.png")
    assert read_labelme(path, GRID) == read


def test_a_second_point_gets_a_group_and_gives_the_first_one(tmp_path: Path) -> None:
    path = save(tmp_path / "a.json", content(shapes=grouped(None)))
    read = read_labelme(path, GRID, instances=2)
    two = read.with_point("a", (5, 6), instance=1)
    write_labelme(two, path, "scan.png")
    assert [shape["group_id"] for shape in load(path)["shapes"]] == [1, 2]
    assert read_labelme(path, GRID) == two
    write_labelme(two.without_point("a", instance=0), path, "scan.png")
    assert [shape["points"] for shape in load(path)["shapes"]] == [[[6.5, 5.5]]]


@st.composite
def instance_sets(draw: st.DrawFn) -> LandmarkSet:
    landmarks = LandmarkSet.empty(["a", "b"], GRID, 3)
    for name in landmarks.names:
        for i in range(draw(st.integers(0, 3))):
            landmarks = landmarks.with_point(name, [draw(st.integers(0, 3)), i], instance=i)
    return landmarks


@FAST
@given(sets=st.lists(instance_sets(), min_size=1, max_size=3))
def test_instances_keep_their_order_whatever_was_in_the_file(tmp_path: Path, sets: list[LandmarkSet]) -> None:
    path = tmp_path / "scan.json"
    path.unlink(missing_ok=True)
    for landmarks in sets:
        write_labelme(landmarks, path, "scan.png")
        assert read_labelme(path, GRID, ["a", "b"], instances=3) == landmarks


def test_flags_descriptions_and_locks(tmp_path: Path) -> None:
    value = content(flags={"blurred": True, "done": False})
    value["shapes"][0] |= {"locked": True, "flags": {"sure": True, "hidden": False}}
    path = save(tmp_path / "a.json", value)
    (one,) = read_annotation_file(path)
    (entry,) = one.entries["a"]
    assert (entry.description, entry.locked) == ("tip", True)
    assert one.image == "../images/scan.png"
    assert one.unread[:2] == ("1 shape that is no point", "the flags of the image or its points")
    write_annotation_file(path, [one])
    after = load(path)
    assert after["flags"] == value["flags"]
    assert after["shapes"][0] == value["shapes"][0]
    plain = replace(one, entries={"a": (replace(entry, description="", locked=None),)})
    write_annotation_file(path, [plain])  # what is not said stays
    assert load(path)["shapes"][0] == value["shapes"][0]
    new = tmp_path / "b.json"
    write_annotation_file(new, [one])
    shape = load(new)["shapes"][0]
    assert (shape["description"], shape["locked"]) == ("tip", True)


def test_a_file_of_flags_alone_stays_one(tmp_path: Path) -> None:
    path = save(tmp_path / "a.json", content(shapes=[], flags={"blurred": True}))
    assert read_labelme(path, GRID, ["a"]).status.tolist() == ["unplaced"]
    write_labelme(LandmarkSet.empty(["a"], GRID), path)
    assert load(path) == content(shapes=[], flags={"blurred": True})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"imageHeight": "20"}, "no sensible size"),
        ({"imageWidth": True}, "no sensible size"),
        ({"imageWidth": 0}, "no sensible size"),
        ({"absent_landmarks": [{"label": "b", "instance": 0}]}, "instance '0'"),
        ({"absent_landmarks": [{"label": "b", "instance": 10**9}]}, "number its points from 1"),
        ({"absent_landmarks": [{"instance": 1}]}, "usable label"),
    ],
)
def test_bad_sizes_and_instances(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(AnnotationError, match=words):
        read_labelme(save(tmp_path / "a.json", content(**changes)))
