"""A model that comes with the program is there before anything is trained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from plain_model import untrained
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QWidget
from window import NAMES

from napari_landmarker.engine import model_folders
from napari_landmarker.engine.datasets import SAMPLES, sample_project
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.model_folders import SHIPPED_DIR
from napari_landmarker.engine.predict.bundle import read_info
from napari_landmarker.engine.predict.importing import StagedModel
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.model_dialog import ModelDialog
from napari_landmarker.gui.model_words import judged
from napari_landmarker.gui.widget import LandmarkerWidget


@pytest.fixture
def shipped(tmp_path: Path, project_2d: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three models for flat images: one that knows all landmarks of the project, one that knows some, and one none."""
    folder = tmp_path / "shipped"
    grid = project_2d.geometry(project_2d.cases[0].id).grid
    untrained(folder / "heads", LandmarkSchema.from_names([*NAMES, "elbow"]), grid)
    untrained(folder / "faces", LandmarkSchema.from_names([*NAMES[:2], "chin"]), grid)
    untrained(folder / "hands", LandmarkSchema.from_names(["thumb"]), grid)
    monkeypatch.setattr(model_folders, "SHIPPED_DIR", folder)
    return folder


def test_predict_with_a_shipped_model_before_any_training(
    widget: LandmarkerWidget, project_2d: Project, shipped: Path, qtbot: QtBot, told: list[str]
) -> None:
    session, panel = widget.session, widget.predict
    session.open_project(project_2d)
    widget.tabs.setCurrentWidget(panel)
    combo = panel.models.combo
    assert combo.itemText(0) == combo.currentText() == "heads (comes with the program)"
    assert panel.models.about.text().startswith("Finds all landmarks of this project. Learnt from 2 images")
    qtbot.mouseClick(panel.one, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    qtbot.waitUntil(lambda: panel.task is None)
    assert told == []
    case_id = str(session.case_id)
    saved = project_2d.predictions(case_id, "heads")
    assert saved is not None
    assert [saved.status_of(name) for name in NAMES] == [LandmarkStatus.PREDICTED] * len(NAMES)
    assert widget.report.make.isEnabled()


def test_a_shipped_model_that_shares_some_names_predicts_only_after_a_person_said_what_its_landmarks_are(
    widget: LandmarkerWidget, project_2d: Project, shipped: Path, qtbot: QtBot, told: list[str]
) -> None:
    """The same word may mean another place in another anatomy."""
    shutil.rmtree(shipped / "heads")
    session, panel = widget.session, widget.predict
    session.open_project(project_2d)
    widget.tabs.setCurrentWidget(panel)
    combo, asked = panel.models.combo, []
    assert session.model is None
    assert not panel.one.isEnabled()
    assert [combo.itemText(row).split(" ")[0] for row in range(combo.count())] == ["faces", "hands"]
    assert combo.currentIndex() == -1
    assert panel.models.about.text().endswith("choose one above and say what its landmarks are.")

    def ask(staged: StagedModel, names: tuple[str, ...], known: bool, parent: QWidget) -> dict[str, str] | None:
        dialog = ModelDialog(staged, names, known, parent)
        asked.append(dialog.landmarks)
        dialog.choices[NAMES[2]].setCurrentIndex(dialog.choices[NAMES[2]].findData("chin"))
        return None if len(asked) == 1 else dialog.landmarks

    panel.opener.ask = ask
    for _ in range(2):
        combo.setCurrentIndex(0)
        combo.activated.emit(0)
        qtbot.waitUntil(lambda: panel.opener.task is None)
        assert combo.currentIndex() == (-1 if len(asked) == 1 else 0)
    assert asked == [{name: name for name in NAMES[:2]}] * 2
    assert session.model == "faces"
    assert combo.itemText(0) == "faces"
    assert set(read_info(project_2d.model_path("faces")).names) == set(NAMES)
    assert read_info(shipped / "faces").names == (*NAMES[:2], "chin")
    assert [combo.itemText(row).split(" ")[0] for row in range(combo.count())] == ["faces", "hands"]
    assert widget.report.models.combo.count() == 1


def test_a_prediction_that_comes_while_many_files_are_changed_is_written_afterwards(
    widget: LandmarkerWidget, project_2d: Project, shipped: Path, qtbot: QtBot, told: list[str]
) -> None:
    session, panel = widget.session, widget.predict
    session.open_project(project_2d)
    widget.tabs.setCurrentWidget(panel)
    qtbot.mouseClick(panel.one, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    session.held = "Many files are being changed."
    qtbot.waitUntil(lambda: panel.task is None)
    assert project_2d.predictions(str(session.case_id), "heads") is None
    session.held = None
    qtbot.waitUntil(lambda: project_2d.predictions(str(session.case_id), "heads") is not None)
    assert told == []
    assert session.predictions is not None


def test_the_sample_has_regions_from_its_first_prediction_on(
    widget: LandmarkerWidget, tmp_path: Path, qtbot: QtBot, told: list[str]
) -> None:
    """The model that really ships is calibrated: nothing must be trained or annotated to see how sure it is."""
    session, panel = widget.session, widget.predict
    session.open_project(sample_project(SAMPLES[2], tmp_path / "p"))
    widget.tabs.setCurrentWidget(panel)
    qtbot.mouseClick(panel.one, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    qtbot.waitUntil(lambda: panel.task is None)
    box = panel.regions
    qtbot.waitUntil(lambda: bool(box.layer.regions))
    assert told == []
    assert set(box.layer.regions) == set(session.names)
    assert not any(region.whole for region in box.layer.regions.values())
    assert box.promise.text().startswith("In 95 of 100 such images, the true point of a landmark lies inside")


def test_a_model_of_the_project_comes_first_and_either_can_be_chosen(
    widget: LandmarkerWidget, project_2d: Project, shipped: Path
) -> None:
    grid = project_2d.geometry(project_2d.cases[0].id).grid
    untrained(project_2d.model_path("auto-1"), project_2d.schema, grid)
    widget.session.open_project(project_2d)
    combo = widget.predict.models.combo
    assert combo.currentText() == widget.session.model == "auto-1"
    combo.setCurrentIndex(1)
    combo.activated.emit(1)
    assert widget.session.model == "heads"
    assert widget.report.models.combo.currentText() == "heads (comes with the program)"


def test_it_is_said_in_which_pixels_a_model_was_judged() -> None:
    """Those of the full images: the sample project shows the same ones at half the size."""
    said = judged(read_info(SHIPPED_DIR / "fundus"), SHIPPED_DIR / "fundus")
    assert said.startswith("mean error 8.53 px on 25 test images of 712 x 1072 pixels; ")
    assert said.endswith("(in pixels of those images, which may be of another size than yours)")
    in_mm = judged(read_info(SHIPPED_DIR / "hippocampus"), SHIPPED_DIR / "hippocampus")
    assert "mm on 29 test images" in in_mm
    assert "pixels" not in in_mm
