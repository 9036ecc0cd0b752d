"""A training in the window: curves on logarithmic axes, and a run that goes on when the widget is closed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QApplication, QPushButton

from napari_landmarker.engine.project import Project
from napari_landmarker.gui.line_plot import BLUE, GREEN, LinePlot
from napari_landmarker.gui.open import dock
from napari_landmarker.gui.tasks import TrainingProcess
from napari_landmarker.gui.widget import LandmarkerWidget

#: A run that says three values that fall to a tenth each time, and ends when it is told to.
SCRIPT = """
import json, pathlib, sys
def say(**event): print(json.dumps(event), flush=True)
say(event="started", model="auto-1", preset="auto", device="cpu", n_train=2, n_validation=1, unit="mm", max_minutes=1)
for step in range(3):
    now = dict(epoch=step, step=step, train_loss=10.0 ** -step, elapsed_s=60 * (step + 1), remaining_s=130)
    say(event="epoch", validation_loss=3 * 10.0 ** -step, validation_error=100 * 10.0 ** -step, unit="mm", **now)
sys.stdin.readline()
folder = pathlib.Path(sys.argv[1]) / "configs"
folder.mkdir(parents=True)
(folder / "metadata.json").write_text("{}", encoding="utf-8")
say(event="finished", model="auto-1", validation_error=1, unit="mm", stopped=True, elapsed_s=180)
"""


@pytest.fixture
def running(
    widget: LandmarkerWidget, project_2d: Project, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LandmarkerWidget]:
    """The window while a run of an annotated project is going on that has said all it says."""
    script = tmp_path / "run.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, str(script), str(project_2d.model_path("auto-1"))]
    monkeypatch.setattr("napari_landmarker.gui.train_panel.training_command", lambda *_: command)
    session = widget.session
    session.open_project(project_2d)
    for case in project_2d.cases:
        session.open_case(case.id)
        session.place((20.0, 30.0))
    widget.tabs.setCurrentWidget(widget.train)
    qtbot.waitUntil(lambda: widget.train.start.isEnabled())
    press(qtbot, widget, widget.train.start)
    run = widget.train.process.run
    qtbot.waitUntil(lambda: len(run.curve) == 3)
    yield widget
    process = TrainingProcess.active()
    if process is not None:
        process.kill()


def press(qtbot: QtBot, widget: LandmarkerWidget, button: QPushButton) -> None:
    widget.train.ensureWidgetVisible(button)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))


def heights(plot: LinePlot, color: str) -> list[float]:
    """How high a line of this colour is drawn at its first, middle and last column, from the bottom."""
    image, wanted, found = plot.grab().toImage(), QColor(color), {}
    words_px = round(plot.fontMetrics().height() * (2.45 if len(plot.series) > 1 else 1.45))
    for x in range(image.width()):
        for y in range(words_px, image.height()):
            seen = image.pixelColor(x, y)
            if max(abs(seen.red() - wanted.red()), abs(seen.green() - wanted.green())) < 12:
                found.setdefault(x, []).append(y)
    columns = sorted(found)
    middle = min(columns, key=lambda x: abs(x - (columns[0] + columns[-1]) / 2))
    return [image.height() - float(np.mean(found[x])) for x in (columns[0], middle, columns[-1])]


def test_losses_and_errors_are_drawn_on_logarithmic_axes(running: LandmarkerWidget, qtbot: QtBot) -> None:
    plot = running.train.plot
    qtbot.waitUntil(plot.error.isVisible)
    QApplication.processEvents()
    for part, color in ((plot.loss, BLUE), (plot.error, GREEN)):
        first, middle, last = heights(part, color)
        assert first - last > 20
        assert middle - last == pytest.approx((first - last) / 2, abs=0.12 * (first - last))
    assert "(mm)" in plot.error.title
    assert "min left" in running.train.state.text()


def test_a_run_goes_on_when_the_widget_is_closed_and_the_next_one_shows_and_stops_it(
    running: LandmarkerWidget, viewer: Viewer, qtbot: QtBot
) -> None:
    process, root = running.train.process, running.session.project.root
    viewer.window.remove_dock_widget(running)
    running.deleteLater()
    qtbot.waitUntil(lambda: len(viewer.layers) == 0)
    assert not process.run.state.ended
    again = dock(viewer)
    again.open_project(root)
    again.tabs.setCurrentWidget(again.train)
    assert again.train.process is process
    assert len(again.train.plot.loss.series[0].xs) == 3
    press(qtbot, again, again.train.stop)
    qtbot.waitUntil(lambda: again.train.process is None)
    assert again.train.state.text().startswith("The model 'auto-1' is ready (stopped early).")
    assert again.session.model == "auto-1"
