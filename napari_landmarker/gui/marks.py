"""The marks that stand for a landmark's status, in the table as on the image, and the words for it."""

from __future__ import annotations

from functools import lru_cache

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPen, QPixmap

from napari_landmarker.engine.landmarks import LandmarkStatus

#: What a person reads.
STATUS_WORDS = {
    LandmarkStatus.UNPLACED: "not placed",
    LandmarkStatus.ABSENT: "not visible",
    LandmarkStatus.PREDICTED: "predicted",
    LandmarkStatus.EDITED: "corrected",
    LandmarkStatus.CONFIRMED: "confirmed",
}

#: What it means, for tooltips.
STATUS_HELP = {
    LandmarkStatus.UNPLACED: "Nobody has placed it in this image yet.",
    LandmarkStatus.ABSENT: "Someone looked: it cannot be seen in this image.",
    LandmarkStatus.PREDICTED: "A model placed it (a ring on the image). Accept it, or drag it to where it belongs.",
    LandmarkStatus.EDITED: "A model placed it and a person moved it (a disc with a white rim).",
    LandmarkStatus.CONFIRMED: "A person placed it, or accepted a prediction (a full disc).",
}
LOCKED_HELP = "Locked (a square on the image): nothing changes it until it is unlocked."

_SIZE = 36
_RADIUS = 12.0


@lru_cache(maxsize=512)
def status_icon(color: str, status: LandmarkStatus, locked: bool = False) -> QIcon:
    """A disc (confirmed), one with a white rim (corrected), a ring (predicted), a cross (not visible), a dot.

    What is locked is a square instead of a disc.
    """
    pixmap, painter = _sheet()
    ink, centre = QColor(color), QPointF(_SIZE / 2, _SIZE / 2)
    if status == LandmarkStatus.ABSENT:
        painter.setPen(QPen(ink, 5))
        for sign in (-1, 1):
            arm = QPointF(_RADIUS * 0.8, sign * _RADIUS * 0.8)
            painter.drawLine(centre - arm, centre + arm)
    else:
        filled = status in (LandmarkStatus.CONFIRMED, LandmarkStatus.EDITED)
        rim = {LandmarkStatus.EDITED: QColor("white"), LandmarkStatus.CONFIRMED: QColor("black")}.get(status, ink)
        painter.setPen(QPen(rim, 2 if status == LandmarkStatus.CONFIRMED else 5))
        painter.setBrush(ink if filled else Qt.BrushStyle.NoBrush)
        if status == LandmarkStatus.UNPLACED:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ink)
        radius = _RADIUS / 2.5 if status == LandmarkStatus.UNPLACED else _RADIUS
        if locked:
            painter.drawRect(QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius))
        else:
            painter.drawEllipse(centre, radius, radius)
    painter.end()
    return QIcon(pixmap)


@lru_cache(maxsize=8)
def lock_icon(color: str) -> QIcon:
    """A padlock."""
    pixmap, painter = _sheet()
    ink = QColor(color)
    painter.setPen(QPen(ink, 4))
    painter.drawArc(QRectF(11, 5, 14, 20), 0, 180 * 16)
    painter.drawLine(QPointF(11, 15), QPointF(11, 20))
    painter.drawLine(QPointF(25, 15), QPointF(25, 20))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink)
    painter.drawRoundedRect(QRectF(6, 17, 24, 15), 3, 3)
    painter.end()
    return QIcon(pixmap)


def _sheet() -> tuple[QPixmap, QPainter]:
    """A transparent square and a brush for it; the brush is to be put down at the end."""
    pixmap = QPixmap(_SIZE, _SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    return pixmap, painter
