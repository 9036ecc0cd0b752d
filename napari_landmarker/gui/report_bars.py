"""`LandmarkErrors`: how the errors of each landmark are spread, a row each, drawn by Qt in the theme's colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_landmarker.gui.line_plot import axis_ticks, faded

if TYPE_CHECKING:
    from napari_landmarker.engine.geometry import FloatArray
    from napari_landmarker.engine.metrics import Evaluation

#: Of the width, what names may take.
_NAMES = 0.35


class LandmarkErrors(QWidget):
    """Each error as a dot, the middle half of them as a box, the median as a line; landmarks below one another."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.errors: dict[str, FloatArray] = {}
        self._colors: Mapping[str, str] = {}
        self._unit = "px"
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Each dot is a point; the box holds the middle half of them, and the line in it is the median.")

    def show_evaluation(self, evaluation: Evaluation, colors: Mapping[str, str]) -> None:
        """Draw the errors of an evaluation; a colour for each landmark, ``#rrggbb``."""
        self.errors = {name: evaluation.errors(name) for name in evaluation.landmarks}
        self._colors, self._unit = colors, evaluation.unit
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def sizeHint(self) -> QSize:
        """As high as there are landmarks."""
        line = self.fontMetrics().height()
        return QSize(360, round(line * (3.4 + 1.5 * len(self.errors))))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Called by Qt."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text, letters = self.palette().color(self.foregroundRole()), self.fontMetrics()
        line = letters.height()
        painter.setPen(text)
        painter.drawText(QPointF(0, letters.ascent()), f"Error by landmark ({self._unit})")
        found = [errors[np.isfinite(errors)] for errors in self.errors.values()]
        every = np.concatenate(found) if found else np.empty(0)
        if not every.size:
            return
        longest = max(letters.horizontalAdvance(name) for name in self.errors)
        left = min(longest, _NAMES * self.width()) + line / 2
        area = QRectF(left, 1.4 * line, self.width() - left - line, 1.5 * line * len(self.errors))
        high = float(every.max()) * 1.03 or 1.0
        for value, label in axis_ticks(0.0, high, max(2, int(area.width() / 70))):
            x = area.left() + value / high * area.width()
            painter.setPen(QPen(faded(text, 45), 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.setPen(faded(text, 200))
            box = QRectF(x - 40, area.bottom() + 2, 80, line)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, label)
        for row, (name, errors) in enumerate(self.errors.items()):
            strip = QRectF(area.left(), area.top() + 1.5 * line * row, area.width(), 1.5 * line)
            painter.setPen(text)
            shown = letters.elidedText(name, Qt.TextElideMode.ElideMiddle, int(left - line / 2))
            place = QRectF(0, strip.top(), left - line / 2, strip.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, shown)
            self._draw_row(painter, strip, name, errors, high)

    def _draw_row(self, painter: QPainter, strip: QRectF, name: str, errors: FloatArray, high: float) -> None:
        found = errors[np.isfinite(errors)]
        color, text = QColor(self._colors.get(name, "#9ca3af")), self.palette().color(self.foregroundRole())
        if found.size:
            low, middle, top = (strip.left() + q / high * strip.width() for q in np.quantile(found, (0.25, 0.5, 0.75)))
            y, half = strip.center().y(), strip.height() * 0.3
            painter.setPen(QPen(faded(text, 110), 1))
            painter.setBrush(faded(color, 90))
            painter.drawRect(QRectF(low, y - half, max(1.0, top - low), 2 * half))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            for error in found:
                painter.drawEllipse(QPointF(strip.left() + float(error) / high * strip.width(), y), 2.2, 2.2)
            painter.setPen(QPen(text, 2))
            painter.drawLine(QPointF(middle, y - half), QPointF(middle, y + half))
        missed = len(errors) - len(found)
        if missed:
            painter.setPen(faded(text, 200))
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(strip, flags, f"{missed} not found")
