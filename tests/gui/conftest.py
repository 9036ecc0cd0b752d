"""A real viewer with the widget docked, small projects, and a mouse for its canvas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest
from napari import Viewer
from napari.utils.notifications import notification_manager
from PIL import Image as PillowImage
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QOpenGLWidget

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.open import dock
from napari_landmarker.gui.widget import LandmarkerWidget
from napari_landmarker.state.session import Session

NAMES = ("nasion", "sella", "menton")
SHAPE_2D, SHAPE_3D = (120, 160), (8, 60, 70)
SPACING_3D = (5.0, 0.8, 0.8)


class Canvas:
    """A mouse and a keyboard on the canvas of a viewer; positions are index coordinates of the open image."""

    def __init__(self, viewer: Viewer, widget: LandmarkerWidget) -> None:
        self.viewer, self.widget = viewer, widget
        self.native = viewer.window._qt_window.findChild(QOpenGLWidget)

    def pixel(self, index: Sequence[float]) -> QPointF:
        """The whole canvas pixel nearest to an index coordinate."""
        return QPointF(*np.round(self._exact(index)))

    def index_at(self, pixel: QPointF) -> np.ndarray:
        """The index coordinate of a canvas pixel on the slice that is shown: what a click there means."""
        camera, layer = self.viewer.scene.camera, self.widget.layers.image
        size = np.array([self.native.height(), self.native.width()])
        world = np.array(self.viewer.dims.point[-layer.ndim :])
        shown = [axis - (self.viewer.dims.ndim - layer.ndim) for axis in self.viewer.dims.displayed]
        world[shown] = camera.center[-2:] + (np.array([pixel.y(), pixel.x()]) - size / 2) / camera.zoom
        return np.asarray(layer.world_to_data(world))

    def click(self, index: Sequence[float]) -> np.ndarray:
        """Click with the left button; returns the index coordinate that was hit."""
        return self.drag(index)

    def drag(self, *way: Sequence[float]) -> np.ndarray:
        """Press at the first position, move through the others and release; returns the last index coordinate."""
        QTest.qWait(20)
        pixels = [self.pixel(index) for index in way]
        hit = self.index_at(pixels[-1])
        self.send(QEvent.Type.MouseMove, pixels[0], held=False)
        self.send(QEvent.Type.MouseButtonPress, pixels[0])
        for pixel in pixels[1:]:
            self.send(QEvent.Type.MouseMove, pixel)
        self.send(QEvent.Type.MouseButtonRelease, pixels[-1])
        return hit

    def hover(self, index: Sequence[float]) -> None:
        """Move the mouse with no button held."""
        self.send(QEvent.Type.MouseMove, self.pixel(index), held=False)

    def send(self, kind: QEvent.Type, pixel: QPointF, *, held: bool = True) -> None:
        """One mouse event of the left button."""
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        button = none if kind == QEvent.Type.MouseMove else left
        buttons = left if held and kind != QEvent.Type.MouseButtonRelease else none
        everywhere = QPointF(self.native.mapToGlobal(pixel.toPoint()))
        event = QMouseEvent(kind, pixel, everywhere, button, buttons, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(self.native, event)
        QApplication.processEvents()

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        """Press and release a key over the canvas."""
        QTest.keyClick(self.native, key, modifiers)
        QApplication.processEvents()

    def undo(self) -> None:
        """Ctrl+Z."""
        self.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)

    def redo(self) -> None:
        """Ctrl+Shift+Z."""
        self.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)

    def _exact(self, index: Sequence[float]) -> np.ndarray:
        camera, layer = self.viewer.scene.camera, self.widget.layers.image
        world = np.asarray(layer.data_to_world(index))
        shown = [axis - (self.viewer.dims.ndim - layer.ndim) for axis in self.viewer.dims.displayed]
        y, x = (world[shown] - camera.center[-2:]) * camera.zoom
        return np.array([x + self.native.width() / 2, y + self.native.height() / 2])


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer]) -> Viewer:
    """A real viewer in a window that is shown."""
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1400, 900)
    return viewer


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


@dataclass
class FakePrediction:
    """What a predictor returns."""

    landmarks: LandmarkSet
    heatmaps: np.ndarray
    names: tuple[str, ...]
    to_heatmap: AffineMap


def prediction(session: Session, points: dict[str, Sequence[float]], score: float = 0.5) -> FakePrediction:
    """A prediction of some landmarks of the open case."""
    grid = session.image.grid
    scores = dict.fromkeys(points, score)
    found = LandmarkSet.from_points(points, grid, names=session.names, status=LandmarkStatus.PREDICTED, score=scores)
    heatmaps = np.zeros((len(session.names), *grid.shape), np.float32)
    return FakePrediction(found, heatmaps, session.names, AffineMap.identity(grid.shape))


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
