"""`Stage`: the real window of the pictures, with a hand on its mouse and keys, and a camera before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import napari
import numpy as np
from napari._qt.dialogs.qt_notification import NapariQtNotification
from PIL import Image, ImageDraw
from qtpy.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QImage, QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QAbstractItemView, QApplication, QMainWindow, QMenu, QOpenGLWidget, QWidget

from napari_landmarker.engine.datasets import SAMPLES, sample_project
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.done_count import DoneCount
from napari_landmarker.gui.open import dock
from napari_landmarker.gui.scroll_panel import ScrollPanel

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
SIZE_PX = (1440, 900)
_PATIENCE_S = 900.0
_FRAME = (150, 155, 165)


class Stage:
    """A window of napari with the panel, and a folder that is empty at first and gone afterwards.

    Args:
        folder: for the projects of the scene.

    Attributes:
        taken: the pictures that were taken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: list[Path] = []
        self.viewer = napari.Viewer(title="napari-landmarker", show_welcome_screen=False)
        self.window = next(top for top in QApplication.topLevelWidgets() if isinstance(top, QMainWindow))
        self.window.resize(*SIZE_PX)
        self.widget = dock(self.viewer)
        self.session = self.widget.session
        self.canvas = self.window.findChild(QOpenGLWidget)
        QTest.qWait(300)

    def close(self) -> None:
        """Close the window, and let Qt take all of it away before the program ends."""
        for top in QApplication.topLevelWidgets():
            if top is not self.window and top.isVisible():
                top.close()
        self.viewer.close()
        for _ in range(3):
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            QTest.qWait(100)

    # ---- what is open

    def sample(self, ndim: int) -> Project:
        """The sample project of a number of dimensions, in the folder of the scene."""
        return sample_project(SAMPLES[ndim], self.folder / f"{SAMPLES[ndim].name} study")

    def open(self, project: Project, case_id: str | None = None) -> None:
        """Open a project at a case."""
        self.widget.open_project(project.root, case_id)
        self.viewer.reset_view()
        count = self.widget.annotate.findChild(DoneCount)
        self.wait_for(lambda: not count.busy, "counting the images")

    # ---- time

    def wait(self, seconds: float = 0.3) -> None:
        """Let the window work."""
        QTest.qWait(round(1000 * seconds))

    def wait_for(self, done: Callable[[], bool], what: str) -> None:
        """Let the window work until something is so; TimeoutError if it takes too long."""
        waited = 0.0
        while not done():
            if waited > _PATIENCE_S:
                raise TimeoutError(f"{what} took longer than {_PATIENCE_S:g} seconds")
            self.wait(0.1)
            waited += 0.1
        self.wait()

    # ---- the hand

    def press(self, button: QAbstractButton) -> None:
        """Press a button, which must be there to be pressed."""
        if not (button.isVisible() and button.isEnabled()):
            raise RuntimeError(f"The button '{button.text()}' cannot be pressed now.")
        QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(12, button.height() // 2))
        self.wait(0.1)

    def click_row(self, table: QAbstractItemView, row: int) -> None:
        """Click on a row of a table."""
        place = table.visualRect(table.model().index(row, 0)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
        self.wait(0.2)

    def open_menu(self, menu: QMenu, button: QWidget) -> None:
        """Open the menu of a button, its right side below that of the button, as at the border of a screen."""
        corner = button.mapToGlobal(QPoint(button.width(), button.height()))
        menu.popup(corner - QPoint(menu.sizeHint().width(), 0))

    def show_page(self, page: QWidget) -> None:
        """Go to a page of the panel."""
        self.widget.tabs.setCurrentWidget(page)
        self.wait(0.2)

    def show_part(self, panel: ScrollPanel, part: QWidget) -> None:
        """Scroll a page until one of its parts begins at the top."""
        self.wait(0.2)
        top = part.mapTo(panel.widget(), QPoint(0, 0)).y()
        panel.verticalScrollBar().setValue(max(0, top - 8))
        self.wait(0.2)

    def click(self, index: Sequence[float]) -> None:
        """Click on the image at an index coordinate."""
        pixel = self._pixel(index)
        for kind in (QEvent.Type.MouseMove, QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease):
            self._send(kind, pixel)
        self.wait(0.1)

    def hover(self, index: Sequence[float]) -> None:
        """Hold the mouse over the image at an index coordinate."""
        pixel = self._pixel(index)
        for step in (4, 0):
            QTest.qWait(60)
            self._send(QEvent.Type.MouseMove, pixel + QPointF(step, step))

    def _pixel(self, index: Sequence[float]) -> QPointF:
        camera, layer = self.viewer.scene.camera, self.widget.layers.image
        if layer is None:
            raise RuntimeError("No image is open.")
        world = np.asarray(layer.data_to_world(index))[-2:]
        y, x = np.round((world - np.asarray(camera.center[-2:])) * camera.zoom)
        return QPointF(x + self.canvas.width() // 2, y + self.canvas.height() // 2)

    def _send(self, kind: QEvent.Type, pixel: QPointF) -> None:
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        button = none if kind == QEvent.Type.MouseMove else left
        held = left if kind == QEvent.Type.MouseButtonPress else none
        everywhere = QPointF(self.canvas.mapToGlobal(pixel.toPoint()))
        event = QMouseEvent(kind, pixel, everywhere, button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(self.canvas, event)
        QApplication.processEvents()

    # ---- the camera

    def shoot(self, name: str, *over: QWidget) -> None:
        """Take a picture of the window, with dialogs and menus where they lie over it."""
        self._keep(name, self._photograph(over))

    def shoot_panel(self, name: str, *over: QWidget) -> None:
        """As `shoot`, of the panel alone."""
        picture, panel = self._photograph(over), self.widget
        corner = panel.mapTo(self.window, QPoint(0, 0))
        self._keep(
            name, picture.crop((corner.x(), corner.y(), corner.x() + panel.width(), corner.y() + panel.height()))
        )

    def _photograph(self, over: Sequence[QWidget]) -> Image.Image:
        self.wait(1.0)
        self.dismiss_messages()
        self.wait(0.2)
        picture = Image.fromarray(self.viewer.window.screenshot(canvas_only=False, flash=False)).convert("RGB")
        for dialog in over:
            place = self.window.mapFromGlobal(dialog.mapToGlobal(QPoint(0, 0)))
            picture.paste(_framed(_seen(dialog)), (place.x(), place.y()))
        return picture

    def shoot_dialog(self, name: str, dialog: QWidget) -> None:
        """Take a picture of a dialog alone."""
        self.wait(0.5)
        self._keep(name, _framed(_seen(dialog)))

    def put_aside(self, dialog: QWidget) -> None:
        """Move a dialog to the upper left corner of the image, where it covers little."""
        dialog.move(self.canvas.mapToGlobal(QPoint(24, 24)))

    def dismiss_messages(self) -> None:
        """Take notifications away that would cover the image."""
        for message in self.window.findChildren(NapariQtNotification):
            message.close()

    def _keep(self, name: str, picture: Image.Image) -> None:
        IMAGES.mkdir(parents=True, exist_ok=True)
        path = IMAGES / f"{name}.png"
        picture.save(path, optimize=True)
        self.taken.append(path)


def _seen(widget: QWidget) -> Image.Image:
    """A widget as it is on the screen."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())
    return Image.fromarray(rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy())


def _framed(picture: Image.Image) -> Image.Image:
    """With a thin line around, which the screen's own frame would be."""
    ImageDraw.Draw(picture).rectangle((0, 0, picture.width - 1, picture.height - 1), outline=_FRAME)
    return picture
