"""The scenes of `screenshots.py` that show what the window says when something is in the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_landmarker.engine.datasets import SAMPLES, sample_project
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.widget import LandmarkerWidget
from napari_landmarker.state.session import Session


def window_second(widget: LandmarkerWidget, folder: Path) -> None:
    """A project that another window has open."""
    project = sample_project(SAMPLES[2], folder / "fundus study")
    first = Session()
    first.open_project(Project.open(project.root))
    widget.destroyed.connect(first.leave)
    widget.open_project(project.root)


SHELL_PICTURES: dict[str, Callable[[LandmarkerWidget, Path], None]] = {"window_second": window_second}
