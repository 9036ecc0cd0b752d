"""What is drawn on one of the three views over the picture of its slice, from the bottom to the top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen

from napari_landmarker.gui.layers import CURRENT_FACTOR
from napari_landmarker.gui.near_layer import nearness
from napari_landmarker.gui.ortho_marks import paint_diamond, paint_line, paint_mark
from napari_landmarker.gui.slice_guests import Drawn, SliceLine, SliceMark, SlicePicture

if TYPE_CHECKING:
    from napari_landmarker.gui.ortho_view import OrthoView

#: The colour of each axis' slices: of the title of their view, and of their lines in the others.
COLORS = ("#e69f00", "#56b4e9", "#00b482")
#: Half of the gap in the middle of the lines, in screen pixels.
_GAP = 12.0


def paint_veils(painter: QPainter, view: OrthoView, guests: Sequence[Drawn]) -> None:
    """What lies on the picture of the slice as a picture itself: the heatmap."""
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    for drawn in guests:
        if isinstance(drawn, SlicePicture):
            start, end = view.to_widget(drawn.first), view.to_widget(drawn.last)
            size = drawn.image.size()
            painter.save()
            painter.setOpacity(drawn.strong)
            painter.translate(start)
            painter.scale((end.x() - start.x()) / size.width(), (end.y() - start.y()) / size.height())
            painter.drawImage(QRectF(0, 0, size.width(), size.height()), drawn.image)
            painter.restore()


def paint_cross(painter: QPainter, view: OrthoView) -> None:
    """The lines along which the other two slices cut this one."""
    middle = view.to_widget(view.views.cross)
    lines = (
        (view.row, QPointF(1, 0), view.width()),
        (view.column, QPointF(0, 1), view.height()),
    )
    for axis, way, length in lines:
        painter.setPen(QPen(QColor(COLORS[axis]), 1.0))
        for sign in (-1, 1):
            painter.drawLine(middle + way * (sign * _GAP), middle + way * (sign * (length + _GAP)))


def paint_guests(painter: QPainter, view: OrthoView, guests: Sequence[Drawn]) -> None:
    """What else is to be seen of the landmarks: edges, regions, measurements, the points of another rater."""
    for drawn in guests:
        if isinstance(drawn, SliceLine):
            painter.setOpacity(drawn.strong)
            paint_line(painter, [view.to_widget(point) for point in drawn.points], drawn.color, drawn.width_px)
        elif isinstance(drawn, SliceMark):
            painter.setOpacity(drawn.strong)
            paint_diamond(painter, view.to_widget(drawn.place), view.views.size_px / 2, drawn.color)
    painter.setOpacity(1.0)


def paint_points(painter: QPainter, view: OrthoView) -> None:
    """The landmarks: those of other slices first, faint and small; then those of this one."""
    views = view.views
    names, points = views.placed()
    away = np.abs(points[:, view.axis] - view.slice)
    share = nearness(away)
    for row in sorted(np.flatnonzero((away <= 0.5) | (share > 0)), key=lambda row: -away[row]):
        name, here = names[row], bool(away[row] <= 0.5)
        factor = CURRENT_FACTOR if name == views.current else 1.0
        painter.setOpacity(1.0 if here else 0.6 * share[row])
        radius = views.size_px / 2 * share[row] * factor
        paint_mark(painter, view.to_widget(points[row]), radius, views.look_of(name), here=here)
    painter.setOpacity(1.0)


def paint_focus(painter: QPainter, view: OrthoView) -> None:
    """A frame, which says that the keys go here."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(view.palette().highlight().color(), 2.0))
    painter.drawRect(view.rect().adjusted(1, 1, -1, -1))
