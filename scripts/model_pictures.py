"""The scenes of `screenshots.py` that need a model: training, adding one, predicting, reviewing, reporting."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from pictures_stage import Stage
from qtpy.QtWidgets import QDialog, QWidget

from napari_landmarker.engine.datasets import SAMPLES
from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.model_folders import SHIPPED_DIR
from napari_landmarker.engine.predict.importing import StagedModel
from napari_landmarker.engine.project import Split
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.model_dialog import ModelDialog

#: How long the model of the pictures learns, and how much of its curve the first of them shows.
MINUTES, POINTS = 2.0, 10
#: So many images of the sample tell how large regions must be; for a promise of 95 % it takes 19.
CALIBRATION_IMAGES = 20
MODEL = "fundus"
#: Of the test images: nobody has annotated the next one, and the model is not so sure of it.
BEFORE = -4
#: How far beside, down and to the right.
SLIP_PX = (90.0, 40.0)


def train(stage: Stage) -> None:
    """A training on its way, and its end."""
    project = stage.sample(2)
    stage.open(project)
    for case in project.cases_in(Split.TRAIN)[:CALIBRATION_IMAGES]:
        stage.session.set_split(case.id, Split.CALIBRATION)
    panel = stage.widget.train
    stage.show_page(panel)
    panel.choices.minutes.setValue(MINUTES)
    stage.wait_for(lambda: panel.start.isEnabled(), "counting the annotated images")
    stage.press(panel.start)
    stage.wait_for(lambda: panel.process is None or len(panel.process.run.curve) >= POINTS, "the training")
    stage.shoot("window_train")
    stage.wait_for(lambda: panel.process is None, "the end of the training")
    stage.show_part(panel, panel.numbers)
    stage.shoot_panel("window_trained")


def add_model(stage: Stage) -> None:
    """A model from a zip whose landmarks the project calls otherwise."""
    zipped = shutil.make_archive(str(stage.folder / "fundus"), "zip", SHIPPED_DIR, MODEL)
    schema = LandmarkSchema.from_names(["Optic disc", "Fovea"])
    stage.open(create_project(stage.folder / "eye study", schema, SAMPLES[2].images[:4]))
    stage.show_page(stage.widget.predict)

    def ask(staged: StagedModel, names: tuple[str, ...], known: bool, parent: QWidget) -> dict[str, str] | None:
        dialog = ModelDialog(staged, names, known, parent)
        dialog.show()
        dialog.choices["Optic disc"].setCurrentIndex(1)
        stage.shoot_dialog("window_model", dialog)
        dialog.done(QDialog.DialogCode.Accepted)
        return dialog.landmarks

    opener = stage.widget.predict.opener
    opener.ask = ask
    opener.open_model(Path(zipped))
    stage.wait_for(lambda: opener.task is None, "the copying of the model")


def predict(stage: Stage) -> None:
    """Predicted points on an image that nobody has annotated: how sure, where else, and in which region."""
    _open_with_model(stage)
    panel, session = stage.widget.predict, stage.session
    stage.press(panel.next)
    _wait_for_tasks(stage)
    session.set_current(session.names[-1])
    panel.heatmaps.shown.setChecked(False)
    panel.regions.shown.setChecked(False)
    panel.answers.colored.setChecked(True)
    stage.shoot("window_predict")
    panel.answers.colored.setChecked(False)
    panel.heatmaps.shown.setChecked(True)
    panel.heatmaps.opacity.setValue(90)
    stage.show_part(panel, panel.heatmaps)
    stage.shoot("window_heatmap")
    panel.heatmaps.shown.setChecked(False)
    panel.regions.shown.setChecked(True)
    stage.press(panel.next)
    _wait_for_tasks(stage)
    session.set_current(session.names[-1])
    stage.show_part(panel, panel.regions)
    stage.shoot("window_regions")


def review(stage: Stage) -> None:
    """The images to look at first, and why; in one of them a person clicked beside the landmark."""
    _open_with_model(stage)
    panel, session = stage.widget.predict, stage.session
    session.open_case(session.project.annotated_cases(Split.TRAIN)[0].id)
    seen = session.annotations
    session.move(seen.names[-1], seen.point(seen.names[-1]) + SLIP_PX)
    stage.press(panel.many)
    _wait_for_tasks(stage)
    panel.heatmaps.shown.setChecked(False)
    stage.press(panel.review.look)
    stage.wait_for(lambda: panel.review.task is None, "the review")
    stage.show_part(panel, panel.review)
    stage.shoot("window_review")


def report(stage: Stage) -> None:
    """The report of the test split: its numbers, and below them its figures with what can be saved."""
    _open_with_model(stage)
    panel = stage.widget.report
    stage.show_page(panel)
    stage.press(panel.make)
    stage.wait_for(lambda: panel.task is None, "the report")
    stage.click_row(panel.results.points, 0)
    stage.shoot("window_report")
    stage.show_part(panel, panel.curve)
    stage.shoot_panel("window_figures")
    stage.show_part(panel, panel.open)
    menu = panel.export.menu()
    stage.open_menu(menu, panel.export)
    stage.shoot_panel("window_export", menu)
    menu.close()


MODEL_SCENES: dict[str, Callable[[Stage], None]] = {
    "train": train,
    "model": add_model,
    "predict": predict,
    "review": review,
    "report": report,
}


def _open_with_model(stage: Stage) -> None:
    """Open the sample with the model that comes with it, at the image before one of which the model is not so sure."""
    project = stage.sample(2)
    stage.open(project, project.cases_in(Split.TEST)[BEFORE].id)
    stage.session.set_model(MODEL)
    stage.show_page(stage.widget.predict)
    _wait_for_tasks(stage)


def _wait_for_tasks(stage: Stage) -> None:
    panel = stage.widget.predict
    regions = panel.regions
    stage.wait_for(lambda: panel.task is None, "the prediction")
    stage.wait_for(
        lambda: regions.model is not None and regions.keeping.task is None, "reading what the model promises"
    )
