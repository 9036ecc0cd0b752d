"""Opening and making projects, the lists, the buttons, import and export, and what happens on bad input."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari import Viewer
from PIL import Image as PillowImage
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox
from window import NAMES, Canvas, prediction

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.project import Case, Project, Split
from napari_landmarker.gui import samples
from napari_landmarker.gui.project_dialog import ProjectDialog
from napari_landmarker.gui.widget import LandmarkerWidget


@pytest.fixture
def open_2d(widget: LandmarkerWidget, project_2d: Project) -> LandmarkerWidget:
    """The widget with the 2D project."""
    widget.open_project(project_2d.root)
    QApplication.processEvents()
    return widget


@pytest.fixture
def dialog(widget: LandmarkerWidget, images_2d: list[Path], tmp_path: Path) -> ProjectDialog:
    """The dialog, filled in as it should be."""
    dialog = ProjectDialog(widget)
    dialog.images.setText(str(images_2d[0].parent))
    dialog.landmarks.setPlainText("left eye\n\n  right eye \n")
    return dialog


def texts(table: object) -> list[list[str]]:
    """What stands in a table."""
    model = table.model()
    return [
        [model.index(row, column).data() for column in range(model.columnCount())] for row in range(model.rowCount())
    ]


# ---- the start


def test_the_start_page_offers_three_ways_and_the_other_tabs_say_why_not(widget: LandmarkerWidget) -> None:
    assert widget.first.currentWidget() is widget.start
    actions = widget.start.actions_
    assert [actions.new.text(), actions.open.text(), actions.sample.text()] == [
        "New project…", "Open project…", "Open a sample",
    ]  # fmt: skip
    assert [widget.tabs.isTabEnabled(tab) for tab in range(4)] == [True, False, False, False]
    assert widget.tabs.tabToolTip(1) == "Open or create a project first."


def test_open_asks_for_a_folder_and_opens_the_project(
    widget: LandmarkerWidget, project_2d: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda *_: str(project_2d.root))
    widget.start.actions_.open.click()
    assert widget.bar.name.text() == "study"
    assert widget.first.currentWidget() is widget.annotate
    assert all(widget.tabs.isTabEnabled(tab) for tab in range(4))
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda *_: "")
    widget.bar.actions_.open.click()
    assert widget.bar.name.text() == "study"


def test_a_sample_project_opens_with_one_click(
    widget: LandmarkerWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    monkeypatch.setattr(samples, "samples_folder", lambda: tmp_path / "home")
    widget.start.actions_.sample.menu().actions()[1].trigger()
    assert widget.session.project.root == tmp_path / "home" / "sample-hippocampus"
    assert widget.session.shown.placed.all()
    assert widget.session.image.grid.ndim == 3
    assert len(told) == 1
    assert "sample-hippocampus" in told[0]


def test_samples_open_in_napari_with_their_landmarks_on_them(make_napari_viewer: Callable[..., Viewer]) -> None:
    viewer = make_napari_viewer()
    for sample in (samples.fundus, samples.hippocampus):
        for data, options, kind in sample():
            getattr(viewer, f"add_{kind}")(data, **options)
    fundus, points, volume, points_3d = viewer.layers
    assert fundus.rgb
    assert fundus.data.shape == (356, 536, 3)
    assert list(points.features["name"]) == ["optic_disc_centre", "fovea"]
    assert (points.data > 0).all()
    assert (points.data < fundus.data.shape[:2]).all()
    assert (points_3d.data > 0).all()
    assert (points_3d.data < volume.data.shape).all()


# ---- a new project


def test_the_dialog_makes_a_project_beside_the_images(dialog: ProjectDialog, images_2d: list[Path]) -> None:
    folder = images_2d[0].parent
    assert dialog.folder.text() == str(folder.with_name("pictures-landmarks"))
    dialog.spacing.setText("0.25")
    dialog.create.click()
    project = Project.open(folder.with_name("pictures-landmarks"))
    assert project.schema.names == ("left eye", "right eye")
    assert [case.id for case in project.cases] == ["head_0", "head_1", "head_2"]
    assert project.geometry("head_0").grid.spacing == (0.25, 0.25)


def test_the_dialog_takes_a_table_of_annotations_and_a_file_of_names(
    dialog: ProjectDialog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "names.txt").write_text("A\nB\n", encoding="utf-8")
    choice = str(tmp_path / "names.txt")
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getOpenFileName", lambda *_: (choice, ""))
    dialog._choose_names()
    assert dialog.landmarks.toPlainText() == "A\nB"
    (tmp_path / "table.csv").write_text("image,landmark,x,y\nhead_1.png,B,7.5,3\n", encoding="utf-8")
    dialog.annotations.setText(str(tmp_path / "table.csv"))
    dialog.create.click()
    np.testing.assert_array_equal(dialog.project.annotations("head_1").point("B"), (3, 7.5))


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("images", "", "Choose the folder with the images"),
        ("images", "EMPTY", "EMPTY"),
        ("folder", "", "Choose a folder for the project"),
        ("landmarks", "", "no landmark"),
        ("landmarks", "A\nB\nA", "'A' is given twice"),
        ("spacing", "fine", "'fine' is no number"),
        ("spacing", "1, 2, 3", "2D"),
        ("spacing", "0", "positive"),
        ("annotations", "nowhere", "nowhere"),
    ],
)
def test_what_is_wrong_stands_in_the_dialog_which_stays_open(
    dialog: ProjectDialog, tmp_path: Path, field: str, text: str, sentence: str
) -> None:
    if text == "EMPTY":
        (tmp_path / "EMPTY").mkdir()
        text = str(tmp_path / "EMPTY")
    if field == "landmarks":
        dialog.landmarks.setPlainText(text)
    else:
        getattr(dialog, field).setText(text)
    dialog.create.click()
    assert sentence in dialog.problem.text()
    assert "\n" not in dialog.problem.text()
    assert dialog.project is None
    assert not (tmp_path / "pictures-landmarks").exists()


# ---- the lists


def test_the_lists_say_what_is_done(open_2d: LandmarkerWidget, canvas: Canvas, qtbot: QtBot) -> None:
    panel, session = open_2d.annotate, open_2d.session
    for case in session.project.cases:
        session.set_split(case.id, Split.TEST)
    qtbot.waitUntil(lambda: panel.summary.text() == "0 of 3 images done")
    canvas.click((30, 30))
    session.mark_absent("sella")
    assert texts(panel.cases)[0] == ["head_0", "test", "2/3"]
    assert [row[:2] for row in texts(panel.landmarks)] == [
        ["nasion", "confirmed"], ["sella", "not visible"], ["menton", "not placed"],
    ]  # fmt: skip
    session.take_prediction("head_0", prediction(session, {"menton": (40, 50)}), model="m")
    session.model = "m"
    session.open_case("head_0")
    assert texts(panel.landmarks)[2] == ["menton", "predicted", "0.50"]
    session.accept_all()
    assert texts(panel.cases)[0] == ["head_0", "test", "✓ 3/3"]
    assert panel.summary.text() == "1 of 3 images done"
    assert panel.hint.text() == "All landmarks of this image have a place."


def test_a_click_in_the_list_opens_the_image_and_one_that_cannot_be_opened_is_told(
    open_2d: LandmarkerWidget, images_2d: list[Path], told: list[str], qtbot: QtBot
) -> None:
    cases = open_2d.annotate.cases
    cases.selectRow(2)
    assert open_2d.session.case_id == "head_2"
    assert open_2d.layers.image.name == "head_2"
    images_2d[1].write_bytes(b"this is no image")
    cases.selectRow(1)
    assert open_2d.session.case_id == "head_2"
    assert len(told) == 1
    assert "head_1.png" in told[0]
    assert "\n" not in told[0]
    qtbot.waitUntil(lambda: cases.currentIndex().row() == 2)
    assert [index.row() for index in cases.selectionModel().selectedRows()] == [2]


def test_no_list_is_rebuilt_for_an_edit(open_2d: LandmarkerWidget, canvas: Canvas) -> None:
    rebuilt: list[str] = []
    for table in (open_2d.annotate.cases, open_2d.annotate.landmarks):
        table.model().modelReset.connect(lambda: rebuilt.append("rebuilt"))
        table.model().layoutChanged.connect(lambda: rebuilt.append("laid out"))
    canvas.click((30, 30))
    canvas.undo()
    open_2d.session.accept_all()
    assert rebuilt == []


def test_thousands_of_images_open_at_once_and_a_click_costs_no_more(
    widget: LandmarkerWidget, canvas: Canvas, project_2d: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {f"case_{n:04d}": Case(id=f"case_{n:04d}", image=project_2d.case("head_0").image) for n in range(5_000)}
    monkeypatch.setattr(project_2d, "_cases", many)
    read: list[str] = []
    annotations = project_2d.annotations
    monkeypatch.setattr(project_2d, "annotations", lambda case_id: read.append(case_id) or annotations(case_id))
    widget.session.open_project(project_2d)
    widget.annotate._count._timer.stop()
    QApplication.processEvents()
    assert len(read) < 60, "only rows that are seen are read"
    read.clear()
    canvas.click((30, 30))
    assert read == []


# ---- the buttons


def test_the_buttons_do_what_they_say_and_are_off_where_they_cannot(open_2d: LandmarkerWidget) -> None:
    panel, session = open_2d.annotate, open_2d.session
    buttons = (panel.accept, panel.accept_all, panel.absent, panel.remove, panel.reset, panel.undo, panel.redo)
    assert [button.isEnabled() for button in buttons] == [False, False, True, False, False, False, False]
    session.take_prediction("head_0", prediction(session, {name: (20, 30) for name in NAMES}), model="m")
    session.model = "m"
    session.open_case("head_0")
    panel.landmarks.selectRow(0)
    panel.accept.click()
    assert session.shown.status_of("nasion") == LandmarkStatus.CONFIRMED
    panel.landmarks.selectRow(1)
    panel.remove.click()
    assert session.shown.status_of("sella") == LandmarkStatus.UNPLACED
    assert panel.reset.isEnabled()
    panel.reset.click()
    assert session.shown.status_of("sella") == LandmarkStatus.PREDICTED
    panel.absent.click()
    assert session.shown.status_of("sella") == LandmarkStatus.ABSENT
    panel.accept_all.click()
    assert session.progress("head_0") == (3, 3)
    panel.undo.click()
    assert session.progress("head_0") == (2, 3)
    panel.redo.click()
    assert session.progress("head_0") == (3, 3)
    assert panel.saved.text() == "✓ Saved"
    panel.next.click()
    assert session.case_id == "head_1"
    panel.names.setChecked(False)
    assert not open_2d.layers.points.text.visible


def test_keys_work_in_the_tables_too(open_2d: LandmarkerWidget, qtbot: QtBot) -> None:
    table, session = open_2d.annotate.landmarks, open_2d.session
    session.place((10, 10))
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Up)
    assert session.current == "nasion"
    QTest.keyClick(table, Qt.Key.Key_Delete)
    assert not session.shown.placed.any()
    QTest.keyClick(table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert session.shown.placed[0]
    redo = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(table, Qt.Key.Key_Z, redo)
    assert not session.shown.placed.any()


def test_images_are_added_from_a_dialog(
    open_2d: LandmarkerWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new.png"
    PillowImage.fromarray(np.zeros((30, 40), np.uint8)).save(path)
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getOpenFileNames", lambda *_: ([str(path)], ""))
    open_2d.annotate.add.click()
    assert texts(open_2d.annotate.cases)[-1][0] == "new"


# ---- import and export


def test_export_a_table_and_import_it_again(
    open_2d: LandmarkerWidget, canvas: Canvas, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange, session = open_2d.annotate.exchange, open_2d.session
    y, x = canvas.click((30.3, 40.4))
    table = str(tmp_path / "out.csv")
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getSaveFileName", lambda *_: (table, ""))
    exchange.write.menu().actions()[1].trigger()
    with open(table, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["x"]]
    assert [(row["image"], row["landmark"]) for row in rows] == [("head_0.png", "nasion")]
    np.testing.assert_allclose((float(rows[0]["y"]), float(rows[0]["x"])), (y, x), atol=1e-9)
    canvas.undo()
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getOpenFileName", lambda *_: (table, ""))
    exchange.take_in.menu().actions()[1].trigger()
    np.testing.assert_allclose(session.shown.point("nasion"), (y, x), atol=1e-9)
    canvas.undo()
    assert not session.shown.placed.any(), "an import can be undone"
    assert [sentence[:9] for sentence in told] == ["Annotatio", "One image"]


def test_files_in_other_words_are_told_and_nothing_is_lost(
    open_2d: LandmarkerWidget, tmp_path: Path, told: list[str]
) -> None:
    session = open_2d.session
    session.place((10, 10))
    before = session.shown
    good = json.loads(session.project.annotation_path("head_0").read_text(encoding="utf-8"))
    folder = tmp_path / "foreign"
    folder.mkdir()
    cases = {
        "label.json": {**good, "shapes": [{**good["shapes"][0], "label": "knee"}]},
        "image.json": {**good, "imagePath": "hip.png"},
        "size.json": {**good, "imageHeight": 7},
    }
    for name, content in cases.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
        open_2d.annotate.exchange.import_from(folder / name)
        assert name in told[-1]
        assert "\n" not in told[-1]
    open_2d.annotate.exchange.import_from(tmp_path / "nowhere")
    assert len(told) == 4
    assert "nowhere" in told[-1]
    assert session.shown == before


# ---- when things go wrong


def test_a_folder_that_is_no_project_is_told_and_the_open_one_stays(
    open_2d: LandmarkerWidget, tmp_path: Path, told: list[str]
) -> None:
    open_2d.open_project(tmp_path / "nothing")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "project.json").write_text("{", encoding="utf-8")
    open_2d.open_project(tmp_path / "damaged")
    assert len(told) == 2
    assert "nothing" in told[0]
    assert "damaged" in told[1]
    assert open_2d.bar.name.text() == "study"


def test_a_project_folder_that_is_gone_is_told_shown_and_saved_once_it_is_back(
    open_2d: LandmarkerWidget, canvas: Canvas, project_2d: Project, told: list[str]
) -> None:
    canvas.click((30, 30))
    away = project_2d.root.with_name("away")
    project_2d.root.rename(away)
    project_2d.root.write_text("a file stands in the way", encoding="utf-8")
    canvas.click((60, 60))
    assert len(told) == 1
    assert "\n" not in told[0]
    assert "Not saved" in open_2d.annotate.saved.text()
    assert list(open_2d.session.shown.placed) == [True, True, False]
    project_2d.root.unlink()
    shutil.move(away, project_2d.root)
    canvas.click((90, 90))
    assert open_2d.annotate.saved.text() == "✓ Saved"
    assert Project.open(project_2d.root).annotations("head_0").placed.all()


def test_closing_the_window_saves_or_asks(
    open_2d: LandmarkerWidget, canvas: Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ProjectError("The disk is full: free some space.")

    window = open_2d.window()
    asked: list[str] = []
    answers = [QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Close]

    def ask(_parent: object, _title: str, text: str, *_: object) -> QMessageBox.StandardButton:
        asked.append(text)
        return answers.pop(0)

    monkeypatch.setattr("qtpy.QtWidgets.QMessageBox.warning", ask)
    project = open_2d.session.project
    with monkeypatch.context() as patch:
        patch.setattr(project, "save_annotations", fail)
        canvas.click((30, 30))
        assert not window.close()
        assert window.isVisible()
        assert len(asked) == 1
        assert asked[0].startswith("The disk is full")
    assert open_2d._guard.may_close()
    assert Project.open(project.root).annotations("head_0").placed[0]
    assert len(asked) == 1


def test_a_project_with_a_name_given_twice_is_told(
    open_2d: LandmarkerWidget, project_2d: Project, told: list[str]
) -> None:
    path = project_2d.root / "project.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["schema"]["landmarks"].append(content["schema"]["landmarks"][0])
    path.write_text(json.dumps(content), encoding="utf-8")
    open_2d.open_project(project_2d.root)
    assert len(told) == 1
    assert "'nasion' is given twice" in told[0]
    assert "project.json" in told[0]


def test_the_widget_opens_at_once(viewer: Viewer) -> None:
    """Without torch: a window that opens must not wait for the network library."""
    import subprocess
    import sys

    code = "import sys, napari_landmarker.gui.widget; print('torch' in sys.modules, 'SimpleITK' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "False"]


def test_closing_the_widget_leaves_the_viewer_as_it_was(
    viewer: Viewer, open_2d: LandmarkerWidget, project_2d: Project, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    def fail(*_: object) -> None:
        raise ProjectError("The disk is full: free some space.")

    with monkeypatch.context() as patch:
        patch.setattr(open_2d.session.project, "save_annotations", fail)
        open_2d.session.place((10, 10))
    zoom_in = open_2d.canvas._double_clicks
    viewer.window.remove_dock_widget(open_2d)
    open_2d.deleteLater()
    qtbot.waitUntil(lambda: len(viewer.layers) == 0)
    assert viewer.mouse_double_click_callbacks == zoom_in
    assert not [callback for callback in viewer.mouse_drag_callbacks if "CanvasTool" in repr(callback)]
    assert not viewer.keymap
    assert Project.open(project_2d.root).annotations("head_0").placed[0]
