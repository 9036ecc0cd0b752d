"""`LinePlot`: lines over two axes, drawn by Qt alone, in the colours of napari's theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

#: Colours that colour-blind people can tell apart, and that show on dark and on light themes.
BLUE, ORANGE, GREEN, PINK = "#4aa3df", "#e69f00", "#1fb58f", "#d987b3"


@dataclass(frozen=True)
class Series:
    """One line.

    Attributes:
        label: its name in the legend.
        color: ``#rrggbb``.
        xs: positions along the horizontal axis, growing.
        ys: heights; as many as ``xs``.
        mark: index of a point to show with a ring, or None.
        steps: whether the line keeps its height until the next point.
    """

    label: str
    color: str
    xs: Sequence[float]
    ys: Sequence[float]
    mark: int | None = None
    steps: bool = False


class LinePlot(QWidget):
    """Lines over two axes.

    Args:
        title: a few words above the plot.
        x_label: what the horizontal axis counts.
        log: whether the vertical axis is logarithmic; values that are not positive are left out then.
        empty: what is shown while there is nothing to draw.
        y_range: fixed limits of the vertical axis, or None to fit the lines.
    """

    def __init__(
        self,
        title: str,
        x_label: str,
        *,
        log: bool = False,
        empty: str = "",
        y_range: tuple[float, float] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.title = title
        self._x_label = x_label
        self._log = log
        self._empty = empty
        self._y_range = y_range
        self.series: tuple[Series, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(self.fontMetrics().height() * 8)

    def sizeHint(self) -> QSize:
        """Wide and low."""
        return QSize(360, self.fontMetrics().height() * 10)

    def show_series(self, series: Sequence[Series], title: str | None = None) -> None:
        """Draw these lines from now on."""
        self.series = tuple(series)
        self.title = self.title if title is None else title
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Called by Qt."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(self.foregroundRole())
        points = [self._points(s) for s in self.series]
        drawn = [p for p in points if p]
        line = self.fontMetrics().height()
        painter.setPen(text)
        painter.drawText(QRectF(0, 0, self.width(), line), Qt.AlignmentFlag.AlignLeft, self.title)
        if not drawn:
            painter.setPen(faded(text, 160))
            where = QRectF(0, line, self.width(), self.height() - line)
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(where, int(flags), self._empty)
            return
        x_range = _range([x for p in drawn for x, _ in p])
        y_range = self._scaled_range([y for p in drawn for _, y in p])
        area = self._area(line, y_range)
        self._draw_axes(painter, area, x_range, y_range, text)
        for series, path in zip(self.series, points, strict=True):
            self._draw_line(painter, area, x_range, y_range, series, path)
        self._draw_legend(painter, area, text)

    # ---- geometry

    def _points(self, series: Series) -> list[tuple[float, float]]:
        """The line's points in axis units (powers of ten on a logarithmic axis), those that can be drawn."""
        pairs = zip(series.xs, series.ys, strict=True)
        kept = [(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y) and (y > 0 or not self._log)]
        return [(x, math.log10(y)) for x, y in kept] if self._log else kept

    def _scaled_range(self, values: Sequence[float]) -> tuple[float, float]:
        if self._y_range is not None:
            return self._y_range
        low, high = _range(values)
        if not self._log:
            return min(0.0, low), high * 1.05 if high > 0 else 1.0
        pad = max(0.05, 0.05 * (high - low))
        return low - pad, high + pad

    def _area(self, line: int, y_range: tuple[float, float]) -> QRectF:
        labels = [label for _, label in self._y_ticks(y_range)]
        left = max((self.fontMetrics().horizontalAdvance(label) for label in labels), default=0) + 8
        top = line * (2.4 if len(self.series) > 1 else 1.4)
        return QRectF(left, top, max(10, self.width() - left - 12), max(10, self.height() - top - 2.2 * line))

    def _y_ticks(self, y_range: tuple[float, float]) -> list[tuple[float, str]]:
        count = max(2, int(self.height() / (self.fontMetrics().height() * 2.5)))
        return _log_ticks(*y_range, count) if self._log else axis_ticks(*y_range, count)

    # ---- drawing

    def _draw_axes(
        self,
        painter: QPainter,
        area: QRectF,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        text: QColor,
    ) -> None:
        line = self.fontMetrics().height()
        right, middle = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignCenter
        for value, label in self._y_ticks(y_range):
            y = _place(value, y_range, area.bottom(), area.top())
            painter.setPen(QPen(faded(text, 45), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(faded(text, 200))
            painter.drawText(QRectF(0, y - line / 2, area.left() - 5, line), right, label)
        for value, label in axis_ticks(*x_range, max(2, int(area.width() / 70))):
            x = _place(value, x_range, area.left(), area.right())
            box = QRectF(x - 35, area.bottom() + 2, 70, line)
            box.moveRight(min(box.right(), self.width()))
            painter.drawText(box, middle, label)
        painter.drawText(QRectF(area.left(), area.bottom() + 2 + line, area.width(), line), middle, self._x_label)
        painter.setPen(QPen(faded(text, 120), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())

    def _draw_line(
        self,
        painter: QPainter,
        area: QRectF,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        series: Series,
        points: Sequence[tuple[float, float]],
    ) -> None:
        places = [
            QPointF(
                _place(x, x_range, area.left(), area.right()),
                _place(min(max(y, y_range[0]), y_range[1]), y_range, area.bottom(), area.top()),
            )
            for x, y in points
        ]
        painter.setPen(QPen(QColor(series.color), 2))
        if series.steps:
            corners = [QPointF(b.x(), a.y()) for a, b in pairwise(places)]
            mixed = [p for pair in zip(places, corners, strict=False) for p in pair] + places[-1:]
            painter.drawPolyline(QPolygonF(mixed))
        else:
            painter.drawPolyline(QPolygonF(places))
        if len(places) == 1:
            painter.setBrush(QColor(series.color))
            painter.drawEllipse(places[0], 2.5, 2.5)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if series.mark is not None and series.mark < len(places):
            painter.drawEllipse(places[series.mark], 5, 5)

    def _draw_legend(self, painter: QPainter, area: QRectF, text: QColor) -> None:
        if len(self.series) < 2:
            return
        line = self.fontMetrics().height()
        x, y = area.left(), line * 1.7
        for series in self.series:
            painter.setPen(QPen(QColor(series.color), 3))
            painter.drawLine(QPointF(x, y), QPointF(x + 16, y))
            painter.setPen(faded(text, 220))
            width = self.fontMetrics().horizontalAdvance(series.label) + 4
            painter.drawText(QRectF(x + 22, y - line / 2, width, line), Qt.AlignmentFlag.AlignLeft, series.label)
            x += 22 + width + 14


def faded(color: QColor, alpha: int) -> QColor:
    """A colour that lets through what lies behind it; ``alpha`` up to 255."""
    out = QColor(color)
    out.setAlpha(alpha)
    return out


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _place(value: float, limits: tuple[float, float], start: float, end: float) -> float:
    return start + (value - limits[0]) / (limits[1] - limits[0]) * (end - start)


def axis_ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """Round numbers between two values, at most about ``count``, with their labels."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(n * step, f"{n * step:.{digits}f}") for n in range(first, last + 1)]


def _log_ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """The same for an axis in powers of ten: decades, with 2 and 5 between them where there is room."""
    if high - low < 0.7:
        return [(math.log10(v), label) for v, label in axis_ticks(10**low, 10**high, count) if v > 0]
    decades = range(math.floor(low), math.ceil(high) + 1)
    for multiples in ((1, 2, 5), (1, 3), (1,)):
        values = [d + math.log10(m) for d in decades for m in multiples]
        inside = [v for v in values if low <= v <= high]
        if len(inside) <= count + 1:
            break
    thinned = inside[:: max(1, math.ceil(len(inside) / (count + 1)))]
    return [(v, f"{10**v:.3g}") for v in thinned]
