"""Changes of many files tell how far they are, and leave nothing half done where they are stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from machine import slowness
from PIL import Image as PillowImage

from napari_landmarker.engine.cases import make_cases
from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.exchange import create_project, merge
from napari_landmarker.engine.io import write_landmarks
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.project_changes import change_annotations, set_spacing
from napari_landmarker.engine.schema import LandmarkSchema

SCHEMA = LandmarkSchema.from_names(("A", "B"))


class Stopped(Exception):
    """What a report of progress raises to stop the work."""


def stopping_after(reports: int) -> Callable[[int, int], None]:
    """A report of progress that stops the work at the one after so many."""
    left = [reports]

    def report(_: int, __: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Stopped

    return report


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Four pictures in a folder, all of them with a point."""
    (tmp_path / "images").mkdir()
    (tmp_path / "found").mkdir()
    paths = [tmp_path / "images" / f"{letter}.png" for letter in "abcd"]
    for path in paths:
        PillowImage.fromarray(np.zeros((8, 9), np.uint8)).save(path)
    return paths


@pytest.fixture
def project(images: list[Path], tmp_path: Path) -> Project:
    """A project of them."""
    return create_project(tmp_path / "study", SCHEMA, images)


def placed(project: Project, **points: tuple[float, float]) -> LandmarkSet:
    return LandmarkSet.from_points(points, project.geometry("a").grid, names=SCHEMA.names)


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_project_tells_how_far_it_is_and_is_not_there_where_it_was_stopped(
    project: Project, images: list[Path], tmp_path: Path
) -> None:
    for case, path in zip(project.cases, images, strict=True):
        write_landmarks(placed(project, A=(1, 2)), tmp_path / "found" / f"{case.id}.json", path)
    told: list[tuple[int, int]] = []

    def make(root: Path, progress: Callable[[int, int], None]) -> Project:
        return create_project(root, SCHEMA, images, annotations=tmp_path / "found", progress=progress)

    made = make(tmp_path / "whole" / "study", lambda *so_far: told.append(so_far))
    steps = [(n, 4) for n in range(1, 5)]
    assert told == [*steps, *((n - 1, 4) for n in range(1, 5)), *steps]
    assert made.annotations("d").point("A").tolist() == [1, 2]
    for reports in range(12):
        with pytest.raises(Stopped):
            make(tmp_path / "new" / "study", stopping_after(reports))
        assert not (tmp_path / "new").exists()


def test_a_folder_that_was_there_stays_where_a_project_in_it_is_stopped(
    project: Project, images: list[Path], tmp_path: Path
) -> None:
    write_landmarks(placed(project, A=(1, 2)), tmp_path / "found" / "a.json", images[0])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear reader", encoding="utf-8")
    with pytest.raises(Stopped):
        create_project(tmp_path / "mine", SCHEMA, images, annotations=tmp_path / "found", progress=stopping_after(4))
    assert [path.name for path in (tmp_path / "mine").rglob("*")] == ["letter.txt"]


def test_images_are_added_whole_or_not_at_all(project: Project, tmp_path: Path) -> None:
    more = [tmp_path / f"more_{number}.png" for number in range(3)]
    for path in more:
        PillowImage.fromarray(np.zeros((8, 9), np.uint8)).save(path)
    before, told = files(project.root), list[tuple[int, int]]()
    with pytest.raises(Stopped):
        project.add_images(more, progress=stopping_after(2))
    assert (files(project.root), len(project.cases)) == (before, 4)
    project.add_images(more, progress=lambda *so_far: told.append(so_far))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert Project.open(project.root).cases == project.cases


def test_annotations_of_many_images_change_as_if_they_were_saved_one_by_one(
    project: Project, images: list[Path], tmp_path: Path
) -> None:
    twin = create_project(tmp_path / "twins", SCHEMA, images)
    for one in (project, twin):
        one.save_annotations("b", placed(one, B=(3, 3)))
    for case in twin.cases[:3]:
        twin.save_annotations(case.id, twin.annotations(case.id).taking("A", placed(twin, A=(1, 2))))
    told: list[tuple[int, int]] = []
    changed = change_annotations(
        project,
        [case.id for case in project.cases],
        lambda case_id, before: before if case_id == "d" else before.taking("A", placed(project, A=(1, 2))),
        lambda *so_far: told.append(so_far),
    )
    assert told == [(n, 4) for n in range(1, 5)]
    assert files(project.root / "annotations") == files(twin.root / "annotations")
    assert list(changed) == ["a", "b", "c"]
    assert [list(one.placed) for one in changed["b"]] == [[False, True], [True, True]]


def test_annotations_of_many_images_stay_where_the_change_is_stopped_or_somebody_else_writes(project: Project) -> None:
    ids = [case.id for case in project.cases]
    project.save_annotations("b", placed(project, B=(3, 3)))
    before = files(project.root)

    def change(_: str, landmarks: LandmarkSet) -> LandmarkSet:
        return landmarks.taking("A", placed(project, A=(1, 2)))

    def meanwhile(done: int, _: int) -> None:
        if done == 3:
            project.save_annotations("b", placed(project, B=(4, 4)))

    for reports in range(4):
        with pytest.raises(Stopped):
            change_annotations(project, ids, change, stopping_after(reports))
        assert files(project.root) == before
    with pytest.raises(ProjectError, match=r"b\.json was changed by another program meanwhile"):
        change_annotations(project, ids, change, meanwhile)
    assert [list(project.annotations(one).placed) for one in "ab"] == [[False, False], [False, True]]
    assert project.annotations("b").point("B").tolist() == [4, 4]


def test_the_spacing_of_all_images_changes_or_none(project: Project) -> None:
    ids, told = [case.id for case in project.cases], list[tuple[int, int]]()
    before = files(project.root)
    with pytest.raises(Stopped):
        set_spacing(project, dict.fromkeys(ids, (0.5, 0.5)), stopping_after(2))
    assert files(project.root) == before
    assert project.geometry("a").grid.spacing is None
    set_spacing(project, dict.fromkeys(ids, (0.5, 0.5)), lambda *so_far: told.append(so_far))
    assert told == [(n, 4) for n in range(1, 5)]
    assert project.geometry("a").grid.spacing == (0.5, 0.5)


def test_a_merge_takes_several_landmarks_at_once_as_it_does_one_by_one(project: Project) -> None:
    own, nothing = placed(project, A=(1, 1)), placed(project)
    incoming = placed(project, A=(5, 5), B=(6, 6)).with_locked("B", True)
    merged = merge(own, incoming)
    assert merged.points.tolist() == [[1, 1], [6, 6]]
    assert (merged.locked_of("B"), merged.status_of("B")) == (True, LandmarkStatus.CONFIRMED)
    assert merge(nothing, incoming) == nothing.taking("A", incoming).taking("B", incoming) == incoming
    assert own.taking((), incoming) is own


def test_names_for_thousands_of_images_are_found_in_a_moment(tmp_path: Path) -> None:
    paths = [tmp_path / "scans" / f"{number}.png" for number in range(5000)]
    twins = [tmp_path / "a" / "0.png", tmp_path / "b" / "a" / "0.png", tmp_path / "c" / "a" / "0.png"]
    begin = time.perf_counter()
    cases = make_cases(tmp_path / "study", [*paths, *twins, tmp_path / "d" / "0.png"], None, {})
    assert time.perf_counter() - begin < 5 * slowness(), (
        "this took half a minute when each name was compared with all others"
    )
    assert [case.id for case in cases[-5:]] == ["4999", "0.png", "a_0.png", "a_0.png_2", "d_0.png"]


def test_annotations_of_many_volumes_change_too(tmp_path: Path) -> None:
    paths = [tmp_path / f"{letter}.nii.gz" for letter in "ab"]
    for path in paths:
        nibabel.save(nibabel.Nifti1Image(np.zeros((6, 5, 4), np.int16), np.diag([0.5, 0.5, 2.0, 1.0])), path)
    project = create_project(tmp_path / "volumes", SCHEMA, paths)
    change_annotations(project, ["a", "b"], lambda _, before: before.with_point("A", (1, 2, 3)))
    assert [project.annotation_path(case_id).name for case_id in "ab"] == ["a.mrk.json", "b.mrk.json"]
    np.testing.assert_allclose([project.annotations(case_id).point("A") for case_id in "ab"], [(1, 2, 3)] * 2)
    assert sorted(path.name for path in (project.root / "annotations").iterdir()) == ["rater1"]
