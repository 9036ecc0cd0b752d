"""What takes long shows how far it is and can be stopped; the window stays alive, and a stop leaves all as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from heartbeat import Heartbeat
from machine import slowness
from one_window import clean, one_window
from PIL import Image as PillowImage
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QPushButton
from window import Canvas

from napari_landmarker.engine import cases, exchange, project_changes
from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.io import dicom_series, write_landmarks
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui import annotate_panel, exchange_buttons
from napari_landmarker.gui.project_dialog import ProjectDialog
from napari_landmarker.gui.ruler_dialog import RulerDialog
from napari_landmarker.gui.tasks import Task
from napari_landmarker.gui.waiting import Progress, WaitingDialog, wait_for
from napari_landmarker.gui.widget import LandmarkerWidget
from napari_landmarker.state import project_edits

COUNT = 16
#: While somebody watches, each step takes so many beats of the window, however slow the machine is; or, where the
#: window does not beat, so many seconds.
BEATS, DEAD_S = 4, 3.0
SCHEMA = LandmarkSchema.from_names(("tip", "root"))
SHAPE = (40, 50)


@pytest.fixture(scope="module")
def shared() -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Many small images."""
    folder = tmp_path / "images"
    folder.mkdir()
    paths = [folder / f"head_{number:02d}.png" for number in range(COUNT)]
    PillowImage.fromarray(np.zeros(SHAPE, np.uint8)).save(paths[0])
    for path in paths[1:]:
        path.hardlink_to(paths[0])
    return paths


@pytest.fixture
def window(shared: Canvas, images: list[Path], tmp_path: Path) -> LandmarkerWidget:
    """The window with a project of one image."""
    clean(shared.widget)
    first = tmp_path / "first.png"
    first.hardlink_to(images[0])
    shared.widget.session.open_project(create_project(tmp_path / "study", SCHEMA, [first]))
    QApplication.processEvents()
    return shared.widget


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk on which, while somebody watches, an image or a file of annotations takes long; and little patience."""
    monkeypatch.setattr(Watcher, "heart", None)
    monkeypatch.setattr("napari_landmarker.gui.waiting._PATIENCE_MS", 60)
    monkeypatch.setattr("napari_landmarker.gui.waiting._REFRESH_MS", 20)
    for module, name in ((cases, "read_geometry"), (exchange, "_read_file"), (project_changes, "write_landmarks")):
        monkeypatch.setattr(module, name, slowly(getattr(module, name)))


def slowly(function: Callable[..., object], beats: int = BEATS) -> Callable[..., object]:
    def slow(*of: object) -> object:
        heart, begin = Watcher.heart, time.monotonic()
        until = beats + (0 if heart is None else heart.beats)
        while heart is not None and heart.beats < until and time.monotonic() < begin + DEAD_S:
            time.sleep(0.005)
        return function(*of)

    return slow


class Watcher:
    """Sees every 10 ms what the window shows, and may stop what goes on."""

    heart: Heartbeat | None = None

    def __init__(self, stop_at: int | None = None) -> None:
        QApplication.processEvents()  # what is there to be drawn already
        self.counts: list[tuple[int, int]] = []
        self.texts: list[str] = []
        self._stop_at = stop_at
        self._heart = Watcher.heart = Heartbeat()
        self._heart.timer.timeout.connect(self._look)

    def _look(self) -> None:
        for dialog in (one for one in QApplication.topLevelWidgets() if isinstance(one, WaitingDialog)):
            if dialog.isVisible():
                self.counts.append((dialog.value(), dialog.maximum()))
                self.texts.append(dialog.labelText())
                if self._stop_at is not None and dialog.value() >= self._stop_at:
                    self._stop_at = None
                    click(dialog.findChild(QPushButton))
                    self.texts.append(dialog.labelText())

    def check_alive(self) -> None:
        """The window never stood still; that ends the watch."""
        self._heart.stop()
        Watcher.heart = None
        assert self._heart.beats > 3
        assert self._heart.longest_s < 0.2 * slowness()

    def check(self, total: int = COUNT) -> None:
        """The window never stood still, and the count was seen to grow, once for reading and once for writing."""
        self.check_alive()
        seen = [done for done, of in self.counts if of == total]
        again = [at for at in range(1, len(seen)) if seen[at] < seen[at - 1]]
        assert len(again) <= 1
        assert len(set(seen[again[-1] if again else 0 :])) >= 3


def click(button: QAbstractButton) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def files(root: Path) -> dict[str, bytes]:
    """All that a project consists of."""
    whole = [path for path in root.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in whole}


def filled_in(window: LandmarkerWidget, images: list[Path], folder: Path) -> ProjectDialog:
    dialog = ProjectDialog(window)
    dialog.images.setText(str(images[0].parent))
    dialog.landmarks.setPlainText("\n".join(SCHEMA.names))
    dialog.folder.setText(str(folder))
    dialog.show()
    return dialog


# ---- a new project


def test_a_new_project_is_made_beside_the_window(window: LandmarkerWidget, images: list[Path], tmp_path: Path) -> None:
    dialog, watcher = filled_in(window, images, tmp_path / "new"), Watcher()
    click(dialog.create)
    watcher.check()
    assert not dialog.isVisible()
    create_project(tmp_path / "same", SCHEMA, images)
    assert files(tmp_path / "new") == files(tmp_path / "same")


def test_a_new_project_that_is_stopped_is_not_there(
    window: LandmarkerWidget, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden: list[object] = []
    monkeypatch.setattr(WaitingDialog, "hideEvent", lambda _, event: hidden.append(event), raising=False)
    dialog, watcher = filled_in(window, images, tmp_path / "new"), Watcher(stop_at=6)
    click(dialog.create)
    watcher.check()
    assert watcher.texts[-1].endswith("Stopping…")
    assert len(hidden) == 1, "it stays until the work has heard of it"
    assert (dialog.project, dialog.isVisible(), dialog.problem.text()) == (None, True, "Stopped: no project was made.")
    assert not (tmp_path / "new").exists()
    dialog.reject()


# ---- more images


@pytest.mark.parametrize("stop_at", [None, 5])
def test_images_are_added_beside_the_window_or_not_at_all(
    window: LandmarkerWidget, images: list[Path], monkeypatch: pytest.MonkeyPatch, told: list[str], stop_at: int | None
) -> None:
    root = window.session.project.root
    before = files(root)
    monkeypatch.setattr(annotate_panel, "choose_images", lambda _: images)
    watcher = Watcher(stop_at)
    click(window.annotate.add)
    watcher.check()
    if stop_at is None:
        direct = Project.open(root).with_cases(window.session.project.cases[:1]).new_cases(images)
        assert window.session.project.cases[1:] == Project.open(root).cases[1:] == direct
    else:
        assert files(root) == before
        assert len(window.session.project.cases) == 1
        assert told == ["Stopped: no images were added."]


@pytest.mark.parametrize("stop_at", [None, 5])
def test_a_folder_that_is_dropped_is_added_beside_the_window_or_not_at_all(
    window: LandmarkerWidget, images: list[Path], told: list[str], stop_at: int | None, qtbot: QtBot
) -> None:
    watcher = Watcher(stop_at)
    window.drop.take([images[0].parent], on_widget=True)
    qtbot.waitUntil(lambda: bool(told))
    watcher.check()
    added, case_id = (COUNT, "head_00") if stop_at is None else (0, "first")
    assert (len(window.session.project.cases), window.session.case_id) == (1 + added, case_id)
    assert told == [f"{added} images were added to the project." if added else "Stopped: no images were added."]


@pytest.mark.parametrize("stop_at", [None, 5])
def test_a_folder_of_files_that_may_be_slices_is_looked_into_beside_the_window(
    window: LandmarkerWidget,
    images: list[Path],
    tmp_path: Path,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    stop_at: int | None,
) -> None:
    monkeypatch.setattr(dicom_series, "_member_if_dicom", slowly(dicom_series._member_if_dicom))
    folder = tmp_path / "scan"
    folder.mkdir()
    (folder / "front.png").hardlink_to(images[0])
    for number in range(COUNT):
        (folder / f"IM{number:04d}").write_bytes(b"no DICOM inside")
    taken: list[object] = []
    monkeypatch.setattr(window, "_add_images", lambda paths: taken.append(list(paths)))
    watcher = Watcher(stop_at)
    assert window.drop.take([folder], on_widget=True)
    watcher.check()
    QApplication.processEvents()
    assert taken == ([[folder / "front.png"]] if stop_at is None else [])


def test_a_stop_after_the_last_report_still_ends_what_was_to_follow(
    window: LandmarkerWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person presses Stop when the reading is over, before the dialog has gone: what was read is not wanted."""
    done = Task._done

    def pressed_then(task: Task) -> None:
        done(task)
        (dialog,) = (
            one for one in QApplication.topLevelWidgets() if isinstance(one, WaitingDialog) and one.isVisible()
        )
        click(dialog.findChild(QPushButton))

    monkeypatch.setattr(Task, "_done", pressed_then)
    assert wait_for(window, "Reading…", lambda _: time.sleep(0.2) or "read") is None


# ---- annotations of many images


@pytest.fixture
def annotated(window: LandmarkerWidget, images: list[Path], tmp_path: Path) -> Path:
    """Annotations of many images of the project, in a folder."""
    project = create_project(tmp_path / "many", SCHEMA, images)
    window.session.open_project(project)
    grid = project.geometry("head_00").grid
    (tmp_path / "found").mkdir()
    for number, path in enumerate(images):
        points = LandmarkSet.from_points({"tip": (number, 2)}, grid, names=SCHEMA.names)
        write_landmarks(points, tmp_path / "found" / f"{path.stem}.json", path)
    return tmp_path / "found"


def tips(window: LandmarkerWidget) -> list[float]:
    """How far down the tip is in each image of the project on disk; NaN where there is none."""
    project = Project.open(window.session.project.root)
    return [float(project.annotations(case.id).point("tip")[0]) for case in project.cases]


def test_many_annotations_are_taken_in_and_taken_back_beside_the_window(
    window: LandmarkerWidget, annotated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_buttons, "choose_folder", lambda *_: annotated)
    watcher = Watcher()
    window.annotate.exchange.folder_action.trigger()
    watcher.check()
    assert tips(window) == list(range(COUNT))
    assert window.session.annotations.point("tip").tolist() == [0, 2]
    assert window.session.progress("head_03") == (1, 2)
    watcher = Watcher()
    click(window.annotate.undo)
    watcher.check()
    assert np.isnan(tips(window)).all()
    assert not window.session.annotations.placed.any()
    assert window.session.can_redo


def test_annotations_whose_import_or_undo_is_stopped_are_as_they_were(
    window: LandmarkerWidget, annotated: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    session, root = window.session, window.session.project.root
    monkeypatch.setattr(exchange_buttons, "choose_folder", lambda *_: annotated)
    before = files(root)
    watcher = Watcher(stop_at=5)
    window.annotate.exchange.folder_action.trigger()
    watcher.check()
    assert told == ["Stopped: no annotations were imported."]
    assert (files(root), session.can_undo, session.held) == (before, False, None)
    window.annotate.exchange.folder_action.trigger()
    before = files(root)
    watcher = Watcher(stop_at=5)
    click(window.annotate.undo)
    watcher.check()
    assert (files(root), session.can_undo, session.can_redo) == (before, True, False)
    assert session.annotations.point("tip").tolist() == [0, 2]


# ---- the size of a pixel


def test_the_ruler_measures_all_images_beside_the_window(
    window: LandmarkerWidget, annotated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_edits, "set_spacing", slowly(project_edits.set_spacing, beats=20))
    ruler = window.canvas.actions.tape
    assert window.session.project.geometry("head_07").grid.spacing is None
    ruler.toggle()
    ruler.click(np.array([5.0, 5.0]))
    ruler.click(np.array([5.0, 25.0]))
    dialog = RulerDialog(ruler, window)
    dialog.show()
    click(dialog.all)
    dialog.length.setValue(10.0)
    watcher = Watcher()
    click(dialog.ok)
    watcher.check_alive()
    assert any(text.startswith("Changing the pixel size…") for text in watcher.texts)
    project = Project.open(window.session.project.root)
    assert {project.geometry(case.id).grid.spacing for case in project.cases} == {(0.5, 0.5)}
    assert window.session.image.grid.spacing == (0.5, 0.5)
    assert window.session.project.geometry("head_07").grid.spacing == (0.5, 0.5)


# ---- what is said, and when


def test_what_is_over_at_once_shows_no_dialog(
    window: LandmarkerWidget, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_landmarker.gui.waiting._PATIENCE_MS", 500)
    shown: list[object] = []
    monkeypatch.setattr(WaitingDialog, "show", shown.append)
    monkeypatch.setattr(annotate_panel, "choose_images", lambda _: images[:3])
    click(window.annotate.add)
    assert len(window.session.project.cases) == 4
    assert not shown


def test_the_time_left_is_guessed_from_how_long_it_took_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("napari_landmarker.gui.waiting.time.monotonic", lambda: now[0])
    progress = Progress()
    assert progress.sentence == ""
    progress.note(0, 2000)
    assert progress.sentence == "0 of 2,000"
    now[0] = 102.0
    progress.note(500, 2000)
    assert progress.sentence == "500 of 2,000, 6 s left"
    progress.note(0, 300)
    assert progress.sentence == "0 of 300"
    now[0] = 103.5
    progress.note(100, 300)
    assert progress.sentence == "100 of 300, 3 s left"
    progress.note(300, 300)
    assert progress.sentence == "Finishing…"
