"""`Session`: labelling modes, locks, answers by key, copy and paste. No window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from results import NAMES, on_disk, result, words

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.modes import LabelMode
from napari_landmarker.state.session import Session


@pytest.fixture
def refused(session: Session) -> list[str]:
    """What was refused, in sentences."""
    sentences: list[str] = []
    session.refused.connect(sentences.append)
    return sentences


# ---- modes


def test_sequential_mode_never_moves_a_landmark(session: Session, refused: list[str]) -> None:
    session.take_prediction("x", result(session, B=(3, 4)))
    session.place((1, 1))
    for name in ("A", "B"):
        session.set_current(name)
        assert not session.place((9, 9))
        assert f"'{name}' has its place" in refused[-1]
    assert session.current == "B"
    session.set_current("C")
    assert session.place((5, 5))
    assert session.current is None
    assert not session.place((9, 9))
    assert "Every landmark has its place" in refused[-1]
    assert len(refused) == 3
    np.testing.assert_array_equal(session.shown.points, [(1, 1), (3, 4), (5, 5)])


def test_sequential_mode_asks_for_a_landmark_where_none_is_chosen(session: Session, refused: list[str]) -> None:
    session.set_current(None)
    assert not session.place((1, 1))
    assert "No landmark is chosen" in refused[0]


def test_quick_mode_places_and_moves_the_current_landmark_which_stays(session: Session) -> None:
    heard: list[LabelMode] = []
    session.mode_changed.connect(heard.append)
    session.set_mode(LabelMode.QUICK)
    session.set_mode(LabelMode.QUICK)
    session.take_prediction("x", result(session, B=(3, 4)))
    session.set_current("A")
    for point in ((1, 1), (2, 2)):
        assert session.place(point)
    session.set_current("B")
    session.place((8, 8))
    assert (session.current, words(session), heard) == ("B", ["confirmed", "edited", "unplaced"], [LabelMode.QUICK])
    np.testing.assert_array_equal(on_disk(session).points[:2], [(2, 2), (8, 8)])
    session.undo()
    session.undo()
    np.testing.assert_array_equal(on_disk(session).points[0], (1, 1))
    assert words(session) == ["confirmed", "predicted", "unplaced"]


def test_loop_mode_goes_through_the_images_at_one_landmark(session: Session) -> None:
    told: list[str] = []
    session.told.connect(told.append)
    session.set_mode(LabelMode.LOOP)
    session.set_current("B")
    session.place((1, 1))
    assert (session.case_id, session.current) == ("y", "B")
    session.mark_absent("B")
    assert (session.case_id, session.current) == ("z", "B")
    assert session.place((3, 3))
    assert (session.case_id, session.current) == ("z", "B")
    assert told == ["This was the last image for 'B': choose the next landmark."]
    assert [str(on_disk(session, c).status_of("B")) for c in "xyz"] == ["confirmed", "absent", "confirmed"]
    session.undo()
    session.undo()
    session.undo()
    assert (session.case_id, session.can_undo) == ("x", False)


def test_loop_mode_keeps_what_was_placed_where_the_next_image_cannot_be_opened(
    session: Session, tmp_path: Path
) -> None:
    (tmp_path / "y.png").write_bytes(b"no image")
    session.set_mode(LabelMode.LOOP)
    with pytest.raises(LandmarkerError, match=r"y\.png"):
        session.place((1, 1))
    assert session.case_id == "x"
    np.testing.assert_array_equal(on_disk(session).point("A"), (1, 1))


# ---- answers


def test_confirm_agrees_with_what_was_moved_and_restore_takes_absent_back(session: Session) -> None:
    session.take_prediction("x", result(session, A=(9, 9), B=(3, 4)))
    session.move("A", (8, 8))
    session.confirm("A")
    assert words(session) == ["confirmed", "predicted", "unplaced"]
    np.testing.assert_array_equal(on_disk(session).point("A"), (8, 8))
    session.mark_absent("B")
    session.mark_absent("C")
    session.restore("B")
    assert (words(session), session.current) == (["confirmed", "predicted", "absent"], "B")
    session.restore("C")
    assert (words(session), session.current) == (["confirmed", "predicted", "unplaced"], "C")
    session.restore("A")
    assert words(session)[0] == "confirmed", "only what is absent is restored"


def test_accept_above_takes_what_is_as_confident_or_more(session: Session) -> None:
    prediction = result(session, A=(9, 9), B=(3, 4), C=(5, 6))
    scores = dict(zip(prediction.names, (np.nan, 0.5, 0.9), strict=True))  # C, B, A
    for name, point in (("A", (9, 9)), ("B", (3, 4)), ("C", (5, 6))):
        prediction.landmarks = prediction.landmarks.with_point(name, point, LandmarkStatus.PREDICTED, scores[name])
    session.take_prediction("x", prediction)
    assert session.accept_above(0.91) == 0
    assert not session.can_undo
    assert session.accept_above(0.5) == 2
    assert words(session) == ["confirmed", "confirmed", "predicted"]
    assert session.accept_all() == 1
    session.undo()
    session.undo()
    assert words(session) == ["predicted"] * 3


# ---- locks


def test_a_locked_landmark_refuses_every_change_until_it_is_unlocked(session: Session, refused: list[str]) -> None:
    session.take_prediction("x", result(session, A=(9, 9)))
    session.accept("A")
    session.set_locked("A", True)
    before = on_disk(session)
    assert (before.locked_of("A"), session.locked("A"), session.can_undo) == (True, True, True)
    session.set_mode(LabelMode.QUICK)
    session.set_current("A")
    changes = [
        lambda: session.place((1, 1)),
        lambda: session.move("A", (1, 1)),
        lambda: session.remove("A"),
        lambda: session.mark_absent("A"),
        lambda: session.reset("A"),
    ]
    for number, change in enumerate(changes, start=1):
        change()
        assert refused == ["'A' is locked: unlock it to change it."] * number
    assert on_disk(session) == before
    assert session.editable("A") == refused[0]
    session.set_locked("A", False)
    assert session.editable("A") is None
    session.move("A", (1, 1))
    assert session.shown.status_of("A") == LandmarkStatus.CONFIRMED
    session.undo()
    session.undo()
    assert on_disk(session) == before


def test_only_what_has_an_answer_can_be_locked(session: Session, refused: list[str]) -> None:
    session.take_prediction("x", result(session, A=(9, 9)))
    session.set_locked("A", True)
    assert "not annotated yet" in refused[0]
    session.mark_absent("B")
    session.place((1, 1))
    heard: list[tuple[str, ...]] = []
    session.landmarks_changed.connect(heard.append)
    session.lock_all()
    assert [session.locked(name) for name in NAMES] == [False, True, True]
    assert heard == [("B", "C")]
    session.restore("B")
    assert session.shown.status_of("B") == LandmarkStatus.ABSENT, "absent is locked too"
    project = Project.open(session.project.root)
    session.close_project()
    session.open_project(project)
    assert [session.locked(name) for name in NAMES] == [False, True, True], "absent ones are locked on disk as well"
    session.lock_all(False)
    assert not on_disk(session).locked.any()


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_lock_goes_through_the_file_in_2d_and_3d(tmp_path: Path, ndim: int) -> None:
    image = tmp_path / "a.npy"
    np.save(image, np.zeros((20,) * ndim, np.uint8))
    project = create_project(tmp_path / "p", LandmarkSchema.from_names(NAMES), [image])
    grid = project.geometry("a").grid
    locked = LandmarkSet.from_points({"A": (3,) * ndim}, grid, names=NAMES).with_locked("A", True)
    locked = locked.without_point("B", LandmarkStatus.ABSENT).with_locked("B", True)
    project.save_annotations("a", locked)
    assert project.annotations("a") == locked
    project.save_annotations("a", locked.with_locked("A", False))
    assert list(project.annotations("a").locked) == [False, True, False]


# ---- copy and paste


def test_paste_fills_only_what_has_nothing_and_waits_for_an_answer(session: Session) -> None:
    told: list[str] = []
    session.told.connect(told.append)
    assert session.copy() == 0
    assert not session.can_paste
    for point in ((1, 1), (2, 2), (3, 3)):
        session.place(point)
    assert session.copy() == 3
    session.undo()  # what was copied are values
    session.open_case("y")
    session.take_prediction("y", result(session, A=(9, 9)))
    session.mark_absent("B")
    assert session.paste() == 1
    assert words(session) == ["predicted", "absent", "predicted"]
    np.testing.assert_array_equal(session.shown.points[[0, 2]], [(9, 9), (3, 3)])
    assert session.progress("y") == (1, 3)
    assert session.paste() == 0
    assert "Pasted 1 of 3 landmarks: 2 kept what they had here." in told
    session.accept("C")
    assert session.progress("y") == (2, 3)
    session.undo()
    session.undo()
    assert words(session) == ["predicted", "absent", "unplaced"]


def test_paste_leaves_out_what_would_lie_outside(session: Session, tmp_path: Path) -> None:
    session.place((1, 1))
    session.place((35, 45))
    session.copy()
    PillowImage.fromarray(np.zeros((10, 10), np.uint8)).save(tmp_path / "small.png")
    session.add_images([tmp_path / "small.png"])
    session.open_case("small")
    told: list[str] = []
    session.told.connect(told.append)
    assert session.paste() == 1
    assert told == ["Pasted 1 of 2 landmarks: 1 would lie outside this image."]
    assert list(session.shown.placed) == [True, False, False]


# ---- what an answer leaves as it is


@pytest.mark.parametrize("mode", list(LabelMode))
def test_an_answer_for_another_landmark_leaves_the_chosen_one(session: Session, mode: LabelMode) -> None:
    session.take_prediction("x", result(session, B=(3, 4), C=(5, 6)))
    session.set_mode(mode)
    session.set_current("A")
    session.mark_absent("B")
    session.confirm("C")
    assert (session.case_id, session.current) == ("x", "A")
    session.place((1, 2))
    kept = on_disk(session, "x")
    np.testing.assert_array_equal(kept.point("A"), (1, 2))
    assert kept.status_of("B") == LandmarkStatus.ABSENT
    np.testing.assert_array_equal(kept.point("C"), (5, 6))


def test_in_quick_mode_a_click_does_not_take_back_that_a_landmark_is_absent(session: Session) -> None:
    session.set_mode(LabelMode.QUICK)
    session.mark_absent("A")
    assert session.current == "B"
    session.place((1, 2))
    assert words(session) == ["absent", "confirmed", "unplaced"]


def test_a_pasted_point_gives_way_to_a_prediction(session: Session) -> None:
    session.place((5, 5))
    session.copy()
    session.open_case("y")
    session.paste()
    assert words(session)[0] == "predicted"
    session.take_prediction("y", result(session, A=(9, 9)))
    np.testing.assert_array_equal(session.shown.point("A"), (9, 9))
    session.accept_all()
    np.testing.assert_array_equal(on_disk(session).point("A"), (9, 9))
