"""`Session`: edits, history, saving. No window."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from results import NAMES, SHAPE, on_disk, result, words

from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.modes import LabelMode
from napari_landmarker.state.session import Session


def test_opens_at_the_first_case_with_the_newest_model(session: Session) -> None:
    assert (session.case_id, session.model, session.current) == ("x", "m", "A")
    assert session.image.grid.shape == SHAPE
    assert not (session.can_undo)
    assert not (session.can_redo)
    assert not (session.unsaved)


def test_place_saves_at_once_and_steps_through_the_schema(session: Session) -> None:
    currents: list[str] = []
    session.current_changed.connect(currents.append)
    for point in ((1, 2), (3.25, 4), (39.4, 49.4)):
        assert session.place(point)
    assert currents == ["B", "C", ""]
    np.testing.assert_array_equal(on_disk(session).points, [(1, 2), (3.25, 4), (39.4, 49.4)])
    assert words(session) == ["confirmed"] * 3
    assert not session.place((5, 5)), "a stray click must not move a landmark that has its place"


def test_steps_to_the_next_unplaced_one_after_the_chosen_one_round_and_round(session: Session) -> None:
    session.set_current("C")
    session.place((1, 1))
    assert session.current == "A"


@pytest.mark.parametrize("point", [(-0.6, 5), (5, 49.6), (40, 5), (np.nan, 5)])
def test_a_click_outside_the_image_places_nothing(session: Session, point: tuple[float, float]) -> None:
    assert not session.place(point)
    assert (session.current, session.can_undo) == ("A", False)


def test_move_keeps_confirmed_and_stops_at_the_border(session: Session) -> None:
    session.place((1, 2))
    session.move("A", (100, -7))
    np.testing.assert_array_equal(on_disk(session).point("A"), (39.5, -0.5))
    assert session.shown.status_of("A") == LandmarkStatus.CONFIRMED


def test_remove_makes_it_current_and_absent_counts_as_done(session: Session) -> None:
    session.place((1, 2))
    session.mark_absent("B")
    assert (session.current, session.progress("x")) == ("C", (2, 3))
    session.remove("A")
    assert (session.current, session.progress("x")) == ("A", (1, 3))
    assert on_disk(session).status_of("B") == LandmarkStatus.ABSENT
    assert words(session) == ["unplaced", "absent", "unplaced"]


def test_progress_reads_a_case_once_and_an_edit_touches_only_its_own(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [session.progress(case.id) for case in session.project.cases] == [(0, 3)] * 3
    read: list[str] = []
    monkeypatch.setattr(session.project, "annotations", lambda case_id: read.append(case_id))
    told: list[tuple[str, ...]] = []
    session.progress_changed.connect(told.append)
    session.place((1, 1))
    assert (read, told) == ([], [("x",)])
    assert [session.progress(case.id) for case in session.project.cases] == [(1, 3), (0, 3), (0, 3)]


# ---- history


def test_undo_and_redo_go_across_images_and_open_them(session: Session) -> None:
    session.place((1, 1))
    session.open_case("z")
    session.place((2, 2))
    session.undo()
    session.undo()
    assert (session.case_id, session.can_undo, session.current) == ("x", False, "A")
    assert not on_disk(session, "x").placed.any()
    assert not on_disk(session, "z").placed.any()
    session.redo()
    session.redo()
    assert session.case_id == "z"
    np.testing.assert_array_equal(on_disk(session, "x").point("A"), (1, 1))
    np.testing.assert_array_equal(on_disk(session, "z").point("A"), (2, 2))
    session.undo()
    session.place((9, 9))
    assert not session.can_redo


def test_undo_of_an_edit_whose_image_is_gone_is_told_and_stays_possible(session: Session, tmp_path: Path) -> None:
    session.place((1, 1))
    session.open_case("y")
    (tmp_path / "x.png").rename(tmp_path / "away")
    with pytest.raises(LandmarkerError, match=r"x\.png"):
        session.undo()
    assert (session.case_id, session.can_undo) == ("y", True)
    (tmp_path / "away").rename(tmp_path / "x.png")
    session.undo()
    assert not on_disk(session, "x").placed.any()


POINT = st.tuples(st.integers(0, 156).map(lambda n: n / 4), st.integers(0, 196).map(lambda n: n / 4))
ANSWERS = ["remove", "mark_absent", "accept", "confirm", "reset", "restore"]
WHOLE = ["accept_all", "lock_all", "copy", "paste", "undo", "redo"]
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.sampled_from(NAMES), POINT),
        st.tuples(st.just("move"), st.sampled_from(NAMES), POINT),
        st.tuples(st.sampled_from(ANSWERS), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("case"), st.sampled_from("xyz"), st.none()),
        st.tuples(st.just("set_mode"), st.sampled_from(LabelMode), st.none()),
        st.tuples(st.sampled_from(["set_locked", "unlock"]), st.sampled_from(NAMES), st.none()),
        st.tuples(st.sampled_from(WHOLE), st.none(), st.none()),
    ),
    max_size=20,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_undoing_everything_restores_and_redoing_everything_repeats(
    project: Project, edits: list[tuple[str, str | None, tuple[float, float] | None]]
) -> None:
    shutil.rmtree(project.root / "annotations", ignore_errors=True)
    session = Session()
    session.open_project(Project.open(project.root))
    for case_id in "xyz":
        session.open_case(case_id)
        session.take_prediction(case_id, result(session, A=(5, 6), C=(7, 8)))

    def state() -> dict[str, list[object]]:
        shown = {}
        for case_id in "xyz":
            session.open_case(case_id)
            shown[case_id] = [session.shown, on_disk(session, case_id), session.progress(case_id)]
        return shown

    before = state()
    for kind, target, point in edits:
        if kind == "case":
            session.open_case(target)
        elif kind == "place":
            session.set_current(target)
            session.place(point)
        elif kind == "move":
            session.move(target, point)
        elif kind == "set_locked":
            session.set_locked(target, True)
        elif kind == "unlock":
            session.set_locked(target, False)
        elif target is None:
            getattr(session, kind)()
        else:
            getattr(session, kind)(target)
        assert on_disk(session) == session.annotations
    while session.can_redo:
        session.redo()
    after = state()
    while session.can_undo:
        session.undo()
    assert state() == before
    while session.can_redo:
        session.redo()
    assert state() == after


# ---- when things go wrong


def fail_to_save(*_: object) -> None:
    raise ProjectError("The disk is full: free some space.")


def test_a_save_that_fails_is_told_kept_and_tried_again(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    session.failed.connect(told.append)
    with monkeypatch.context() as patch:
        patch.setattr(session.project, "save_annotations", fail_to_save)
        session.place((1, 1))
        assert session.unsaved
        assert told == ["The disk is full: free some space."]
        session.open_case("y")
        session.open_case("x")
        np.testing.assert_array_equal(session.annotations.point("A"), (1, 1))
        with pytest.raises(ProjectError, match="stays open"):
            session.close_project()
        assert session.case_id == "x"
    session.open_case("y")
    session.place((2, 2))
    assert not session.unsaved
    np.testing.assert_array_equal(on_disk(session, "x").point("A"), (1, 1))


def test_closing_saves_or_discards_when_told_to(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    root = session.project.root
    with monkeypatch.context() as patch:
        patch.setattr(session.project, "save_annotations", fail_to_save)
        session.place((1, 1))
        assert session.save() == "The disk is full: free some space."
    session.close_project()
    np.testing.assert_array_equal(Project.open(root).annotations("x").point("A"), (1, 1))
    assert (session.project, session.case_id, session.shown, session.current, session.names) == (None,) * 4 + ((),)
    session.open_project(Project.open(root))
    monkeypatch.setattr(session.project, "save_annotations", fail_to_save)
    session.place((2, 2))
    session.close_project(discard=True)
    assert session.project is None
    assert not session.unsaved
    with pytest.raises(ProjectError, match="No project is open"):
        session.open_case("x")


def test_a_case_that_cannot_be_opened_leaves_the_open_one(session: Session, tmp_path: Path) -> None:
    (tmp_path / "y.png").write_bytes(b"no image")
    with pytest.raises(LandmarkerError, match=r"y\.png"):
        session.open_case("y")
    assert session.case_id == "x"
    assert session.place((1, 1))
    with pytest.raises(ProjectError, match="no case"):
        session.open_case("nobody")


def test_a_damaged_annotation_file_is_told_and_never_overwritten(session: Session) -> None:
    session.open_case("y")
    session.place((1, 1))
    path = session.project.annotation_path("y")
    session.open_case("x")
    path.write_text("{ damaged", encoding="utf-8")
    with pytest.raises(LandmarkerError, match=r"y\.json"):
        session.open_case("y")
    with pytest.raises(LandmarkerError, match=r"y\.json"):
        session.undo()
    assert path.read_text(encoding="utf-8") == "{ damaged"


def test_an_unreadable_first_image_is_told_and_the_next_one_opens(project: Project, tmp_path: Path) -> None:
    (tmp_path / "x.png").unlink()
    session, told = Session(), []
    session.failed.connect(told.append)
    session.open_project(Project.open(project.root))
    assert session.case_id == "y"
    assert len(told) == 1
    assert "x.png" in told[0]


def test_several_points_a_landmark_are_refused(project: Project, tmp_path: Path) -> None:
    schema = LandmarkSchema.parse({"landmarks": [{"name": "seed"}], "instances": 3})
    many = create_project(tmp_path / "many", schema, [tmp_path / "x.png"])
    session = Session()
    session.open_project(project)
    with pytest.raises(ProjectError, match="several points"):
        session.open_project(many)
    assert session.project is project


# ---- cases


def test_next_previous_splits_and_new_images(session: Session, tmp_path: Path) -> None:
    assert not session.previous_case()
    assert session.next_case()
    assert session.next_case()
    assert not session.next_case()
    assert session.case_id == "z"
    session.set_split("y", Split.TEST)
    assert Project.open(session.project.root).case("y").split == Split.TEST
    PillowImage.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "w.png")
    heard: list[str] = []
    session.cases_changed.connect(lambda: heard.append("cases"))
    session.add_images([tmp_path / "w.png"])
    assert heard == ["cases"]
    assert session.next_case()
    assert session.case_id == "w"
