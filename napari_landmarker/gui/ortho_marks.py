"""Marks and words on the pictures of slices, drawn by Qt as napari draws them on the main canvas."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPainterPath, QPainterPathStroker, QPen, QPolygonF

from napari_landmarker.engine.landmarks import LandmarkStatus


def paint_mark(
    painter: QPainter, at: QPointF, radius: float, look: tuple[LandmarkStatus, str, bool], *, here: bool
) -> None:
    """Draw a landmark as `looks.point_style` does, or as an outline where it lies on another slice.

    Args:
        painter: draws it.
        at: its middle.
        radius: in screen pixels.
        look: status, colour, and whether it is locked.
        here: whether it lies on the slice that is drawn.
    """
    status, color, locked = look
    ring = status == LandmarkStatus.PREDICTED
    shape = QPainterPath()
    box = QRectF(at.x() - radius, at.y() - radius, 2 * radius, 2 * radius)
    if locked and not ring:
        shape.addRect(box)
    else:
        shape.addEllipse(box)
    if ring or not here:
        band = QPainterPathStroker()
        band.setWidth(3.0)
        shape = band.createStroke(shape)
    edited = status == LandmarkStatus.EDITED and here
    painter.setBrush(QColor(color))
    painter.setPen(QPen(QColor("white" if edited else "black"), 2.0 if edited else 1.0))
    painter.drawPath(shape)


def paint_diamond(painter: QPainter, at: QPointF, radius: float, color: str) -> None:
    """Draw a hollow diamond, as the main canvas has them for another rater."""
    corners = [at + QPointF(across, down) * radius for across, down in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for ink, width in (("black", 4.0), (color, 2.0)):
        painter.setPen(QPen(QColor(ink), width))
        painter.drawPolygon(QPolygonF(corners))


def paint_line(painter: QPainter, points: Sequence[QPointF], color: str, width_px: float) -> None:
    """Draw a line through points."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(color), width_px))
    painter.drawPolyline(QPolygonF(points))


def write(painter: QPainter, at: QPointF, text: str, color: str) -> None:
    """Write a text that can be read on black and on white; ``at`` is where its line begins."""
    path = QPainterPath()
    path.addText(at, painter.font(), text)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor("black"), 3.0))
    painter.drawPath(path)
    painter.fillPath(path, QColor(color))
