"""`Session`: other programs, other windows and other raters at the same project. No window."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from results import on_disk, result, words

from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.io.atomic import this_host
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.state import lock
from napari_landmarker.state.lock import LOCK_FILE, ProjectLock
from napari_landmarker.state.session import Session


def changed_by_others(session: Session, case_id: str, **points: tuple[float, float]) -> None:
    """Another program moves landmarks in the file of a case."""
    project = Project.open(session.project.root)
    landmarks = project.annotations(case_id)
    for name, point in points.items():
        landmarks = landmarks.with_point(name, point)
    project.save_annotations(case_id, landmarks)


# ---- files that another program changed


@pytest.mark.parametrize("keep", ["mine", "theirs"])
def test_a_file_changed_by_another_program_is_not_written_over_unasked(session: Session, keep: str) -> None:
    conflicts: list[str] = []
    failed: list[str] = []
    session.conflict.connect(conflicts.append)
    session.failed.connect(failed.append)
    session.place((1, 1))
    changed_by_others(session, "x", A=(7, 7), C=(8, 8))
    session.place((2, 2))
    session.place((3, 3))
    assert (conflicts, session.conflicts, session.unsaved) == (["x"], ("x",), True)
    np.testing.assert_array_equal(on_disk(session).points, [(7, 7), (np.nan, np.nan), (8, 8)])
    np.testing.assert_array_equal(session.annotations.points, [(1, 1), (2, 2), (3, 3)])
    session.open_case("y")
    session.place((5, 5))
    assert on_disk(session, "y").placed[0], "other cases are saved as ever"
    with pytest.raises(ProjectError, match="'x' were changed by another program"):
        session.close_project()
    session.open_case("x")
    session.resolve("x", keep)
    assert (session.conflicts, session.unsaved) == ((), False)
    mine, theirs = [(1, 1), (2, 2), (3, 3)], [(7, 7), (np.nan, np.nan), (8, 8)]
    for landmarks in (on_disk(session), session.annotations):
        np.testing.assert_array_equal(landmarks.points, mine if keep == "mine" else theirs)
    if keep == "theirs":
        session.undo()
        np.testing.assert_array_equal(on_disk(session).points, mine)
    session.move("A", (9, 9))
    assert not session.unsaved


def test_a_file_that_appears_counts_as_changed_and_one_that_is_gone_does_not(session: Session) -> None:
    conflicts: list[str] = []
    session.conflict.connect(conflicts.append)
    changed_by_others(session, "x", A=(7, 7))
    session.place((1, 1))
    assert conflicts == ["x"]
    session.resolve("x", "mine")
    session.project.annotation_path("x").unlink()
    session.place((2, 2))
    assert conflicts == ["x"]
    np.testing.assert_array_equal(on_disk(session).points[:2], [(1, 1), (2, 2)])


def test_a_conflict_whose_file_is_damaged_stays(session: Session) -> None:
    session.place((1, 1))
    session.project.annotation_path("x").write_text("{", encoding="utf-8")
    session.place((2, 2))
    with pytest.raises(LandmarkerError, match=r"x\.json"):
        session.resolve("x", "theirs")
    assert session.conflicts == ("x",)
    np.testing.assert_array_equal(session.annotations.points[:2], [(1, 1), (2, 2)])


# ---- windows


def test_a_second_window_can_look_but_not_write_until_it_takes_over(session: Session) -> None:
    second = Session()
    told: list[str] = []
    heard: list[bool] = []
    for one in (session, second):
        one.refused.connect(told.append)
    second.open_project(Project.open(session.project.root))
    assert second.read_only
    assert "open in another window on this computer since" in second.lock_owner
    assert not session.read_only
    session.place((1, 1))
    second.place((2, 2))
    assert (told, second.unsaved) == ([second.lock_owner], False)
    for change in (
        lambda: second.set_split("x", Split.TEST),
        lambda: second.take_prediction("x", result(second, A=(3, 3))),
        lambda: second.set_reviewed("x"),
        lambda: second.change_schema(second.project.schema),
    ):
        with pytest.raises(ProjectError, match="another window"):
            change()
    session.access_changed.connect(lambda: heard.append(session.read_only))
    second.take_over()
    assert not second.read_only
    assert not session.read_only, "it hears of it at its next edit or heartbeat"
    session.place((9, 9))
    assert (session.read_only, heard) == (True, [True])
    assert not on_disk(session).placed[1]
    second.open_case("x")
    assert second.place((2, 2))
    np.testing.assert_array_equal(on_disk(second).points[:2], [(1, 1), (2, 2)])
    second.close_project()
    session.take_over()
    assert not session.read_only


def test_a_heartbeat_tells_of_the_other_window(session: Session) -> None:
    second = Session()
    second.open_project(Project.open(session.project.root), take_over=True)
    assert not second.read_only
    session.heartbeat()
    assert session.read_only


def test_a_window_that_goes_away_leaves_no_lock_and_loses_nothing(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = session.project.root / LOCK_FILE
    root = session.project.root
    heard: list[str] = []
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise ProjectError("The disk is full: free some space.")

        patch.setattr(session.project, "save_annotations", fail)
        session.place((1, 1))
    session.project_changed.connect(lambda: heard.append("signal"))
    assert path.exists()
    session.leave()
    assert (heard, path.exists()) == ([], False)
    assert Project.open(root).annotations("x").placed[0]


HOLD = """
import sys, time
from pathlib import Path
from napari_landmarker.state.lock import ProjectLock
lock = ProjectLock(Path(sys.argv[1]))
print(lock.acquire() is None, flush=True)
time.sleep(60)
"""


def test_a_lock_of_a_process_that_was_killed_is_taken(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "True\n"
    mine = ProjectLock(tmp_path)
    owner = mine.acquire()
    assert owner is not None
    assert owner.pid == process.pid
    process.kill()
    process.wait()
    process.stdout.close()
    assert mine.acquire() is None
    assert mine.held
    assert sorted(p.name for p in tmp_path.iterdir()) == [LOCK_FILE]
    mine.release()
    assert not list(tmp_path.iterdir())


RACE = """
import sys, time
from pathlib import Path
from napari_landmarker.state.lock import ProjectLock
root = Path(sys.argv[1])
while not (root / "go").exists():
    time.sleep(0.001)
lock = ProjectLock(root)
print(lock.acquire() is None, flush=True)
sys.stdin.readline()
"""


def test_of_processes_that_open_at_once_after_a_crash_one_gets_the_lock(tmp_path: Path) -> None:
    left = {"token": "t", "host": lock.socket.gethostname(), "pid": os.getpid(), "born": 0.0, "since": 0.0}
    (tmp_path / LOCK_FILE).write_text(json.dumps(left))  # this process began later than the one that is said
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen([sys.executable, "-c", RACE, str(tmp_path)], stdin=pipe, stdout=pipe, text=True)
        for _ in range(3)
    ]
    (tmp_path / "go").touch()
    answers = [process.stdout.readline().strip() for process in processes]
    for process in processes:
        process.communicate("\n")
    assert sorted(answers) == ["False", "False", "True"]


def test_a_lock_of_another_computer_is_left_behind_only_after_long_silence(tmp_path: Path) -> None:
    path = tmp_path / LOCK_FILE
    path.write_text(json.dumps({"token": "t", "host": "far", "pid": 1, "born": 0.0, "since": time.time()}))
    mine = ProjectLock(tmp_path)
    owner = mine.acquire()
    assert owner is not None
    assert "on the computer far since" in owner.sentence
    silent = time.time() - lock.STALE_S - 5
    os.utime(path, (silent, silent))
    assert mine.acquire() is None


def test_renewing_keeps_a_lock_young_and_makes_it_again_where_it_is_gone(tmp_path: Path) -> None:
    mine = ProjectLock(tmp_path)
    mine.acquire()
    path = tmp_path / LOCK_FILE
    os.utime(path, (0, 0))
    assert mine.renew() is None
    assert path.stat().st_mtime > time.time() - 60
    path.unlink()
    assert mine.renew() is None
    assert mine.held


def test_a_damaged_lock_file_is_somebody_until_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / LOCK_FILE
    path.write_text("")
    mine = ProjectLock(tmp_path)
    assert mine.acquire() is not None
    os.utime(path, (0, 0))
    assert mine.acquire() is None


# ---- raters


def test_each_rater_has_annotations_and_a_history_of_their_own(session: Session) -> None:
    heard: list[str] = []
    session.rater_changed.connect(lambda: heard.append("rater"))
    session.place((1, 1))
    session.set_rater("Eva")
    assert (session.rater, session.raters, heard) == ("Eva", ("Eva", "rater1"), ["rater"])
    assert (words(session), session.progress("x"), session.can_undo) == (["unplaced"] * 3, (0, 3), False)
    session.place((5, 5))
    session.set_rater("rater1")
    assert (words(session)[0], session.progress("x")) == ("confirmed", (1, 3))
    session.undo()
    assert not on_disk(session).placed.any()
    session.set_rater("Eva")
    np.testing.assert_array_equal(session.annotations.point("A"), (5, 5))
    assert session.can_undo
    assert Project.open(session.project.root).rater == "Eva"
    for name in ("../x", "", ".hidden", "a/b"):
        with pytest.raises(ProjectError, match="cannot be a rater's name"):
            session.set_rater(name)
    assert session.rater == "Eva"


def test_another_raters_landmarks_are_seen_beside_and_follow_the_case(session: Session) -> None:
    session.place((1, 1))
    session.set_rater("Eva")
    heard: list[LandmarkSet | None] = []
    session.other_changed.connect(lambda: heard.append(session.other))
    session.show_rater("rater1")
    np.testing.assert_array_equal(session.other.point("A"), (1, 1))
    session.open_case("y")
    assert not session.other.placed.any()
    session.show_rater(None)
    assert (session.other, session.other_rater, len(heard)) == (None, None, 3)
    session.show_rater("Eva")
    assert session.other_rater is None, "nobody is beside oneself"
    with pytest.raises(ProjectError, match="no rater 'Max'"):
        session.show_rater("Max")
    session.show_rater("rater1")
    session.project.annotation_path("x", "rater1").write_text("{", encoding="utf-8")
    failed: list[str] = []
    session.failed.connect(failed.append)
    session.open_case("x")
    assert (session.other, len(failed)) == (None, 1)
    session.close_project()
    assert (session.other_rater, session.rater, session.raters) == (None, "", ())


def test_the_points_of_the_model_are_beside_where_a_person_dealt_with_their_landmarks(session: Session) -> None:
    assert session.beside is None
    session.show_model()
    assert session.beside is None, "the model said nothing of this image yet"
    grid = session.annotations.grid
    points = {"A": (1, 2), "B": (3, 4)}
    session.model = "m"
    session.predictions = LandmarkSet.from_points(points, grid, names=session.names, status=LandmarkStatus.PREDICTED)
    assert not session.beside.placed.any()
    session.set_current("A")
    session.place((5, 5))
    np.testing.assert_array_equal(session.beside.point("A"), (1, 2))
    assert session.beside.placed.sum() == 1
    session.show_rater(None)
    assert (session.beside, session.beside_model) == (None, False)
    session.show_model()
    session.close_project()
    assert (session.beside, session.beside_model) == (None, False)


# ---- what a killed program left behind


def test_half_written_files_are_removed_by_who_writes_in_the_project_and_by_nobody_else(session: Session) -> None:
    root = session.project.root
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    half = root / "annotations" / session.rater / f".x.json.{this_host()}-{process.pid}-abcdefgh.tmp"
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_bytes(b"half")
    second = Session()
    second.open_project(Project.open(root))
    assert second.read_only
    assert half.exists(), "who only looks at a project changes nothing in it"
    second.take_over()
    assert not half.exists()
    half.write_bytes(b"half")
    second.close_project()
    session.close_project(discard=True)
    session.open_project(Project.open(root))
    assert not half.exists()
