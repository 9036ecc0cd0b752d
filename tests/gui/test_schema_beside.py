"""A change of the landmarks in all files goes on beside the window, which stays alive and does nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from heartbeat import Heartbeat
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt, QThread, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QProgressDialog, QPushButton
from window import NAMES

from napari_landmarker.engine import project_changes
from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.io.renaming import Taken
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.gui.annotated_counts import AnnotatedCounts
from napari_landmarker.gui.done_count import DoneCount
from napari_landmarker.gui.schema_dialog import SchemaDialog
from napari_landmarker.state.session import Session

#: How long each file takes here, in seconds.
SLOW_S = 0.6


@pytest.fixture
def session(project_2d: Project) -> Iterator[Session]:
    """A project of three images with all landmarks."""
    for number, case in enumerate(project_2d.cases):
        points = {name: (10 + 5 * number, 20 + 7 * at) for at, name in enumerate(NAMES)}
        grid = project_2d.geometry(case.id).grid
        project_2d.save_annotations(case.id, LandmarkSet.from_points(points, grid, names=NAMES))
    session = Session()
    session.open_project(project_2d)
    yield session
    session.close_project(discard=True)


@pytest.fixture
def editor(session: Session, qtbot: QtBot) -> SchemaDialog:
    """The editor, in which the first landmark is renamed."""
    dialog = SchemaDialog(session)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.landmarks.name.selectAll()
    QTest.keyClicks(dialog.landmarks.name, "N")
    return dialog


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[QThread]:
    """The thread in which each file is read; each takes long."""
    used: list[QThread] = []
    read = project_changes.renamed_file

    def slow(*of: Any) -> tuple[bytes | None, Taken]:
        used.append(QThread.currentThread())
        time.sleep(SLOW_S)
        return read(*of)

    monkeypatch.setattr(project_changes, "renamed_file", slow)
    return used


def agree(editor: SchemaDialog) -> None:
    """Save, and answer the question."""
    editor.accept()
    assert editor.question is not None
    button = next(one for one in editor.question.buttons() if one.text() == "Rename and save")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def refused(act: Callable[[], object]) -> str:
    try:
        act()
    except LandmarkerError as error:
        return str(error)
    return ""


def files(session: Session) -> dict[str, bytes]:
    """All that the project consists of."""
    root = session.project.root
    whole = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in whole}


def test_the_window_turns_while_the_files_change_and_shows_how_far_it_is(
    editor: SchemaDialog, session: Session, threads: list[QThread]
) -> None:
    seen: list[tuple[int, int]] = []

    def look() -> None:
        seen.extend((bar.value(), bar.maximum()) for bar in editor.findChildren(QProgressDialog) if bar.isVisible())

    heart = Heartbeat()
    heart.timer.timeout.connect(look)
    agree(editor)
    heart.stop()
    assert len(threads) == 3
    assert editor.thread() not in threads
    assert heart.longest_s < SLOW_S, "no file is waited for"
    assert (1, 3) in seen
    assert not editor.isVisible()
    assert session.names == ("N", *NAMES[1:])
    assert session.annotations.point("N").tolist() == [10, 20]
    saved = Project.open(session.project.root)
    assert [saved.annotations(case.id).point("N").tolist() for case in saved.cases] == [[10, 20], [15, 20], [20, 20]]
    assert not session.project.changed_elsewhere


def test_nothing_else_is_done_with_the_project_meanwhile(
    editor: SchemaDialog, session: Session, threads: list[QThread]
) -> None:
    counts, done = AnnotatedCounts(session, editor), DoneCount(session, editor)
    heard: list[str] = []
    answers: list[str] = []
    session.refused.connect(heard.append)
    before = files(session)

    def try_all() -> None:
        counts.start()
        done._start()
        QTest.qWait(150)
        session.heartbeat()
        session.move(NAMES[0], (1, 1))
        acts = (
            lambda: session.open_case(session.project.cases[1].id),
            lambda: session.set_rater("Eva"),
            lambda: session.set_split(session.project.cases[0].id, Split.TEST),
            lambda: session.close_project(),
        )
        answers.extend(map(refused, acts))
        editor.accept()
        QTest.keyClick(editor, Qt.Key.Key_Escape)
        answers.append(f"{session.names} {counts.busy} {done.busy} {editor.isVisible()} {files(session) == before}")

    QTimer.singleShot(100, try_all)
    agree(editor)
    held = "Many files of the project are just being changed: wait until that is done."
    assert answers == [held] * 4 + [f"{NAMES} True True True True"]
    assert heard == [held]
    assert session.held is None
    assert session.names == ("N", *NAMES[1:])
    session.open_case(session.project.cases[1].id)
    QTest.qWait(300)
    assert (counts.busy, done.busy, len(done.complete)) == (False, False, 3)
    assert sum(counts.counts.values()) == 3


def test_a_change_that_is_stopped_leaves_every_file_as_it_was(
    editor: SchemaDialog, session: Session, threads: list[QThread]
) -> None:
    before = files(session)

    def press_stop() -> None:
        bar = editor.findChild(QProgressDialog)
        QTest.mouseClick(bar.findChild(QPushButton), Qt.MouseButton.LeftButton)

    QTimer.singleShot(int(1000 * 1.5 * SLOW_S), press_stop)
    agree(editor)
    assert len(threads) < 3
    assert files(session) == before
    assert "stopped" in editor.said.text()
    assert editor.isVisible()
    assert editor.tabs.isEnabled()
    assert (session.names, session.held, session.lock_owner) == (NAMES, None, None)
    assert session.annotations.point(NAMES[0]).tolist() == [10, 20]
    session.move(NAMES[0], (11, 12))
    assert Project.open(session.project.root).annotations(session.case_id).point(NAMES[0]).tolist() == [11, 12]


def test_a_change_that_is_cut_off_in_the_middle_of_moving_is_finished_when_the_project_opens(
    editor: SchemaDialog, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, moved = os.replace, list[Path]()

    def once(source: Path, target: Path) -> None:
        if ".pending" in str(source):
            if moved:
                raise OSError(28, "No space left on device")
            moved.append(Path(target))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("napari_landmarker.engine.io.together.os.replace", once)
        agree(editor)
        assert "could not be replaced" in editor.problem.text()
        assert session.lock_owner == editor.problem.text()
        assert len(moved) == 1
    root = session.project.root
    opened = Project.open(root)
    assert opened.schema.names == ("N", *NAMES[1:])
    assert [opened.annotations(case.id).point("N")[0] for case in opened.cases] == [10, 15, 20]
    with pytest.raises(ProjectError):
        session.set_split(session.project.cases[0].id, Split.TEST)
    session.heartbeat()
    assert session.names == ("N", *NAMES[1:])
