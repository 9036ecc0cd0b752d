"""The list of images: rows chosen with mouse and keys, and the menu of the chosen ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtGui import QContextMenuEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMenu

from napari_landmarker.engine.project import Project, Split
from napari_landmarker.gui.case_list import CaseList
from napari_landmarker.state.session import Session

IDS = ["head_0", "head_1", "head_2"]
SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def session(project_2d: Project) -> Iterator[Session]:
    session = Session()
    session.open_project(project_2d)
    yield session
    session.close_project(discard=True)


@pytest.fixture
def rows(session: Session, qtbot: QtBot) -> CaseList:
    """The list of three images; the first one is open."""
    rows = CaseList(session)
    qtbot.addWidget(rows)
    rows.resize(400, 300)
    rows.show()
    qtbot.waitExposed(rows)
    return rows


def click(rows: CaseList, row: int, key: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    place = rows.visualRect(rows.model().index(row, 0)).center()
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, key, place)


def chosen(rows: CaseList) -> list[int]:
    return sorted(index.row() for index in rows.selectionModel().selectedRows())


def do(rows: CaseList, row: int, words: str) -> None:
    """Choose an entry of the menu of a row."""
    menu = rows.menu_at(row)
    next(action for action in menu.actions() if action.text() == words).trigger()
    menu.close()


def shown(rows: CaseList) -> list[str]:
    return [rows.model().index(row, 0).data() for row in range(rows.model().rowCount())]


def test_a_click_opens_an_image_and_shift_or_ctrl_chooses_more(rows: CaseList, session: Session) -> None:
    click(rows, 2)
    assert (session.case_id, chosen(rows)) == ("head_2", [2])
    click(rows, 0, SHIFT)
    assert chosen(rows) == [0, 1, 2]
    click(rows, 1, CTRL)
    assert chosen(rows) == [0, 2]
    click(rows, 1)
    assert (session.case_id, chosen(rows)) == ("head_1", [1])
    QTest.keyClick(rows, Qt.Key.Key_Up, SHIFT)
    assert chosen(rows) == [0, 1]
    session.open_case("head_2")
    assert (chosen(rows), rows.currentIndex().row()) == ([2], 2)


def test_the_use_of_all_chosen_images_changes_in_one_step(rows: CaseList, session: Session) -> None:
    before = [case.split for case in session.project.cases]
    click(rows, 0)
    click(rows, 2, CTRL)
    do(rows, 2, "Use for calibration (2 images)")
    assert [case.split for case in session.project.cases] == [Split.CALIBRATION, before[1], Split.CALIBRATION]
    assert [rows.model().index(row, 1).data() for row in (0, 2)] == ["calibration"] * 2
    session.undo()
    assert [case.split for case in session.project.cases] == before
    do(rows, 1, "Use for test")
    assert [case.split for case in session.project.cases] == [before[0], Split.TEST, before[2]]


def test_an_image_is_taken_out_and_comes_back_with_undo(
    rows: CaseList, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("napari_landmarker.gui.case_list.tell", told.append)
    session.place((10, 20))
    do(rows, 0, "Take out of the project")
    assert (shown(rows), session.case_id, chosen(rows)) == (IDS[1:], "head_1", [0])
    assert "“head_0” is in the project no more; all files stay." in told[0]
    session.undo()
    assert shown(rows) == IDS
    session.open_case("head_0")
    assert session.annotations.point("nasion").tolist() == [10, 20]
    click(rows, 1)
    click(rows, 2, SHIFT)
    do(rows, 1, "Take out of the project (2 images)")
    assert (shown(rows), session.case_id) == (["head_0"], "head_0")


def test_the_last_image_stays_and_a_person_is_told_so(
    rows: CaseList, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[str] = []
    monkeypatch.setattr("napari_landmarker.gui.messages.show_error", errors.append)
    rows.selectAll()
    do(rows, 0, "Take out of the project (3 images)")
    assert shown(rows) == IDS
    assert errors == ["A project needs at least one image: add another one first."]


@pytest.mark.parametrize("by", ["key", "mouse"])
def test_the_menu_is_that_of_the_current_row_or_of_the_one_under_the_mouse(
    rows: CaseList, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Qt tells the place of the key in the list's own coordinates, and that of the mouse below the head of the list."""
    opened: list[list[str]] = []
    monkeypatch.setattr(QMenu, "exec", lambda menu, _: opened.append([action.text() for action in menu.actions()]))
    wanted: list[int] = []
    menu_at = rows.menu_at
    monkeypatch.setattr(rows, "menu_at", lambda row: wanted.append(row) or menu_at(row))
    click(rows, 1)
    if by == "key":
        place = rows.inputMethodQuery(Qt.InputMethodQuery.ImCursorRectangle).center()
        asked = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, place, rows.mapToGlobal(place))
        QApplication.sendEvent(rows, asked)
    else:
        place = rows.visualRect(rows.model().index(2, 0)).center()
        asked = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, rows.viewport().mapToGlobal(place))
        QApplication.sendEvent(rows.viewport(), asked)
    assert wanted == [1 if by == "key" else 2]
    assert opened[0][-1] == "Take out of the project"
