"""A hand on the mouse and the keys of a real viewer, and what a predictor would return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from napari import Viewer
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QOpenGLWidget

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
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
        QTest.qWait(20)  # the view comes to rest, so that pixels lie where they are looked for
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
        QTest.qWait(20)
        self.send(QEvent.Type.MouseMove, self.pixel(index), held=False)

    def send(self, kind: QEvent.Type, pixel: QPointF, *, held: bool = True) -> None:
        """One mouse event of the left button; a move waits, as napari leaves out one that comes too soon."""
        if kind == QEvent.Type.MouseMove:
            QTest.qWait(20)
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
