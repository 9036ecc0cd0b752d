"""`PredictPanel` and `ReportPanel` with a small untrained model: what a person sees, and what lands on disk."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import numpy as np
import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QPushButton
from window import prediction

from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.gui.heatmap_layer import HEATMAP_NAME
from napari_landmarker.gui.widget import LandmarkerWidget


def make_model(project: Project, name: str = "auto-1", names: tuple[str, ...] | None = None) -> None:
    """Save a network that has learnt nothing as a model of the project."""
    import torch

    from napari_landmarker.engine.predict.bundle import ModelInfo, save_bundle
    from napari_landmarker.engine.schema import LandmarkSchema
    from napari_landmarker.engine.train.config import TrainConfig, UNetConfig
    from napari_landmarker.engine.train.frame import plan_frame

    torch.manual_seed(1)  # with these weights every point lies on the image, and not in what is added to fill the frame
    schema = project.schema if names is None else LandmarkSchema.from_names(names)
    grid = project.geometry(project.cases[0].id).grid
    config = TrainConfig(model=UNetConfig(features_2d=(8,) * 5, features_3d=(8,) * 5))
    frame = plan_frame([grid], 20_000, config.model.multiple(grid.ndim))
    info = ModelInfo(
        name=name, landmarks=schema, ndim=grid.ndim, channels=1, frame=frame, config=config,
        n_train=2, n_validation=1, validation_error=12.345, minutes=1.0, steps=3,
    )  # fmt: skip
    network = config.model.build(info.ndim, info.channels, len(info.names))
    save_bundle(project.model_path(name), info, network, [])


def press(qtbot: QtBot, button: QPushButton) -> None:
    assert button.isVisible()
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))


@pytest.fixture
def predicting(widget: LandmarkerWidget, project_2d: Project) -> LandmarkerWidget:
    """The window on a project with a model, at the Predict tab."""
    make_model(project_2d)
    widget.session.open_project(project_2d)
    widget.tabs.setCurrentWidget(widget.predict)
    return widget


# ---- predicting


@pytest.mark.parametrize("dims", [2, 3])
def test_predict_this_image_then_accept(
    dims: int, widget: LandmarkerWidget, viewer: Viewer, qtbot: QtBot, request: pytest.FixtureRequest, told: list[str]
) -> None:
    project: Project = request.getfixturevalue(f"project_{dims}d")
    make_model(project)
    session, panel = widget.session, widget.predict
    session.open_project(project)
    widget.tabs.setCurrentWidget(panel)
    assert panel.answers.points.text() == "This image was not predicted yet."
    assert panel.heatmaps.none.isVisible()
    press(qtbot, panel.one)
    assert panel.bar.isVisible()
    assert not panel.one.isEnabled()
    qtbot.waitUntil(lambda: panel.task is None)
    assert told == []
    assert panel.told.text() == "1 image predicted."
    assert "3 predicted points (rings on the image)" in panel.answers.points.text()
    heat = viewer.layers[HEATMAP_NAME]
    assert heat.visible
    assert heat.data.max() == pytest.approx(1, abs=0.3)
    case_id = str(session.case_id)
    saved = project.predictions(case_id, "auto-1")
    assert saved is not None
    assert np.allclose(saved.points, session.shown.points)
    assert not project.annotations(case_id).placed.any()
    press(qtbot, panel.answers.all)
    confirmed = project.annotations(case_id)
    assert set(confirmed.status) == {LandmarkStatus.CONFIRMED.value}
    assert np.allclose(confirmed.points, saved.points)
    assert not panel.answers.all.isEnabled()


def test_a_model_that_finds_nothing_is_not_taken_for_a_finished_image(predicting: LandmarkerWidget) -> None:
    session, panel = predicting.session, predicting.predict
    session.take_prediction(str(session.case_id), prediction(session, {}), "auto-1")
    assert panel.answers.points.text() == "The model did not find the landmarks that are not annotated here."
    for name in session.names:
        session.mark_absent(name)
    assert panel.answers.points.text().startswith("Every landmark here is annotated")


def test_predict_all_but_the_finished(predicting: LandmarkerWidget, qtbot: QtBot, told: list[str]) -> None:
    session, panel = predicting.session, predicting.predict
    project = session.project
    first = project.cases[0].id
    for name in session.names:
        session.mark_absent(name)
    assert panel.which_cases.currentText() == "images that are not finished"
    press(qtbot, panel.many)
    qtbot.waitUntil(lambda: panel.task is None)
    done = [case.id for case in project.cases if project.prediction_path(case.id, "auto-1").exists()]
    assert done == [case.id for case in project.cases if case.id != first]
    assert panel.told.text() == "2 images predicted."
    assert told == []


def test_an_image_that_is_gone_does_not_end_the_others(
    predicting: LandmarkerWidget, qtbot: QtBot, told: list[str]
) -> None:
    session, panel = predicting.session, predicting.predict
    project = session.project
    project.image_path(project.cases[1].id).unlink()
    panel.which_cases.setCurrentIndex(1)
    press(qtbot, panel.many)
    qtbot.waitUntil(lambda: panel.task is None)
    assert panel.told.text() == "2 images predicted."
    assert len(told) == 1
    assert told[0].startswith("1 of 3 images could not be predicted: ")
    assert "head_1.png" in told[0]


def test_cancel_keeps_what_is_done(
    predicting: LandmarkerWidget, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    session, panel = predicting.session, predicting.predict
    take = session.take_prediction

    def take_and_cancel(case_id: str, *rest: object) -> None:
        take(case_id, *rest)
        panel.cancel_task()

    monkeypatch.setattr(session, "take_prediction", take_and_cancel)
    first = session.project.cases[0].id
    image = Project.image

    def image_after_cancel(project: Project, case_id: str) -> Image:
        """The first image at once, the next one when the first is taken and the cancel has been asked for."""
        end = time.monotonic() + 30
        while case_id != first and not panel.task.cancelled and time.monotonic() < end:
            time.sleep(0.01)
        return image(project, case_id)

    monkeypatch.setattr(Project, "image", image_after_cancel)
    panel.which_cases.setCurrentIndex(1)
    press(qtbot, panel.many)
    qtbot.waitUntil(lambda: panel.task is None)
    done = [case.id for case in session.project.cases if session.project.prediction_path(case.id, "auto-1").exists()]
    assert done == [first]
    assert told == []
    assert panel.told.text() == "Cancelled; what was predicted before stays."


def test_a_model_of_other_landmarks_is_refused(predicting: LandmarkerWidget, qtbot: QtBot, told: list[str]) -> None:
    make_model(predicting.session.project, "hands", ("thumb", "wrist"))
    predicting.session.refresh_models("hands")
    panel = predicting.predict
    assert panel.models.combo.currentText() == "hands"
    assert panel.models.about.text().startswith("Finds no landmark of this project.")
    press(qtbot, panel.one)
    qtbot.waitUntil(lambda: panel.task is None)
    assert len(told) == 1
    assert told[0].startswith("The model 'hands' finds thumb, wrist, none of which")


def test_choosing_a_model(predicting: LandmarkerWidget) -> None:
    project = predicting.session.project
    make_model(project, "static-1")
    predicting.session.refresh_models()
    combo = predicting.predict.models.combo
    assert [combo.itemText(row) for row in range(combo.count())][:2] == ["auto-1", "static-1"]
    combo.setCurrentIndex(1)
    combo.activated.emit(1)
    assert predicting.session.model == "static-1"
    assert predicting.report.models.combo.currentText() == "static-1"
    assert "mean error 12.3 px on validation images" in predicting.predict.models.about.text()


def test_without_a_model_the_reason_is_said(widget: LandmarkerWidget, project_2d: Project) -> None:
    widget.session.open_project(project_2d)
    for button in (widget.predict.one, widget.predict.many, widget.report.make):
        assert not button.isEnabled()
        assert button.toolTip() == "Train a model first: this project has none."
    assert widget.predict.models.combo.currentIndex() == -1
    assert widget.predict.models.combo.placeholderText() == "no model yet"


# ---- the report


@pytest.fixture
def reporting(predicting: LandmarkerWidget) -> LandmarkerWidget:
    """The window at the Report tab; two images of the test split are annotated."""
    session = predicting.session
    for number, case in enumerate(session.project.cases):
        session.set_split(case.id, Split.TRAIN if number == 0 else Split.TEST)
        session.open_case(case.id)
        for at, name in enumerate(session.names):
            session.set_current(name)
            session.place((20.0 + 30 * at, 40.0 + 20 * number))
    predicting.tabs.setCurrentWidget(predicting.report)
    return predicting


def test_report_in_the_window_and_on_disk(reporting: LandmarkerWidget, qtbot: QtBot, told: list[str]) -> None:
    session, panel = reporting.session, reporting.report
    panel.radii.setText("10; 50, 500")
    press(qtbot, panel.make)
    qtbot.waitUntil(lambda: panel.task is None, timeout=120_000)
    assert told == []
    folder = session.project.report_dir("auto-1", Split.TEST)
    content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert (content["n_images"], content["overall"]["n"], content["radii"]) == (2, 6, [10.0, 50.0, 500.0])
    table = panel.table
    titles = [table.horizontalHeaderItem(column).text() for column in range(table.columnCount())]
    assert titles[1:6] == ["n", "mean (px)", "≤ 10 px", "≤ 50 px", "≤ 500 px"]
    names = [table.item(row, 0).text() for row in range(table.rowCount())]
    assert names == ["all landmarks", *session.names]
    for row, numbers in enumerate([content["overall"], *content["landmarks"].values()]):
        shown = [table.item(row, column).text() for column in range(1, table.columnCount())]
        mean, *errors = [f"{numbers[key]:.1f}" for key in ("mean", "median", "std", "max")]
        rates = [f"{percent:.1f} %" for percent in numbers["sdr"].values()]
        assert shown == [str(numbers["n"]), mean, *rates, *errors, str(numbers["missed"])]
    assert table.item(0, 5).text() == "100.0 %"
    (line,) = panel.curve.series
    assert len(line.xs) == 7
    assert line.ys[-1] == pytest.approx(100)
    assert line.xs[-1] == pytest.approx(content["overall"]["max"])
    assert "On 2" in panel.headline.text()


def test_save_a_copy_and_open(
    reporting: LandmarkerWidget, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, opened = reporting.report, []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url))
    monkeypatch.setattr(
        "napari_landmarker.gui.report_panel.QFileDialog.getExistingDirectory", lambda *_: str(tmp_path / "copy")
    )
    press(qtbot, panel.make)
    qtbot.waitUntil(lambda: panel.task is None, timeout=120_000)
    first = panel.reported.files.html
    assert panel.told.text() == "Saved in the project, in reports/auto-1-test."
    press(qtbot, panel.open)
    assert opened == [QUrl.fromLocalFile(str(first))]
    press(qtbot, panel.save)
    qtbot.waitUntil(lambda: panel.task is None)
    copied = tmp_path / "copy"
    assert panel.told.text() == "Saved in the folder copy."
    written = ["report.csv", "report.html", "report.json", "report_cases.csv"]
    assert sorted(path.name for path in copied.iterdir()) == written
    rows = list(csv.DictReader((copied / "report.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 4
    assert (copied / "report.json").read_text() == (first.parent / "report.json").read_text()


@pytest.mark.parametrize(("text", "said"), [("2, x", "'2, x' is no list of radii"), ("-1", "'-1' is no list of radii")])
def test_radii_that_are_none(reporting: LandmarkerWidget, qtbot: QtBot, told: list[str], text: str, said: str) -> None:
    reporting.report.radii.setText(text)
    press(qtbot, reporting.report.make)
    assert reporting.report.task is None
    assert len(told) == 1
    assert told[0].startswith(said)


def test_a_split_without_annotations_is_a_sentence(reporting: LandmarkerWidget, qtbot: QtBot, told: list[str]) -> None:
    panel = reporting.report
    panel.split.setCurrentIndex(panel.split.findData("validation"))
    press(qtbot, panel.make)
    qtbot.waitUntil(lambda: panel.task is None)
    assert len(told) == 1
    assert "validation" in told[0]
    assert not panel.result.isVisible()
