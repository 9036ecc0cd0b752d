"""What is dropped on napari opens as what it is."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from dropped import labelme
from one_window import clean, one_window
from PIL import Image as PillowImage
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QWidget
from window import Canvas

from napari_landmarker.engine.project import Project
from napari_landmarker.gui.drop import Kind, classify
from napari_landmarker.gui.project_dialog import ProjectDialog
from napari_landmarker.gui.widget import LandmarkerWidget


@pytest.fixture(scope="module")
def shared() -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def window(shared: Canvas) -> LandmarkerWidget:
    clean(shared.widget)
    shared.viewer.layers.clear()
    QApplication.processEvents()
    return shared.widget


def drop(on: QWidget, *paths: Path) -> bool:
    """Drag files over a widget and let them fall, as the system tells Qt."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(5, 5), copy, mime, left, none)
    QApplication.sendEvent(on, enter)
    assert enter.isAccepted()
    fall = QDropEvent(QPointF(5, 5), copy, mime, left, none, QEvent.Type.Drop)
    QApplication.sendEvent(on, fall)
    QApplication.processEvents()
    return fall.isAccepted()


def places(widget: LandmarkerWidget) -> dict[str, QWidget]:
    """Where things can be dropped: the panel, the canvas, the rest of the window."""
    window = widget.window()
    (canvas,) = (child for child in window.findChildren(QWidget) if type(child).__name__ == "QtViewer")
    return {"panel": widget, "canvas": canvas, "window": window}


def kinds(*paths: Path) -> list[tuple[Kind, int]]:
    return [(group.kind, len(group.paths)) for group in classify(paths)]


# ---- what it is


def test_each_thing_is_known_for_what_it_is(project_2d: Project, images_2d: list[Path], tmp_path: Path) -> None:
    json_file = labelme(tmp_path / "head_0.json", {"nasion": (3, 4)}, "head_0.png", (120, 160))
    model = tmp_path / "model"
    (model / "configs").mkdir(parents=True)
    (model / "configs" / "metadata.json").write_text("{}", encoding="utf-8")
    zipped, other_zip, broken = tmp_path / "model.zip", tmp_path / "other.zip", tmp_path / "broken.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(model / "configs" / "metadata.json", "model/configs/metadata.json")
    with zipfile.ZipFile(other_zip, "w") as archive:
        archive.writestr("letter.txt", "Dear reader")
    broken.write_bytes(b"PK but not more")
    letter = tmp_path / "letter.docx"
    letter.write_bytes(b"Dear reader")
    annotations = tmp_path / "annotations"
    annotations.mkdir()
    labelme(annotations / "head_1.json", {"nasion": (3, 4)}, "head_1.png", (120, 160))
    assert kinds(project_2d.root) == kinds(project_2d.root / "project.json") == [(Kind.PROJECT, 1)]
    assert kinds(images_2d[0].parent) == kinds(*images_2d) == [(Kind.IMAGES, 3)]
    assert kinds(json_file) == kinds(annotations) == [(Kind.ANNOTATIONS, 1)]
    assert kinds(model) == kinds(zipped) == [(Kind.MODEL, 1)]
    assert kinds(letter, other_zip, broken, tmp_path / "gone") == [(Kind.UNKNOWN, 4)]
    labelme(images_2d[0].parent / "head_0.json", {"nasion": (3, 4)}, "head_0.png", (120, 160))
    assert kinds(images_2d[0].parent) == [(Kind.IMAGES, 3), (Kind.ANNOTATIONS, 1)]
    assert kinds(json_file, images_2d[0]) == [(Kind.IMAGES, 1), (Kind.ANNOTATIONS, 1)]


# ---- what becomes of it


@pytest.mark.parametrize("where", ["panel", "canvas", "window"])
def test_a_project_dropped_anywhere_opens(window: LandmarkerWidget, project_2d: Project, where: str) -> None:
    assert drop(places(window)[where], project_2d.root)
    assert window.session.project.root == project_2d.root


@pytest.mark.parametrize("where", ["panel", "canvas", "window"])
def test_images_dropped_on_a_project_are_added_and_the_first_opens(
    window: LandmarkerWidget, project_2d: Project, tmp_path: Path, told: list[str], where: str
) -> None:
    window.open_project(project_2d.root)
    path = tmp_path / "new.png"
    PillowImage.fromarray(np.zeros((40, 50), np.uint8)).save(path)
    assert drop(places(window)[where], path)
    assert window.session.case_id == "new"
    assert told == ["One image was added to the project."]
    window.session.open_case("head_0")
    drop(places(window)[where], path)
    assert window.session.case_id == "new"
    assert len(window.session.project.cases) == 4


def test_annotations_dropped_on_a_project_are_imported(
    window: LandmarkerWidget, project_2d: Project, tmp_path: Path
) -> None:
    window.open_project(project_2d.root)
    path = labelme(tmp_path / "head_0.json", {"nasion": (10.5, 20.5)}, "head_0.png", (120, 160))
    assert drop(places(window)["canvas"], path)
    np.testing.assert_allclose(window.session.annotations.point("nasion"), (20, 10))


def test_images_dropped_on_the_empty_panel_begin_a_project(
    window: LandmarkerWidget, images_2d: list[Path], monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    seen: list[Sequence[str]] = []

    def fill_in(dialog: ProjectDialog) -> int:
        seen.append((dialog.images.text(), dialog.folder.text()))
        dialog.landmarks.setPlainText("tip\nroot")
        dialog.create.click()
        return 1

    monkeypatch.setattr(ProjectDialog, "exec", fill_in)
    assert drop(window, *images_2d[:2])
    qtbot.waitUntil(lambda: window.session.project is not None)
    assert seen == [("<head_0.png and 1 more>", str(images_2d[0].parent) + "-landmarks")]
    assert [case.id for case in window.session.project.cases] == ["head_0", "head_1"]


def test_an_image_dropped_on_the_canvas_without_a_project_is_left_to_napari(
    window: LandmarkerWidget, images_2d: list[Path]
) -> None:
    assert not window.drop.take([images_2d[0]], on_widget=False)


def test_what_is_not_known_is_told_in_one_sentence(
    window: LandmarkerWidget, project_2d: Project, tmp_path: Path, told: list[str]
) -> None:
    letter = tmp_path / "letter.docx"
    letter.write_bytes(b"Dear reader")
    for place in places(window).values():
        assert drop(place, letter)
    assert len(set(told)) == 1
    assert told[0].startswith("letter.docx cannot be opened here: drop images,")
    assert "\n" not in told[0]


def test_a_damaged_project_is_told_and_the_open_one_stays(
    window: LandmarkerWidget, project_2d: Project, tmp_path: Path, told: list[str]
) -> None:
    window.open_project(project_2d.root)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "project.json").write_text("{", encoding="utf-8")
    drop(window, damaged)
    assert window.session.project.root == project_2d.root
    assert len(told) == 1
    assert "damaged" in told[0]


# ---- images and annotations together


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder with two pictures, annotations of one of them and of a third, and a file that is none."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name in ("left", "right"):
        PillowImage.fromarray(np.zeros((40, 50), np.uint8)).save(folder / f"{name}.png")
    labelme(folder / "right.json", {"nasion": (10.5, 20.5), "sella": (5.5, 6.5)}, "right.png", (40, 50))
    return folder


def test_a_folder_dropped_on_a_project_gives_its_images_and_their_annotations(
    window: LandmarkerWidget, project_2d: Project, mixed: Path, told: list[str]
) -> None:
    window.open_project(project_2d.root)
    session = window.session
    assert drop(places(window)["canvas"], mixed)
    assert session.case_id == "left"
    assert told == [
        "2 images were added to the project, and one image got annotations, which Undo takes back; "
        "nothing was left out."
    ]
    assert (session.progress("left"), session.progress("right")) == ((0, 3), (2, 3))
    saved = Project.open(project_2d.root).annotations("right")
    np.testing.assert_allclose(saved.points[:2], [(20, 10), (6, 5)])
    session.undo()
    assert session.progress("right") == (0, 3)
    assert len(session.project.cases) == 5
    session.redo()
    told.clear()
    assert drop(window, mixed)
    assert told == [
        "All of these images are in the project already, and there was nothing new to annotate them with; "
        "nothing was left out."
    ]


def test_what_a_folder_holds_and_was_not_taken_is_said(
    window: LandmarkerWidget, project_2d: Project, mixed: Path, told: list[str]
) -> None:
    labelme(mixed / "third.json", {"nasion": (1, 1)}, "third.png", (40, 50))
    labelme(mixed / "left.json", {"chin": (1, 1)}, "left.png", (40, 50))
    window.open_project(project_2d.root)
    assert drop(window, mixed)
    (sentence,) = told
    assert sentence.startswith("2 images were added to the project, and one image got annotations, which Undo takes")
    assert "; 2 files were left out, the first as " in sentence
    assert "left.json" in sentence
    assert "chin" in sentence
    assert window.session.progress("right") == (2, 3)
    assert len(Project.open(project_2d.root).cases) == 5


def test_volumes_and_their_annotations_are_taken_together(
    window: LandmarkerWidget, project_3d: Project, images_3d: list[Path], tmp_path: Path, told: list[str]
) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    copy = folder / "knee.nii.gz"
    copy.write_bytes(images_3d[0].read_bytes())
    position = [-20 + 0.8 * 30, -30 + 0.8 * 22, 11 + 5 * 4]  # RAS mm; seen in LPS, 70 columns and 60 rows are turned
    point = {"label": "sella", "position": position, "positionStatus": "defined"}
    markup = {"type": "Fiducial", "coordinateSystem": "RAS", "controlPoints": [point]}
    (folder / "knee.mrk.json").write_text(json.dumps({"markups": [markup]}), encoding="utf-8")
    window.open_project(project_3d.root)
    assert drop(window, folder)
    assert told == [
        "One image was added to the project, and one image got annotations, which Undo takes back; "
        "nothing was left out."
    ]
    np.testing.assert_allclose(window.session.annotations.point("sella"), (4, 59 - 22, 69 - 30), atol=1e-4)


@pytest.mark.parametrize("how", ["dropped", "chosen"])
def test_a_project_of_a_folder_begins_with_the_annotations_in_it(
    window: LandmarkerWidget, mixed: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, told: list[str], how: str
) -> None:
    def fill_in(dialog: ProjectDialog) -> int:
        if how == "chosen":
            dialog.images.setText(str(mixed))
        dialog.landmarks.setPlainText("nasion\nsella")
        dialog.create.click()
        return 1

    monkeypatch.setattr(ProjectDialog, "exec", fill_in)
    if how == "dropped":
        assert drop(window, mixed)
    else:
        window.new_project()
    qtbot.waitUntil(lambda: bool(told))
    assert told == [
        "The new project has 2 images, and one image got annotations, which Undo takes back; nothing was left out."
    ]
    assert [window.session.progress(case.id) for case in window.session.project.cases] == [(0, 2), (2, 2)]
