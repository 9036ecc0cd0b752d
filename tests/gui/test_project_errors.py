"""What a person reads when something goes wrong, and that nothing annotated is lost; and how the window closes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QMessageBox
from window import Canvas

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.widget import LandmarkerWidget


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
    open_2d.annotate.exchange.write.click()
    assert told[-1].startswith("Nothing was exported")
    assert open_2d.annotate.exchange.dialog is None
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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
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
