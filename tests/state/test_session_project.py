"""`Session`: landmarks and spacing of the project, counts that are kept, images read ahead, ticks of the review."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from results import NAMES, SHAPE, on_disk, result, words

from napari_landmarker.engine.errors import AnnotationError, GeometryError, ImageError, ProjectError
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.prefetch import ImageCache
from napari_landmarker.state.progress import PROGRESS_FILE
from napari_landmarker.state.reviewing import REVIEWED_FILE
from napari_landmarker.state.session import Session

# ---- landmarks and spacing


def test_other_landmarks_keep_points_and_model_and_end_the_history_of_other_raters(session: Session) -> None:
    session.take_prediction("x", result(session, C=(9, 9)))
    session.place((1, 1))
    session.place((2, 2))
    session.set_rater("Eva")
    session.place((3, 3))
    heard: list[str] = []
    for name in ("schema_changed", "project_changed", "case_changed"):
        getattr(session, name).connect(lambda name=name: heard.append(f"{name} {session.case_id}"))
    told: list[str] = []
    session.told.connect(told.append)
    assert session.annotated_in(NAMES) == {"A": 1, "B": 1, "C": 0}
    session.set_current("C")
    session.change_schema(LandmarkSchema.from_names(("new", "C", "A2")), {"A": "A2"})
    assert heard == ["schema_changed None", "project_changed None", "case_changed x"]
    assert (session.names, words(session)) == (("new", "C", "A2"), ["unplaced", "predicted", "confirmed"])
    assert (session.can_undo, session.progress("x"), session.current) == (True, (1, 3), "new")
    assert "what other raters did in it before can no longer be undone" in told[0]
    session.set_rater("rater1")
    assert not session.can_undo
    np.testing.assert_array_equal(session.annotations.points[2], (1, 1))
    assert session.place((5, 5))
    assert on_disk(session).status_of("new") == "confirmed"


def test_a_change_of_landmarks_that_fails_leaves_the_session_as_it_was(session: Session) -> None:
    session.place((1, 1))
    with pytest.raises(AnnotationError, match="would be called 'B'"):
        session.change_schema(LandmarkSchema.from_names(("A", "B")), {"A": "B"})
    with pytest.raises(ProjectError, match="one point for each landmark"):
        session.change_schema(LandmarkSchema.from_names(("A", "B"), instances=2))
    assert (session.names, session.case_id, session.can_undo) == (NAMES, "x", True)
    session.undo()
    assert words(session)[0] == "unplaced"


def test_a_change_of_landmarks_waits_for_what_is_not_saved(session: Session) -> None:
    session.place((1, 1))
    project = Project.open(session.project.root)
    project.save_annotations("x", project.annotations("x").with_point("C", (4, 4)))
    session.place((2, 2))
    with pytest.raises(ProjectError, match="Not all annotations are saved yet"):
        session.change_schema(LandmarkSchema.from_names(("A", "B")))
    assert session.names == NAMES


def test_example_pictures_are_found_in_the_project(session: Session) -> None:
    picture = session.project.root / "examples" / "a.png"
    picture.parent.mkdir()
    PillowImage.fromarray(np.zeros((4, 4), np.uint8)).save(picture)
    landmarks = [{"name": "A", "example": "examples/a.png"}, {"name": "B", "example": "gone.png"}, {"name": "C"}]
    session.change_schema(LandmarkSchema.parse({"landmarks": landmarks}))
    assert [session.example(name) for name in NAMES] == [picture, None, None]
    assert Project.open(session.project.root).schema.definition("A").example == "examples/a.png"


def test_a_spacing_said_with_a_ruler_holds_for_one_image_or_all_and_is_undone(session: Session) -> None:
    heard: list[tuple[str, ...]] = []
    session.geometry_changed.connect(heard.append)
    session.place((1, 2))
    session.set_spacing((0.5, 0.5))
    assert (session.image.grid.spacing, session.shown.grid.spacing, heard) == ((0.5, 0.5), (0.5, 0.5), [("x",)])
    assert session.project.geometry("y").grid.spacing is None
    session.set_spacing((0.25, 0.25), [case.id for case in session.project.cases])
    assert Project.open(session.project.root).geometry("y").grid.spacing == (0.25, 0.25)
    np.testing.assert_array_equal(session.annotations.point("A"), (1, 2))
    session.move("A", (3, 3))
    session.undo()
    np.testing.assert_array_equal(on_disk(session).point("A"), (1, 2))
    with pytest.raises(GeometryError):
        session.set_spacing((0, 1))
    assert session.image.grid.spacing == (0.25, 0.25)
    told: list[str] = []
    session.told.connect(told.append)
    session.undo()
    saved = [case.spacing for case in Project.open(session.project.root).cases]
    assert saved == [(0.5, 0.5), None, None]
    assert (session.image.grid.spacing, session.shown.grid.spacing) == ((0.5, 0.5), (0.5, 0.5))
    session.undo()
    assert session.image.grid.spacing is None
    session.redo()
    assert session.image.grid.spacing == (0.5, 0.5)
    session.undo()
    session.undo()
    assert not on_disk(session).placed.any()
    assert session.conflicts == ()
    pixel_size = "the pixel size of 'x'."
    expected = ["Taken back: the pixel size of 3 images.", "Taken back: " + pixel_size, "Done again: " + pixel_size]
    assert told == [*expected, "Taken back: " + pixel_size]


def test_the_use_of_an_image_and_a_tick_of_the_review_are_undone_between_edits(session: Session) -> None:
    split = session.project.case("y").split
    session.place((1, 2))
    session.set_split("y", Split.CALIBRATION)
    session.set_reviewed("y")
    session.place((3, 3))
    session.undo()
    assert (session.shown.placed.sum(), session.reviewed("y")) == (1, True)
    session.undo()
    assert not session.reviewed("y")
    assert Project.open(session.project.root).case("y").split is Split.CALIBRATION
    session.undo()
    assert Project.open(session.project.root).case("y").split is split
    for _ in range(3):
        session.redo()
    assert session.reviewed("y")
    assert Project.open(session.project.root).case("y").split is Split.CALIBRATION
    assert session.shown.placed.sum() == 2
    assert not session.can_redo
    session.set_reviewed("y")
    session.set_split("y", Split.CALIBRATION)
    session.undo()
    assert session.shown.placed.sum() == 1, "what changes nothing is no step"


# ---- counts


def test_counts_are_kept_and_read_again_only_where_a_file_was_changed(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.place((1, 1))
    session.mark_absent("B")
    session.open_case("y")
    session.place((1, 1))
    root = session.project.root
    session.close_project()
    content = json.loads((root / "annotations" / "rater1" / PROGRESS_FILE).read_text())
    assert {case_id: entry[2:] for case_id, entry in content["cases"].items()} == {"x": [2, 1], "y": [1, 1]}
    other = Project.open(root)
    other.save_annotations("y", other.annotations("y").with_point("C", (4, 4)))
    project = Project.open(root)
    read: list[str] = []
    annotations = project.annotations
    monkeypatch.setattr(project, "annotations", lambda *of: read.append(of[0]) or annotations(*of))
    session.open_project(project)
    read.clear()
    assert [session.progress(case_id) for case_id in "xyz"] == [(2, 3), (2, 3), (0, 3)]
    assert (read, session.placed("x")) == (["y"], 1)


@pytest.mark.parametrize("content", ["{", '{"cases": 3}', '{"landmarks": ["A", "B", "C"], "cases": {"x": [1]}}'])
def test_a_damaged_list_of_counts_is_made_again(session: Session, content: str) -> None:
    session.place((1, 1))
    root = session.project.root
    session.close_project()
    path = root / "annotations" / "rater1" / PROGRESS_FILE
    path.write_text(content, encoding="utf-8")
    session.open_project(Project.open(root))
    assert session.progress("x") == (1, 3)
    session.close_project()
    assert json.loads(path.read_text())["cases"]["x"][2:] == [1, 1]


# ---- images read ahead


def test_the_next_image_comes_from_memory(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    assert session.next_ids() == ("y", "z")
    session.images.prefetch(session.next_ids())
    read: list[str] = []
    image = session.project.image
    monkeypatch.setattr(session.project, "image", lambda case_id: read.append(case_id) or image(case_id))
    session.next_case()
    assert (session.next_ids(), read) == (("z", "x"), [])
    assert session.images.has("x"), "the image before is there still"


def test_an_image_that_was_replaced_is_read_again(session: Session, tmp_path: Path) -> None:
    session.images.prefetch(["y"])
    PillowImage.fromarray(np.full(SHAPE, 9, np.uint8)).save(tmp_path / "y.png")
    assert not session.images.has("y")
    session.open_case("y")
    assert session.image.array.max() == 9


def test_images_stay_within_the_memory_given_and_the_last_used_stay(project: Project) -> None:
    size = SHAPE[0] * SHAPE[1]
    cache = ImageCache(project, limit_bytes=2 * size)
    for case_id in "xyz":
        cache.image(case_id)
    assert ([cache.has(case_id) for case_id in "xyz"], cache.size_bytes) == ([False, True, True], 2 * size)
    cache.image("y")
    cache.image("x")
    assert [cache.has(case_id) for case_id in "xyz"] == [True, True, False]
    cache.forget()
    cache.prefetch("xyz")
    assert [cache.has(case_id) for case_id in "xyz"] == [True, True, False], "the most likely first, none pushed out"
    small = ImageCache(project, limit_bytes=10)
    assert small.image("x").array.shape == SHAPE
    assert not small.has("x")


def test_threads_that_want_one_image_read_it_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    go, reads = threading.Event(), []
    image = project.image

    def slow(case_id: str) -> object:
        reads.append(case_id)
        go.wait(5)
        return image(case_id)

    monkeypatch.setattr(project, "image", slow)
    cache = ImageCache(project)
    got: list[object] = []
    threads = [threading.Thread(target=lambda: got.append(cache.image("x"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert reads == ["x"]
    assert got[0] is got[1] is got[2]


def test_an_image_that_cannot_be_read_ahead_is_told_by_its_opening(session: Session, tmp_path: Path) -> None:
    (tmp_path / "y.png").write_bytes(b"no image")
    asked: list[bool] = []
    session.images.prefetch(["y", "z", "x"], lambda: asked.append(True) or len(asked) < 3)
    assert session.images.has("z")
    assert len(asked) == 3
    with pytest.raises(ImageError, match=r"y\.png"):
        session.open_case("y")


# ---- ticks of the review


def test_ticks_are_of_a_case_and_model_and_survive_a_kill_in_the_middle_of_a_line(session: Session) -> None:
    heard: list[str] = []
    session.reviewed_changed.connect(heard.append)
    session.set_reviewed("x")
    session.set_reviewed("x")
    session.set_reviewed("y")
    session.set_reviewed("y", False)
    assert heard == ["x", "y", "y"]
    assert [session.reviewed(case_id) for case_id in "xyz"] == [True, False, False]
    session.set_model(None)
    assert not session.reviewed("x")
    session.set_model("m")
    path = session.project.root / REVIEWED_FILE
    with path.open("a", encoding="utf-8") as file:
        file.write('{"case": "z", "mod')
    project = Project.open(session.project.root)
    session.open_project(project)
    assert [session.reviewed(case_id) for case_id in "xyz"] == [True, False, False]
    session.set_reviewed("z")
    session.open_project(Project.open(project.root))
    assert [session.reviewed(case_id) for case_id in "xyz"] == [True, False, True]
    with pytest.raises(ProjectError, match="no case"):
        session.set_reviewed("nobody")
