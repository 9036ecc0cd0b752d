"""The shell of the window: banners, conflicts, images read beside the window, diagnostics, and the keyboard."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from napari.utils.notifications import show_error
from one_window import clean, one_window
from PIL import Image as PillowImage
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication
from window import Canvas

from napari_landmarker.engine.project import Project
from napari_landmarker.gui.diagnostics import without_names
from napari_landmarker.gui.upkeep import read_beside
from napari_landmarker.gui.widget import LandmarkerWidget
from napari_landmarker.state.session import Session


@pytest.fixture(scope="module")
def shared() -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def window(shared: Canvas, project_2d: Project) -> LandmarkerWidget:
    clean(shared.widget)
    shared.widget.open_project(project_2d.root)
    QApplication.processEvents()
    return shared.widget


def other_window(project: Project) -> Session:
    session = Session()
    session.open_project(Project.open(project.root))
    return session


# ---- two windows


def test_the_second_window_says_that_it_only_looks_and_takes_over(
    shared: Canvas, project_2d: Project, told: list[str]
) -> None:
    clean(shared.widget)
    first = other_window(project_2d)
    widget = shared.widget
    widget.open_project(project_2d.root)
    assert widget.access.isVisible()
    assert "another window" in widget.access.sentence.text()
    shared.click((30, 30))
    assert not widget.session.annotations.placed.any()
    QTest.mouseClick(widget.access.button, Qt.MouseButton.LeftButton)
    assert not widget.access.isVisible()
    shared.click((30, 30))
    assert widget.session.annotations.placed.sum() == 1
    first.heartbeat()
    assert first.read_only
    assert told


def test_a_window_that_lost_its_project_says_so_at_the_next_heartbeat(
    window: LandmarkerWidget, project_2d: Project, qtbot: QtBot
) -> None:
    window.upkeep._beat.setInterval(20)
    other = Session()
    other.open_project(Project.open(project_2d.root), take_over=True)
    qtbot.waitUntil(window.access.isVisible)
    window.upkeep._beat.setInterval(15_000)
    other.leave()


# ---- files changed on disk


def change_on_disk(project: Project, case_id: str) -> Path:
    """Another program moves the first landmark to (x, y) = (70, 50) in labelme's coordinates."""
    path = project.annotation_path(case_id)
    content = json.loads(path.read_text(encoding="utf-8"))
    content["shapes"][0]["points"] = [[70.0, 50.0]]
    path.write_text(json.dumps(content), encoding="utf-8")
    os.utime(path, ns=(1, 1))
    return path


@pytest.mark.parametrize(("answer", "expected"), [("Keep mine", (20, 20)), ("Take theirs", (49.5, 69.5))])
def test_a_file_that_was_changed_elsewhere_is_asked_about(
    window: LandmarkerWidget, project_2d: Project, qtbot: QtBot, answer: str, expected: tuple[float, float]
) -> None:
    session = window.session
    session.place((10, 10))
    path = change_on_disk(project_2d, "head_0")
    session.move("nasion", (20, 20))
    assert json.loads(path.read_text(encoding="utf-8"))["shapes"][0]["points"] == [[70.0, 50.0]]
    qtbot.waitUntil(lambda: window.conflicts.dialog is not None)
    assert window.conflicts.isVisible()
    (button,) = (b for b in window.conflicts.dialog.buttons() if b.text() == answer)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.conflicts.dialog is None)
    assert not window.conflicts.isVisible()
    np.testing.assert_allclose(session.annotations.point("nasion"), expected)
    saved = Project.open(project_2d.root).annotations("head_0")
    np.testing.assert_allclose(saved.point("nasion"), expected, atol=1e-6)


def test_a_question_that_was_put_off_stays_on_the_screen(
    window: LandmarkerWidget, project_2d: Project, qtbot: QtBot
) -> None:
    window.session.place((10, 10))
    change_on_disk(project_2d, "head_0")
    window.session.move("nasion", (20, 20))
    qtbot.waitUntil(lambda: window.conflicts.dialog is not None)
    QTest.keyClick(window.conflicts.dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.conflicts.dialog is None)
    assert window.conflicts.isVisible()
    QTest.mouseClick(window.conflicts.button, Qt.MouseButton.LeftButton)
    assert window.conflicts.dialog is not None
    window.conflicts.dialog.reject()
    window.conflicts.resolve("head_0", "theirs")
    assert not window.conflicts.isVisible()


# ---- images


def test_the_next_images_are_read_ahead(window: LandmarkerWidget, qtbot: QtBot) -> None:
    images = window.session.images
    qtbot.waitUntil(lambda: images.has("head_1") and images.has("head_2"))
    qtbot.waitUntil(lambda: not window.upkeep.busy)


def test_a_large_image_is_read_while_the_window_goes_on(
    window: LandmarkerWidget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    large = tmp_path / "large.png"
    noise = np.random.default_rng(0).integers(0, 255, (400, 400), dtype=np.uint8)
    PillowImage.fromarray(noise).save(large)
    (case,) = window.session.add_images([large])
    qtbot.waitUntil(lambda: not window.upkeep.busy)
    window.session.images.forget()
    read = Project.image

    def slow(project: Project, case_id: str) -> object:
        time.sleep(0.3)
        return read(project, case_id)

    monkeypatch.setattr(Project, "image", slow)
    ticks: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(10)
    image = read_beside(window.session.images, case.id)
    timer.stop()
    np.testing.assert_array_equal(image.array, noise)
    assert len(ticks) >= 5


def test_a_large_file_that_is_no_image_is_told(
    window: LandmarkerWidget, images_2d: list[Path], told: list[str], qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: not window.upkeep.busy)
    images_2d[2].write_bytes(b"no image" * 20_000)
    window.annotate.cases.selectRow(2)
    assert window.session.case_id == "head_0"
    assert "head_2.png" in told[0]


# ---- diagnostics


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ("/home/Mary Jones/scan 3.nii.gz could not be read", "could not be read"),
        ("C:\\Users\\mary\\scan.png is damaged", "is damaged"),
        ("The image 'Jones, Mary' is gone", "is gone"),
        ("jones_mary_1970.dcm holds no image", "holds no image"),
        ("~/study/x.csv is no table", "is no table"),
        ("study: the folder is full", "the folder is full"),
    ],
)
def test_messages_of_the_diagnostics_name_nobody(message: str, left: str) -> None:
    shown = without_names(message, {"study"})
    assert left in shown
    assert not {"mary", "jones", "home", "study", "scan", "1970"} & set(shown.lower().replace("_", " ").split())


def test_help_copies_diagnostics_without_names(window: LandmarkerWidget, project_2d: Project, qtbot: QtBot) -> None:
    show_error(f"{project_2d.root}/annotations could not be written for head_1.")
    menu = window.viewer.window.help_menu
    (action,) = (action for action in menu.actions() if "diagnostics" in action.text())
    QApplication.clipboard().setText("")
    action.trigger()
    qtbot.waitUntil(lambda: QApplication.clipboard().text() != "")
    text = QApplication.clipboard().text()
    for word in ("napari 0", "Python 3", "Qt ", "pytorch-lightning 2", "could not be written"):
        assert word in text
    assert re.search(r"^Device: (cpu|mps|cuda, .+)$", text, re.MULTILINE)
    assert "is not installed" not in text
    for word in (str(project_2d.root), project_2d.root.name, "head_1", str(Path.home()), os.environ.get("USER", "/")):
        assert word not in text
    assert action in window.bar.menu.actions()


# ---- the keyboard


def test_every_button_of_the_panel_is_reached_by_tab(window: LandmarkerWidget) -> None:
    for tab in range(window.tabs.count()):
        window.tabs.setCurrentIndex(tab)
        QApplication.processEvents()
        page = window.tabs.widget(tab)
        buttons = [b for b in page.findChildren(QAbstractButton) if b.isVisible() and b.isEnabled()]
        chain, at = set(), window.bar.more
        for _ in range(2_000):
            chain.add(at)
            at = at.nextInFocusChain()
        for button in buttons:
            if type(button).__name__ == "QTableCornerButton" or button.objectName().startswith("qt_"):
                continue
            assert button.focusPolicy() & Qt.FocusPolicy.TabFocus, button.text()
            assert button in chain, button.text()
    window.tabs.setCurrentIndex(0)
