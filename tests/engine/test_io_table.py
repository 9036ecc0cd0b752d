"""Tables: pixels as stored, x to the right, and messages that name the line."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_landmarker.engine.errors import AnnotationError, LandmarkerError
from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.io import ImageGeometry, read_geometry, read_table, table_landmarks, write_table
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

SHARED = Path(__file__).parents[2] / "../shared/data"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the folder ../shared/data is not here")
FAST = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def flat(shape: tuple[int, ...] = (20, 30)) -> ImageGeometry:
    return ImageGeometry(Grid(shape), AffineMap.identity(shape))


def turned() -> ImageGeometry:
    """A volume stored as (k, j, i) that is shown with all axes reversed and two of them flipped."""
    permuted = AffineMap.permute((4, 5, 6), (2, 1, 0))
    to_shown = permuted.then(AffineMap.flip(permuted.target_shape, (0, 2)))
    return ImageGeometry(to_shown.map_grid(Grid((4, 5, 6))), to_shown.inverse)


def save(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding, newline="")
    return path


TEXTS = {
    "plain": "image,landmark,x,y\na.png,tip,10,3.5\na.png,base,,\nb.png,tip,1,2\n",
    "decimal commas, other order": "y;x;image;landmark\n3,5;10;a.png;tip\n;;a.png;base\n2;1;b.png;tip\n",
    "tabs, more columns": "image\tage\tlandmark\tx\ty\na.png\t7\ttip\t10\t3.5\n"
    "a.png\t7\tbase\tnan\tNaN\nb.png\t7\ttip\t1\t2\n",
    "a mark, quotes, spaces, blank lines": '\ufeffImage, Landmark ,X,Y\r\n"a.png", tip ,10, 3.5\r\n'
    "\r\n,,,\r\na.png,base,,\r\nb.png,tip,1,2",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_ways_to_write_a_table(tmp_path: Path, text: str) -> None:
    table = read_table(save(tmp_path / "a.csv", text))
    assert list(table) == ["a.png", "b.png"]
    assert list(table["a.png"]) == ["tip", "base"]
    point = table["a.png"]["tip"].point
    assert point is not None
    assert point.tolist() == [3.5, 10.0]
    assert table["a.png"]["base"].point is None
    landmarks = table_landmarks(table["a.png"], flat(), ["base", "other", "tip"])
    assert landmarks.names == ("base", "other", "tip")
    assert landmarks.status.tolist() == ["unplaced", "unplaced", "confirmed"]
    assert landmarks.point("tip").tolist() == [3.5, 10.0]


def test_status_and_score(tmp_path: Path) -> None:
    text = "image,landmark,x,y,score,status\na,p,1,2,0.5,\na,q,1,2,0.25,Confirmed\na,r,,,,absent\n"
    text += "a,s,1,2,,edited\n"
    landmarks = table_landmarks(read_table(save(tmp_path / "a.csv", text))["a"], flat())
    assert landmarks.status.tolist() == ["predicted", "confirmed", "absent", "edited"]
    np.testing.assert_array_equal(landmarks.score, [0.5, 0.25, np.nan, np.nan])


def test_a_volumes_coordinates_are_those_of_the_file(tmp_path: Path) -> None:
    table = read_table(save(tmp_path / "a.csv", "image,landmark,x,y,z\nv.nii,tip,5,4,3\n"))  # last voxel as stored
    geometry = turned()
    assert geometry.grid.shape == (6, 5, 4)
    assert table_landmarks(table["v.nii"], geometry).point("tip").tolist() == [0.0, 4.0, 0.0]


def test_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out" / "points.csv"
    geometry = turned()
    solid = LandmarkSet.empty(["tip", "gone"], geometry.grid).with_point(
        "tip", (0, 4, 0), LandmarkStatus.PREDICTED, 0.5
    )
    solid = solid.without_point("gone", LandmarkStatus.ABSENT)
    thin = LandmarkSet.from_points({"tip": (3.5, 10)}, flat().grid)
    write_table(path, [("v.nii", solid, geometry.stored), ("a.png", thin, flat().stored)], score=True, status=True)
    assert path.read_text(encoding="utf-8").splitlines() == [
        "image,landmark,x,y,z,score,status",
        "v.nii,tip,5.0,4.0,3.0,0.5,predicted",
        "v.nii,gone,,,,,absent",
        "a.png,tip,10.0,3.5,,,confirmed",
    ]
    write_table(path, [("a.png", thin, flat().stored)])
    assert path.read_text(encoding="utf-8") == "image,landmark,x,y\na.png,tip,10.0,3.5\n"


HEAD = "image,landmark,x,y,z,score,status\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column 'image'"),
        ("\n\n", "no column 'image'"),
        ("image,landmark,x\n", "no column 'y'"),
        ("name;x;y\n", "no column 'image'"),
        ("image,landmark,x,y,x\n", "column 'x' twice"),
        (HEAD, "holds no landmarks"),
        (HEAD + "a,p,1,2\nb,p,one,2\n", "line 3, has 'one' in the column 'x'"),
        (HEAD + "a,p,1,inf\n", "line 2, has 'inf' in the column 'y'"),
        (HEAD + "a,p,1,1_0\n", "'1_0'"),
        (HEAD + "a,p,1,2,,high\n", "'high' in the column 'score'"),
        (HEAD + "a,p,1,\n", "only some"),
        (HEAD + "a,p,,,3\n", "only some"),
        (HEAD + "a,p,1,2\n\na,p,3,4\n", "line 4, gives 'p' in image 'a' a second time"),
        (HEAD + ",p,1,2\n", "line 2, names no image"),
        (HEAD + "a,,1,2\n", "usable label"),
        (HEAD + "a,p,1,2,3,0.5,confirmed,9\n", "line 2, has more cells than columns"),
        (HEAD + "a,p,1,2,,,absent\n", "status 'absent'"),
        (HEAD + "a,p,,,,,edited\n", "status 'edited'"),
        (HEAD + 'a,p,1,2\n"' + "x" * 140000 + '",p,1,2\n', "not valid CSV"),
    ],
)
def test_bad_tables_are_refused_in_one_sentence_that_names_them(tmp_path: Path, text: str, words: str) -> None:
    path = save(tmp_path / "points.csv", text)
    with pytest.raises(AnnotationError, match=words) as raised:
        read_table(path)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert message.endswith(".")
    assert "\n" not in message


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="does not exist"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(AnnotationError, match=r"a\.csv could not be read"):
        read_table(tmp_path / "a.csv")
    with pytest.raises(AnnotationError, match="CSV UTF-8"):
        read_table(save(tmp_path / "b.csv", TEXTS["plain"].replace("tip", "Spitze \u00e4"), "latin-1"))


def test_rows_that_do_not_fit_the_image(tmp_path: Path) -> None:
    table = read_table(save(tmp_path / "a.csv", "image,landmark,x,y,z\na,p,1,2,3\nb,p,1,2,\n"))
    with pytest.raises(AnnotationError, match=r"a\.csv, line 2, gives 3 coordinates for an image in 2D"):
        table_landmarks(table["a"], flat())
    with pytest.raises(AnnotationError, match=r"a\.csv, line 3, gives 2 coordinates for an image in 3D"):
        table_landmarks(table["b"], turned())
    with pytest.raises(AnnotationError, match=r"a\.csv, line 3, has a landmark 'p', which is none of q, r"):
        table_landmarks(table["b"], flat(), ["q", "r"])


@FAST
@given(data=st.data(), solid=st.booleans())
def test_round_trip(tmp_path: Path, data: st.DataObject, solid: bool) -> None:
    geometry = turned() if solid else flat()
    names = data.draw(st.lists(st.sampled_from(["a", "b c", 'd"e', "f,g", "ü;"]), min_size=1, unique=True))
    landmarks = LandmarkSet.empty(names, geometry.grid)
    for name in names:
        status = data.draw(st.sampled_from(LandmarkStatus))
        if status.has_point:
            point = [data.draw(st.floats(-1e4, 1e4)) for _ in range(geometry.grid.ndim)]
            score = data.draw(st.one_of(st.just(np.nan), st.floats(0, 1)))
            landmarks = landmarks.with_point(name, point, status, score)
        else:
            landmarks = landmarks.without_point(name, status)
    path = tmp_path / "points.csv"
    write_table(path, [("image, 1.png", landmarks, geometry.stored)], score=True, status=True)
    back = table_landmarks(read_table(path)["image, 1.png"], geometry, names)
    assert back.status.tolist() == landmarks.status.tolist()
    np.testing.assert_allclose(back.points, landmarks.points, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(back.score, landmarks.score)


@FAST
@given(data=st.data(), junk=st.text(max_size=6))
def test_a_mutated_table_is_read_or_refused(tmp_path: Path, data: st.DataObject, junk: str) -> None:
    text = data.draw(st.sampled_from(list(TEXTS.values())))
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 5)))
    path = tmp_path / "points.csv"
    path.write_bytes((text[:start] + junk + text[stop:]).encode("utf-8"))
    said = str(path)
    try:
        for rows in read_table(path).values():
            table_landmarks(rows, flat(), ["tip", "base"])
    except LandmarkerError as error:
        said = str(error)
    assert str(path) in said


@needs_shared
def test_fundus_landmarks() -> None:
    table = read_table(SHARED / "idrid/landmarks.csv")
    assert len(table) == 413
    landmarks = table_landmarks(table["train_IDRiD_001.jpg"], flat((712, 1072)))
    assert landmarks.point("optic_disc_centre").tolist() == [450.875, 714.125]


@needs_shared
def test_voxels_of_the_hippocampus_lie_at_their_millimetres(tmp_path: Path) -> None:
    folder = SHARED / "hippocampus"
    with (folder / "landmarks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    some = {row["file"] for row in rows[::97]}
    chosen = [row for row in rows if row["file"] in some]
    lines = [f"{row['file']},{row['landmark']},{row['i']},{row['j']},{row['k']}" for row in chosen]
    table = read_table(save(tmp_path / "points.csv", "\n".join(["image,landmark,x,y,z", *lines])))
    for name, entries in table.items():
        geometry = read_geometry(folder / "images" / name)
        landmarks = table_landmarks(entries, geometry)
        ras = [[float(row[f"{axis}_ras_mm"]) for axis in "xyz"] for row in chosen if row["file"] == name]
        np.testing.assert_allclose(landmarks.world() * [-1, -1, 1], ras, atol=2e-3)


def test_a_table_of_a_turned_volume_names_the_stored_voxel(tmp_path: Path) -> None:
    path = tmp_path / "v.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((6, 5, 4), "uint8"), np.diag([1.0, 2.0, 3.0, 1.0])), path)  # RAS
    geometry = read_geometry(path)
    landmarks = LandmarkSet.from_points({"tip": (3, 4, 0)}, geometry.grid)  # top, back, right
    write_table(tmp_path / "points.csv", [("v.nii.gz", landmarks, geometry.stored)])
    assert (tmp_path / "points.csv").read_text().splitlines()[1] == "v.nii.gz,tip,5.0,0.0,3.0"
