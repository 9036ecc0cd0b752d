"""The dialog that exports landmarks, and the import of one image, driven as a person does it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from export_steps import dialog_of, export, finish
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QProgressDialog, QPushButton
from window import Canvas, prediction

from napari_landmarker.engine import exchange, exporting
from napari_landmarker.engine.exchange import read_annotations
from napari_landmarker.engine.io import ANNOTATION_FORMATS
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.gui.widget import LandmarkerWidget


def test_every_format_stands_there_with_a_line_and_those_that_cannot_hold_a_photograph_say_so(
    open_2d: LandmarkerWidget,
) -> None:
    dialog = dialog_of(open_2d)
    assert set(dialog.formats.buttons) == set(ANNOTATION_FORMATS)
    for key, button in dialog.formats.buttons.items():
        line = dialog.formats.lines[key].text()
        assert button.accessibleDescription() == line
        assert (line == ANNOTATION_FORMATS[key].read_by) == button.isEnabled()
    off = {
        key: dialog.formats.lines[key].text()
        for key, button in dialog.formats.buttons.items()
        if not button.isEnabled()
    }
    assert set(off) == {"slicer", "fcsv", "isbi"}
    assert off["slicer"] == "Only for 3D images; this one is 2D."
    assert "19 landmarks" in off["isbi"]
    assert dialog.formats.chosen == "labelme"
    dialog.reject()


def test_a_volume_is_offered_formats_of_volumes(open_3d: LandmarkerWidget) -> None:
    dialog = dialog_of(open_3d)
    on = {key for key, button in dialog.formats.buttons.items() if button.isEnabled()}
    assert on == {"slicer", "fcsv", "csv", "csv-wide", "tps"}
    assert "3D" in dialog.formats.lines["labelme"].text()
    assert dialog.note.text().startswith("Coordinates in millimetres.")
    dialog.formats.lines["csv"].show()
    QTest.mouseClick(dialog.formats.lines["csv"], Qt.MouseButton.LeftButton)
    assert dialog.formats.chosen == "csv", "a click on the line is one on its button"
    assert dialog.note.text().startswith("Coordinates in pixels of the image.")
    dialog.reject()


def test_this_image_is_exported_by_keyboard_alone(
    open_2d: LandmarkerWidget, canvas: Canvas, tmp_path: Path, told: list[str]
) -> None:
    y, x = canvas.click((30.3, 40.4))
    open_2d.session.next_case()
    open_2d.session.place((5, 6))
    open_2d.session.previous_case()
    open_2d.annotate.exchange.write.setFocus()
    QTest.keyClick(open_2d.annotate.exchange.write, Qt.Key.Key_Space)
    dialog = open_2d.annotate.exchange.dialog
    assert dialog is not None
    dialog.activateWindow()
    assert QTest.qWaitForWindowActive(dialog)
    dialog.formats.buttons["labelme"].setFocus()
    for _ in range(3):
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Down)
    assert dialog.formats.chosen == "coco"
    dialog.this.setFocus()
    QTest.keyClick(dialog.this, Qt.Key.Key_Space)
    assert dialog.place.text() == str(tmp_path / "head_0.json")
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    finish(dialog)
    assert not dialog.isVisible()
    content = json.loads((tmp_path / "head_0.json").read_text(encoding="utf-8"))
    assert [image["file_name"] for image in content["images"]] == ["head_0.png"]
    np.testing.assert_allclose(content["annotations"][0]["keypoints"][:3], (x, y, 2), atol=1e-9)
    assert told[-1].startswith("One point of one image written to")


def test_all_volumes_are_exported_as_point_lists_and_read_again(
    open_3d: LandmarkerWidget, tmp_path: Path, told: list[str]
) -> None:
    session = open_3d.session
    session.place((2, 20.5, 30.25))
    session.next_case()
    session.place((3, 10, 11))
    for key, target in (("fcsv", tmp_path / "lists"), ("tps", tmp_path / "all.tps")):
        export(open_3d, key, target)
        read = read_annotations(session.project, target)
        np.testing.assert_allclose(read["scan_0"].point("nasion"), (2, 20.5, 30.25), atol=1e-6)
        np.testing.assert_allclose(read["scan_1"].point("nasion"), (3, 10, 11), atol=1e-6)
    assert told[-1].startswith("2 points of 2 images written to")


def test_points_that_wait_are_exported_only_when_ticked_and_the_dialog_says_what_that_means(
    open_2d: LandmarkerWidget, tmp_path: Path
) -> None:
    session = open_2d.session
    session.place((10, 10))
    waiting = session.annotations.with_point("sella", (50, 60), LandmarkStatus.PREDICTED, 0.9)
    session.project.save_predictions("head_0", "m", waiting)
    session.model = "m"
    export(open_2d, "csv-wide", tmp_path / "placed.csv")
    assert not read_annotations(session.project, tmp_path / "placed.csv")["head_0"].placed[1]
    dialog = dialog_of(open_2d)
    dialog.formats.buttons["csv-wide"].click()
    assert "accepted" not in dialog.note.text()
    dialog.predicted.click()
    assert dialog.note.text().endswith("Points that wait to be accepted will look as if a person had placed them.")
    dialog.formats.buttons["csv"].click()
    assert "accepted" not in dialog.note.text(), "this format tells them apart"
    dialog.place.setText(str(tmp_path / "all.csv"))
    dialog.export.click()
    finish(dialog)
    read = read_annotations(session.project, tmp_path / "all.csv")["head_0"]
    assert read.status_of("nasion") is LandmarkStatus.CONFIRMED
    assert read.status_of("sella") is LandmarkStatus.PREDICTED


def test_only_finished_images_are_exported_where_that_is_chosen(open_2d: LandmarkerWidget, tmp_path: Path) -> None:
    session = open_2d.session
    session.place((10, 10))
    session.next_case()
    for name in session.names:
        session.set_current(name)
        session.place((20, 20))
    dialog = dialog_of(open_2d)
    dialog.finished_only.click()
    dialog.place.setText(str(tmp_path / "out"))
    dialog.export.click()
    finish(dialog)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["head_1.json"]


def test_what_is_there_already_is_said_and_replaced_only_when_ticked(open_2d: LandmarkerWidget, tmp_path: Path) -> None:
    open_2d.session.place((10, 10))
    (tmp_path / "out.csv").write_text("mine", encoding="utf-8")
    dialog = export(open_2d, "csv", tmp_path / "out.csv")
    assert dialog.isVisible()
    assert "out.csv is there already" in dialog.problem.text()
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "mine"
    dialog.replace.click()
    assert dialog.place.text() == str(tmp_path / "out.csv")
    dialog.export.click()
    finish(dialog)
    assert not dialog.isVisible()
    assert "nasion" in (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_nothing_to_export_is_said_in_the_dialog(open_2d: LandmarkerWidget, tmp_path: Path) -> None:
    dialog = export(open_2d, "labelme", tmp_path / "out")
    assert dialog.isVisible()
    assert dialog.problem.text().startswith("Nothing was exported")
    assert not (tmp_path / "out").exists()
    dialog.reject()
    assert not dialog.isVisible()


def test_an_export_shows_how_far_it_is_and_stops_without_a_trace(
    open_2d: LandmarkerWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    open_2d.session.place((10, 10))
    read, first, stopped = exporting._landmarks, iter((True,)), threading.Event()

    def read_the_second_when_stopped(*args: object) -> object:
        assert next(first, False) or stopped.wait(60)
        return read(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(exporting, "_landmarks", read_the_second_when_stopped)
    dialog = dialog_of(open_2d)
    dialog.place.setText(str(tmp_path / "out"))
    dialog.export.click()
    assert not dialog.choices.isEnabled()
    assert dialog.cancel.text() == "Stop"
    qtbot.waitUntil(lambda: dialog.bar.value() == 1)
    assert dialog.counted.text() == "1 of 3 images"
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    stopped.set()
    finish(dialog)
    assert dialog.isVisible()
    assert dialog.problem.text() == "Stopped: nothing was written."
    assert dialog.choices.isEnabled()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures", "study"]
    dialog.reject()


def test_a_name_that_was_typed_stays_until_another_format_needs_another(
    open_2d: LandmarkerWidget, tmp_path: Path
) -> None:
    dialog = dialog_of(open_2d)
    assert dialog.place.text() == str(tmp_path / "study-labelme")
    dialog.place.setText(str(tmp_path / "for anna"))
    dialog.predicted.click()
    assert dialog.place.text() == str(tmp_path / "for anna")
    dialog.formats.buttons["tps"].click()
    assert dialog.place.text() == str(tmp_path / "study-tps.tps")
    assert "names of the landmarks" in dialog.note.text()
    dialog.place.clear()
    assert not dialog.export.isEnabled()
    dialog.reject()


def test_a_file_of_another_name_is_imported_for_this_image(
    open_3d: LandmarkerWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    session = open_3d.session
    session.place((2, 20, 30))
    exporting.export_annotations(session.project, tmp_path / "from a colleague.fcsv")
    session.undo()
    session.open_case("scan_1")
    chosen = str(tmp_path / "from a colleague.fcsv")
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getOpenFileName", lambda *_: (chosen, ""))
    open_3d.annotate.exchange.file_action.trigger()
    assert "not in this project" in told[-1]
    open_3d.annotate.exchange.this_action.trigger()
    np.testing.assert_allclose(session.annotations.point("nasion"), (2, 20, 30), atol=1e-6)
    assert not session.project.annotations("scan_0").placed.any()


def test_the_import_of_a_folder_can_be_stopped(
    open_2d: LandmarkerWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = open_2d.session
    session.place((10, 10))
    session.next_case()
    session.place((11, 11))
    exporting.export_annotations(session.project, tmp_path / "lists", "labelme")
    session.undo()
    read = exchange._read_file

    def stop_at_once(*args: object) -> object:
        time.sleep(0.7)
        return read(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(exchange, "_read_file", stop_at_once)
    monkeypatch.setattr(QProgressDialog, "showEvent", lambda self, _: self.findChild(QPushButton).click())
    open_2d.annotate.exchange.import_from(tmp_path / "lists")
    assert not session.annotations.placed.any()
    monkeypatch.undo()
    open_2d.annotate.exchange.import_from(tmp_path / "lists")
    assert session.project.annotations("head_1").point("nasion").tolist() == [11, 11]


def test_a_prediction_that_a_person_took_away_is_not_exported(open_2d: LandmarkerWidget, tmp_path: Path) -> None:
    session = open_2d.session
    session.model = "m"
    session.take_prediction("head_0", prediction(session, {"nasion": (30, 30), "sella": (50, 60)}))
    session.remove("sella")
    dialog = dialog_of(open_2d)
    dialog.predicted.click()
    dialog.formats.buttons["csv"].click()
    dialog.place.setText(str(tmp_path / "out.csv"))
    dialog.export.click()
    finish(dialog)
    read = read_annotations(session.project, tmp_path / "out.csv")["head_0"]
    assert [read.status_of(name) for name in ("nasion", "sella")] == [LandmarkStatus.PREDICTED, LandmarkStatus.UNPLACED]
