"""The dialog for a new project: what it makes, and what it says when something is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qtpy.QtTest import QTest

from napari_landmarker.engine.project import Project
from napari_landmarker.gui.project_dialog import ProjectDialog
from napari_landmarker.gui.widget import LandmarkerWidget


@pytest.fixture
def dialog(widget: LandmarkerWidget, images_2d: list[Path], tmp_path: Path) -> ProjectDialog:
    """The dialog, filled in as it should be."""
    dialog = ProjectDialog(widget)
    dialog.images.setText(str(images_2d[0].parent))
    dialog.landmarks.setPlainText("left eye\n\n  right eye \n")
    return dialog


def test_the_dialog_makes_a_project_beside_the_images(dialog: ProjectDialog, images_2d: list[Path]) -> None:
    folder = images_2d[0].parent
    assert dialog.folder.text() == str(folder.with_name("pictures-landmarks"))
    dialog.spacing.setText("0.25")
    dialog.create.click()
    project = Project.open(folder.with_name("pictures-landmarks"))
    assert project.schema.names == ("left eye", "right eye")
    assert [case.id for case in project.cases] == ["head_0", "head_1", "head_2"]
    assert project.geometry("head_0").grid.spacing == (0.25, 0.25)


def test_the_folder_is_suggested_at_every_key_stroke(dialog: ProjectDialog, tmp_path: Path) -> None:
    dialog.images.clear()
    QTest.keyClicks(dialog.images, str(tmp_path / "x"))
    assert dialog.folder.text() == str(tmp_path / "x-landmarks")
    dialog.folder.setText("my own")
    QTest.keyClicks(dialog.images, "y")
    assert dialog.folder.text() == "my own"


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
        ("images", "~nobody_here/a", "'~nobody_here/a'"),
        ("folder", "~nobody_here/a", "'~nobody_here/a'"),
        ("annotations", "~nobody_here/a", "'~nobody_here/a'"),
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
