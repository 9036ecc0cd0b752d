"""Wide tables: one row an image, and the layout that counts from the bottom."""

from __future__ import annotations

import csv
from pathlib import Path

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
from napari_landmarker.engine.io.annotation_format import ImageAnnotations
from napari_landmarker.engine.io.fields import Entry
from napari_landmarker.engine.io.table import CSV_LONG
from napari_landmarker.engine.io.table_wide import CSV_WIDE, read_wide_table, write_wide_table
from napari_landmarker.engine.io.tps import read_tps
from napari_landmarker.engine.landmarks import LandmarkStatus

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")


def nowhere(name: str | None) -> None:
    """No image is at hand."""


@pytest.mark.parametrize(
    "text",
    [
        "image,tip_x,tip_y,base_x,base_y\na.png,10,3.5,,\nb.png,1,2,3,4\n",
        "filename;tip x;tip y;base x;base y\na.png;10;3,5;;\nb.png;1;2;3;4\n",
        "File\tage\ttip.Y (px)\ttip.X (px)\tbase.X\tbase.Y\na.png\t7\t3.5\t10\tNA\tNA\nb.png\t8\t2\t1\t3\t4\n",
    ],
    ids=["plain", "decimal commas", "tabs, more columns, other order"],
)
def test_ways_to_write_a_table(tmp_path: Path, text: str) -> None:
    path = save(tmp_path / "a.csv", text)
    assert CSV_WIDE.recognises(path)
    assert not CSV_LONG.recognises(path)
    first, second = (image.landmarks() for image in read_wide_table(path, nowhere, None))
    assert first.names == ("tip", "base")
    assert first.point("tip").tolist() == [3.5, 10.0]
    assert first.status.tolist() == ["confirmed", "unplaced"]
    assert second.points.tolist() == [[2, 1], [4, 3]]


def test_a_volume(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", "image,tip_x,tip_y,tip_z\nv.nii,5,4,3\n")
    (image,) = read_wide_table(path, lambda name: turned(), None)
    assert image.landmarks().point("tip").tolist() == [0, 4, 0]
    path = save(tmp_path / "b.csv", "tip_x_mm,tip_y_mm,tip_z_mm\n5,4,3\n")
    (image,) = read_wide_table(path, nowhere, None)
    assert image.landmarks().world().tolist() == [[5, 4, 3]]


def test_numbered_columns_count_from_the_bottom(tmp_path: Path) -> None:
    path = save(tmp_path / "a.csv", "id,X1,Y1,X2,Y2\na.png,3,20,4,0.5\n")
    (image,) = read_wide_table(path, lambda name: flat((20, 30)), None)
    assert image.landmarks().names == ("1", "2")
    assert image.landmarks().points.tolist() == [[0, 3], [19.5, 4]]
    (image,) = read_wide_table(path, lambda name: flat((20, 30)), ["tip", "base"])
    assert image.landmarks().names == ("tip", "base")
    with pytest.raises(AnnotationError, match=r"a\.csv, line 2, counts pixels from the bottom .* give the image"):
        read_wide_table(path, nowhere, None)
    with pytest.raises(AnnotationError, match="has 2 landmarks in order, but there are 3 names"):
        read_wide_table(path, nowhere, ["a", "b", "c"])
    assert CSV_WIDE.recognises(path)
    path = save(tmp_path / "b.csv", "id,box_id,X1,Y1\na.png,1,3,20\n")  # which way y runs here is not known
    assert not CSV_WIDE.recognises(path)
    with pytest.raises(AnnotationError, match="no columns of landmarks"):
        read_wide_table(path, nowhere, None)


def test_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    grid, world = flat().grid, Grid.without_image(3, world=True)
    point = Entry(np.array([3.5, 10]), LandmarkStatus.CONFIRMED)
    far = Entry(np.array([3.0, 2.0, 1.0]), LandmarkStatus.PREDICTED)
    nothing = Entry(None, LandmarkStatus.ABSENT)
    images = [
        ImageAnnotations("a.png", grid, {"tip": (point,), "base": (nothing,)}, flat()),
        ImageAnnotations("v.nii", world, {"tip": (far,)}),
    ]
    write_wide_table(path, images[:1])
    assert path.read_text() == "image,tip_x,tip_y,base_x,base_y\na.png,10.0,3.5,,\n"
    write_wide_table(path, images)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [rows[1][f"tip_{axis}_mm"] for axis in "xyz"] == ["1.0", "2.0", "3.0"]
    assert rows[0]["tip_x_mm"] == rows[1]["tip_x"] == ""
    with pytest.raises(AnnotationError, match="several points of one landmark"):
        write_wide_table(path, [ImageAnnotations("a.png", grid, {"tip": (point, point)})])
    with pytest.raises(AnnotationError, match="no landmarks"):
        write_wide_table(path, [ImageAnnotations("a.png", grid)])
    with pytest.raises(AnnotationError, match="no name"):
        write_wide_table(path, [images[0], ImageAnnotations(None, grid, {"tip": (point,)})])
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("image,age\na,7\n", "no columns of landmarks"),
        ("image,tip_x\na,7\n", "no column 'tip_y'"),
        ("image,tip_x,tip_y,tip_x\n", "column 'tip_x' twice"),
        ("image,tip_x,tip_y\n", "holds no landmarks"),
        ("image,tip_x,tip_y\na,1,2\na,1,2\n", "line 3, is a second row of a"),
        ("image,tip_x,tip_y\na,1\n", "line 2, has 2 cells for 3 columns"),
        ("image,tip_x,tip_y\na,1,2,3\n", "line 2, has more cells"),
        ("image,tip_x,tip_y\na,1,\n", "only some"),
        ("image,tip_x,tip_y\na,inf,1\n", "'inf' in the column 'tip_x'"),
        ("image,tip_x,tip_y\n,1,2\n", "line 2, does not name its image"),
        ("tip_x,tip_y\n1,2\n3,4\n", "several rows but no column 'image'"),
        ("id,X1,Y1,X1,Y2\na,1,2,3,4\n", "'X1' twice"),
        ("id,X1,Y1,X2,Y3\na,1,2,3,4\n", "only one of the columns 'X2' and 'Y2'"),
    ],
)
def test_bad_tables_are_refused_in_one_sentence_that_names_them(tmp_path: Path, text: str, words: str) -> None:
    path = save(tmp_path / "points.csv", text)
    with pytest.raises(AnnotationError, match=words) as raised:
        read_wide_table(path, nowhere, None)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert message.endswith(".")


@FAST
@given(data=st.data(), kind=st.sampled_from(["flat", "turned", "no image", "world"]))
def test_round_trip(tmp_path: Path, data: st.DataObject, kind: str) -> None:
    geometry = {"flat": flat(), "turned": turned()}.get(kind)
    grid = Grid.without_image(3 if kind == "world" else 2, world=kind == "world") if geometry is None else geometry.grid
    given = data.draw(annotations(CSV_WIDE, geometry, grid))
    path = tmp_path / "points.csv"
    write_wide_table(path, [given])
    assert CSV_WIDE.recognises(path)
    (back,) = read_wide_table(path, lambda name: geometry, None)
    if geometry is not None or any(of[0].point is not None for of in given.entries.values()):
        assert_same(back, given)
    else:
        assert back.landmarks().status.tolist() == given.landmarks().status.tolist()


@FAST
@given(data=st.data())
def test_a_mutated_table_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "points.csv"
    texts = ["image,tip_x,tip_y,base_x,base_y\na.png,10,3.5,,\nb.png,1,2,3,4\n", "id,X1,Y1,X2,Y2\na.png,3,20,4,0.5\n"]
    path.write_bytes(mutated(data, data.draw(st.sampled_from(texts))))
    geometry = data.draw(st.sampled_from([None, flat(), turned((1.0, 1.0, 1.0))]))
    assert_reads_or_refuses(path, lambda: read_wide_table(path, lambda name: geometry, None), CSV_WIDE)


@needs_shared
def test_a_table_and_a_tps_file_of_the_same_wings_agree() -> None:
    table, tps = SHARED / "formats/tps/csv-example.csv", SHARED / "formats/tps/tps-example.tps"
    by_row = read_wide_table(table, lambda name: flat((480, 640)), None)
    by_specimen = read_tps(tps, lambda name: flat((480, 640)), None)
    assert len(by_row) == len(by_specimen) == 58
    for one, other in zip(by_row, by_specimen, strict=True):
        assert_same(one, other)
    assert by_row[0].landmarks().point("1").tolist() == [480 - 108, 290]
