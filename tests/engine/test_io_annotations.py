"""One door for all annotation formats: which format a file is in, in which frame its points are, and which image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from annotation_cases import turned
from PIL import Image as PillowImage

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.exchange import create_project, read_annotations
from napari_landmarker.engine.exporting import export_annotations
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import (
    ANNOTATION_FORMATS,
    Image,
    ImageAnnotations,
    read_annotation_file,
    read_landmarks,
    write_annotation_file,
    write_landmarks,
)
from napari_landmarker.engine.io.annotations import annotation_stem, find_annotations, find_format, format_to_write
from napari_landmarker.engine.io.fields import entries_of
from napari_landmarker.engine.io.isbi import ISBI_NAMES
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema

FLAT = Grid((20, 30))
#: index (z, y, x) lies at LPS (0.5 x - 10, 1.5 y + 20, 3 z + 5)
SOLID = Grid((20, 30, 40), (3.0, 1.5, 0.5), np.array([-10.0, 20.0, 5.0]))


def two(grid: Grid) -> LandmarkSet:
    points = np.array([[3.0, 10.25, 4.0], [1.0, 2.0, 3.5]])[:, : grid.ndim]
    return LandmarkSet.from_points(dict(zip("ab", points, strict=True)), grid)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("a.json", "labelme"),
        ("a.MRK.JSON", "slicer"),
        ("a.fcsv", "fcsv"),
        ("a.csv", "csv"),
        ("a.tps", "tps"),
        ("a.txt", "isbi"),
    ],
)
def test_two_arguments_write_every_format(tmp_path: Path, name: str, known: str) -> None:
    fmt = ANNOTATION_FORMATS[known]
    assert format_to_write(tmp_path / name) is fmt
    grid = FLAT if 2 in fmt.capabilities.dimensions else SOLID
    landmarks = two(grid)
    if known == "isbi":
        landmarks = LandmarkSet.from_points({n: (i, 2.5 * i) for i, n in enumerate(ISBI_NAMES)}, grid)
    write_landmarks(landmarks, tmp_path / name)
    assert find_format(tmp_path / name) is fmt
    names = None if fmt.capabilities.names or known == "isbi" else landmarks.names
    back = read_landmarks(tmp_path / name, grid, names)
    assert back.names == landmarks.names
    np.testing.assert_allclose(back.points, landmarks.points, rtol=0, atol=1e-9)


def test_a_file_keeps_its_format_when_it_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    ANNOTATION_FORMATS["slicer"].write(path, [ImageAnnotations(None, SOLID, entries_of(two(SOLID)))])
    write_landmarks(two(SOLID).with_point("a", (1, 1, 1)), path)
    assert find_format(path) is ANNOTATION_FORMATS["slicer"]
    assert read_landmarks(path, SOLID).point("a") == pytest.approx([1, 1, 1])


def test_without_an_image_points_are_in_the_frame_of_the_file(tmp_path: Path) -> None:
    labelme, markups, table = (tmp_path / name for name in ("a.json", "a.mrk.json", "a.csv"))
    write_landmarks(two(FLAT), labelme)
    assert read_landmarks(labelme).grid == FLAT
    content = json.loads(labelme.read_text())
    labelme.write_text(json.dumps(content | {"imageHeight": None, "imageWidth": None}))
    read = read_landmarks(labelme)
    assert read.grid == Grid.without_image(2)
    np.testing.assert_allclose(read.points, two(FLAT).points)
    for path in (markups, markups.with_name("a.fcsv"), table):
        write_landmarks(two(SOLID), path)
        world = read_landmarks(path)
        assert world.grid == Grid.without_image(3, world=True)
        np.testing.assert_allclose(world.points[:, ::-1], world.world())
        np.testing.assert_allclose(world.world(), two(SOLID).world(), atol=1e-9)
        np.testing.assert_allclose(read_landmarks(path, SOLID).points, two(SOLID).points, atol=1e-9)
        np.testing.assert_allclose(read_landmarks(path, world.grid).points, world.points)


def test_frames_that_do_not_fit_ask_for_the_image(tmp_path: Path) -> None:
    world = two(Grid.without_image(3, world=True))
    pixels, flat_world = two(Grid.without_image(3)), two(Grid.without_image(2, world=True))
    for name, landmarks in (("a.mrk.json", pixels), ("a.fcsv", pixels), ("a.json", flat_world), ("a.tps", flat_world)):
        with pytest.raises(AnnotationError, match="give the image"):
            write_landmarks(landmarks, tmp_path / name)
        assert not (tmp_path / name).exists()
    write_landmarks(world, tmp_path / "a.mrk.json")
    np.testing.assert_allclose(read_landmarks(tmp_path / "a.mrk.json").world(), world.world())


def test_an_image_tells_how_it_is_stored(tmp_path: Path) -> None:
    geometry = turned((3.0, 2.0, 1.0))
    point = np.array([1.0, 2.0, 3.0])
    x, y, z = geometry.stored.apply(point)[::-1]
    path = tmp_path / "a.csv"
    path.write_text(f"image,landmark,x,y,z\nscan.nii,a,{x},{y},{z}\n")
    image = Image(np.zeros(geometry.grid.shape, np.uint8), geometry.grid, geometry.stored)
    for given in (geometry, image):
        np.testing.assert_allclose(read_landmarks(path, given).point("a"), point, atol=1e-12)
    with pytest.raises(AnnotationError, match=r"a\.csv counts voxels as the image file stores them.*read_image"):
        read_landmarks(path, geometry.grid)
    wx, wy, wz = geometry.grid.index_to_world(point)
    path.write_text(f"landmark,x,y,z,x_mm,y_mm,z_mm\na,{x},{y},{z},{wx},{wy},{wz}\nb,,,,,,\n")
    read = read_landmarks(path, geometry.grid)  # millimetres need no more than the grid
    np.testing.assert_allclose(read.point("a"), point, atol=1e-12)
    assert (read.grid, read.status_of("b")) == (geometry.grid, LandmarkStatus.UNPLACED)
    path.write_text("landmark,x_mm,y_mm\na,1,2\n")
    with pytest.raises(AnnotationError, match="in 2D, but its image is a volume"):
        read_landmarks(path, geometry.grid)


@pytest.mark.parametrize("kind", ["csv", "csv-wide"])
def test_voxels_of_which_the_storage_is_not_known_are_not_written(tmp_path: Path, kind: str) -> None:
    grid = turned().grid  # of a file that says how it lies, but no size of its voxels
    one = ImageAnnotations("v.mha", grid, entries_of(two(grid)))
    with pytest.raises(AnnotationError, match=r"a\.csv counts voxels as the image file stores them.*\.mrk\.json"):
        write_annotation_file(tmp_path / "a.csv", [one], ANNOTATION_FORMATS[kind])
    assert not (tmp_path / "a.csv").exists()
    write_landmarks(two(grid), tmp_path / "a.mrk.json")
    np.testing.assert_allclose(read_landmarks(tmp_path / "a.mrk.json", grid).points, two(grid).points)


def test_a_wide_table_of_an_image_without_a_name_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    one = ImageAnnotations(None, Grid.without_image(2), entries_of(two(FLAT)))
    write_annotation_file(path, [one], ANNOTATION_FORMATS["csv-wide"])
    assert path.read_text().startswith("a_x,a_y,b_x,b_y\n")
    np.testing.assert_allclose(read_landmarks(path).points, two(FLAT).points)
    for text in ("a_x,a_y,age\n1,2,3\n", "a_x,a_y\n1,2\n3,4\n"):  # another program's numbers
        path.write_text(text)
        with pytest.raises(AnnotationError, match=r"a\.csv is no table of landmarks: its first line must name"):
            find_format(path)
    path.write_bytes("image;landmark;x;y\na.png;Höcker;1;2\n".encode("latin-1"))
    with pytest.raises(AnnotationError, match=r"a\.csv is no text in UTF-8: .*in Excel, as CSV UTF-8"):
        find_format(path)


def test_one_image_of_many(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("image,landmark,x,y\nx/one.png,a,1,2\ntwo.png,a,3,4\n")
    assert read_landmarks(path, FLAT, image_name="two.png").point("a").tolist() == [4.0, 3.0]
    assert read_landmarks(path, FLAT, image_name="one.png").point("a").tolist() == [2.0, 1.0]
    with pytest.raises(AnnotationError, match="has nothing on three"):
        read_landmarks(path, FLAT, image_name="three.png")
    for grid in (None, FLAT):
        with pytest.raises(AnnotationError, match="holds several images: name the one"):
            read_landmarks(path, grid)
    path.write_text("image,landmark,x,y\none.png,a,1,2\n")
    assert read_landmarks(path, FLAT).point("a").tolist() == [2.0, 1.0]
    with pytest.raises(AnnotationError, match=r"made for one\.png, not for two\.png"):
        read_landmarks(path, FLAT, image_name="two.png")


@pytest.mark.parametrize("name", ["a.json", "a.mrk.json"])
def test_several_instances_of_a_landmark(tmp_path: Path, name: str) -> None:
    grid = FLAT if name == "a.json" else SOLID
    landmarks = LandmarkSet.empty(["tip", "base"], grid, 3)
    for instance in range(3):
        landmarks = landmarks.with_point("tip", np.ones(grid.ndim) * (3 - instance), instance=instance)
    landmarks = landmarks.with_point("base", np.ones(grid.ndim), LandmarkStatus.PREDICTED, 0.5, instance=1)
    landmarks = landmarks.without_point("base", LandmarkStatus.ABSENT, instance=2)
    path = tmp_path / name
    for _ in range(2):
        write_landmarks(landmarks, path)
        back = read_landmarks(path, grid)
        assert (back.names, back.status.tolist()) == (landmarks.names, landmarks.status.tolist())
        np.testing.assert_allclose(back.points, landmarks.points, atol=1e-12)
        np.testing.assert_array_equal(back.score, landmarks.score)
    assert read_landmarks(path, grid, instances=4).points.shape == (2, 4, grid.ndim)
    with pytest.raises(AnnotationError, match="has 3 points of 'tip', which may have 2"):
        read_landmarks(path, grid, instances=2)
    fewer = landmarks.without_point("tip", instance=2).without_point("base", instance=1)
    write_landmarks(fewer, path)
    back = read_landmarks(path, grid, instances=3)
    np.testing.assert_allclose(back.points[0], fewer.points[0], atol=1e-12)
    with pytest.raises(AnnotationError, match="one image, not of 2"):
        write_annotation_file(path, read_annotation_file(path) * 2)


def test_files_in_a_folder(tmp_path: Path) -> None:
    for name in ("scan10.json", "scan2.json", "sub/scan3.mrk.json", ".hidden/scan4.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_landmarks(two(SOLID if "mrk" in name else FLAT), tmp_path / name)
    (tmp_path / "notes.txt").write_text("nothing here")
    (tmp_path / "people.csv").write_text("name,age\na,3\n")
    assert [path.name for path in find_annotations(tmp_path)] == ["scan2.json", "scan10.json", "scan3.mrk.json"]
    assert annotation_stem("x/scan.v2.mrk.json") == "scan.v2"
    (tmp_path / "empty").mkdir()
    with pytest.raises(AnnotationError, match="holds no annotations"):
        find_annotations(tmp_path / "empty")


def test_a_project_of_landmarks_with_several_points(tmp_path: Path) -> None:
    PillowImage.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "scan.png")
    (tmp_path / "theirs.csv").write_text("image,landmark,instance,x,y\nscan.png,tip,1,1,2\nscan.png,tip,2,3,4\n")
    schema = LandmarkSchema.parse({"landmarks": [{"name": "tip"}, {"name": "base"}], "instances": 2}, "test")
    project = create_project(tmp_path / "p", schema, [tmp_path / "scan.png"], annotations=tmp_path / "theirs.csv")
    (case,) = project.cases
    read = Project.open(tmp_path / "p").annotations(case.id)
    assert read.points.tolist()[0] == [[2.0, 1.0], [4.0, 3.0]]
    assert read.placed.tolist() == [[True, True], [False, False]]
    project.save_annotations(case.id, read.without_point("tip", instance=1))
    assert project.annotations(case.id).placed.tolist() == [[True, False], [False, False]]
    assert export_annotations(project, tmp_path / "all.csv").n_images == 1
    (tmp_path / "more.csv").write_text("image,landmark,instance,x,y\nscan.png,tip,3,1,2\n")
    with pytest.raises(AnnotationError, match="may have 2 in an image"):
        read_annotations(project, tmp_path / "more.csv")


def test_a_project_takes_in_files_of_every_format(tmp_path: Path) -> None:
    PillowImage.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "scan.png")
    schema = LandmarkSchema.from_names(["a", "b"])
    for key in ("labelme", "csv", "csv-wide", "coco", "tps"):
        folder = tmp_path / key
        fmt = ANNOTATION_FORMATS[key]
        fmt.write(folder / f"scan{fmt.suffixes[0]}", [ImageAnnotations("scan.png", FLAT, entries_of(two(FLAT)))])
        project = create_project(folder / "p", schema, [tmp_path / "scan.png"], annotations=folder)
        np.testing.assert_allclose(project.annotations(project.cases[0].id).points, two(FLAT).points, atol=1e-9)
