"""Other landmarks or another spacing in a whole project: all files follow, or none does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_landmarker.engine.errors import AnnotationError, GeometryError, LandmarkerError, ProjectError
from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.io import together
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.project_changes import annotated_in, change_schema, schema_change_back, set_spacing
from napari_landmarker.engine.schema import LandmarkSchema

NAMES = ("A", "B", "C")


@pytest.fixture(params=[2, 3])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """Two images; two raters and a model."""
    ndim = request.param
    images = [tmp_path / "x.npy", tmp_path / "y.npy"]
    for image in images:
        np.save(image, np.zeros((20, 30, 40)[:ndim], np.uint8))
    project = create_project(tmp_path / "project", LandmarkSchema.from_names(NAMES), images)
    first = {"A": (1.25,) * ndim, "B": (2.5,) * ndim}
    project.save_annotations("x", said(project, "x", first).without_point("C", LandmarkStatus.ABSENT))
    project.save_annotations("x", said(project, "x", {"A": (5,) * ndim}), "Eva")
    project.save_annotations("y", said(project, "y", {"A": (7,) * ndim}))
    project.save_predictions("y", "m", said(project, "y", {"B": (9,) * ndim}, LandmarkStatus.PREDICTED))
    return project


def said(
    project: Project, case_id: str, points: dict[str, tuple[float, ...]], status: LandmarkStatus | None = None
) -> LandmarkSet:
    grid = project.geometry(case_id).grid
    return LandmarkSet.from_points(points, grid, names=NAMES, status=status or LandmarkStatus.CONFIRMED)


def everything(project: Project) -> list[LandmarkSet | None]:
    """All that a fresh look finds."""
    fresh = Project.open(project.root)
    sets = [fresh.annotations(case_id, rater) for case_id in "xy" for rater in ("rater1", "Eva")]
    return [*sets, fresh.predictions("y", "m")]


def test_names_change_places_and_files_of_all_raters_and_models_follow(project: Project) -> None:
    path = project.annotation_path("x")
    content = json.loads(path.read_text())
    content["other program"] = {"keeps": 1}
    path.write_text(json.dumps(content))
    before = everything(project)
    change_schema(project, LandmarkSchema.from_names(("B", "A", "D", "C")), {"A": "B", "B": "A"})
    fresh = Project.open(project.root)
    assert project.schema == fresh.schema
    assert fresh.schema.names == ("B", "A", "D", "C")
    renamed = {"A": "B", "B": "A", "C": "C"}
    for old, new in zip(before, everything(project), strict=True):
        for name, to in renamed.items():
            np.testing.assert_array_equal(old.point(name), new.point(to))
            assert old.status_of(name) == new.status_of(to)
        assert new.status_of("D") == LandmarkStatus.UNPLACED
    assert json.loads(path.read_text())["other program"] == {"keeps": 1}


def test_a_landmark_that_goes_takes_its_points_along_and_others_stay(project: Project) -> None:
    told: list[tuple[int, int]] = []
    counted = annotated_in(project, NAMES, lambda done, total: told.append((done, total)))
    assert counted == {"A": 2, "B": 1, "C": 1}, "a prediction is no annotation"
    assert told == [(1, 3), (2, 3), (3, 3)]
    change_schema(project, LandmarkSchema.from_names(("B", "new")), {"A": "new"})
    x, eva, y, _, predicted = everything(project)
    ndim = x.grid.ndim
    np.testing.assert_array_equal(x.points, [(2.5,) * ndim, (1.25,) * ndim])
    np.testing.assert_array_equal(eva.points, [(np.nan,) * ndim, (5,) * ndim])
    np.testing.assert_array_equal(y.points, [(np.nan,) * ndim, (7,) * ndim])
    assert predicted.status_of("B") == LandmarkStatus.PREDICTED
    assert annotated_in(project, ("B", "new")) == {"B": 1, "new": 2}


def test_a_landmark_takes_the_name_of_one_that_goes(project: Project) -> None:
    before = everything(project)
    change_schema(project, LandmarkSchema.from_names(("A", "C")), {"B": "A"}, removed={"A"})
    for old, new in zip(before, everything(project), strict=True):
        np.testing.assert_array_equal(new.point("A"), old.point("B"))
        assert new.status_of("A") == old.status_of("B")
        assert new.status_of("C") == old.status_of("C")
    assert annotated_in(project, ("A", "C")) == {"A": 1, "C": 1}, "the points that were A's are gone"


def whole_files(project: Project) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(project.root.rglob("*.json"))}


@pytest.mark.parametrize(
    ("names", "renamed", "removed"),
    [
        (("B", "A", "C"), {"A": "B", "B": "A"}, ()),
        (("C", "new"), {}, ()),
        (("A",), {"B": "A"}, ("A",)),
        (("C", "A", "B"), {"A": "C", "B": "A"}, ("C",)),
        (("A", "B", "C"), {}, ("B",)),
        (("x", "y", "z"), {"C": "x"}, ()),
    ],
)
def test_a_change_of_landmarks_is_taken_back_and_done_again_byte_by_byte(
    project: Project, names: tuple[str, ...], renamed: dict[str, str], removed: tuple[str, ...]
) -> None:
    old, new = project.schema, LandmarkSchema.from_names(names)
    before, points = whole_files(project), everything(project)
    taken = change_schema(project, new, renamed, removed=removed)
    after = whole_files(project)
    again, gone = schema_change_back(old, new, renamed, removed)
    returned = change_schema(project, old, again, removed=gone, back=taken)
    assert everything(project) == points
    assert whole_files(project) == before
    change_schema(project, new, renamed, removed=removed, back=returned)
    assert whole_files(project) == after


def test_what_was_done_meanwhile_outlasts_the_return_of_a_landmark(project: Project) -> None:
    """Others place the new landmark, and one program writes a point of the old name: no point is lost or doubled."""
    old, new = project.schema, LandmarkSchema.from_names(("A", "C", "new"))
    taken = change_schema(project, new)
    fresh, ndim = Project.open(project.root), project.geometry("x").grid.ndim
    fresh.save_annotations("x", fresh.annotations("x").with_point("new", (3.0,) * ndim))
    path = project.annotation_path("x")
    content = json.loads(path.read_text())
    points = content["shapes"] if ndim == 2 else content["markups"][0]["controlPoints"]
    written = {**points[0], "label": "B"}
    points.append(written)
    path.write_text(json.dumps(content))
    again, gone = schema_change_back(old, new, {}, ())
    returned = change_schema(project, old, again, removed=gone, back=taken)
    x = Project.open(project.root).annotations("x")
    np.testing.assert_allclose(x.point("A"), (1.25,) * ndim)
    np.testing.assert_allclose(x.point("B"), (1.25,) * ndim, err_msg="the one that was written meanwhile stays")
    assert x.status_of("C") == LandmarkStatus.ABSENT
    change_schema(project, new, back=returned)
    np.testing.assert_allclose(Project.open(project.root).annotations("x").point("new"), (3.0,) * ndim)


def test_images_that_are_taken_out_follow_the_landmarks_and_come_back_as_they_were(project: Project) -> None:
    before = project.annotations("x")
    assert project.take_out(["x"]) == {"x": 0}
    assert [case.id for case in Project.open(project.root).cases] == ["y"]
    change_schema(project, LandmarkSchema.from_names(("Z", "B", "C")), {"A": "Z"})
    project.bring_back({"x": 0})
    fresh = Project.open(project.root)
    assert [case.id for case in fresh.cases] == ["x", "y"]
    np.testing.assert_array_equal(fresh.annotations("x").points, before.points)
    assert fresh.annotations("x").names == ("Z", "B", "C")


@pytest.mark.parametrize(
    ("names", "renamed", "words"),
    [
        (("A", "B"), {"nobody": "A"}, "'nobody' cannot become 'A'"),
        (("A", "B"), {"A": "Z"}, "'A' cannot become 'Z'"),
        (("A", "B"), {"A": "B"}, "Two landmarks would be called 'B'"),
        (("B", "C"), {"A": "B"}, "Two landmarks would be called 'B'"),
    ],
)
def test_names_that_do_not_fit_change_nothing(
    project: Project, names: tuple[str, ...], renamed: dict[str, str], words: str
) -> None:
    before = everything(project)
    with pytest.raises(AnnotationError, match=words):
        change_schema(project, LandmarkSchema.from_names(names), renamed)
    assert everything(project) == before


def test_a_damaged_file_or_a_full_disk_changes_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    new = LandmarkSchema.from_names(("A", "B2", "C"))
    path = project.annotation_path("x", "Eva")
    good = path.read_bytes()
    before = everything(project)
    path.write_text("{")
    with pytest.raises(AnnotationError, match=path.name):
        change_schema(project, new, {"B": "B2"})
    path.write_bytes(good)
    written: list[Path] = []
    real = Path.write_bytes

    def fail_third(target: Path, data: bytes) -> int:
        written.append(target)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        return real(target, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail_third)
        with pytest.raises(ProjectError, match="No space left"):
            change_schema(project, new, {"B": "B2"})
    assert project.schema.names == NAMES
    assert everything(project) == before
    assert not (project.root / ".pending").exists()


def test_a_change_cut_off_while_moving_is_finished_by_opening(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, moved = together.os.replace, []

    def stop_after_one(source: Path, target: Path) -> None:
        if Path(target).is_relative_to(project.root / "annotations"):
            moved.append(target)
            if len(moved) == 2:
                raise OSError(5, "Input/output error")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(together.os, "replace", stop_after_one)
        with pytest.raises(ProjectError, match="could not be replaced"):
            change_schema(project, LandmarkSchema.from_names(("Z", "B", "C")), {"A": "Z"})
    assert together.is_unfinished(project.root)
    sets = everything(project)
    assert [one.placed[0] for one in sets] == [True, True, True, False, False]
    assert sets[0].names == ("Z", "B", "C")
    assert not together.is_unfinished(project.root)


CHANGE = """
import json, os, signal, sys
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.project_changes import change_schema
left, real = int(sys.argv[1]), os.replace
def replace(source, target):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    real(source, target)
project = Project.open(sys.argv[2])
os.replace = replace
change_schema(project, project.schema, json.loads(sys.argv[3]), removed=sys.argv[4:])
"""
BEFORE = (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("renamed", "removed", "after"),
    [({"B": "A", "A": "B"}, (), (2.0, 1.0, 3.0)), ({"B": "A", "C": "B"}, ("A",), (2.0, 3.0, 0.0))],
    ids=["names change places", "names of those that go are taken"],
)
def test_killed_at_any_moment_the_project_is_the_old_or_the_new_one(
    tmp_path: Path, renamed: dict[str, str], removed: tuple[str, ...], after: tuple[float, ...]
) -> None:
    """Killed before one file after the other is put in its place: the names change in all files or in none."""
    images = [tmp_path / f"{number}.npy" for number in range(3)]
    for image in images:
        np.save(image, np.zeros((20, 30), np.uint8))
    project = create_project(tmp_path / "project", LandmarkSchema.from_names(NAMES), images)
    seen = []
    for done in range(30):
        for case in project.cases:
            project.save_annotations(case.id, said(project, case.id, {"A": (1, 1), "B": (2, 2), "C": (3, 3)}))
        arguments = [str(done), str(project.root), json.dumps(renamed), *removed]
        ended = subprocess.run([sys.executable, "-c", CHANGE, *arguments], check=False).returncode
        fresh = Project.open(project.root)
        found = {tuple(np.nan_to_num(fresh.annotations(case.id).points[:, 0])) for case in fresh.cases}
        assert len(found) == 1
        seen += found
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
    assert ended == 0
    assert len(seen) > len(images)
    assert seen[0] == BEFORE
    assert seen[-1] == after
    assert seen == sorted(seen, key=(BEFORE, after).index), "first the old one, from some moment on the new one"


# ---- spacing


def test_pictures_are_calibrated_without_reading_them_however_many_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [tmp_path / f"{number}.npy" for number in range(3)]
    for image in images:
        np.save(image, np.zeros((20, 30), np.uint8))
    project = create_project(tmp_path / "project", LandmarkSchema.from_names(NAMES), images)
    project.save_annotations("1", said(project, "1", {"A": (1.25, 2)}))
    images[0].unlink()
    read = []
    fresh, real = Project.open(project.root), Project.geometry
    monkeypatch.setattr(Project, "geometry", lambda self, case_id: read.append(case_id) or real(self, case_id))
    set_spacing(fresh, {case.id: (0.5, 0.25) for case in fresh.cases})
    assert set(read) == {"0", "1"}, "one that is gone hinders none, and one tells how many dimensions all have"
    assert [case.spacing for case in Project.open(project.root).cases] == [(0.5, 0.25)] * 3
    found = Project.open(project.root).annotations("1")
    assert (found.grid.spacing, found.point("A").tolist()) == ((0.5, 0.25), [1.25, 2])


def test_a_spacing_said_later_leaves_every_point_in_its_pixel(project: Project) -> None:
    ndim = project.geometry("x").grid.ndim
    before = everything(project)
    spacing = (2.0, 0.5, 0.25)[:ndim]
    set_spacing(project, {"x": spacing, "y": spacing})
    after = everything(project)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(new.points, old.points, atol=1e-9)
        assert new.grid.spacing == spacing
        np.testing.assert_array_equal(new.status, old.status)
    set_spacing(project, {"x": (1.0,) * ndim})
    set_spacing(project, {"x": None})
    fresh = Project.open(project.root)
    assert (fresh.geometry("x").grid.spacing, fresh.geometry("y").grid.spacing) == (None, spacing)
    np.testing.assert_allclose(fresh.annotations("x").points, before[0].points, atol=1e-9)
    for wrong in ((1.0,), (0.0,) * ndim, (np.nan,) * ndim):
        with pytest.raises(GeometryError):
            set_spacing(project, {"x": wrong})
    with pytest.raises(LandmarkerError, match="no case"):
        set_spacing(project, {"nobody": spacing})
