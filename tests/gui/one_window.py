"""One window for all tests of a module: opening it takes longer than most of what is tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari import Viewer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from window import Canvas

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.layers import SIZE_PX
from napari_landmarker.gui.open import dock
from napari_landmarker.gui.widget import LandmarkerWidget
from napari_landmarker.state.modes import LabelMode

OpenProject = Callable[..., Canvas]


@contextmanager
def one_window() -> Iterator[Canvas]:
    """A window with the widget docked, and a mouse and keys for its canvas; closed at the end."""
    viewer = Viewer(show=True)
    viewer.window._qt_window.resize(1400, 900)
    widget = dock(viewer)
    viewer.window._qt_window.activateWindow()
    QTest.qWaitForWindowActive(viewer.window._qt_window)
    try:
        yield Canvas(viewer, widget)
    finally:
        viewer.close()
        QApplication.processEvents()


def open_fresh(canvas: Canvas, folder: Path, schema: LandmarkSchema, images: list[Path]) -> Canvas:
    """Open a new project in a window, which looks as it does at the start."""
    clean(canvas.widget)
    canvas.widget.session.open_project(create_project(folder, schema, images))
    canvas.viewer.reset_view()
    canvas.native.setFocus()
    QApplication.processEvents()
    return canvas


def clean(widget: LandmarkerWidget) -> None:
    """Close the project, and look at images as at the start."""
    widget.session.close_project(discard=True)
    widget.session.set_mode(LabelMode.SEQUENTIAL)
    widget.layers.set_size(SIZE_PX)
    widget.layers.show_names(True)
    widget.canvas.actions.view.set_magnifier(False)
    widget.canvas.actions.tape.stop()
    widget.viewer.dims.ndisplay = 2
