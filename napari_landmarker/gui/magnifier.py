"""`Magnifier`: the pixels under the mouse, enlarged, in a corner of the canvas."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.looks import shortened
from napari_landmarker.gui.slice_picture import drawn_pixels, picture
from napari_landmarker.gui.view_tools import ViewTools
from napari_landmarker.state.session import Session

#: How much larger than on the canvas, and the least size of a pixel of the image, in screen pixels.
_FACTOR, _LEAST_PX = 4.0, 6.0
#: Fewest pixels of the image across the view, unless the canvas itself shows them larger.
_FEWEST = 11
#: Distance from the border of the canvas, in screen pixels.
_MARGIN = 12


class Magnifier(QWidget):
    """A small live view over the canvas. It takes no mouse, and goes to the other side when the mouse comes near.

    Args:
        view: says whether it is on.
        session: what is open.
        layers: the layers that show it.
        canvas: the widget to lie over.
    """

    def __init__(self, view: ViewTools, session: Session, layers: CaseLayers, canvas: QWidget) -> None:
        super().__init__(canvas)
        self.viewer: Viewer = view.viewer
        self.view, self.session, self.layers = view, session, layers
        self._at: FloatArray | None = None
        self.side = 14 * self.fontMetrics().height()
        self.bar = int(1.6 * self.fontMetrics().height())
        self.resize(self.side, self.side + self.bar)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        cursor, dims = self.viewer.cursor.events.position, self.viewer.dims.events
        events, slot = (cursor, dims.current_step, dims.ndisplay), self._follow
        for event in events:
            event.connect(slot)
        self.destroyed.connect(lambda: [event.disconnect(slot) for event in events])
        for signal in (view.changed, layers.seen_changed, session.current_changed):
            follow(self, signal, slot)
        canvas.installEventFilter(self)
        self._follow()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Called by Qt: there is nothing to show once the mouse leaves the canvas."""
        if event is not None and event.type() == QEvent.Type.Leave:
            self.hide()
        return super().eventFilter(watched, event)

    @property
    def factor(self) -> FloatArray:
        """Screen pixels for a pixel of the image, down and across."""
        grid = self.layers.grid
        assert grid is not None
        spacing = np.ones(grid.ndim) if grid.spacing is None else np.asarray(grid.spacing)
        shown = spacing[self._axes()]
        zoom = self.viewer.scene.camera.zoom
        most = max(self.side / _FEWEST / shown.max(), zoom * 1.5)
        return np.asarray(shown * min(max(zoom * _FACTOR, _LEAST_PX / shown.min()), most))

    def _axes(self) -> list[int]:
        assert self.layers.points is not None
        first = self.viewer.dims.ndim - self.layers.points.ndim
        return [axis - first for axis in self.viewer.dims.displayed]

    def _follow(self, _: Any = None) -> None:
        self._at = None
        grid = self.layers.grid
        if (
            self.view.magnifier
            and grid is not None
            and self.viewer.dims.ndisplay == 2
            and self.layers.points is not None
        ):
            index = self.layers.index_of(self.viewer.cursor.position)
            if grid.contains(index):
                self._at = index
        if self._at is None:
            self.hide()
            return
        self._place()
        self.show()
        self.raise_()
        self.update()

    def _place(self) -> None:
        """In the upper left corner, or the upper right one while the mouse is near the left."""
        parent = self.parentWidget()
        mouse = parent.mapFromGlobal(self.cursor().pos())
        near = mouse.x() < self.width() + 4 * _MARGIN and 0 <= mouse.y() < self.height() + 4 * _MARGIN
        self.move(parent.width() - self.width() - _MARGIN if near else _MARGIN, _MARGIN)

    # ---- drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        """Called by Qt."""
        del event
        if self._at is None or self.session.image is None:
            return
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor("black"))
        painter.setClipRect(0, 0, self.side, self.side)
        self._paint_pixels(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_points(painter)
        middle, gap = self.side / 2, self.side / 30
        for color, width in (("black", 3.0), ("white", 1.0)):
            painter.setPen(QPen(QColor(color), width))
            for sign in (-1, 1):
                painter.drawLine(QPointF(middle + sign * gap, middle), QPointF(middle + sign * gap * 4, middle))
                painter.drawLine(QPointF(middle, middle + sign * gap), QPointF(middle, middle + sign * gap * 4))
        painter.setClipping(False)
        self._paint_name(painter)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(200, 200, 200), 2))
        painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def patch(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.intp]]:
        """The pixels to show, ``(h, w)`` or ``(h, w, 3)``, and the index of the first of them."""
        image, layer = self.session.image, self.layers.image
        assert image is not None
        assert layer is not None
        assert self._at is not None
        axes = self._axes()
        half = self.side / 2 / self.factor
        start = np.maximum(np.floor(self._at[axes] - half).astype(int), 0)
        stop = np.minimum(np.ceil(self._at[axes] + half).astype(int) + 1, np.asarray(image.grid.shape)[axes])
        where: list[Any] = [int(value) for value in np.round(np.nan_to_num(self._at))]
        for axis, a, b in zip(axes, start, stop, strict=True):
            where[axis] = slice(a, b)
        pixels = np.asarray(image.array[tuple(where)])
        if axes[0] > axes[1]:
            pixels = pixels.swapaxes(0, 1)
        return drawn_pixels(pixels, image, layer), start

    def _paint_pixels(self, painter: QPainter) -> None:
        pixels, start = self.patch()
        if pixels.size == 0:
            return
        height, width = pixels.shape[:2]
        top, left = self._on_widget(start - 0.5)
        down, across = self.factor
        painter.drawImage(QRectF(left, top, width * across, height * down), picture(pixels))

    def _paint_points(self, painter: QPainter) -> None:
        project, seen = self.session.project, self.layers.seen
        if project is None or seen is None or self._at is None:
            return
        axes, hidden = self._axes(), self.layers.hidden_axes
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for name in self.layers.names:
            point = seen.point(name)
            if hidden and (np.abs(point[hidden] - self._at[hidden]) > 0.5).any():
                continue
            y, x = self._on_widget(point[axes])
            if 0 <= x <= self.side and 0 <= y <= self.side:
                for color, width in (("black", 4.0), (project.schema.definition(name).color, 2.0)):
                    painter.setPen(QPen(QColor(color), width))
                    painter.drawEllipse(QPointF(x, y), self.side / 24, self.side / 24)

    def _paint_name(self, painter: QPainter) -> None:
        """The landmark under the mouse, else the one that a click would place."""
        name = self.layers.name_near(self.viewer.cursor.position, 10.0) or self.session.current
        project = self.session.project
        if name is None or project is None:
            return
        font = QFont(self.font())
        font.setBold(True)
        painter.setFont(font)
        box = self.rect().adjusted(0, self.side, 0, 0)
        dot = self.bar / 4
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(project.schema.definition(name).color))
        painter.drawEllipse(QPointF(box.left() + 3 * dot, box.center().y()), dot, dot)
        painter.setPen(QColor("white"))
        room = box.adjusted(int(5 * dot), 0, -4, 0)
        text = painter.fontMetrics().elidedText(shortened(name), Qt.TextElideMode.ElideMiddle, room.width())
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)

    def _on_widget(self, index: npt.ArrayLike) -> FloatArray:
        """Where index coordinates along the shown axes lie on the widget, down and across."""
        assert self._at is not None
        offset = np.asarray(index, dtype=np.float64) - self._at[self._axes()]
        return np.asarray(offset * self.factor + self.side / 2)
