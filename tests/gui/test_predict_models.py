"""Models from elsewhere: looked at, mapped by a person where names differ, refused where nothing fits."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QLabel
from test_predict_report import make_model, press
from test_region_layer import calibrate
from window import NAMES

from napari_landmarker.engine.errors import ModelError
from napari_landmarker.engine.predict.bundle import INFO, read_info
from napari_landmarker.engine.predict.calibration_file import read_calibration
from napari_landmarker.engine.predict.importing import adopt_model, discard, stage_model
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.model_dialog import ModelDialog
from napari_landmarker.gui.widget import LandmarkerWidget

#: As other people call nasion, sella and menton.
THEIRS = ("Sella", "N", "Me")


@pytest.fixture
def elsewhere(project_2d: Project, tmp_path: Path) -> Path:
    """A model folder outside of the project, with other names for two of its landmarks."""
    make_model(project_2d, "away", THEIRS)
    folder = tmp_path / "shared" / "away"
    folder.parent.mkdir()
    shutil.move(project_2d.model_path("away"), folder)
    return folder


def zipped(folder: Path, target: Path, top: str = "away/") -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in folder.rglob("*"):
            if path.is_file():
                archive.write(path, top + path.relative_to(folder).as_posix())
    return target


def left_over(project: Project) -> list[str]:
    return [path.name for path in project.models_dir.glob("*")] if project.models_dir.exists() else []


@pytest.mark.parametrize("kind", ["folder", "zip", "zip without a folder"])
def test_a_model_is_mapped_by_the_person_and_then_predicts(
    kind: str, widget: LandmarkerWidget, project_2d: Project, elsewhere: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    path = elsewhere
    if kind != "folder":
        path = zipped(elsewhere, tmp_path / "away.zip", "deep/away/" if kind == "zip" else "")
    widget.session.open_project(project_2d)
    widget.tabs.setCurrentWidget(widget.predict)
    opener, asked = widget.predict.opener, []

    def ask(staged: object, names: tuple[str, ...], known: bool, parent: object) -> dict[str, str]:
        dialog = ModelDialog(staged, names, known, parent)
        asked.append(dialog.landmarks)
        dialog.choices["menton"].setCurrentIndex(dialog.choices["menton"].findData("Me"))
        return dialog.landmarks

    opener.ask = ask
    opener.open_model(path)
    qtbot.waitUntil(lambda: opener.task is None)
    assert asked == [{"sella": "Sella"}]  # names that differ only in their letters are suggested
    assert widget.session.model == "away"
    assert left_over(project_2d) == ["away"]
    assert set(read_info(project_2d.model_path("away")).names) == {"sella", "N", "menton"}
    assert read_info(elsewhere).names == THEIRS
    press(qtbot, widget.predict.one)
    qtbot.waitUntil(lambda: widget.predict.task is None)
    assert widget.session.predictions.status_of("menton").has_point
    assert not widget.session.predictions.status_of("nasion").has_point


def test_the_dialog_says_what_a_model_expects_and_refuses_what_cannot_be(
    widget: LandmarkerWidget, project_2d: Project, elsewhere: Path, qtbot: QtBot
) -> None:
    staged = stage_model(project_2d, elsewhere)
    dialog = ModelDialog(staged, NAMES, False)
    qtbot.addWidget(dialog)
    text = dialog.findChildren(QLabel)[0].text()
    assert text.startswith("'away' finds 3 landmarks. For 2D images in grey, of whatever size.")
    assert "mean error 12.3 px on validation images" in text
    assert dialog.add.isEnabled()
    dialog.choices["nasion"].setCurrentIndex(dialog.choices["nasion"].findData("Sella"))
    assert dialog.problem.text() == "'Sella' of the model is chosen twice."
    assert not dialog.add.isEnabled()
    for combo in dialog.choices.values():
        combo.setCurrentIndex(0)
    assert dialog.problem.text().startswith("None of its landmarks is one of the project")
    with pytest.raises(ModelError, match="finds nothing of this project"):
        adopt_model(project_2d, staged, {})
    discard(staged.folder)


def test_a_model_that_a_person_does_not_want_leaves_nothing(
    widget: LandmarkerWidget, project_2d: Project, elsewhere: Path, qtbot: QtBot
) -> None:
    widget.session.open_project(project_2d)
    opener = widget.predict.opener
    opener.ask = lambda *_: None
    opener.open_model(elsewhere)
    qtbot.waitUntil(lambda: opener.task is None)
    assert widget.session.model is None
    assert left_over(project_2d) == []


def test_a_model_for_volumes_is_refused_for_photographs(
    widget: LandmarkerWidget, project_2d: Project, project_3d: Project, qtbot: QtBot, told: list[str]
) -> None:
    make_model(project_3d, "volumes")
    widget.session.open_project(project_2d)
    opener = widget.predict.opener
    opener.ask = lambda *_: pytest.fail("It is asked which landmarks belong together.")
    opener.open_model(project_3d.model_path("volumes"))
    qtbot.waitUntil(lambda: opener.task is None)
    assert told == ["The model 'volumes' is for 3D images, and those of this project are 2D: choose another model."]
    assert left_over(project_2d) == []


def test_what_is_no_model_is_one_sentence_and_leaves_nothing(
    project_2d: Project, elsewhere: Path, tmp_path: Path
) -> None:
    torn = tmp_path / "torn.zip"
    torn.write_bytes(zipped(elsewhere, tmp_path / "whole.zip").read_bytes()[:500])
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    slip = zipped(elsewhere, tmp_path / "slip.zip")
    with zipfile.ZipFile(slip, "a") as archive:
        archive.writestr("away/../../../evil.txt", "x")
    broken = tmp_path / "broken"
    shutil.copytree(elsewhere, broken)
    (broken / "models" / "model.pt").write_bytes(b"not weights")
    for path, said in (
        (torn, "torn.zip is no zip"),
        (empty, "empty.zip holds no model"),
        (slip, "slip.zip holds files that would land elsewhere"),
        (broken, "broken/models/model.pt holds no weights"),
        (tmp_path / "pictures", "is no model"),
    ):
        with pytest.raises(ModelError, match=said):
            stage_model(project_2d, path)
        assert left_over(project_2d) == []
    assert not list(tmp_path.rglob("evil.txt"))


def test_landmarks_can_be_exchanged_and_what_was_calibrated_stays(project_2d: Project, tmp_path: Path) -> None:
    made = calibrate(project_2d)
    before = read_info(project_2d.model_path("auto-1")).names
    staged = stage_model(project_2d, project_2d.model_path("auto-1"))
    assert staged.name == "auto-1-1"
    exchanged = {"nasion": "sella", "sella": "nasion"}
    name = adopt_model(project_2d, staged, exchanged)
    after = read_info(project_2d.model_path(name)).names
    assert after == tuple({**exchanged, "menton": "menton (of the model)"}[old] for old in before)
    kept = read_calibration(project_2d.model_path(name))
    assert kept.names == tuple({**exchanged, "menton": "menton (of the model)"}[old] for old in made.names)
    assert np.array_equal(kept.scores, made.scores)
    assert (project_2d.model_path(name) / INFO).exists()
