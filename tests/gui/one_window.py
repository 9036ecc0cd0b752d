"""One window for all tests of a module: opening it takes longer than most of what is tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from app_model import Application
from napari import Viewer
from napari._app_model._app import NapariApplication, _napari_names
from napari._qt._qapp_model.qactions import init_qactions
from napari.plugins import _initialize_plugins
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
def own_application() -> Iterator[None]:
    """An application of napari for one window, as napari's own fixtures have one each: its commands end with it."""
    application = NapariApplication("one window")
    application.injection_store.namespace = _napari_names
    with patch.object(NapariApplication, "get_app_model", return_value=application):
        try:
            yield
        finally:
            Application.destroy("one window")
            _initialize_plugins.cache_clear()
            init_qactions.cache_clear()


@contextmanager
def one_viewer() -> Iterator[Viewer]:
    """A window of napari that is shown; closed at the end."""
    with own_application():
        _initialize_plugins.cache_clear()
        init_qactions.cache_clear()
        viewer = Viewer(show=True, show_welcome_screen=False)
        viewer.window._qt_window.resize(1400, 900)
        try:
            yield viewer
        finally:
            if is_open(viewer):
                viewer.close()
            QApplication.processEvents()


def is_open(viewer: Viewer) -> bool:
    """Whether the window of a viewer has not been closed."""
    return hasattr(viewer.window, "_qt_window")


@contextmanager
def one_window() -> Iterator[Canvas]:
    """A window with the widget docked, and a mouse and keys for its canvas; closed at the end."""
    with one_viewer() as viewer:
        widget = dock(viewer)
        viewer.window._qt_window.activateWindow()
        QTest.qWaitForWindowActive(viewer.window._qt_window)
        yield Canvas(viewer, widget)


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
