"""The scenes of `screenshots.py` that need a model: training, predicting, reporting."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from qtpy.QtTest import QTest

from napari_landmarker.engine.datasets import SAMPLES, sample_project
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.train.planner import preset_config
from napari_landmarker.gui.widget import LandmarkerWidget

#: How long the model of the pictures learns.
MINUTES = 2.0
_PATIENCE_MS = 300_000


@cache
def trained_project() -> Path:
    """The 2D sample project with a model; it is trained once, and gone when the script ends."""
    from napari_landmarker.engine.train.fit import train_project

    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    project = _sample(Path(folder.name))
    train_project(project, preset_config("auto", project, MINUTES), lambda event: None)
    return project.root


def window_train(widget: LandmarkerWidget, folder: Path) -> None:
    """A training on its way."""
    widget.open_project(_sample(folder).root)
    panel = widget.train
    widget.tabs.setCurrentWidget(panel)
    panel.choices.minutes.setValue(MINUTES)
    panel.start_training()
    _wait(lambda: panel.process is None or len(panel.process.run.curve) >= 14)


def window_predict(widget: LandmarkerWidget, _: Path) -> None:
    """Predicted points on an image that nobody has annotated, with their heatmaps."""
    widget.open_project(trained_project())
    session = widget.session
    session.open_case(session.project.cases_in(Split.TEST)[2].id)
    for name in session.names:
        session.remove(name)
    widget.tabs.setCurrentWidget(widget.predict)
    widget.predict.predict_this()
    _wait(lambda: widget.predict.task is None)


def window_report(widget: LandmarkerWidget, _: Path) -> None:
    """The report of the test split."""
    widget.open_project(trained_project())
    widget.tabs.setCurrentWidget(widget.report)
    widget.report.make_report()
    _wait(lambda: widget.report.task is None)


MODEL_PICTURES: dict[str, Callable[[LandmarkerWidget, Path], None]] = {
    "window_train": window_train,
    "window_predict": window_predict,
    "window_report": window_report,
}


def _sample(folder: Path) -> Project:
    return sample_project(SAMPLES[2], folder / f"{SAMPLES[2].name} study")


def _wait(done: Callable[[], bool]) -> None:
    waited_ms = 0
    while not done() and waited_ms < _PATIENCE_MS:
        QTest.qWait(50)
        waited_ms += 50
