"""Drive the real window and take the pictures of the documentation.

Usage: python scripts/screenshots.py [NAME ...]

Writes ``docs/images/<NAME>.png``; all pictures without a name. It needs a screen, or ``xvfb-run`` in front.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import napari
from model_pictures import MODEL_PICTURES
from qtpy.QtTest import QTest
from shell_pictures import SHELL_PICTURES

from napari_landmarker.engine.datasets import SAMPLES, sample_project
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.gui.open import dock
from napari_landmarker.gui.widget import LandmarkerWidget

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
SIZE_PX = (1440, 900)


def sample(ndim: int, folder: Path) -> Project:
    """The sample project of a number of dimensions, in a folder of its own."""
    return sample_project(SAMPLES[ndim], folder / f"{SAMPLES[ndim].name} study")


def start(widget: LandmarkerWidget, _: Path) -> None:
    """What one sees first."""
    widget.tabs.setCurrentIndex(0)


def window_2d(widget: LandmarkerWidget, folder: Path) -> None:
    """A photograph while its second landmark is placed."""
    project = sample(2, folder)
    widget.open_project(project.root)
    session = widget.session
    session.open_case(project.cases_in(Split.TEST)[2].id)
    session.remove(session.names[-1])


def window_3d(widget: LandmarkerWidget, folder: Path) -> None:
    """A volume with a landmark on the slice that is shown and one that cannot be seen."""
    project = sample(3, folder)
    widget.open_project(project.root)
    session = widget.session
    session.open_case(project.cases_in(Split.TEST)[1].id)
    session.mark_absent(session.names[-1])
    session.set_current(session.names[1])
    widget.layers.bring_into_view(session.names[1])


PICTURES: dict[str, Callable[[LandmarkerWidget, Path], None]] = {
    "window_start": start,
    "window_2d": window_2d,
    "window_3d": window_3d,
    **SHELL_PICTURES,
    **MODEL_PICTURES,
}


def take(name: str, folder: Path) -> Path:
    """Open a window, set the scene and take its picture."""
    viewer = napari.Viewer(title="napari-landmarker", show_welcome_screen=False)
    viewer.window.resize(*SIZE_PX)
    widget = dock(viewer)
    QTest.qWait(300)
    PICTURES[name](widget, folder)
    viewer.reset_view()
    QTest.qWait(800)
    IMAGES.mkdir(parents=True, exist_ok=True)
    path = IMAGES / f"{name}.png"
    viewer.window.screenshot(path, canvas_only=False, flash=False)
    viewer.close()
    return path


def main() -> None:
    """Take the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description="Take the pictures of the documentation.")
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], help="which pictures; all by default")
    names = parser.parse_args().names or list(PICTURES)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            path = take(name, Path(folder))
        print(path.relative_to(IMAGES.parent.parent))


if __name__ == "__main__":
    main()
