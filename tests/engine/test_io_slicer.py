"""3D Slicer files: world coordinates, what survives, and what is refused."""

from __future__ import annotations

import json
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
    read_geometry,
    read_image,
    read_landmarks,
    read_slicer,
    write_annotation_file,
    write_slicer,
)
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

SHARED = Path(__file__).parents[2] / "../shared/data"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")
FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
#: index (z, y, x) lies at LPS (0.5 x - 10, 1.5 y + 20, 3 z + 5)
GRID = Grid((20, 30, 40), (3.0, 1.5, 0.5), np.array([-10.0, 20.0, 5.0]))
PIXELS = Grid((20, 30, 40))


def content(system: str = "LPS", **changes: Any) -> dict[str, Any]:
    """A file as 3D Slicer writes it, with a point at index (2, 4, 6)."""
    sign = -1.0 if system in ("RAS", "0") else 1.0
    point = {
        "id": "3",
        "label": "a",
        "description": "tip",
        "position": [-7.0 * sign, 26.0 * sign, 11.0],
        "orientation": [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0],
        "locked": True,
        "positionStatus": "defined",
        "mine": [1],
    }
    markup = {
        "type": "Fiducial",
        "coordinateSystem": system,
        "coordinateUnits": "mm",
        "controlPoints": [point],
        "display": {"opacity": 0.5},
        "lastUsedControlPointNumber": 9,
    }
    return {
        "@schema": "markups-schema-v1.0.3.json#",
        "markups": [{"type": "Line"}, markup | changes],
        "more": 1,
    }


def save(path: Path, value: object) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def load(path: Path) -> dict[str, Any]:
    out: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return out


def changed(**point: Any) -> dict[str, Any]:
    """The file with other fields of its point; None takes a field away."""
    out = content()
    fields = out["markups"][1]["controlPoints"][0] | point
    out["markups"][1]["controlPoints"][0] = {key: value for key, value in fields.items() if value is not None}
    return out


@pytest.mark.parametrize("system", ["LPS", "RAS", "0", "1", "lps"])
def test_positions_are_where_the_header_says(tmp_path: Path, system: str) -> None:
    read = read_slicer(save(tmp_path / "a.mrk.json", content(system)), GRID)
    assert read.names == ("a",)
    np.testing.assert_allclose(read.point("a"), [2, 4, 6], atol=1e-12)
    assert read.status_of("a") is LandmarkStatus.CONFIRMED


@pytest.mark.parametrize("unit", [["mm", "UCUM", "millimeter"], None])
def test_millimetres_as_a_code_or_by_default(tmp_path: Path, unit: object) -> None:
    value = content(coordinateUnits=unit)
    if unit is None:
        del value["markups"][1]["coordinateUnits"]
        del value["markups"][1]["coordinateSystem"]
    np.testing.assert_allclose(read_slicer(save(tmp_path / "a.json", value), GRID).point("a"), [2, 4, 6], atol=1e-12)


def test_micrometres(tmp_path: Path) -> None:
    value = content(coordinateUnits="um")
    value["markups"][1]["controlPoints"][0]["position"] = [-7000.0, 26000.0, 11000.0]
    path = save(tmp_path / "a.mrk.json", value)
    np.testing.assert_allclose(read_slicer(path, GRID).point("a"), [2, 4, 6], atol=1e-9)
    write_slicer(LandmarkSet.from_points({"a": (3, 4, 6)}, GRID), path)
    assert load(path)["markups"][1]["controlPoints"][0]["position"] == pytest.approx([-7000.0, 26000.0, 14000.0])


def test_a_new_file_is_in_lps_millimetres(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.mrk.json"
    landmarks = LandmarkSet.from_points({"a": (2, 4, 6)}, GRID, names=["a", "b", "c"])
    write_slicer(landmarks.without_point("c", LandmarkStatus.ABSENT), path)
    written = load(path)
    assert written["@schema"].endswith("/markups-schema-v1.0.3.json#")
    (markup,) = written["markups"]
    assert (markup["type"], markup["coordinateSystem"], markup["coordinateUnits"]) == (
        "Fiducial",
        "LPS",
        "mm",
    )
    points = markup["controlPoints"]
    assert [point["label"] for point in points] == ["a", "b", "c"]
    assert [point["id"] for point in points] == ["1", "2", "3"]
    assert points[0]["position"] == [-7.0, 26.0, 11.0]
    assert [point["positionStatus"] for point in points] == ["defined", "undefined", "missing"]
    assert [("position" in point) for point in points] == [True, False, False]


def test_a_volume_without_spacing_is_in_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.mrk.json"
    landmarks = LandmarkSet.from_points({"a": (2, 4.5, 6)}, PIXELS)
    write_slicer(landmarks, path)
    (markup,) = load(path)["markups"]
    assert markup["coordinateUnits"] == "px"
    assert markup["controlPoints"][0]["position"] == [6.0, 4.5, 2.0]
    assert read_slicer(path, PIXELS) == landmarks


def test_millimetres_and_pixels_are_not_mixed(tmp_path: Path) -> None:
    mm, px = tmp_path / "mm.mrk.json", tmp_path / "px.mrk.json"
    write_slicer(LandmarkSet.from_points({"a": (2, 4, 6)}, GRID), mm)
    write_slicer(LandmarkSet.from_points({"a": (2, 4, 6)}, PIXELS), px)
    with pytest.raises(AnnotationError, match=r"mm\.mrk\.json is in millimetres, but its image states no spacing"):
        read_slicer(mm, PIXELS)
    with pytest.raises(AnnotationError, match=r"px\.mrk\.json is in pixels"):
        read_slicer(px, GRID)


def test_a_file_takes_the_unit_of_the_image_when_all_its_points_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a.mrk.json"
    write_slicer(LandmarkSet.from_points({"a": (2, 4, 6), "b": (1, 1, 1)}, PIXELS), path)
    with pytest.raises(AnnotationError, match="other points in pixels"):
        write_slicer(LandmarkSet.from_points({"a": (2, 4, 6)}, GRID), path)
    landmarks = LandmarkSet.from_points({"a": (2, 4, 6), "b": (1, 1, 1)}, GRID)
    write_slicer(landmarks, path)
    np.testing.assert_allclose(read_slicer(path, GRID).points, landmarks.points, atol=1e-12)


def test_what_else_is_in_a_file_survives(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mrk.json", content("RAS"))
    landmarks = read_slicer(path, GRID, ["b", "a"]).with_point("a", (2, 4, 7)).with_point("b", (0, 0, 0))
    write_slicer(landmarks, path)
    before, after = content("RAS"), load(path)
    assert after["more"] == 1
    assert after["markups"][0] == {"type": "Line"}
    assert after["markups"][1]["coordinateSystem"] == "RAS"
    assert after["markups"][1]["display"] == {"opacity": 0.5}
    assert after["markups"][1]["lastUsedControlPointNumber"] == 9
    old, new = after["markups"][1]["controlPoints"]
    assert old == before["markups"][1]["controlPoints"][0] | {"position": [6.5, -26.0, 11.0]}
    assert (new["label"], new["position"]) == ("b", [10.0, -20.0, 5.0])
    assert new["id"] != old["id"]
    np.testing.assert_allclose(read_slicer(path, GRID, ["b", "a"]).points, landmarks.points, atol=1e-12)


def test_other_points_stay_and_taken_back_ones_lose_their_place(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mrk.json", content())
    write_slicer(LandmarkSet.from_points({"b": (1, 2, 3)}, GRID), path)
    assert read_slicer(path, GRID).names == ("a", "b")
    write_slicer(LandmarkSet.empty(["b"], GRID), path)
    read = read_slicer(path, GRID)
    assert read.status.tolist() == ["confirmed", "unplaced"]
    np.testing.assert_allclose(read.point("a"), [2, 4, 6], atol=1e-12)


def test_names_in_the_descriptions(tmp_path: Path) -> None:
    value = content()
    value["markups"][1]["controlPoints"][0] |= {"label": "1", "description": "AC"}
    path = save(tmp_path / "a.mrk.json", value)
    assert read_slicer(path, GRID).names == ("1",)
    read = read_slicer(path, GRID, ["PC", "AC"])
    np.testing.assert_allclose(read.point("AC"), [2, 4, 6], atol=1e-12)
    landmarks = read.with_point("PC", (1, 1, 1))
    write_slicer(landmarks, path)
    assert [point["label"] for point in load(path)["markups"][1]["controlPoints"]] == ["1", "2"]
    np.testing.assert_allclose(read_slicer(path, GRID, ["PC", "AC"]).points, landmarks.points, atol=1e-12)
    with pytest.raises(AnnotationError, match="a landmark '1'"):
        read_slicer(path, GRID, ["AC"])


@pytest.mark.parametrize(
    ("state", "status"),
    [("undefined", "unplaced"), ("preview", "unplaced"), ("missing", "absent"), (None, "confirmed")],
)
def test_position_status(tmp_path: Path, state: str | None, status: str) -> None:
    path = save(tmp_path / "a.mrk.json", changed(positionStatus=state))
    assert read_slicer(path, GRID).status.tolist() == [status]
    value = changed(positionStatus=state) if state is None else changed(positionStatus=state, position="")
    assert read_slicer(save(path, value), GRID).status.tolist() == [status]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("nothing", "no valid JSON"),
        ({"markups": 3}, "no list of markups"),
        ({"markups": []}, "0 point lists"),
        ({"markups": [*content()["markups"], *content()["markups"]]}, "2 point lists"),
        (content(controlPoints=[1]), "control points are no list"),
        (content(controlPoints={}), "control points are no list"),
        (content(coordinateSystem="IJK"), "neither LPS nor RAS"),
        (content(coordinateSystem=[1]), "neither LPS nor RAS"),
        (content(coordinateUnits="furlong"), "'furlong'"),
        (content(coordinateUnits=7), "unit"),
        (content(controlPoints=content()["markups"][1]["controlPoints"] * 2), "'a' twice"),
        (changed(label="q"), "a landmark 'q', which is none of a, b"),
        (changed(label=4), "usable label"),
        (changed(position=[1, 2]), "not 3 numbers"),
        (changed(position=[1, 2, float("nan")]), "not 3 numbers"),
        (changed(position=""), "not 3 numbers"),
        (changed(positionStatus="lost"), "'lost'"),
        (changed(positionStatus=["x"]), "position status"),
        (changed(status="absent"), "status 'absent'"),
        (changed(score="x"), "score"),
    ],
)
def test_bad_files_are_refused_in_one_sentence_that_names_them(tmp_path: Path, value: object, words: str) -> None:
    path = save(tmp_path / "scan.mrk.json", value)
    with pytest.raises(AnnotationError, match=words) as raised:
        read_landmarks(path, GRID, ["a", "b"])
    message = str(raised.value)
    assert message.startswith(str(path))
    assert message.endswith(".")
    assert "\n" not in message


def test_a_damaged_file_is_not_overwritten(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mrk.json", "{ half")
    with pytest.raises(AnnotationError, match=r"a\.mrk\.json"):
        write_slicer(LandmarkSet.from_points({"a": (1, 1, 1)}, GRID), path)
    assert path.read_text(encoding="utf-8") == "{ half"


def test_flat_images_are_for_labelme(tmp_path: Path) -> None:
    flat = LandmarkSet.empty(["a"], Grid((5, 6)))
    with pytest.raises(AnnotationError, match=r"labelme \.json"):
        write_slicer(flat, tmp_path / "a.mrk.json")
    with pytest.raises(AnnotationError, match=r"labelme \.json"):
        read_slicer(save(tmp_path / "b.mrk.json", content()), flat.grid)


@st.composite
def sets(draw: st.DrawFn, grid: Grid) -> LandmarkSet:
    names = draw(st.lists(st.sampled_from(["a", "b", "ü c", "d-1", "7"]), min_size=1, unique=True))
    landmarks = LandmarkSet.empty(names, grid)
    for name in names:
        status = draw(st.sampled_from(LandmarkStatus))
        if status.has_point:
            point = [draw(st.floats(-1e3, 1e3)) for _ in range(3)]
            landmarks = landmarks.with_point(name, point, status, draw(st.one_of(st.just(np.nan), st.floats(0, 1))))
        else:
            landmarks = landmarks.without_point(name, status)
    return landmarks


@FAST
@given(data=st.data(), angle=st.floats(0, 3), spaced=st.booleans())
def test_round_trip(tmp_path: Path, data: st.DataObject, angle: float, spaced: bool) -> None:
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.fliplr(np.eye(3))
    grid = Grid((20, 30, 40), (3.0, 1.5, 0.5) if spaced else None, np.array([50.0, -80.0, 9.0]), turn)
    landmarks, before = data.draw(sets(grid)), data.draw(sets(grid))
    path = tmp_path / "a.mrk.json"
    path.unlink(missing_ok=True)
    write_slicer(before, path)
    write_slicer(landmarks, path)
    read = read_slicer(path, grid)
    assert set(read.names) == {*landmarks.names, *before.names}
    back = read.reordered(landmarks.names)
    assert back.status.tolist() == landmarks.status.tolist()
    np.testing.assert_allclose(back.points, landmarks.points, atol=1e-9)
    np.testing.assert_array_equal(back.score, landmarks.score)


@needs_shared
def test_the_points_of_an_atlas_lie_in_its_head() -> None:
    folder = SHARED / "formats/slicer"
    image = read_image(folder / "tpl-MNI152NLin2009cAsym_res-02_T1w.nii.gz")
    read = read_landmarks(folder / "tpl-MNI152NLin2009cAsym_afids.json", image.grid)
    assert len(read) == 32
    nearest = np.rint(read.points).astype(int)
    head = image.array > 0.1 * image.array.max()
    assert head[tuple(nearest.T)].mean() > 0.8
    np.testing.assert_allclose(read.world()[0], [0.231, -2.93275, -4.899], atol=1e-9)  # RAS with its signs turned
    # in the volume as stored, 2 mm RAS voxels from (-96.5, -132.5, -78.5)
    stored = read_geometry(folder / "tpl-MNI152NLin2009cAsym_res-02_T1w.nii.gz").stored.apply(read.points[0])[::-1]
    np.testing.assert_allclose(stored, [(-0.231 + 96.5) / 2, (2.93275 + 132.5) / 2, (-4.899 + 78.5) / 2], atol=1e-6)
    points = load(folder / "tpl-MNI152NLin2009cAsym_afids.json")["markups"][0]["controlPoints"]
    names = [point["description"].strip() for point in points][::-1]
    anatomy = read_landmarks(folder / "tpl-MNI152NLin2009cAsym_afids.json", image.grid, names)
    assert anatomy.names == tuple(names)
    np.testing.assert_array_equal(anatomy.point("AC"), read.point("1"))


@needs_shared
@pytest.mark.parametrize("name", ["mouse_A_J.mrk.json", "afidsval_valid.json"])
def test_files_of_3d_slicer_survive_unchanged(tmp_path: Path, name: str) -> None:
    theirs = SHARED / "formats/slicer" / name
    path = tmp_path / name
    path.write_bytes(theirs.read_bytes())
    read = read_landmarks(path, GRID)
    write_slicer(read, path)
    before, after = load(theirs), load(path)
    after["markups"][0]["lastUsedControlPointNumber"] = before["markups"][0].get("lastUsedControlPointNumber")
    before["markups"][0].setdefault("lastUsedControlPointNumber", None)
    for old, new in zip(before["markups"][0]["controlPoints"], after["markups"][0]["controlPoints"], strict=True):
        assert new.pop("position") == pytest.approx(old.pop("position"), abs=1e-9)
    assert after == before


def instances(*numbers: int | None) -> dict[str, Any]:
    """A file with points of one label at x = 0, 1, ... mm, with these numbers."""
    points = [
        {"id": str(i), "label": "a", "position": [float(i), 0.0, 0.0]} | ({} if n is None else {"instance": n})
        for i, n in enumerate(numbers)
    ]
    return content(controlPoints=points)


def test_points_with_numbers_are_instances(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mrk.json", instances(4, 1, 2))
    read = read_slicer(path, GRID)
    np.testing.assert_allclose(read.world()[0, [0, 1, 3], 0], [1, 2, 0], atol=1e-12)
    assert read.status.tolist() == [["confirmed", "confirmed", "unplaced", "confirmed"]]
    write_slicer(read, path)
    points = load(path)["markups"][1]["controlPoints"]
    assert [(point["id"], point["instance"]) for point in points] == [("0", 4), ("1", 1), ("2", 2)]
    write_slicer(read.without_point("a", instance=3), path)
    points = load(path)["markups"][1]["controlPoints"]
    assert [(point["id"], point["instance"]) for point in points] == [("1", 1), ("2", 2)]


def test_points_without_numbers_are_instances_only_where_there_may_be_several(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mrk.json", instances(None, None))
    with pytest.raises(AnnotationError, match="'a' twice"):
        read_slicer(path, GRID)
    read = read_slicer(path, GRID, instances=2)
    np.testing.assert_allclose(read.world()[0, :, 0], [0, 1], atol=1e-12)
    write_slicer(read, path)
    np.testing.assert_allclose(read_slicer(path, GRID).points, read.points, atol=1e-12)
    for wrong in (0, True, "1", 10**9):
        save(path, instances(None, wrong))  # type: ignore[arg-type]
        with pytest.raises(AnnotationError, match="number its points from 1"):
            read_slicer(path, GRID)


def test_descriptions_and_locks(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mrk.json", content())
    (one,) = read_annotation_file(path)
    (entry,) = one.entries["a"]
    assert (entry.description, entry.locked) == ("tip", True)
    assert one.unread == ("1 markup of other kinds", "the keys 'more', 'display', 'mine' of other programs")
    new = tmp_path / "b.mrk.json"
    write_annotation_file(new, [one])
    (point,) = load(new)["markups"][0]["controlPoints"]
    assert (point["description"], point["locked"]) == ("tip", True)
    np.testing.assert_allclose(point["position"], [-7, 26, 11], atol=1e-12)
