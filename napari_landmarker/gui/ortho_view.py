"""`OrthoView`: one slice of a volume, with the landmarks on it and near it, and the lines where the others cut it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.gui.landmark_actions import GRAB_PX
from napari_landmarker.gui.ortho_names import plane_name
from napari_landmarker.gui.ortho_paint import COLORS, paint_cross, paint_focus, paint_guests, paint_points, paint_veils
from napari_landmarker.gui.ortho_scale import ScaleBar
from napari_landmarker.gui.ortho_words import OrthoWords
from napari_landmarker.gui.slice_guests import SliceText
from napari_landmarker.gui.slice_picture import drawn_pixels, picture

if TYPE_CHECKING:
    from napari_landmarker.gui.ortho_views import OrthoViews

#: A press that moves no further than this is a click, in screen pixels.
_CLICK_PX = 3.0


class OrthoView(QWidget):
    """The slice across one axis at which the crosshair stands.

    A click places and a drag moves a landmark as on the main canvas, on this slice, and takes the crosshair along. The
    right button moves the crosshair alone, the wheel and the keys left and right go through the slices, with Ctrl the
    wheel zooms; a drag beside the points moves the picture.

    Args:
        axis: index of the axis across which it is cut.
        views: all three.

    Attributes:
        words: what is written.
    """

    def __init__(self, axis: int, views: OrthoViews) -> None:
        super().__init__(views)
        self.axis = axis
        self.views = views
        self.row, self.column = (other for other in range(3) if other != axis)
        self.words = OrthoWords(self, COLORS[axis])
        self._pixels: tuple[object, QImage] | None = None
        self._held: tuple[str, FloatArray] | None = None
        self._press: QPointF | None = None
        self._moved = False
        self._steps = 0.0
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(self.fontMetrics().height() * 8, self.fontMetrics().height() * 8)
        self.setAccessibleName(f"Slice {axis + 1} of three")

    def sizeHint(self) -> QSize:
        """Called by Qt."""
        return QSize(*(self.fontMetrics().height() * 16,) * 2)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Called by Qt: names look for their places anew."""
        super().resizeEvent(event)
        self.words.sides.clear()

    # ---- where things are

    @property
    def slice(self) -> int:
        """The index of the slice that is shown."""
        return int(np.round(self.views.cross[self.axis]))

    @property
    def flipped(self) -> bool:
        """Whether the first row is drawn at the bottom: where it is known that the last is nearest to the head."""
        return self.row == 0 and self.views.oriented

    @property
    def title(self) -> str:
        """Which slice it is; its number is that of the slider, which counts from 0."""
        return f"{plane_name(self.views.image, self.axis)}  {self.slice} / {self.views.shape[self.axis] - 1}"

    @property
    def scale(self) -> FloatArray:
        """Screen pixels for a pixel of the image, down and across; negative where it is drawn upside down."""
        axes = [self.row, self.column]
        size = self.views.shape[axes] * self.views.spacing[axes]
        fit = min(np.array([self.height(), self.width()]) / size) * 0.98
        sign = np.array([-1.0 if self.flipped else 1.0, 1.0])
        return np.asarray(sign * self.views.spacing[axes] * fit * self.views.zoom)

    @property
    def bar(self) -> ScaleBar | None:
        """The scale bar, where the main canvas has one."""
        across = float(self.scale[1] / self.views.spacing[self.column])
        return ScaleBar.within(self.width(), across, self.views.unit) if self.views.has_bar else None

    def to_widget(self, index: npt.ArrayLike) -> QPointF:
        """Where index coordinates ``(3,)`` lie on the widget."""
        away = np.asarray(index, dtype=np.float64) - self.views.centre
        down, across = away[[self.row, self.column]] * self.scale
        return QPointF(self.width() / 2 + across, self.height() / 2 + down)

    def to_index(self, position: QPointF) -> FloatArray:
        """Index coordinates ``(3,)`` of a place on the widget, on the slice that is shown."""
        index = np.array(self.views.centre)
        away = np.array([position.y() - self.height() / 2, position.x() - self.width() / 2]) / self.scale
        index[[self.row, self.column]] += away
        index[self.axis] = self.slice
        return index

    def name_near(self, position: QPointF) -> str | None:
        """The landmark of this slice that is drawn under the mouse."""
        names, points = self.views.placed()
        here = np.flatnonzero(np.abs(points[:, self.axis] - self.slice) <= 0.5)
        if len(here) == 0:
            return None
        axes = [self.row, self.column]
        away = (points[np.ix_(here, axes)] - self.to_index(position)[axes]) * self.scale
        distance = np.hypot(*away.T)
        nearest = int(distance.argmin())
        return names[here[nearest]] if distance[nearest] <= GRAB_PX else None

    # ---- mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Called by Qt: take hold of a point, or of the picture."""
        self._press, self._moved, self._held = event.position(), False, None
        if event.button() == Qt.MouseButton.RightButton:
            self.views.look_at(self.to_index(event.position()))
        elif event.button() == Qt.MouseButton.LeftButton and not event.modifiers():
            name = self.name_near(event.position())
            if name is not None:
                self._held = (name, self.views.point(name) - self.to_index(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Called by Qt: the second of two quick clicks places nothing, as on the main canvas."""
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Called by Qt."""
        position, buttons = event.position(), event.buttons()
        self.views.hover(self, position)
        if self._press is None:
            return
        away = position - self._press
        self._moved = self._moved or float(np.hypot(away.x(), away.y())) > _CLICK_PX
        if buttons & Qt.MouseButton.RightButton:
            self.views.look_at(self.to_index(position))
        elif self._held is not None and self._moved:
            name, grip = self._held
            self.views.preview(name, self.to_index(position) + grip)
        elif self._moved and buttons:
            shift = np.zeros(3)
            shift[[self.row, self.column]] = np.array([away.y(), away.x()]) / self.scale
            self._press = position
            self.views.pan(shift)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Called by Qt: what was held is put down, and a click places."""
        press, held, self._press, self._held = self._press, self._held, None, None
        if press is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if held is not None and self._moved:
            self.views.move_landmark(held[0], self.to_index(event.position()) + held[1])
        elif held is not None:
            self.views.choose(held[0])
        elif not self._moved and not event.modifiers():
            self.views.place(self.to_index(press))

    def drop(self) -> None:
        """Let go of what the mouse holds, because another image is shown."""
        self._press = self._held = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Called by Qt: through the slices, or nearer."""
        steps = event.angleDelta().y() / 120
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.views.zoom_by(1.2**steps)
        else:
            self._steps += steps
            whole = int(self._steps)
            self._steps -= whole
            self._step(whole)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Called by Qt: left and right go through the slices, as on the main canvas."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        if step:
            self._step(step)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Called by Qt: the frame shows where the keys go."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Called by Qt."""
        super().focusOutEvent(event)
        self.update()

    def _step(self, count: int) -> None:
        """Go on by so many slices."""
        index = np.array(self.views.cross)
        index[self.axis] = self.slice + count
        self.views.look_at(index)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Called by Qt: keys now mean what is under the mouse here."""
        self.views.hover(self, event.position())

    def leaveEvent(self, event: QEvent) -> None:
        """Called by Qt."""
        del event
        self.views.left()

    # ---- drawing

    def paintEvent(self, event: QPaintEvent) -> None:
        """Called by Qt."""
        del event
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor("black"))
        if self.views.ready:
            guests = self.views.guests(self.axis, self.slice)
            self._paint_slice(painter)
            paint_veils(painter, self, guests)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            paint_cross(painter, self)
            paint_guests(painter, self, guests)
            paint_points(painter, self)
            self.words.paint(painter, [drawn for drawn in guests if isinstance(drawn, SliceText)])
        if self.hasFocus():
            paint_focus(painter, self)
        painter.end()

    def _paint_slice(self, painter: QPainter) -> None:
        first, last = np.full(3, -0.5), self.views.shape - 0.5
        ends = QRectF(self.to_widget(first), self.to_widget(last)).normalized()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, bool(np.abs(self.scale).min() < 1))
        painter.drawImage(ends, self._slice_picture())

    def _slice_picture(self) -> QImage:
        """The picture of the slice, made anew only if another one is to be seen."""
        image, layer = self.views.image, self.views.layer
        key = (image, self.slice, tuple(layer.contrast_limits), layer.gamma, layer.colormap.name, self.flipped)
        if self._pixels is None or self._pixels[0] != key:
            where: list[int | slice] = [slice(None)] * 3
            where[self.axis] = self.slice
            pixels = np.asarray(image.array[tuple(where)])
            drawn = drawn_pixels(pixels[::-1] if self.flipped else pixels, image, layer)
            self._pixels = (key, picture(drawn))
        return self._pixels[1]

    def here(self, away: float = 0.5) -> tuple[list[str], FloatArray]:
        """The landmarks of this slice, or of at most so many slices away, and where they are drawn, ``(N, 2)``."""
        names, points = self.views.placed()
        rows = np.flatnonzero(np.abs(points[:, self.axis] - self.slice) <= away)
        places = [self.to_widget(points[row]) for row in rows]
        return [names[row] for row in rows], np.array([(at.x(), at.y()) for at in places]).reshape(-1, 2)

    def named(self) -> tuple[list[str], FloatArray]:
        """As `here`, of those of which the names are to be seen."""
        return self.here() if self.views.names_visible else ([], np.empty((0, 2)))
