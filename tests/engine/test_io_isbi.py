"""The text files of the ISBI 2015 challenge."""

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
from napari_landmarker.engine.io.isbi import ISBI, ISBI_NAMES, read_isbi, write_isbi
from napari_landmarker.engine.landmarks import LandmarkStatus

needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")
POINTS = "".join(f"{835 + 10 * i},{996 - i}\n" for i in range(19))
CLASSES = "1\n2\n3\n1\n1\n2\n1\n4\n"


def nowhere(name: str | None) -> None:
    """No image is at hand."""


@pytest.mark.parametrize("tail", ["", CLASSES, CLASSES + "\n"])
def test_landmarks_by_order(tmp_path: Path, tail: str) -> None:
    path = save(tmp_path / "001.txt", (POINTS + tail).replace("\n", "\r\n"))
    assert ISBI.recognises(path)
    (image,) = read_isbi(path, nowhere, None)
    landmarks = image.landmarks()
    assert image.image is None
    assert len(image.unread) == (1 if tail else 0)
    assert landmarks.grid == Grid.without_image(2)
    assert landmarks.names == ISBI_NAMES
    assert landmarks.point("Sella").tolist() == [996, 835]
    assert landmarks.point("Articulare").tolist() == [978, 1015]
    others = [f"L{i}" for i in range(19)]
    (image,) = read_isbi(path, lambda name: flat((2400, 1935)), others)
    assert image.landmarks().names == tuple(others)
    assert image.grid.shape == (2400, 1935)


def test_classes_stay(tmp_path: Path) -> None:
    path = save(tmp_path / "001.txt", POINTS + CLASSES)
    (image,) = read_isbi(path, nowhere, None)
    moved = dict(image.entries) | {"Sella": (Entry(np.array([990.25, 800.0]), LandmarkStatus.EDITED),)}
    shuffled = {name: moved[name] for name in sorted(moved)}
    write_isbi(path, [ImageAnnotations("001.bmp", image.grid, shuffled)])
    assert path.read_text() == "800,990.25\n" + POINTS.partition("\n")[2] + CLASSES
    write_isbi(tmp_path / "new.txt", [image])
    assert (tmp_path / "new.txt").read_text() == POINTS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1, must be|has 0 of the 19"),
        (POINTS[:40], "of the 19 landmarks|must be a position"),
        ("835 996\n" + POINTS, "line 1, must be a position 'x,y'"),
        ("835,996,1\n" + POINTS, "line 1, must be"),
        ("nan,inf\n" + POINTS, "line 1, must be"),
        ("9999999999,1\n" + POINTS, "line 1, must be"),
        (POINTS + "1\n2\n", "8 lines with one digit"),
        (POINTS + "835,996\n", "line 20, is not as in"),
        (POINTS + CLASSES + "1\n", "8 lines with one digit"),
    ],
)
def test_bad_files_are_refused_in_one_sentence_that_names_them(tmp_path: Path, text: str, words: str) -> None:
    path = save(tmp_path / "001.txt", text)
    assert not ISBI.recognises(path)
    with pytest.raises(AnnotationError, match=words) as raised:
        read_isbi(path, nowhere, None)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert message.endswith(".")


def test_what_it_cannot_hold(tmp_path: Path) -> None:
    path = save(tmp_path / "001.txt", POINTS)
    (image,) = read_isbi(path, nowhere, None)
    with pytest.raises(AnnotationError, match="19 landmarks in order, but there are 2 names"):
        read_isbi(path, nowhere, ["a", "b"])
    with pytest.raises(AnnotationError, match="is a volume"):
        read_isbi(path, lambda name: turned(), None)
    gone = dict(image.entries) | {"Nasion": (Entry(None, LandmarkStatus.ABSENT),)}
    with pytest.raises(AnnotationError, match="'Nasion' is not placed"):
        write_isbi(path, [ImageAnnotations(None, image.grid, gone)])
    with pytest.raises(AnnotationError, match="exactly the 19 landmarks"):
        write_isbi(path, [ImageAnnotations(None, image.grid, {"Sella": image.entries["Sella"]})])
    with pytest.raises(AnnotationError, match="one image, not of 2"):
        write_isbi(path, [image, image])
    with pytest.raises(AnnotationError, match="several points"):
        write_isbi(path, [ImageAnnotations(None, image.grid, image.entries | {"Sella": image.entries["Sella"] * 2})])
    assert path.read_text() == POINTS


@FAST
@given(data=st.data())
def test_round_trip(tmp_path: Path, data: st.DataObject) -> None:
    given = data.draw(annotations(ISBI, flat(), flat().grid, None, ISBI_NAMES, complete=True))
    path = tmp_path / "001.txt"
    write_isbi(path, [given])
    (back,) = read_isbi(path, lambda name: flat(), None)
    assert_same(back, given, atol=0)


@FAST
@given(data=st.data())
def test_a_mutated_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "001.txt"
    path.write_bytes(mutated(data, POINTS + CLASSES))
    assert_reads_or_refuses(path, lambda: read_isbi(path, nowhere, None), ISBI)


@needs_shared
def test_names_are_those_of_the_challenge() -> None:
    with (SHARED / "isbi2015/landmarks.csv").open(newline="") as file:
        names = [row["landmark"] for row in csv.DictReader(file)][:19]
    assert tuple(names) == ISBI_NAMES
