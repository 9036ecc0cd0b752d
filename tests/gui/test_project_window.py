"""Opening projects, the lists, the buttons, import and export."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from export_steps import export
from napari import Viewer
from PIL import Image as PillowImage
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from window import NAMES, Canvas, prediction

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Case, Project, Split
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui import samples
from napari_landmarker.gui.open import open_window
from napari_landmarker.gui.widget import LandmarkerWidget


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


@pytest.mark.parametrize(("case_id", "shown"), [(None, "head_0"), ("head_2", "head_2")])
def test_the_command_line_opens_the_window_on_a_case(
    viewer: Viewer,
    project_2d: Project,
    monkeypatch: pytest.MonkeyPatch,
    case_id: str | None,
    shown: str,
) -> None:
    titles: list[str] = []

    def make(title: str) -> Viewer:
        titles.append(title)
        return viewer

    monkeypatch.setattr("napari.Viewer", make)
    monkeypatch.setattr("napari.run", lambda: None)
    roomy: list[Viewer] = []
    monkeypatch.setattr("napari_landmarker.gui.open.make_room", roomy.append)
    open_window(project_2d.root, case_id)
    assert (titles, roomy) == (["napari-landmarker"], [viewer])
    assert [layer.name for layer in viewer.layers] == [shown, "Landmarks"]


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


def test_samples_open_in_napari_with_their_landmarks_on_them(viewer: Viewer) -> None:
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
    assert texts(panel.landmarks)[2][:3] == ["menton", "predicted", "0.50"]
    assert panel.hint.text() == "Check the predicted points."
    session.accept_all()
    assert texts(panel.cases)[0] == ["head_0", "test", "✓ 3/3"]
    assert panel.summary.text() == "1 of 3 images done"
    assert panel.hint.text() == "All landmarks of this image are done."


def test_no_number_is_said_before_it_is_counted(
    widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    for case in project_2d.cases[:2]:
        points = LandmarkSet.from_points(dict.fromkeys(NAMES, (20, 30)), project_2d.geometry(case.id).grid, names=NAMES)
        project_2d.save_annotations(case.id, points)
    summary, said = widget.annotate.summary, list[str]()
    show = summary.setText
    monkeypatch.setattr(summary, "setText", lambda text: said.append(text) or show(text))
    widget.open_project(project_2d.root)
    assert summary.text() == "Counting the images that are done…"
    qtbot.waitUntil(lambda: not widget.annotate._count.busy)
    assert list(dict.fromkeys(said)) == ["Counting the images that are done…", "2 of 3 images done"]


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


def test_an_image_that_could_not_be_opened_can_be_tried_again(
    widget: LandmarkerWidget, project_2d: Project, images_2d: list[Path], told: list[str], qtbot: QtBot
) -> None:
    good = images_2d[0].read_bytes()
    for path in images_2d:
        path.write_bytes(b"this is no image")
    widget.open_project(project_2d.root)
    cases = widget.annotate.cases
    where = cases.visualRect(cases.model().index(0, 0)).center()
    for _ in range(2):
        before = len(told)
        QTest.mouseClick(cases.viewport(), Qt.MouseButton.LeftButton, pos=where)
        qtbot.waitUntil(lambda: not cases.selectionModel().selectedRows())
        assert len(told) == before + 1
    images_2d[0].write_bytes(good)
    QTest.mouseClick(cases.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert widget.session.case_id == "head_0"


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
    monkeypatch.setattr(project_2d, "annotations", lambda *of: read.append(of[0]) or annotations(*of))
    widget.session.open_project(project_2d)
    widget.annotate._count._timer.stop()
    QApplication.processEvents()
    assert len(read) < 60, "only rows that are seen are read"
    read.clear()
    canvas.click((30, 30))
    assert read == []


def test_long_names_are_neither_cut_off_nor_all_alike(
    widget: LandmarkerWidget, canvas: Canvas, images_2d: list[Path], tmp_path: Path
) -> None:
    names = [f"a_very_long_anatomical_name_of_the_pelvis_that_does_not_fit_number_{n}" for n in range(2)]
    widget.session.open_project(create_project(tmp_path / "long", LandmarkSchema.from_names(names), images_2d))
    QApplication.processEvents()
    hint, table = widget.annotate.hint, widget.annotate.landmarks
    assert hint.minimumSizeHint().width() < hint.width()
    assert table.textElideMode() == Qt.TextElideMode.ElideMiddle
    assert table.model().index(0, 0).data(Qt.ItemDataRole.ToolTipRole) == names[0]
    for at in (30, 60):
        canvas.click((at, at))
    written = list(widget.canvas.names.texts.layer.text.values[:2])
    assert written == ["a_very_long_an…_fit_number_0", "a_very_long_an…_fit_number_1"]
    assert list(widget.layers.points.features["name"]) == names


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
    export(open_2d, "csv", Path(table))
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
    assert [sentence[:9] for sentence in told] == ["One point", "One image"]


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
