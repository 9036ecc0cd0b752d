"""Undo and redo of other landmarks, of images that came and of images that went, between edits of points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from results import NAMES, SHAPE, on_disk, result, words

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.long_work import Work
from napari_landmarker.state.session import Session

OTHER = LandmarkSchema.from_names(("new", "C", "A2"))


@pytest.fixture
def one_more(tmp_path: Path) -> Path:
    """An image that is not in the project yet."""
    path = tmp_path / "w.png"
    PillowImage.fromarray(np.zeros(SHAPE, np.uint8)).save(path)
    return path


def files(session: Session) -> dict[str, bytes]:
    """All annotations and predictions, and the project's own file."""
    return {str(path): path.read_bytes() for path in session.project.root.rglob("*.json") if path.name[0] != "."}


def ids(session: Session) -> str:
    """The images of the project."""
    assert Project.open(session.project.root).cases == session.project.cases
    return "".join(case.id for case in session.project.cases)


# ---- landmarks


def test_other_landmarks_are_a_step_between_the_others(session: Session) -> None:
    session.take_prediction("x", result(session, B=(7, 8), C=(9, 9)))
    session.place((1, 1))
    session.move("B", (2, 2))
    session.mark_absent("C")
    before = files(session)
    assert session.change_schema(OTHER, {"A": "A2"})
    assert words(session) == ["unplaced", "absent", "confirmed"]
    session.place((5, 5))
    after = files(session)
    assert session.names == ("new", "C", "A2")
    told: list[str] = []
    session.told.connect(told.append)
    session.undo()
    session.undo()
    assert files(session) == before
    assert (session.names, words(session)) == (NAMES, ["confirmed", "edited", "absent"])
    np.testing.assert_array_equal(session.annotations.point("B"), (2, 2))
    for _ in range(3):
        session.undo()
    assert words(session) == ["unplaced", "predicted", "predicted"]
    assert not session.can_undo
    for _ in range(5):
        session.redo()
    assert files(session) == after
    assert words(session) == ["confirmed", "absent", "confirmed"]
    assert told == [f"{words}: the landmarks of the project." for words in ("Taken back", "Done again")]
    assert session.conflicts == ()


def test_a_change_of_colours_or_measurements_keeps_every_step_before_it(session: Session) -> None:
    session.place((1, 1))
    colours = [{"name": name, "color": "#123456"} for name in NAMES]
    session.change_schema(LandmarkSchema.parse({"landmarks": colours}))
    session.place((2, 2))
    for _ in range(3):
        session.undo()
    assert session.project.schema == LandmarkSchema.from_names(NAMES)
    assert not on_disk(session).placed.any()


def test_a_prediction_that_was_removed_stays_so_under_its_other_name(session: Session) -> None:
    session.take_prediction("x", result(session, A=(7, 8), B=(9, 9)))
    session.remove("A")
    session.remove("B")
    session.change_schema(LandmarkSchema.from_names(("A2", "B", "C")), {"A": "A2"})
    assert words(session) == ["unplaced"] * 3
    session.undo()
    assert words(session) == ["unplaced"] * 3
    session.undo()
    session.undo()
    assert words(session) == ["predicted", "predicted", "unplaced"]


def test_a_landmark_that_somebody_annotated_meanwhile_is_not_taken_back(session: Session) -> None:
    session.change_schema(LandmarkSchema.from_names((*NAMES, "new")))
    project = Project.open(session.project.root)
    project.save_annotations("y", project.annotations("y", "Eva").with_point("new", (4, 4)), "Eva")
    before = files(session)
    with pytest.raises(ProjectError, match="'new' is annotated by now"):
        session.undo()
    assert files(session) == before
    assert (session.names, session.can_undo, session.can_redo) == ((*NAMES, "new"), True, False)


def test_an_undo_that_is_stopped_leaves_everything_and_can_be_tried_again(session: Session) -> None:
    session.place((1, 1))
    session.change_schema(OTHER, {"A": "A2"})
    before = files(session)

    def stopped(_: str, work: Work) -> bool:
        def stop(done: int, total: int) -> None:
            raise InterruptedError

        progress: Progress = stop
        with pytest.raises(InterruptedError):
            work(progress)
        return False

    run_long, session.run_long = session.run_long, stopped
    session.undo()
    session.run_long = run_long
    assert files(session) == before
    assert (session.names, session.can_redo) == (OTHER.names, False)
    session.undo()
    assert session.names == NAMES
    np.testing.assert_array_equal(on_disk(session).point("A"), (1, 1))


# ---- images


def test_images_that_were_added_are_taken_back_and_added_again(session: Session, one_more: Path) -> None:
    session.place((1, 1))
    session.add_images([one_more])
    assert ids(session) == "xyzw"
    session.open_case("w")
    session.place((3, 3))
    session.undo()
    session.undo()
    assert (ids(session), session.case_id) == ("xyz", "z")
    session.undo()
    assert (session.case_id, on_disk(session).placed.any()) == ("x", False)
    for _ in range(3):
        session.redo()
    assert (ids(session), session.case_id) == ("xyzw", "w")
    np.testing.assert_array_equal(on_disk(session, "w").point("A"), (3, 3))


def test_images_that_are_there_already_add_no_step(session: Session) -> None:
    assert session.add_images([session.project.image_path("x")]) == ()
    assert not session.can_undo


def test_images_are_taken_out_and_brought_back_with_all_that_was_done_in_them(session: Session) -> None:
    session.open_case("y")
    session.place((1, 1))
    session.set_split("y", Split.CALIBRATION)
    session.take_out(["y", "x"])
    assert (ids(session), session.case_id, session.progress("z")) == ("z", "z", (0, 3))
    session.place((2, 2))
    session.undo()
    told: list[str] = []
    session.told.connect(told.append)
    session.undo()
    assert told == ["Taken back: 2 images of the project."]
    assert (ids(session), session.project.case("y").split, session.progress("y")) == ("xyz", Split.CALIBRATION, (1, 3))
    session.undo()
    session.undo()
    assert not on_disk(session, "y").placed.any()
    for _ in range(3):
        session.redo()
    assert ids(session) == "z"


def test_the_image_that_is_open_stays_open_where_another_one_is_taken_out(session: Session) -> None:
    session.open_case("y")
    session.set_current("B")
    session.take_out(["x"])
    assert (session.case_id, session.current) == ("y", "B")
    session.take_out(["y"])
    assert session.case_id == "z"
    with pytest.raises(ProjectError, match="at least one image"):
        session.take_out(["z"])
    assert (ids(session), session.case_id) == ("z", "z")


def test_what_other_raters_did_in_an_image_that_goes_is_kept_but_no_step_any_more(session: Session) -> None:
    session.place((1, 1))
    session.set_rater("Eva")
    told: list[str] = []
    session.told.connect(told.append)
    session.take_out(["x"])
    assert "what other raters did in it before can no longer be undone" in told[0]
    session.set_rater("rater1")
    assert not session.can_undo
    session.add_images([session.project.root / ".." / "x.png"])
    np.testing.assert_array_equal(on_disk(session, "x").point("A"), (1, 1))


def test_a_window_whose_image_another_one_took_out_goes_on_with_the_first_one(session: Session) -> None:
    session.open_case("y")
    session.place((1, 1))
    Project.open(session.project.root).take_out(["y"])
    told, failed = list[str](), list[str]()
    session.told.connect(told.append)
    session.failed.connect(failed.append)
    session.heartbeat()
    assert (ids(session), session.case_id, session.can_undo, failed) == ("xz", "x", False, [])
    assert any("can no longer be undone" in sentence for sentence in told)
