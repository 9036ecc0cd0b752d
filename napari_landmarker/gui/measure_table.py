"""`MeasureTable`: the measurements of the open image: value, norm, and how far one is from the other."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QFont, QIcon, QPainter, QPixmap, QPolygonF
from qtpy.QtWidgets import QAbstractItemView, QWidget

from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics import Measured, measurements_of
from napari_landmarker.engine.schema import Measurement
from napari_landmarker.gui.measure_layer import COLORS
from napari_landmarker.gui.measure_words import (
    Verdict,
    explanation,
    norm_text,
    sentence,
    value_text,
    verdict,
    verdict_text,
)
from napari_landmarker.gui.row_table import Index, RowModel, RowTable

_NAME, _VALUE, _OFF, _NORM = range(4)
_COLUMNS = (
    ("Measurement", "What is measured. Choose rows to see them on the image."),
    (
        "Value",
        "Its value in this image, as the landmarks stand now. In italics: from points nobody has confirmed yet.",
    ),
    (
        "Deviations",
        "How many deviations the value is from the norm: up to 1 is usual, beyond 2 is marked twice.",
    ),
    ("Norm", "What is usual, with its standard deviation or half of its usual range."),
)
#: The widest that values and verdicts usually are; the spaces are for the icon.
_WIDE_VALUE, _WIDE_VERDICT = "−100.0 mm", "     −10.0 very high"


class MeasureModel(RowModel):
    """One row a measurement; while a landmark is dragged, only the rows whose values change are told."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(_COLUMNS, parent)
        self.measurements: tuple[Measurement, ...] = ()
        self.measured: tuple[Measured, ...] = ()

    def show(self, measurements: tuple[Measurement, ...], landmarks: LandmarkSet | None) -> None:
        """Show these measurements of these landmarks; without landmarks there are no values."""
        if measurements != self.measurements:
            self.beginResetModel()
            self.measurements, self.measured = measurements, ()
            self.endResetModel()
        before = self.measured
        self.measured = () if landmarks is None else measurements_of(landmarks, measurements)
        rows = range(len(measurements))
        self.tell_rows(row for row in rows if self.measured[row : row + 1] != before[row : row + 1])

    def count(self) -> int:
        """One for each measurement."""
        return len(self.measurements)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Called by Qt."""
        if not index.isValid():
            return None
        measurement = self.measurements[index.row()]
        measured = self.measured[index.row()] if self.measured else None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(measurement, measured, index.column())
        if role == Qt.ItemDataRole.DecorationRole and index.column() == _OFF and measured is not None:
            return verdict_icon(verdict(measured), (measured.deviations or 0) > 0)
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{sentence(measurement)}." if measured is None else explanation(measured)
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() in (_VALUE, _NORM):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if (
            role == Qt.ItemDataRole.FontRole
            and index.column() == _VALUE
            and measured is not None
            and measured.predicted
        ):
            font = QFont()
            font.setItalic(True)
            return font
        return None

    def _text(self, measurement: Measurement, measured: Measured | None, column: int) -> str:
        if column == _NAME:
            return measurement.name
        if column == _NORM:
            return norm_text(measurement)
        if measured is None:
            return ""
        return value_text(measured) if column == _VALUE else verdict_text(measured)


class MeasureTable(RowTable):
    """The table; rows are chosen by mouse or arrow keys, several with Ctrl or Shift."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.values = MeasureModel(self)
        self.show_rows(self.values)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)

    def show_landmarks(self, measurements: tuple[Measurement, ...], landmarks: LandmarkSet | None) -> None:
        """Show the measurements of these landmarks."""
        others = measurements != self.values.measurements
        self.values.show(measurements, landmarks)
        if others:
            self._make_room()

    def _make_room(self) -> None:
        self.make_room(_VALUE, (_WIDE_VALUE,))
        self.make_room(_NORM, map(norm_text, self.values.measurements))
        self.make_room(_OFF, (_WIDE_VERDICT,))

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of the chosen rows, in order."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return tuple(self.values.measurements[row].name for row in rows)

    def choose(self, names: tuple[str, ...]) -> None:
        """Choose rows by their names."""
        if names != self.chosen:
            self.clearSelection()
            for row, measurement in enumerate(self.values.measurements):
                if measurement.name in names:
                    self.selectionModel().select(
                        self.values.index(row, 0),
                        self.selectionModel().SelectionFlag.Select | self.selectionModel().SelectionFlag.Rows,
                    )


@lru_cache(maxsize=16)
def verdict_icon(said: Verdict, above: bool) -> QIcon:
    """A disc for what is usual; an arrow up or down for what is not, two for what is far off."""
    if said == Verdict.UNKNOWN:
        return QIcon()
    side = 36
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(COLORS[said]))
    if said == Verdict.USUAL:
        painter.drawEllipse(QPointF(side / 2, side / 2), side / 4, side / 4)
    for top in {Verdict.OFF: (9,), Verdict.FAR: (1, 18)}.get(said, ()):
        tip, base = (top, top + 16) if above else (top + 16, top)
        painter.drawPolygon(QPolygonF([QPointF(18, tip), QPointF(4, base), QPointF(32, base)]))
    painter.end()
    return QIcon(pixmap)
