"""`Session`: two windows on one project, one after the other the one that writes. No window."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from results import NAMES, SHAPE, on_disk, words

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.project import PROJECT_FILE, Project, Split
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.lock import LOCK_FILE
from napari_landmarker.state.session import Session


@pytest.fixture
def other(session: Session) -> Session:
    """A second window on the project; it can only look."""
    other = Session()
    other.open_project(Project.open(session.project.root))
    assert other.read_only
    return other


def heard(session: Session, *signals: str) -> list[str]:
    """What a session says by some of its signals from now on."""
    said: list[str] = []
    for name in signals:
        getattr(session, name).connect(said.append)
    return said


def full_disk(session: Session, patch: pytest.MonkeyPatch) -> None:
    """From now on no annotations of a session can be written."""

    def fail(*_: object) -> None:
        raise ProjectError("The disk is full: free some space.")

    patch.setattr(session.project, "save_annotations", fail)


def new_image(path: Path) -> Path:
    """One more image of the project's kind."""
    PillowImage.fromarray(np.zeros(SHAPE, np.uint8)).save(path)
    return path


def change_all(session: Session, tmp_path: Path) -> None:
    """What one window may do to the project as a whole."""
    session.open_case("x")
    session.place((1, 1))
    session.change_schema(LandmarkSchema.from_names(("alpha", "B", "C", "D")), {"A": "alpha"})
    session.add_images([new_image(tmp_path / "w.png")])
    session.set_split("y", Split.CALIBRATION)


# ---- who takes over goes on from what the other one did


def test_who_takes_over_writes_nothing_old_over_the_work_of_the_other(
    session: Session, other: Session, tmp_path: Path
) -> None:
    change_all(session, tmp_path)
    session.close_project()
    other.set_current("B")
    other.take_over()
    assert (other.case_id, other.names, other.current) == ("x", ("alpha", "B", "C", "D"), "B")
    np.testing.assert_array_equal(other.annotations.point("alpha"), (1, 1))
    assert other.progress("x") == (1, 4)
    other.set_split("z", Split.TEST)
    project = Project.open(other.project.root)
    assert project.schema.names == ("alpha", "B", "C", "D")
    splits = {case.id: case.split for case in project.cases}
    assert (sorted(splits), splits["y"], splits["z"]) == (["w", "x", "y", "z"], Split.CALIBRATION, Split.TEST)
    assert not on_disk(other, "w").placed.any()


def test_a_takeover_keeps_history_rater_and_case_where_the_landmarks_are_the_same(
    session: Session, other: Session
) -> None:
    session.set_rater("Eva")
    session.open_case("y")
    session.place((4, 4))
    other.take_over()
    other.open_case("y")
    other.place((1, 1))
    session.heartbeat()
    session.take_over()
    assert (session.rater, session.case_id, session.can_undo) == ("Eva", "y", True)
    session.undo()
    assert not on_disk(session, "y").placed.any()
    np.testing.assert_array_equal(session.project.annotations("y", "rater1").point("A"), (1, 1))


def test_a_history_of_other_landmarks_ends_and_unsaved_points_stay(
    session: Session, other: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        full_disk(session, patch)
        session.place((1, 1))
        session.place((2, 2))
        assert session.unsaved
        other.take_over()
        other.change_schema(LandmarkSchema.from_names(("new", "B", "A")))
        other.close_project()
        told = heard(session, "told")
        session.take_over()
    assert (session.names, words(session)) == (("new", "B", "A"), ["unplaced", "confirmed", "confirmed"])
    assert not session.can_undo
    assert any("can no longer be undone" in sentence for sentence in told)
    assert session.save() is None
    np.testing.assert_array_equal(on_disk(session).points, [(np.nan, np.nan), (2, 2), (1, 1)])


def test_unsaved_points_of_a_landmark_that_is_gone_are_told(
    session: Session, other: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(session, monkeypatch)
    session.place((1, 1))
    other.take_over()
    other.change_schema(LandmarkSchema.from_names(("B", "C")))
    other.close_project()
    failed = heard(session, "failed")
    session.take_over()
    assert any("'A' in 'x'" in sentence for sentence in failed)


def test_a_project_that_cannot_be_read_any_more_is_not_written(session: Session, other: Session) -> None:
    path = session.project.root / PROJECT_FILE
    before = path.read_text()
    session.close_project()
    path.write_text("{", encoding="utf-8")
    other.take_over()
    assert "valid JSON" in other.lock_owner
    with pytest.raises(ProjectError, match="valid JSON"):
        other.set_split("z", Split.TEST)
    path.write_text(before, encoding="utf-8")
    other.heartbeat()
    assert not other.read_only


# ---- a takeover that is over before anybody saw it


@pytest.mark.parametrize("act", ["split", "place", "heartbeat"])
def test_a_short_takeover_is_noticed_and_its_changes_stay(
    session: Session, other: Session, tmp_path: Path, act: str
) -> None:
    session.open_case("x")
    other.take_over()
    change_all(other, tmp_path)
    other.close_project()
    said = heard(session, "refused", "told")
    if act == "split":
        with pytest.raises(ProjectError, match="changed elsewhere"):
            session.set_split("z", Split.TEST)
    elif act == "place":
        session.place((9, 9))
        assert session.annotations.names == ("alpha", "B", "C", "D")
        assert not on_disk(session).placed[1:].any(), "what was meant for what is no longer there is not done"
    else:
        session.heartbeat()
    assert act == "split" or "changed elsewhere" in said[0]
    assert (session.names, len(session.project.cases), session.read_only) == (("alpha", "B", "C", "D"), 4, False)
    session.set_split("z", Split.TEST)
    project = Project.open(session.project.root)
    assert (project.schema.names[0], project.case("y").split) == ("alpha", Split.CALIBRATION)


def test_points_of_a_short_takeover_are_seen_before_anything_is_written(session: Session, other: Session) -> None:
    session.place((1, 1))
    other.take_over()
    other.open_case("x")
    other.move("A", (7, 7))
    other.close_project()
    refused, conflicts = heard(session, "refused"), heard(session, "conflict")
    session.move("A", (3, 3))
    assert ("changed elsewhere" in refused[0], conflicts) == (True, [])
    for landmarks in (session.annotations, on_disk(session)):
        np.testing.assert_array_equal(landmarks.point("A"), (7, 7))
    session.move("A", (3, 3))
    np.testing.assert_array_equal(on_disk(session).point("A"), (3, 3))


def test_a_lock_file_that_is_gone_is_made_again_without_a_word(session: Session) -> None:
    changed = heard(session, "refused", "told", "failed")
    session.project_changed.connect(lambda: changed.append("project"))
    (session.project.root / LOCK_FILE).unlink()
    session.place((1, 1))
    assert (changed, (session.project.root / LOCK_FILE).exists()) == ([], True)
    assert on_disk(session).placed[0]


def test_another_program_that_adds_images_loses_nothing(session: Session, tmp_path: Path) -> None:
    Project.open(session.project.root).add_images([new_image(tmp_path / "w.png")])
    with pytest.raises(ProjectError, match="changed elsewhere"):
        session.set_split("z", Split.TEST)
    session.set_split("z", Split.TEST)
    assert [case.id for case in Project.open(session.project.root).cases] == ["x", "y", "z", "w"]


# ---- who only looks


def test_a_window_that_only_looks_is_the_one_that_saves_once_the_other_is_closed(
    session: Session, other: Session, tmp_path: Path
) -> None:
    told, heard_access = heard(other, "told"), []
    other.access_changed.connect(lambda: heard_access.append(other.read_only))
    other.heartbeat()
    assert (other.read_only, told) == (True, [])
    change_all(session, tmp_path)
    session.close_project()
    other.heartbeat()
    assert (heard_access, other.names[0]) == ([False], "alpha")
    assert any("saved" in sentence for sentence in told)
    assert other.place((5, 5))
    assert not other.unsaved


def test_a_rater_is_not_written_into_the_project_of_another_window(session: Session, other: Session) -> None:
    other.take_over()
    other.set_split("z", Split.CALIBRATION)
    with pytest.raises(ProjectError, match="another window"):
        session.set_rater("Eva")
    content = json.loads((session.project.root / PROJECT_FILE).read_text())
    assert (content["rater"], content["cases"][2]["split"], session.rater) == ("rater1", "calibration", "rater1")
    session.set_rater("Eva")
    assert session.rater == "Eva", "who only looks may look at anybody"
    assert Project.open(session.project.root).rater == "rater1"


def test_work_on_the_files_begins_only_where_all_is_saved_and_may_be_written(
    session: Session, other: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.why_not_ready() is None
    assert other.why_not_ready() == other.lock_owner
    with monkeypatch.context() as patch:
        full_disk(session, patch)
        session.place((1, 1))
        assert "disk is full" in session.why_not_ready()
    assert session.why_not_ready() is None
    assert on_disk(session).placed[0]
    other.take_over()
    assert "another window" in session.why_not_ready()
    assert Session().why_not_ready() == "No project is open: open or create one first."


# ---- conflicts


def test_a_rater_stays_at_work_while_it_is_undecided_whose_annotations_to_keep(session: Session) -> None:
    session.place((1, 1))
    project = Project.open(session.project.root)
    project.save_annotations("x", project.annotations("x").with_point("C", (8, 8)))
    session.place((2, 2))
    assert session.conflicts == ("x",)
    with pytest.raises(ProjectError, match="'x' were changed by another program"):
        session.set_rater("Eva")
    assert (session.rater, session.conflicts) == ("rater1", ("x",))
    session.resolve("x", "mine")
    session.set_rater("Eva")
    session.close_project()


def test_a_rater_stays_at_work_until_all_is_saved(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        full_disk(session, patch)
        session.place((1, 1))
        with pytest.raises(ProjectError, match="disk is full"):
            session.set_rater("Eva")
    session.set_rater("Eva")
    assert session.project.annotations("x", "rater1").placed[0]


def test_a_conflict_that_is_known_is_not_told_again(session: Session) -> None:
    conflicts, failed = heard(session, "conflict"), heard(session, "failed")
    session.place((1, 1))
    project = Project.open(session.project.root)
    project.save_annotations("x", project.annotations("x").with_point("C", (8, 8)))
    session.place((2, 2))
    session.open_case("y")
    session.place((5, 5))
    session.place((6, 6))
    session.open_case("x")
    session.place((3, 3))
    assert (conflicts, failed) == (["x"], [])
    assert session.names == NAMES
