"""The scale bar of a picture of a slice: how long things are, in millimetres only where that is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QPointF
from qtpy.QtGui import QColor, QFontMetrics, QPainter, QPen

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.gui.ortho_marks import write

#: At most this share of the picture's width, and at most so many screen pixels.
_SHARE, _MOST_PX = 0.3, 150.0
#: From the borders of the picture, between the bar and its words, and of the strokes at its ends; screen pixels.
_BORDER_PX, _ROOM_PX, _STROKE_PX = 8.0, 5.0, 8.0


@dataclass(frozen=True)
class ScaleBar:
    """A bar with a round length.

    Attributes:
        length: in `unit`.
        unit: "mm", or "px" where nobody knows how large a pixel is.
        px_per_unit: screen pixels.
    """

    length: float
    unit: str
    px_per_unit: float

    @classmethod
    def within(cls, width_px: float, px_per_unit: float, unit: str) -> ScaleBar:
        """The longest bar of 1, 2 or 5 times a power of ten that is no nuisance on a picture of this width."""
        most = min(width_px * _SHARE, _MOST_PX) / px_per_unit
        ten = 10.0 ** np.floor(np.log10(most))
        return cls(float(max(step * ten for step in (1, 2, 5) if step * ten <= most)), unit, px_per_unit)

    @property
    def text(self) -> str:
        """What is written above it."""
        return f"{self.length:g} {self.unit}"

    @property
    def length_px(self) -> float:
        """On the screen."""
        return self.length * self.px_per_unit

    def box(self, width: float, height: float, metrics: QFontMetrics) -> FloatArray:
        """Left, top, right and bottom of the bar and its words, at the bottom on the right of the picture."""
        wide = max(self.length_px, metrics.horizontalAdvance(self.text))
        right, bottom = width - _BORDER_PX, height - _BORDER_PX
        return np.array([right - wide, bottom - _STROKE_PX / 2 - _ROOM_PX - metrics.ascent(), right, bottom])

    def paint(self, painter: QPainter, box: FloatArray) -> None:
        """Draw it in its box."""
        middle, line = (box[0] + box[2]) / 2, box[3] - _STROKE_PX / 2
        ends = [QPointF(middle + sign * self.length_px / 2, line) for sign in (-1, 1)]
        stroke = QPointF(0, _STROKE_PX / 2)
        for ink, width in (("black", 4.0), ("white", 2.0)):
            painter.setPen(QPen(QColor(ink), width))
            painter.drawLine(*ends)
            for end in ends:
                painter.drawLine(end - stroke, end + stroke)
        metrics = painter.fontMetrics()
        start = middle - metrics.horizontalAdvance(self.text) / 2
        write(painter, QPointF(start, box[1] + metrics.ascent() - metrics.descent() / 2), self.text, "white")
