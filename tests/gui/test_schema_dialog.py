"""The editor of the landmarks, by mouse and keys; one behaviour a test."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image as PillowImage
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt, QThread, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QMessageBox, QProgressDialog, QPushButton

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.io.isbi import ISBI_NAMES
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.measure_words import FORMS
from napari_landmarker.gui.schema_button import SchemaButton
from napari_landmarker.gui.schema_dialog import SchemaDialog
from napari_landmarker.state.session import Session

K = Qt.Key
ALT = Qt.KeyboardModifier.AltModifier
SCHEMA = LandmarkSchema.parse(
    {
        "landmarks": [{"name": name} for name in ("nasion", "sella", "menton")],
        "edges": [("nasion", "sella")],
        "measurements": [{"name": "depth", "kind": "distance", "landmarks": ("nasion", "sella")}],
    }
)


@pytest.fixture
def session(tmp_path: Path, images_2d: list[Path]) -> Iterator[Session]:
    session = Session()
    session.open_project(create_project(tmp_path / "study", SCHEMA, images_2d))
    session.place((10, 20))
    session.next_case()
    session.place((30, 40))
    session.place((50, 60))
    yield session
    session.close_project(discard=True)


@pytest.fixture
def editor(session: Session, qtbot: QtBot) -> SchemaDialog:
    dialog = SchemaDialog(session)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def names(editor: SchemaDialog) -> list[str]:
    rows = editor.landmarks.items.rows
    return [rows.item(row).text() for row in range(rows.count())]


def choose(editor: SchemaDialog, row: int) -> None:
    editor.landmarks.items.rows.setCurrentRow(row)


def type_name(editor: SchemaDialog, text: str) -> None:
    editor.landmarks.name.selectAll()
    QTest.keyClicks(editor.landmarks.name, text) if text else QTest.keyClick(editor.landmarks.name, K.Key_Delete)


def click(button: QPushButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def on_disk(session: Session) -> LandmarkSchema:
    return Project.open(session.project.root).schema


def question(editor: SchemaDialog) -> QMessageBox:
    assert editor.question is not None
    return editor.question


def answer(editor: SchemaDialog, text: str) -> None:
    click(next(button for button in question(editor).buttons() if button.text() == text))


# ---- landmarks


def test_a_renamed_landmark_that_is_annotated_asks_and_keeps_its_points(editor: SchemaDialog, session: Session) -> None:
    type_name(editor, "N")
    assert names(editor) == ["N", "sella", "menton"]
    click(editor.save)
    assert "“nasion” is annotated in 2 images: it is called “N” there from now on." in question(editor).text()
    assert on_disk(session) == SCHEMA
    answer(editor, "Rename and save")
    assert on_disk(session).names == ("N", "sella", "menton")
    assert on_disk(session).edges == (("N", "sella"),)
    assert session.annotations.point("N").tolist() == [30, 40]
    assert not editor.isVisible()


def test_a_removed_landmark_that_is_annotated_asks_and_loses_its_points(editor: SchemaDialog, session: Session) -> None:
    choose(editor, 1)
    QTest.keyClick(editor.landmarks.items.rows, K.Key_Delete)
    assert "“sella” is removed, and with it 1 line and depth" in editor.said.text()
    click(editor.save)
    assert "“sella” is annotated in 1 image: its points there are deleted." in question(editor).text()
    answer(editor, "Delete points and save")
    assert on_disk(session).names == ("nasion", "menton")
    assert on_disk(session).measurements == ()
    assert session.annotations.names == ("nasion", "menton")


def test_a_landmark_takes_the_name_of_one_removed_in_the_same_edit(editor: SchemaDialog, session: Session) -> None:
    was = session.annotations.point("sella").tolist()
    choose(editor, 0)
    QTest.keyClick(editor.landmarks.items.rows, K.Key_Delete)
    choose(editor, 0)
    type_name(editor, "nasion")
    click(editor.save)
    text = question(editor).text()
    assert "“nasion” is annotated in 2 images: its points there are deleted." in text
    assert "“sella” is annotated in 1 image: it is called “nasion” there from now on." in text
    answer(editor, "Delete points and save")
    assert on_disk(session).names == ("nasion", "menton")
    assert session.annotations.point("nasion").tolist() == was


def test_going_back_from_the_question_changes_nothing_and_keeps_the_draft(
    editor: SchemaDialog, session: Session
) -> None:
    QTest.keyClick(editor.landmarks.items.rows, K.Key_Delete)
    click(editor.save)
    answer(editor, "Go back")
    assert editor.question is None
    assert on_disk(session) == SCHEMA
    assert editor.isVisible()
    assert names(editor) == ["sella", "menton"]


def test_the_look_through_thousands_of_annotations_is_beside_the_window_and_can_be_stopped(
    editor: SchemaDialog, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, stopped = [], []

    def slow(_: Project, names: Sequence[str], progress: Progress) -> None:
        threads.append(QThread.currentThread())
        try:
            while True:
                progress(1, 5000)
                time.sleep(0.01)
        finally:
            stopped.append(names)

    def press_stop() -> None:
        dialog = editor.findChild(QProgressDialog)
        assert (dialog.value(), dialog.maximum()) == (1, 5000)
        click(next(button for button in dialog.findChildren(QPushButton) if button.text() == "Stop"))

    monkeypatch.setattr("napari_landmarker.state.project_edits.annotated_in", slow)
    QTest.keyClick(editor.landmarks.items.rows, K.Key_Delete)
    QTimer.singleShot(1500, press_stop)
    click(editor.save)
    assert stopped == [("nasion",)]
    assert threads[0] is not editor.thread()
    assert "stopped" in editor.said.text()
    assert editor.isVisible()
    assert on_disk(session) == SCHEMA
    monkeypatch.undo()
    click(editor.save)
    assert "“nasion” is annotated in 2 images" in question(editor).text()


def test_what_nobody_annotated_is_saved_without_a_question(editor: SchemaDialog, session: Session) -> None:
    choose(editor, 2)
    type_name(editor, "Me")
    click(editor.save)
    assert editor.question is None
    assert on_disk(session).names == ("nasion", "sella", "Me")


def test_cancel_changes_nothing(editor: SchemaDialog, session: Session) -> None:
    type_name(editor, "N")
    QTest.keyClick(editor, K.Key_Escape)
    assert on_disk(session) == SCHEMA
    assert not editor.isVisible()


def test_a_landmark_is_added_with_keys_and_typed_at_once(editor: SchemaDialog, session: Session) -> None:
    QTest.keyClick(editor.landmarks.items.rows, K.Key_Insert)
    assert editor.focusWidget() is editor.landmarks.name
    QTest.keyClicks(editor.landmarks.name, "orbitale")
    QTest.keyClick(editor.landmarks.name, K.Key_Return)
    QTest.keyClicks(editor.landmarks.name, "porion")
    assert editor.isVisible()
    QTest.keyClick(editor.landmarks.name, K.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert not editor.isVisible()
    assert on_disk(session).names == ("nasion", "orbitale", "porion", "sella", "menton")


def test_landmarks_are_put_in_another_order_with_keys(editor: SchemaDialog, session: Session) -> None:
    rows = editor.landmarks.items.rows
    QTest.keyClick(rows, K.Key_Down, ALT)
    QTest.keyClick(rows, K.Key_Down, ALT)
    assert names(editor) == ["sella", "menton", "nasion"]
    QTest.keyClick(rows, K.Key_Up, ALT)
    click(editor.landmarks.items.up)
    click(editor.landmarks.items.down)
    assert names(editor) == ["sella", "nasion", "menton"]
    click(editor.save)
    assert editor.question is None
    assert on_disk(session).names == ("sella", "nasion", "menton")
    assert session.annotations.point("nasion").tolist() == [30, 40]


def test_landmarks_are_put_in_another_order_with_the_mouse(editor: SchemaDialog) -> None:
    rows = editor.landmarks.items.rows
    assert rows.dragDropMode() == rows.DragDropMode.InternalMove
    editor.landmarks.items.rows.dropped.emit(0, 2)
    assert names(editor) == ["sella", "menton", "nasion"]
    assert editor.landmarks.item.name == "nasion"


def test_colour_group_description_and_side_are_saved(editor: SchemaDialog, session: Session) -> None:
    page = editor.landmarks
    page.set_color("#112233")
    page.group.lineEdit().clear()
    QTest.keyClicks(page.group.lineEdit(), "skull")
    QTest.keyClicks(page.where, "Where the nose begins.")
    page.partner.choose("menton")
    click(editor.save)
    definition = on_disk(session).definition("nasion")
    assert (definition.color, definition.group) == ("#112233", "skull")
    assert definition.description == "Where the nose begins."
    assert on_disk(session).pairs == (("nasion", "menton"),)


def test_an_example_picture_is_copied_into_the_project(editor: SchemaDialog, session: Session, tmp_path: Path) -> None:
    PillowImage.new("RGB", (30, 20), "red").save(tmp_path / "where.png")
    editor.landmarks.set_picture(tmp_path / "where.png")
    assert not editor.landmarks.picture.pixmap().isNull()
    click(editor.save)
    assert on_disk(session).definition("nasion").example == "pictures/nasion.png"
    assert session.example("nasion") == session.project.root / "pictures" / "nasion.png"
    again = SchemaDialog(session)
    again.landmarks.set_picture(None)
    again.accept()
    assert on_disk(session).definition("nasion").example == ""


def test_a_landmark_that_is_removed_and_added_again_by_the_same_name_starts_anew(
    editor: SchemaDialog, session: Session
) -> None:
    definition = editor.draft.landmarks[2]
    choose(editor, 2)
    QTest.keyClick(editor.landmarks.items.rows, K.Key_Delete)
    click(editor.landmarks.items.add)
    type_name(editor, "menton")
    editor.landmarks.set_color(definition.color)
    session.set_current("menton")
    click(editor.save)
    assert on_disk(session).names == SCHEMA.names
    assert editor.question is None, "nothing is annotated there"


@pytest.mark.parametrize("edit", ["rename", "remove"])
def test_ctrl_z_brings_landmarks_points_and_pictures_back(
    editor: SchemaDialog, session: Session, tmp_path: Path, edit: str
) -> None:
    before = {path: path.read_bytes() for path in (session.project.root / "annotations").rglob("x*.json")}
    PillowImage.new("RGB", (30, 20), "red").save(tmp_path / "where.png")
    if edit == "rename":
        editor.landmarks.set_picture(tmp_path / "where.png")
        type_name(editor, "N")
    else:
        QTest.keyClick(editor.landmarks.items.rows, K.Key_Delete)
    click(editor.save)
    text = question(editor).informativeText()
    assert "It can be undone while the project is open." in text
    answer(editor, "Rename and save" if edit == "rename" else "Delete points and save")
    changed = on_disk(session)
    assert changed != SCHEMA
    session.undo()
    assert on_disk(session) == SCHEMA
    assert {path: path.read_bytes() for path in before} == before
    assert session.annotations.point("nasion").tolist() == [30, 40]
    session.undo()
    assert session.annotations.status_of("sella") == "unplaced"
    session.redo()
    session.redo()
    assert on_disk(session) == changed
    assert ("N" in session.names) == (edit == "rename")
    if edit == "rename":
        assert session.example("N") == session.project.root / "pictures" / "N.png"


# ---- mistakes


def test_a_mistake_is_said_beside_its_field_and_nothing_is_saved(editor: SchemaDialog, session: Session) -> None:
    type_name(editor, "sella")
    sentence = "Another landmark is called “sella” too: give one of them another name."
    assert editor.landmarks.fields.problem("name") == sentence
    assert editor.tabs.tabText(0) == "⚠ Landmarks"
    choose(editor, 2)
    assert editor.landmarks.fields.problem("name") == ""
    click(editor.save)
    assert editor.landmarks.item.name == "sella"
    assert editor.focusWidget() is editor.landmarks.name
    assert on_disk(session) == SCHEMA
    type_name(editor, "nasion")
    assert editor.landmarks.fields.problem("name") == ""
    assert editor.tabs.tabText(0) == "Landmarks"


def test_saving_goes_to_the_page_of_the_mistake(editor: SchemaDialog) -> None:
    editor.measurements.add()
    click(editor.save)
    assert editor.tabs.currentWidget() is editor.measurements
    assert editor.measurements.fields.problem("landmarks") == "Choose a landmark in each of these fields."


def test_a_project_without_landmarks_is_refused(editor: SchemaDialog, session: Session) -> None:
    for _ in range(3):
        QTest.keyClick(editor.landmarks.items.rows, K.Key_Delete)
    click(editor.save)
    assert editor.problem.text() == "A project needs at least one landmark: add one."
    assert on_disk(session) == SCHEMA


def test_a_disk_that_fails_is_said_and_the_editor_stays(
    editor: SchemaDialog, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_landmarker.engine.errors import ProjectError

    def fail(*_: object, **__: object) -> None:
        raise ProjectError("The disk is full.")

    monkeypatch.setattr(session, "change_schema", fail)
    choose(editor, 2)
    type_name(editor, "Me")
    click(editor.save)
    assert editor.problem.text() == "The disk is full."
    assert editor.isVisible()


# ---- lines and measurements


def test_a_line_is_added_and_removed(editor: SchemaDialog, session: Session) -> None:
    editor.tabs.setCurrentWidget(editor.lines)
    click(editor.lines.items.add)
    assert editor.lines.ends[0].landmark.name == "sella"
    assert editor.lines.fields.problem("ends") == "A line needs two landmarks: choose both."
    editor.lines.ends[1].choose("menton")
    assert editor.lines.fields.problem("ends") == ""
    editor.lines.items.rows.setCurrentRow(0)
    click(editor.lines.items.remove)
    click(editor.save)
    assert on_disk(session).edges == (("sella", "menton"),)


def test_a_measurement_is_made_with_norm_and_deviation(editor: SchemaDialog, session: Session) -> None:
    page = editor.measurements
    editor.show_measurements()
    click(page.items.add)
    QTest.keyClicks(page.name, "bend")
    page.form.setCurrentIndex(next(at for at, form in enumerate(FORMS) if form.title == "Angle at a point"))
    for choice, name in zip(page.landmarks, ("nasion", "sella", "menton"), strict=False):
        choice.choose(name)
    assert page.said.text() == "Angle at sella between nasion and menton."
    assert not page.landmarks[3].isVisible()
    assert page.norm_label.text() == "Norm (°)"
    QTest.keyClicks(page.deviation, "2")
    assert page.fields.problem("norm") == "A deviation needs a norm that it is from: type it, or leave both empty."
    QTest.keyClicks(page.norm, "12,5")
    assert page.fields.problem("norm") == ""
    QTest.keyClicks(page.source, "Riedel 1952")
    click(editor.save)
    made = on_disk(session).measurements[1]
    assert (made.name, made.kind, made.landmarks) == ("bend", "angle", ("nasion", "sella", "menton"))
    assert (made.norm, made.deviation, made.source) == (12.5, 2.0, "Riedel 1952")


def test_a_renamed_landmark_is_offered_by_its_new_name(editor: SchemaDialog) -> None:
    type_name(editor, "N")
    editor.show_measurements()
    assert editor.measurements.landmarks[0].currentText() == "N"


def test_the_cephalometric_analysis_is_offered_where_the_landmarks_allow_it(
    editor: SchemaDialog, tmp_path: Path, images_2d: list[Path], qtbot: QtBot
) -> None:
    (button,) = editor.measurements.sets.values()
    assert not button.isEnabled()
    assert "Subspinale_A" in button.toolTip()
    session = Session()
    session.open_project(create_project(tmp_path / "heads", LandmarkSchema.from_names(ISBI_NAMES), images_2d))
    other = SchemaDialog(session)
    qtbot.addWidget(other)
    (button,) = other.measurements.sets.values()
    click(button)
    assert other.measurements.items.rows.count() == 16
    other.accept()
    assert [m.name for m in on_disk(session).measurements][:3] == ["SNA", "SNB", "ANB"]
    session.close_project()


# ---- the button


def test_the_button_opens_one_editor_and_none_where_another_window_writes(session: Session, qtbot: QtBot) -> None:
    button = SchemaButton(session)
    qtbot.addWidget(button)
    button.show()
    click(button)
    first = button.dialog
    assert first is not None
    button.edit(measurements=True)
    assert button.dialog is first
    first.reject()
    assert button.dialog is None
    second = Session()
    second.open_project(Project.open(session.project.root))
    other = SchemaButton(second)
    qtbot.addWidget(other)
    assert not other.isEnabled()
    assert other.toolTip() == second.lock_owner
    other.edit()
    assert other.dialog is None
    second.close_project()


def test_every_field_is_reached_with_the_tab_key(editor: SchemaDialog) -> None:
    editor.landmarks.items.rows.setFocus()
    reached = set()
    for _ in range(30):
        reached.add(editor.focusWidget())
        QTest.keyClick(editor.focusWidget(), K.Key_Tab)
    page = editor.landmarks
    assert {page.name, page.color, page.partner, page.where, page.take, page.items.add, editor.save} <= reached
    assert page.group in reached or page.group.lineEdit() in reached
