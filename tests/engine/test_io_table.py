"""Long tables: pixels as stored, x to the right, and messages that name the line."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from annotation_cases import (
    FAST,
    SHARED,
    annotations,
    assert_reads_or_refuses,
    assert_same,
    flat,
    mutated,
    save,
    turned,
)
from hypothesis import given
from hypothesis import strategies as st

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import read_geometry, read_table, write_table
from napari_landmarker.engine.io.annotation_format import ImageAnnotations
from napari_landmarker.engine.io.fields import Entry, entries_of
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.io.table import CSV_LONG
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")


def nowhere(name: str | None) -> None:
    """No image is at hand."""


def only(path: Path, geometry: ImageGeometry | None = None) -> ImageAnnotations:
    (one,) = read_table(path, lambda name: geometry)
    return one


TEXTS = {
    "plain": "image,landmark,x,y\na.png,tip,10,3.5\na.png,base,,\nb.png,tip,1,2\n",
    "decimal commas, other order": "y;x;image;landmark\n3,5;10;a.png;tip\n;;a.png;base\n2;1;b.png;tip\n",
    "tabs, more columns": "image\tage\tlandmark\tx\ty\na.png\t7\ttip\t10\t3.5\n"
    "a.png\t7\tbase\tnan\tNaN\nb.png\t7\ttip\t1\t2\n",
    "a mark, quotes, spaces, blank lines": '\ufeffImage, Landmark ,X,Y\r\n"a.png", tip ,10, 3.5\r\n'
    "\r\n,,,\r\na.png,base,,\r\nb.png,tip,1,2",
    "names of others": "File Name,Label,X (px),Y (px)\na.png,tip,10,3.5\na.png,base,NA,NA\nb.png,tip,1,2\n",
    "Excel's own line": "sep=;\r\nfilename;point;x;y\r\na.png;tip;10;3,5\r\na.png;base;;\r\nb.png;tip;1;2\r\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_ways_to_write_a_table(tmp_path: Path, text: str) -> None:
    path = save(tmp_path / "a.csv", text)
    assert CSV_LONG.recognises(path)
    first, second = read_table(path, lambda name: flat())
    assert (first.image, second.image) == ("a.png", "b.png")
    assert first.unread == (("the column 'age'",) if "\tage" in text else ())
    landmarks = first.landmarks(["base", "other", "tip"])
    assert landmarks.names == ("base", "other", "tip")
    assert landmarks.status.tolist() == ["unplaced", "unplaced", "confirmed"]
    assert landmarks.point("tip").tolist() == [3.5, 10.0]


def test_status_score_and_description(tmp_path: Path) -> None:
    text = "image,landmark,x,y,score,status,description\na,p,1,2,0.5,,seen\na,q,1,2,0.25,Confirmed,\n"
    text += "a,r,,,,absent,'=bent\na,s,1,2,,edited,\n"
    image = only(save(tmp_path / "a.csv", text), flat())
    landmarks = image.landmarks()
    assert landmarks.status.tolist() == ["predicted", "confirmed", "absent", "edited"]
    np.testing.assert_array_equal(landmarks.score, [0.5, 0.25, np.nan, np.nan])
    assert [image.entries[name][0].description for name in "pqrs"] == ["seen", "", "=bent", ""]


def test_a_comma_is_no_decimal_comma_beside_points(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tsv", "landmark\tx\ty\n1.1\t1,024\t2,5\n")  # a tooth; 1,024 as German Excel writes it
    assert only(path).landmarks().points.tolist() == [[2.5, 1.024]]
    path = save(tmp_path / "a.tsv", "landmark\tx\ty\na\t1,024\t20.25\n")  # as English Excel shows a thousand
    with pytest.raises(AnnotationError, match=r"'1,024' in the column 'x' while other numbers have a point"):
        only(path)


def test_two_columns_for_one_coordinate_are_not_guessed_at(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", "landmark,x,y,z,i,j,k\na,10.5,20.5,30.5,1,2,3\n")
    with pytest.raises(AnnotationError, match=r"a\.csv has both columns 'x' and 'i'"):
        only(path)
    path = save(tmp_path / "b.csv", "landmark,label,x,y\na,left,1,2\n")
    assert only(path).unread == ("the column 'label'",)


def test_instances(tmp_path: Path) -> None:
    text = "image,landmark,instance,x,y\na,p,3,1,2\na,p,1,3,4\na,q,,5,6\n"
    landmarks = only(save(tmp_path / "a.csv", text), flat()).landmarks()
    np.testing.assert_array_equal(
        landmarks.points, [[[4, 3], [np.nan] * 2, [2, 1]], [[6, 5], [np.nan] * 2, [np.nan] * 2]]
    )
    path = save(tmp_path / "b.csv", "image,landmark,x,y\na,p,1,2\na,p,3,4\n")
    (one,) = read_table(path, nowhere, repeats=True)
    assert [entry.point.tolist() for entry in one.entries["p"]] == [[2, 1], [4, 3]]
    with pytest.raises(AnnotationError, match=r"line 3, gives 'p' in image 'a' a second time.*'instance'"):
        read_table(path, nowhere)


def test_a_volumes_coordinates_are_those_of_the_file(tmp_path: Path) -> None:
    geometry = turned()
    assert geometry.grid.shape == (6, 5, 4)
    for head in ("x,y,z", "i,j,k"):
        path = save(tmp_path / "a.csv", f"image,landmark,{head}\nv.nii,tip,5,4,3\n")  # last voxel as stored
        assert only(path, geometry).landmarks().point("tip").tolist() == [0.0, 4.0, 0.0]
        assert only(path).grid == Grid.without_image(3)
        assert only(path).landmarks().point("tip").tolist() == [3.0, 4.0, 5.0]


def test_millimetres(tmp_path: Path) -> None:
    grid = Grid((10, 10, 10), (2.0, 2.0, 2.0), np.array([10.0, 20, 30]))
    geometry = ImageGeometry(grid, turned().stored.identity(grid.shape))
    for head, values in (("x_mm,y_mm,z_mm", "12,24,36"), ("X_RAS (mm),Y_RAS (mm),Z_RAS (mm)", "-12,-24,36")):
        path = save(tmp_path / "a.csv", f"image,landmark,{head}\nv.nii,tip,{values}\nv.nii,no,,,\n")
        assert only(path, geometry).landmarks().point("tip").tolist() == [3.0, 2.0, 1.0]
        far = only(path)
        assert far.landmarks().world()[0].tolist() == [12.0, 24.0, 36.0]
        write_table(tmp_path / "out.csv", [far])
        lines = (tmp_path / "out.csv").read_text().splitlines()
        assert lines == [
            "image,landmark,x_mm,y_mm,z_mm,status",
            "v.nii,tip,12.0,24.0,36.0,confirmed",
            "v.nii,no,,,,unplaced",
        ]
    with pytest.raises(AnnotationError, match="states no spacing"):
        only(path, turned())


def test_pixels_and_millimetres_together(tmp_path: Path) -> None:
    head = "image,landmark,x,y,z,x_mm,y_mm,z_mm\n"
    geometry = turned((1.0, 1.0, 1.0))
    index = geometry.stored.inverse.apply([3, 2, 1])
    x, y, z = geometry.grid.index_to_world(index) + np.array([0.4, 0, 0])  # as far as rounded voxels may be off
    path = save(tmp_path / "a.csv", head + f"v,p,1,2,3,{x},{y},{z}\nv,q,,,,1,2,3\n")
    assert only(path).landmarks().world().tolist() == [[x, y, z], [1, 2, 3]]
    assert only(path, geometry).landmarks().point("p").tolist() == index.tolist()
    path = save(tmp_path / "c.csv", head + f"v,p,1,2,3,{-x},{-y},{z}\n")  # RAS that does not say so
    with pytest.raises(AnnotationError, match=r"c\.csv, line 2, gives voxels and millimetres that lie .* voxels apart"):
        only(path, geometry)
    path = save(tmp_path / "b.csv", head + "v,p,1,2,3,,,\nv,q,,,,1,2,3\n")
    with pytest.raises(AnnotationError, match=r"b\.csv, line 3, is in millimetres while others are in pixels"):
        only(path)


def test_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out" / "points.csv"
    geometry = turned()
    solid = LandmarkSet.empty(["tip", "gone"], geometry.grid).with_point(
        "tip", (0, 4, 0), LandmarkStatus.PREDICTED, 0.5
    )
    solid = solid.without_point("gone", LandmarkStatus.ABSENT)
    thin = LandmarkSet.from_points({"tip": (3.5, 10)}, flat().grid)
    both = [
        ImageAnnotations("v.nii", geometry.grid, entries_of(solid), geometry),
        ImageAnnotations("/home/someone/a.png", thin.grid, entries_of(thin), flat()),
    ]
    write_table(path, both)
    assert path.read_text(encoding="utf-8").splitlines() == [
        "image,landmark,x,y,z,score,status",
        "v.nii,tip,5.0,4.0,3.0,0.5,predicted",
        "v.nii,gone,,,,,absent",
        "a.png,tip,10.0,3.5,,,confirmed",
    ]
    write_table(path, both[1:])
    assert path.read_text(encoding="utf-8") == "image,landmark,x,y,status\na.png,tip,10.0,3.5,confirmed\n"
    write_table(path.with_suffix(".tsv"), [ImageAnnotations(None, thin.grid, entries_of(thin))])
    assert path.with_suffix(".tsv").read_text() == "landmark\tx\ty\tstatus\ntip\t10.0\t3.5\tconfirmed\n"


def test_a_spreadsheet_runs_no_name_as_a_formula(tmp_path: Path) -> None:
    names = ["=HYPERLINK(1)", "+1", "-1", "@a", "'=a", "'plain", "plain"]
    grid = flat().grid
    entries = {name: (Entry(np.zeros(2), LandmarkStatus.CONFIRMED, np.nan, name),) for name in names}
    path = tmp_path / "a.csv"
    write_table(path, [ImageAnnotations("=image.png", grid, entries)])
    with path.open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")]
    back = only(path)
    assert back.image == "=image.png"
    assert {name: of[0].description for name, of in back.entries.items()} == {name: name for name in names}


HEAD = "image,landmark,x,y,z,score,status\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("image,landmark,x\n", "no column 'y'"),
        ("image,x,y\n", "no column 'landmark'"),
        ("image,landmark,senior_x,senior_y\n", "no column 'x'.*rename.*'senior_x'"),
        ("image,landmark,x,y,x\n", "column 'x' twice"),
        (HEAD, "holds no landmarks"),
        (HEAD + "a,p,1,2\nb,p,one,2\n", "line 3, has 'one' in the column 'x'"),
        (HEAD + "a,p,1,inf\n", "line 2, has 'inf' in the column 'y'"),
        (HEAD + "a,p,1," + "9" * 400, "line 2, has '9+' in the column 'y'"),
        (HEAD + "a,p,1,1_0\n", "'1_0'"),
        (HEAD + "a,p,1,2,,high\n", "'high' in the column 'score'"),
        (HEAD + "a,p,1,\n", "only some"),
        (HEAD + "a,p,,,3\n", "only some"),
        (HEAD + "a,p,1\n", "line 2, ends before its coordinates"),
        (HEAD + "a,p,1,2\n\na,p,3,4\n", "line 4, gives 'p' in image 'a' a second time"),
        (HEAD + ",p,1,2\n", "line 2, does not name its image"),
        (HEAD + "a,,1,2\n", "usable label"),
        (HEAD + "a,p,1,2,3,0.5,confirmed,9\n", "line 2, has more cells than columns"),
        (HEAD + "a,p,1,2,,,absent\n", "status 'absent'"),
        (HEAD + "a,p,,,,,edited\n", "status 'edited'"),
        ("image,landmark,x,y,instance\na,p,1,2,0\n", "line 2, has an 'instance'"),
        (HEAD + 'a,p,1,2\n"' + "x" * 140000 + '",p,1,2\n', "not valid CSV"),
        (HEAD + "a,p,1,2,3\na,q,1,2,\n", "line 3, gives 2 coordinates where others have 3"),
    ],
)
def test_bad_tables_are_refused_in_one_sentence_that_names_them(tmp_path: Path, text: str, words: str) -> None:
    path = save(tmp_path / "points.csv", text)
    with pytest.raises(AnnotationError, match=words) as raised:
        read_table(path, nowhere)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert message.endswith(".")
    assert "\n" not in message


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="does not exist"):
        read_table(tmp_path / "none.csv", nowhere)
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(AnnotationError, match=r"a\.csv is a folder"):
        read_table(tmp_path / "a.csv", nowhere)
    with pytest.raises(AnnotationError, match="UTF-8"):
        read_table(save(tmp_path / "b.csv", TEXTS["plain"].replace("tip", "Spitze \u00e4"), "latin-1"), nowhere)
    assert not CSV_LONG.recognises(save(tmp_path / "c.csv", "patient,age\n1,70\n"))
    assert not CSV_LONG.recognises(save(tmp_path / "d.csv", "image,tip_x,tip_y\na,1,2\n"))


def test_rows_that_do_not_fit_the_image(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", "image,landmark,x,y,z\na,p,1,2,3\nb,p,1,2,\n")
    with pytest.raises(AnnotationError, match=r"a\.csv, line 2, gives 3 coordinates for an image in 2D"):
        read_table(path, {"a": flat()}.get)
    with pytest.raises(AnnotationError, match=r"a\.csv, line 3, gives 2 coordinates for an image in 3D"):
        read_table(path, {"b": turned()}.get)
    with pytest.raises(AnnotationError, match="has a landmark 'p', which is none of q, r"):
        read_table(path, nowhere)[0].landmarks(["q", "r"], source=path)


@FAST
@given(data=st.data(), kind=st.sampled_from(["flat", "turned", "no image", "world"]))
def test_round_trip(tmp_path: Path, data: st.DataObject, kind: str) -> None:
    geometry = {"flat": flat(), "turned": turned()}.get(kind)
    grid = Grid.without_image(3 if kind == "world" else 2, world=kind == "world") if geometry is None else geometry.grid
    given = data.draw(annotations(CSV_LONG, geometry, grid))
    path = tmp_path / "points.csv"
    write_table(path, [given])
    assert CSV_LONG.recognises(path)
    back = only(path, geometry)
    if any(entry.point is not None for entries in given.entries.values() for entry in entries):
        assert_same(back, given)
    else:
        assert {name: [e.status for e in of] for name, of in back.entries.items()} == {
            name: [e.status for e in of] for name, of in given.entries.items()
        }


@FAST
@given(data=st.data())
def test_a_mutated_table_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "points.csv"
    path.write_bytes(mutated(data, data.draw(st.sampled_from(list(TEXTS.values())))))
    geometry = data.draw(st.sampled_from([None, flat(), turned((1.0, 1.0, 1.0))]))
    assert_reads_or_refuses(path, lambda: read_table(path, lambda name: geometry), CSV_LONG)


@needs_shared
def test_fundus_landmarks() -> None:
    images = read_table(SHARED / "idrid/landmarks.csv", nowhere)
    assert len(images) == 413
    assert images[0].image == "train_IDRiD_001.jpg"
    assert images[0].landmarks().point("optic_disc_centre").tolist() == [450.875, 714.125]


@needs_shared
def test_two_annotators_are_not_mixed_up() -> None:
    with pytest.raises(AnnotationError, match="'senior_x'"):
        read_table(SHARED / "isbi2015/landmarks.csv", nowhere)


@needs_shared
def test_voxels_of_the_hippocampus_lie_at_their_millimetres() -> None:
    folder = SHARED / "hippocampus"
    with (folder / "landmarks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    some = sorted({row["file"] for row in rows})[::40]

    def geometry_of(name: str | None) -> ImageGeometry | None:
        return read_geometry(folder / "images" / str(name)) if name in some else None

    by_voxel = {image.image: image for image in read_table(folder / "landmarks.csv", geometry_of)}
    by_mm = {image.image: image for image in read_table(folder / "landmarks.csv", nowhere)}
    for name in some:
        ras = [[float(row[f"{axis}_ras_mm"]) for axis in "xyz"] for row in rows if row["file"] == name]
        np.testing.assert_allclose(by_voxel[name].landmarks().world() * [-1, -1, 1], ras, atol=2e-3)
        np.testing.assert_allclose(by_mm[name].landmarks().world() * [-1, -1, 1], ras, atol=1e-12)


def test_a_table_of_a_turned_volume_names_the_stored_voxel(tmp_path: Path) -> None:
    path = tmp_path / "v.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((6, 5, 4), "uint8"), np.diag([1.0, 2.0, 3.0, 1.0])), path)  # RAS
    geometry = read_geometry(path)
    landmarks = LandmarkSet.from_points({"tip": (3, 4, 0)}, geometry.grid)  # top, back, right
    write_table(tmp_path / "points.csv", [ImageAnnotations("v.nii.gz", geometry.grid, entries_of(landmarks), geometry)])
    assert (tmp_path / "points.csv").read_text().splitlines()[1] == "v.nii.gz,tip,5.0,0.0,3.0,confirmed"
