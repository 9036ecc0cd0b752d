"""TPS: y upwards from the bottom, landmarks by order, and lines of other programs that stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from annotation_cases import FAST, annotations, assert_reads_or_refuses, flat, mutated, save, turned
from hypothesis import given
from hypothesis import strategies as st

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.annotation_format import ImageAnnotations
from napari_landmarker.engine.io.fields import Entry
from napari_landmarker.engine.io.tps import TPS, read_tps, write_tps
from napari_landmarker.engine.landmarks import LandmarkStatus

WINGS = """LM=3
290.00000 108.50000
-1.00000 -1.00000
NA NA
CURVES=1
POINTS=2
1 2
3 4
IMAGE=a.png
ID=0
SCALE=0.004500

LM=3
1 2
3 4
-0.25 6
COMMENT=left wing
IMAGE=wings\\b.png
ID=1
"""


def nowhere(name: str | None) -> None:
    """No image is at hand."""


def point(*values: float) -> Entry:
    return Entry(np.array(values), LandmarkStatus.CONFIRMED)


def test_coordinates_run_up_from_the_bottom(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tps", WINGS)
    first, second = read_tps(path, lambda name: flat((480, 640)), None)
    assert (first.image, second.image) == ("a.png", "wings\\b.png")
    assert first.landmarks().names == ("1", "2", "3")
    assert first.landmarks().status.tolist() == ["confirmed", "unplaced", "unplaced"]
    assert first.landmarks().point("1").tolist() == [371.5, 290.0]
    assert second.landmarks().points.tolist() == [[478, 1], [476, 3], [474, -0.25]]  # only -1 -1 is missing
    assert first.grid.spacing is None  # whatever SCALE says
    assert (first.unread, second.unread) == (("curves", "the scale"), ("comments",))
    named = read_tps(path, lambda name: flat((480, 640)), ["x", "y", "z"])[0]
    assert named.landmarks().point("x").tolist() == [371.5, 290.0]
    top_left = save(tmp_path / "b.tps", "LM=1\n0 480\n")
    (image,) = read_tps(top_left, lambda name: flat((480, 640)), None)
    assert image.landmarks().points.tolist() == [[0, 0]]
    assert image.image is None


def test_an_image_is_needed(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tps", WINGS)
    with pytest.raises(AnnotationError, match=r"a\.tps, line 1, counts .* of the image a\.png, .* give the image"):
        read_tps(path, nowhere, None)
    with pytest.raises(AnnotationError, match="line 1 has 3 landmarks in order, but there are 2 names"):
        read_tps(path, lambda name: flat(), ["p", "q"])
    with pytest.raises(AnnotationError, match="points in 2D, but the image or others are in 3D"):
        read_tps(path, lambda name: turned(), None)
    with pytest.raises(AnnotationError, match="give the image"):
        write_tps(tmp_path / "b.tps", [ImageAnnotations("a.png", Grid.without_image(2), {"p": (point(1, 2),)})])
    with pytest.raises(AnnotationError, match="give the image"):
        write_tps(tmp_path / "b.tps", [ImageAnnotations("a", Grid.without_image(2, world=True), {"p": (point(1, 2),)})])
    with pytest.raises(AnnotationError, match="left of and below"):
        write_tps(tmp_path / "b.tps", [ImageAnnotations("a.png", Grid((20, 30)), {"p": (point(21, -1),)})])
    assert not (tmp_path / "b.tps").exists()


def test_what_is_written_and_what_stays(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tps", WINGS)
    entries = {"p": (point(471.5, 290),), "q": (Entry(None, LandmarkStatus.ABSENT),), "r": (point(0, 0.1),)}
    write_tps(
        path,
        [
            ImageAnnotations("a.png", Grid((480, 640)), entries),
            ImageAnnotations("C:\\Users\\someone\\c.png", Grid((10, 10)), {"p": (point(1, 2),)}),
        ],
    )
    assert path.read_text().splitlines() == [
        "LM=3", "290.0 8.5", "-1 -1", "0.1 480.0", *WINGS.splitlines()[4:11],
        *WINGS.splitlines()[12:],
        "LM=3", "2.0 9.0", "-1 -1", "-1 -1", "IMAGE=c.png", "ID=2",
    ]  # fmt: skip


def test_images_of_one_name_in_two_folders_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.tps"
    names = ["1.png", "a/1.png", "b/1.png"]
    images = [ImageAnnotations(name, flat().grid, {"p": (point(1, x),)}) for x, name in enumerate(names)]
    write_tps(path, images)
    write_tps(path, images[1:])
    back = read_tps(path, lambda name: flat(), ["p"])
    assert [(image.image, image.landmarks().points[0, 1]) for image in back] == list(zip(names, range(3), strict=True))
    with pytest.raises(AnnotationError, match="cannot tell the images"):
        write_tps(path, [images[0], images[0]])
    write_tps(tmp_path / "b.tps", images[1:2])
    with pytest.raises(AnnotationError, match=r"'1\.png' and 'a/1\.png' apart"):  # both may be the one that is there
        write_tps(tmp_path / "b.tps", images[:2])


def test_specimens_of_one_image_are_instances(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tps", "LM=1\n1 2\nIMAGE=a.png\nLM=1\n3 4\nIMAGE=a.png\nSCALE=2\n")
    (image,) = read_tps(path, lambda name: flat(), None)
    assert image.landmarks().points.tolist() == [[[18, 1], [16, 3]]]
    write_tps(path, [ImageAnnotations("a.png", flat().grid, {"1": (point(18, 1),)})])
    assert path.read_text() == "LM=1\n1.0 2.0\nIMAGE=a.png\n"
    path = save(tmp_path / "b.tps", "LM=1\n1 2\nID=first\nLM=1\n3 4\nID=second\n")
    assert [image.image for image in read_tps(path, lambda name: flat(), None)] == ["first", "second"]


def test_specimens_without_landmarks_and_curves_stay(tmp_path: Path) -> None:
    curves = "CURVES=1\nPOINTS=1\n1 2\n"
    ends = [f"{more}IMAGE=a.png\nID={i}\n" for i, more in enumerate(("", curves, "VARIABLES=sex\n"))]
    text = f"LM=1\n5 6\n{ends[0]}LM=1\n7 8\n{ends[1]}LM=1\n-1 -1\n{ends[2]}"
    path = save(tmp_path / "a.tps", text)
    (one,) = read_tps(path, lambda name: flat((20, 30)), None)
    assert one.unread == ("curves", "the lines VARIABLES=")
    write_tps(path, [ImageAnnotations("a.png", Grid((20, 30)), {"1": one.entries["1"][:1]})])
    assert path.read_text() == text.replace("5 6", "5.0 6.0").replace("7 8", "-1 -1")


def test_three_dimensions_say_which_way_they_run(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tps", "LM3=2\n1 2 3\nNA NA NA\nCOMMENT=RAS mm\nIMAGE=v.nii\n")
    (image,) = read_tps(path, nowhere, None)
    assert image.landmarks().world()[0].tolist() == [-1, -2, 3]
    assert image.landmarks().status.tolist() == ["confirmed", "unplaced"]
    (image,) = read_tps(path, lambda name: turned((1.0, 1.0, 1.0)), None)
    assert image.landmarks().world()[0] == pytest.approx([-1, -2, 3])
    write_tps(path, [image])
    lines = path.read_text().splitlines()
    assert [float(v) for v in lines[1].split()] == pytest.approx([-1, -2, 3])
    assert lines[2:] == ["NA NA NA", "IMAGE=v.nii", "COMMENT=LPS mm"]
    with pytest.raises(AnnotationError, match="states no spacing"):
        read_tps(path, lambda name: turned(), None)
    with pytest.raises(AnnotationError, match="add a line 'COMMENT=LPS mm' or 'COMMENT=RAS mm'"):
        read_tps(save(tmp_path / "b.tps", "LM3=1\n1 2 3\nIMAGE=v.nii\n"), nowhere, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("1 2\n", "is not a TPS file"),
        ("IMAGE=a.png\nLM=1\n1 2\n", "is not a TPS file"),
        ("LM=one\n", "line 1, must give the number of landmarks after LM=, not 'one'"),
        ("LM=-1\n", "not '-1'"),
        ("LM=99999999999\n", "not '99999999999'"),
        ("LM=2\n1 2\nIMAGE=a.png\n", "line 1, says that 2 points follow, but there are 1"),
        ("LM=1\n1 2\n3 4\nIMAGE=a.png\n", "line 3, has a point more than the 1"),
        ("LM=1\n1 2 3\n", "line 2, must give 2 numbers, x y:"),
        ("LM=1\n1 inf\n", "line 2, must give 2 numbers"),
        ("LM=1\n1 1e300\n", "line 2, must give 2 numbers"),
        ("LM3=1\n1 2\n", "line 2, must give 3 numbers, x y z:"),
        ("LM=1\n1 2\nLM=1\n1 2\nIMAGE=a.png\n", "line 1, begins a specimen without an image"),
    ],
)
def test_bad_files_are_refused_in_one_sentence_that_names_them(tmp_path: Path, text: str, words: str) -> None:
    path = save(tmp_path / "a.tps", text)
    with pytest.raises(AnnotationError, match=words) as raised:
        read_tps(path, lambda name: flat(), None)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert message.endswith(".")
    with pytest.raises(AnnotationError):
        write_tps(path, [ImageAnnotations("a.png", flat().grid, {"p": (point(1, 2),)})])
    assert path.read_text() == text


@FAST
@given(data=st.data(), kind=st.sampled_from(["flat", "turned", "world"]))
def test_round_trip(tmp_path: Path, data: st.DataObject, kind: str) -> None:
    geometry = {"flat": flat(), "turned": turned((0.5, 2.0, 3.0))}.get(kind)
    grid = Grid.without_image(3, world=True) if geometry is None else geometry.grid
    first = data.draw(annotations(TPS, geometry, grid))
    other = data.draw(annotations(TPS, geometry, grid, "b.png"))
    path = tmp_path / "points.tps"
    path.unlink(missing_ok=True)
    write_tps(path, [first, other])
    assert TPS.recognises(path)
    names = list(dict.fromkeys([*first.entries, *other.entries]))
    for back, before in zip(read_tps(path, lambda name: geometry, names), [first, other], strict=True):
        assert back.image == before.image
        here, there = back.landmarks(names, 3), before.landmarks(names, 3)
        assert here.grid == there.grid
        assert (here.status == there.status).all()
        np.testing.assert_allclose(here.points, there.points, rtol=0, atol=1e-9)


@FAST
@given(data=st.data())
def test_a_mutated_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "points.tps"
    path.write_bytes(mutated(data, data.draw(st.sampled_from([WINGS, "LM3=1\n1 2 3\nCOMMENT=RAS mm\nIMAGE=v.nii\n"]))))
    geometry = data.draw(st.sampled_from([None, flat(), turned((1.0, 1.0, 1.0))]))
    assert_reads_or_refuses(path, lambda: read_tps(path, lambda name: geometry, None), TPS)
