"""A real viewer with the widget docked, small projects, and a mouse for its canvas."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partialmethod
from pathlib import Path

import nibabel
import numpy as np
import pytest
from napari import Viewer
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from npe2 import PluginManager
from one_window import is_open, one_viewer
from PIL import Image as PillowImage
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import QApplication
from window import NAMES, SHAPE_2D, SHAPE_3D, SPACING_3D, Canvas

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.open import dock
from napari_landmarker.gui.widget import LandmarkerWidget

#: A busy machine may take long to do what is waited for; what never comes is told all the same.
_PATIENCE_MS = 60_000
for _wait in ("waitUntil", "waitSignal", "waitExposed"):
    setattr(QtBot, _wait, partialmethod(getattr(QtBot, _wait), timeout=_PATIENCE_MS))


@pytest.fixture(scope="module", autouse=True)
def _no_old_garbage() -> None:
    """What earlier modules left behind is looked at once."""
    gc.unfreeze()
    gc.collect()


@pytest.fixture(autouse=True)
def _quick_collection(_no_old_garbage: None) -> None:
    """napari collects garbage whenever a layer goes: it need not look at all that was there before the test."""
    gc.freeze()


@pytest.fixture(scope="module")
def napari_window(qapp: QApplication) -> Iterator[Callable[[], Viewer]]:
    """A real viewer in a window that is shown, for all tests of a module; a new one where a test has closed it."""
    shown: list[Viewer] = []
    with ExitStack() as window:

        def get() -> Viewer:
            if not shown or not is_open(shown[-1]):
                window.close()
                shown.append(window.enter_context(one_viewer()))
            return shown[-1]

        yield get


@pytest.fixture
def viewer(napari_window: Callable[[], Viewer]) -> Iterator[Viewer]:
    """The viewer of the module, as it is at the start."""
    viewer = napari_window()
    yield viewer
    if is_open(viewer):
        for docked in list(viewer.window.dock_widgets.values()):
            viewer.window.remove_dock_widget(docked)
            docked.deleteLater()
        QApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        viewer.layers.clear()
        viewer.dims.ndisplay = 2


@pytest.fixture
def plugins() -> PluginManager:
    """napari's plugins, which a viewer with a window finds by itself."""
    PluginManager.instance().discover()
    return PluginManager.instance()


@pytest.fixture
def model(plugins: PluginManager, monkeypatch: pytest.MonkeyPatch) -> ViewerModel:
    """A viewer without a window, which the readers and writers take for the one on the screen."""
    model = ViewerModel()
    monkeypatch.setattr("napari.current_viewer", lambda: model)
    return model


@pytest.fixture
def widget(viewer: Viewer, qtbot: QtBot) -> LandmarkerWidget:
    """The widget, docked as the command line docks it."""
    widget = dock(viewer)
    qtbot.waitExposed(widget)
    QApplication.processEvents()
    return widget


@pytest.fixture
def canvas(viewer: Viewer, widget: LandmarkerWidget) -> Canvas:
    """A mouse and a keyboard on the canvas."""
    return Canvas(viewer, widget)


@pytest.fixture
def told() -> Iterator[list[str]]:
    """Sentences shown to the person so far in this test, as napari notifications."""
    sentences: list[str] = []

    def hear(notification: object) -> None:
        sentences.append(str(getattr(notification, "message", notification)))

    notification_manager.notification_ready.connect(hear)
    yield sentences
    notification_manager.notification_ready.disconnect(hear)


@pytest.fixture
def images_2d(tmp_path: Path) -> list[Path]:
    """Three grey photographs."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    paths = [folder / f"head_{number}.png" for number in range(3)]
    for path in paths:
        PillowImage.fromarray(rng.integers(0, 255, SHAPE_2D, dtype=np.uint8)).save(path)
    return paths


@pytest.fixture
def images_3d(tmp_path: Path) -> list[Path]:
    """Two volumes with slices of 5 mm and pixels of 0.8 mm, stored x, y, z in RAS as NIfTI does."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "volumes"
    folder.mkdir()
    paths = [folder / f"scan_{number}.nii.gz" for number in range(2)]
    affine = np.diag([*SPACING_3D[::-1], 1.0])
    affine[:3, 3] = (-20, -30, 11)
    for path in paths:
        volume = rng.integers(0, 900, SHAPE_3D[::-1], dtype=np.int16)
        nibabel.save(nibabel.Nifti1Image(volume, affine), path)
    return paths


@pytest.fixture
def project_2d(tmp_path: Path, images_2d: list[Path]) -> Project:
    """A project of three 2D images and three landmarks; no spacing is known."""
    return create_project(tmp_path / "study", LandmarkSchema.from_names(NAMES), images_2d)


@pytest.fixture
def project_3d(tmp_path: Path, images_3d: list[Path]) -> Project:
    """A project of two 3D volumes and three landmarks."""
    return create_project(tmp_path / "study3d", LandmarkSchema.from_names(NAMES), images_3d)


@pytest.fixture
def open_2d(widget: LandmarkerWidget, project_2d: Project) -> LandmarkerWidget:
    """The widget with the 2D project."""
    widget.open_project(project_2d.root)
    QApplication.processEvents()
    return widget


@pytest.fixture
def open_3d(widget: LandmarkerWidget, project_3d: Project) -> LandmarkerWidget:
    """The widget with the 3D project."""
    widget.open_project(project_3d.root)
    QApplication.processEvents()
    return widget
