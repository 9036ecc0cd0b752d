"""The scenes of `screenshots.py` of the window itself: how one begins, and what it says when something is off."""

from __future__ import annotations

from collections.abc import Callable

from pictures_stage import Stage

from napari_landmarker.engine.datasets import SAMPLES
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.project_dialog import ProjectDialog
from napari_landmarker.state.session import Session


def start(stage: Stage) -> None:
    """What one sees first."""
    stage.shoot("window_start")


def new(stage: Stage) -> None:
    """The dialog for a new project, filled in."""
    dialog = ProjectDialog(stage.widget)
    dialog.show()
    dialog.images.setText("~/Pictures/fundus")
    dialog.landmarks.setPlainText("\n".join(SAMPLES[2].landmarks))
    stage.shoot_dialog("window_new", dialog)


def second(stage: Stage) -> None:
    """A project that another window has open."""
    project = stage.sample(2)
    first = Session()
    first.open_project(Project.open(project.root))
    stage.open(project)
    stage.shoot("window_second")
    first.leave()


SHELL_SCENES: dict[str, Callable[[Stage], None]] = {"start": start, "new": new, "second": second}
