"""Images that are taken out of a project: nothing but project.json changes, and nothing is taken for theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.schema import LandmarkSchema


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.new("L", (40, 30), 128).save(path)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three images; a point in the second one."""
    images = [picture(tmp_path / "images" / f"{name}.png") for name in "abc"]
    project = create_project(tmp_path / "p", LandmarkSchema.from_names(("tip",)), images, spacing=(0.5, 0.5))
    project.save_annotations("b", project.annotations("b").with_point("tip", (3, 4)))
    project.set_split("b", Split.CALIBRATION)
    return project


def ids(project: Project) -> list[str]:
    """The cases that a fresh look finds."""
    fresh = Project.open(project.root)
    assert fresh.cases == project.cases
    assert fresh.taken_out == project.taken_out
    return [case.id for case in fresh.cases]


def files(project: Project) -> dict[Path, bytes]:
    return {
        path: path.read_bytes() for path in project.root.rglob("*") if path.is_file() and path.name != "project.json"
    }


def test_an_image_that_is_taken_out_leaves_its_files_and_comes_back_to_its_place(project: Project) -> None:
    before, case, points = files(project), project.case("b"), project.annotations("b")
    places = project.take_out(["b"])
    assert (places, ids(project), files(project)) == ({"b": 1}, ["a", "c"], before)
    with pytest.raises(ProjectError, match="no case 'b'"):
        project.annotations("b")
    project.bring_back(places)
    assert (ids(project), project.case("b"), project.annotations("b")) == (["a", "b", "c"], case, points)
    assert project.taken_out == ()


def test_several_images_come_back_to_their_places(project: Project) -> None:
    places = project.take_out(["c", "a"])
    assert ids(project) == ["b"]
    project.bring_back(places)
    assert ids(project) == ["a", "b", "c"]


def test_added_again_an_image_is_the_case_it_was(project: Project, tmp_path: Path) -> None:
    case, points = project.case("b"), project.annotations("b")
    project.take_out(["b"])
    (added,) = project.add_images([tmp_path / "images" / "b.png"])
    assert added == case
    assert (ids(project), project.annotations("b")) == (["a", "c", "b"], points)


def test_an_image_is_known_however_its_path_is_written(project: Project, tmp_path: Path) -> None:
    assert project.add_images([tmp_path / "p" / ".." / "images" / "a.png"]) == ()


def test_another_image_of_the_same_name_is_never_given_the_points_of_one_taken_out(
    project: Project, tmp_path: Path
) -> None:
    project.take_out(["b"])
    (added,) = project.add_images([picture(tmp_path / "others" / "b.png")])
    assert added.id != "b"
    assert not project.annotations(added.id).placed.any()
    project.bring_back({"b": 1})
    assert ids(project) == ["a", "b", "c", added.id]
    np.testing.assert_array_equal(project.annotations("b").point("tip"), (3, 4))


def test_a_volume_that_comes_back_keeps_its_spacing_as_its_points_are_in_millimetres(tmp_path: Path) -> None:
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.zeros((20, 30, 40), np.uint8))
    images = [tmp_path / "a.npy", tmp_path / "b.npy"]
    project = create_project(tmp_path / "p", LandmarkSchema.from_names(("tip",)), images, spacing=(2, 1, 1))
    grid = project.geometry("b").grid
    project.save_annotations("b", LandmarkSet.from_points({"tip": (5, 6, 7)}, grid, names=("tip",)))
    project.take_out(["b"])
    with pytest.raises(ProjectError, match="another pixel size when it was taken out"):
        project.add_images(images, spacing=(3, 1, 1))
    assert ids(project) == ["a"]
    project.add_images(images)
    np.testing.assert_allclose(project.annotations("b").point("tip"), (5, 6, 7))


def test_the_last_image_stays_and_what_was_not_taken_out_does_not_come_back(project: Project) -> None:
    with pytest.raises(ProjectError, match="at least one image"):
        project.take_out(["a", "b", "c"])
    with pytest.raises(ProjectError, match="no case 'x'"):
        project.take_out(["x"])
    with pytest.raises(ProjectError, match="No case 'a' was taken out"):
        project.bring_back({"a": 0})
    assert ids(project) == ["a", "b", "c"]
