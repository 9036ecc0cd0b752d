"""3D Slicer's older point lists: the header is honoured, other cells survive, and errors name the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from annotation_cases import SHARED

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import read_annotation_file, read_image, read_landmarks, write_landmarks
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")
SLICER = SHARED / "formats/slicer"
MNI = SLICER / "tpl-MNI152NLin2009cAsym_afids.fcsv"
COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
#: index (z, y, x) lies at LPS (0.5 x - 10, 1.5 y + 20, 3 z + 5)
GRID = Grid((20, 30, 40), (3.0, 1.5, 0.5), np.array([-10.0, 20.0, 5.0]))
#: the point of index (2, 4, 6)
LPS, RAS = "-7,26,11", "7,-26,11"


def content(rows: list[str], system: str | None = "LPS", columns: str | None = COLUMNS) -> str:
    lines = ["# Markups fiducial file version = 4.11"]
    lines += [f"# CoordinateSystem = {system}"] if system is not None else []
    lines += [f"# columns = {columns}"] if columns is not None else []
    return "\n".join([*lines, *rows]) + "\n"


def save(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


def row(position: str = LPS, label: str = "a", desc: str = "", lock: int = 0, more: str = "") -> str:
    return f"n1,{position},0,0,0,1,1,1,{lock},{label},{desc},vtkMRMLScalarVolumeNode1{more}"


@pytest.mark.parametrize(("system", "position"), [("LPS", LPS), ("1", LPS), ("RAS", RAS), ("0", RAS), (None, RAS)])
def test_positions_are_where_the_header_says(tmp_path: Path, system: str | None, position: str) -> None:
    path = save(tmp_path / "a.fcsv", content([row(position)], system))
    np.testing.assert_allclose(read_landmarks(path, GRID).point("a"), [2, 4, 6], atol=1e-12)
    np.testing.assert_allclose(read_landmarks(path).world()[0], [-7, 26, 11], atol=1e-12)


def test_columns_in_any_order_quotes_and_line_ends(tmp_path: Path) -> None:
    rows = ['"tip, ""left""",11,-7,26,"a, b",1', "second,11,-7,26,c,0", ""]
    path = save(tmp_path / "a.fcsv", content(rows, columns="desc,z,x,y,label,lock").replace("\n", "\r\n"))
    (one,) = read_annotation_file(path)
    assert [(name, e.description, e.locked) for name, (e,) in one.entries.items()] == [
        ("a, b", 'tip, "left"', True),
        ("c", "second", False),
    ]
    np.testing.assert_allclose(one.landmarks().world(), [[-7, 26, 11]] * 2)


def test_the_position_status_of_newer_versions(tmp_path: Path) -> None:
    rows = [row(label=name, more=f",{code},0") for name, code in (("a", 2), ("b", 0), ("c", 1), ("d", 3))]
    path = save(tmp_path / "a.fcsv", content(rows))
    assert read_landmarks(path).status.tolist() == ["confirmed", "unplaced", "unplaced", "absent"]
    landmarks = read_landmarks(path, GRID).with_point("b", (1, 2, 3)).without_point("a", LandmarkStatus.ABSENT)
    write_landmarks(landmarks, path)
    assert read_landmarks(path, GRID).status.tolist() == ["absent", "confirmed", "unplaced", "absent"]


def test_names_in_the_descriptions(tmp_path: Path) -> None:
    rows = [row(label="1", desc="AC"), row(RAS, "2", "PC")]
    path = save(tmp_path / "a.fcsv", content(rows))
    assert read_landmarks(path).names == ("1", "2")
    assert read_landmarks(path, names=["PC", "AC", "MB"]).status.tolist() == ["confirmed", "confirmed", "unplaced"]
    bare = save(tmp_path / "b.fcsv", content([row(label="", desc="AC"), row(label="", desc="PC")]))
    assert read_landmarks(bare).names == ("AC", "PC")


def test_what_else_is_in_a_file_survives(tmp_path: Path) -> None:
    before = content([row(RAS, "a", '"tip, left"', 1), row("1,2,3", "b"), row("1,2,3", "other")], "RAS")
    path = save(tmp_path / "a.fcsv", before.replace("0,0,0,1,1,1", "0,0.5,0,1,1,0"))
    landmarks = LandmarkSet.from_points({"a": (2, 4, 8), "c": (2, 4, 6)}, GRID, names=["a", "b", "c"])
    write_landmarks(landmarks, path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[:3] == before.splitlines()[:3]
    assert lines[3] == 'n1,6.0,-26.0,11.0,0,0.5,0,1,1,0,1,a,"tip, left",vtkMRMLScalarVolumeNode1'
    assert lines[4].startswith("n1,1,2,3,0,0.5,0,1,1,0,0,other,")
    assert lines[5] == "3,7.0,-26.0,11.0,0,0,0,1,1,1,0,c,,"
    assert len(lines) == 6


def test_a_new_file_is_one_that_every_version_reads_rightly(tmp_path: Path) -> None:
    path = tmp_path / "a.fcsv"
    write_landmarks(LandmarkSet.from_points({"a, b": (2, 4, 6)}, GRID), path)
    assert path.read_text(encoding="utf-8") == content(['1,7.0,-26.0,11.0,0,0,0,1,1,1,0,"a, b",,'], "RAS").replace(
        "4.11", "5.6"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,1,2,3\n", "has no header"),
        (content([row()], "IJK"), "neither LPS nor RAS"),
        (content([row()], "2"), "neither LPS nor RAS"),
        (content([row()], columns="id,x,y,label"), "the column 'z' once"),
        (content([row()], columns="id,x,x,y,z,label"), "the column 'x' once"),
        (content([row("1,dummy,3")]), "line 4, gives 'a' a position that is not 3 numbers"),
        (content([row("1,nan,3")]), "line 4, gives 'a'"),
        (content([row("1,1_0,3")]), "line 4, gives 'a'"),
        (content([row("1,-inf,3")]), "line 4, gives 'a'"),
        (content([row("1,1e30,3")]), "no image reaches"),
        (content(["n1,1,2"]), "line 4, has only 3 of 14 values"),
        (content([row(), row("1,2,3")]), "line 5, has 'a' a second time"),
        (content([row(label=" "), row()]), "line 4, has a point without a usable label"),
    ],
)
def test_bad_files_are_refused_in_one_sentence_that_names_the_line(tmp_path: Path, text: str, words: str) -> None:
    path = save(tmp_path / "a.fcsv", text)
    with pytest.raises(AnnotationError, match=words) as raised:
        read_landmarks(path, GRID)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert message.endswith(".")
    assert "\n" not in message


def test_frames_that_do_not_fit(tmp_path: Path) -> None:
    path = save(tmp_path / "a.fcsv", content([row()]))
    with pytest.raises(AnnotationError, match="states no spacing"):
        read_landmarks(path, Grid((20, 30, 40)))
    with pytest.raises(AnnotationError, match="3D points"):
        read_landmarks(path, Grid((20, 30)))
    with pytest.raises(AnnotationError, match="set the image's spacing"):
        write_landmarks(LandmarkSet.from_points({"a": (1, 1, 1)}, Grid((20, 30, 40))), path)
    with pytest.raises(AnnotationError, match="give the image"):
        write_landmarks(LandmarkSet.from_points({"a": (1, 1, 1)}, Grid.without_image(3)), path)
    two = LandmarkSet.empty(["a"], GRID, 2).with_point("a", (1, 1, 1), instance=1)
    with pytest.raises(AnnotationError, match="several points"):
        write_landmarks(two, path)
    save(path, content([row(), row("1,2,3")]))
    assert read_landmarks(path, GRID, instances=2).points.shape == (1, 2, 3)


@needs_shared
def test_files_of_3d_slicer_agree(tmp_path: Path) -> None:
    fcsv, markups = read_landmarks(MNI), read_landmarks(MNI.with_suffix(".json"))
    assert fcsv.names == markups.names
    assert len(fcsv) == 32
    np.testing.assert_allclose(fcsv.world(), markups.world(), atol=1e-3)
    np.testing.assert_allclose(fcsv.world()[0], [0.231, -2.93275, -4.899], atol=1e-9)
    image = read_image(SLICER / "tpl-MNI152NLin2009cAsym_res-02_T1w.nii.gz")
    inside = read_landmarks(MNI, image)
    assert image.grid.contains(inside.points).all()
    nearest = np.rint(inside.points).astype(int)
    assert (image.array[tuple(nearest.T)] > 0.1 * image.array.max()).mean() > 0.8
    path = tmp_path / "a.fcsv"
    path.write_bytes(MNI.read_bytes())
    write_landmarks(read_landmarks(path), path)
    assert np.abs(read_landmarks(path).world() - fcsv.world()).max() < 1e-9


@needs_shared
def test_broken_files_of_a_validator() -> None:
    with pytest.raises(AnnotationError, match=r"afidsval_invalid_coord\.fcsv, line 5, gives '2'"):
        read_landmarks(SLICER / "afidsval_invalid_coord.fcsv")
    assert len(read_landmarks(SLICER / "afidsval_valid.fcsv")) == 32
    names = [str(number) for number in range(1, 33)]
    missing = read_landmarks(SLICER / "afidsval_missing_row_10.fcsv", names=names)
    assert missing.status_of("10") is LandmarkStatus.UNPLACED
    assert missing.placed.sum() == 31
    assert read_landmarks(SLICER / "slicer_L1.fcsv").world()[0].tolist() == [-43.3769, -23.1343, 0.0]
