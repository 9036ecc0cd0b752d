"""`ErrorTable`: the numbers of an evaluation, a row for each landmark and one for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

if TYPE_CHECKING:
    from napari_landmarker.engine.metrics import Evaluation, Summary

#: How many rows are in sight before the table scrolls.
_SHOWN_ROWS = 8


class ErrorTable(QTableWidget):
    """Point errors and success rates, to read and to copy; not to edit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.verticalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)

    def show_evaluation(self, evaluation: Evaluation) -> None:
        """Fill the table."""
        unit = evaluation.unit
        columns = [
            ("Landmark", "Name of the landmark."),
            ("n", "Points that a person placed and the model was compared with."),
            (f"mean ({unit})", "Mean distance between the predicted and the true point."),
            *[(f"≤ {r:g} {unit}", f"Percent of the points that lie within {r:g} {unit}.") for r in evaluation.radii],
            ("median", "Half of the points found lie nearer than this."),
            ("SD", "Standard deviation of the distances."),
            ("max", "The largest distance."),
            ("missed", "Points that the model did not find; they count as failures."),
        ]
        rows = [("all landmarks", evaluation.overall), *evaluation.landmarks.items()]
        self.clear()
        self.setColumnCount(len(columns))
        self.setRowCount(len(rows))
        for column, (title, tip) in enumerate(columns):
            header = QTableWidgetItem(title)
            header.setToolTip(tip)
            self.setHorizontalHeaderItem(column, header)
        for row, (name, summary) in enumerate(rows):
            for column, text in enumerate([name, *_cells(summary, unit)]):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                if row == 0:
                    font = item.font()
                    font.setBold(True)
                    item.setFont(font)
                self.setItem(row, column, item)
        rows_px = self.verticalHeader().sectionSize(0) * min(len(rows), _SHOWN_ROWS)
        bars_px = self.horizontalHeader().sizeHint().height() + self.horizontalScrollBar().sizeHint().height()
        self.setFixedHeight(rows_px + bars_px + 4)


def _cells(summary: Summary, unit: str) -> list[str]:
    digits = 1 if unit == "px" else 2
    mean, *errors = [
        "–" if value is None else f"{value:.{digits}f}"
        for value in (summary.mean, summary.median, summary.std, summary.max)
    ]
    rates = ["–" if percent is None else f"{percent:.1f} %" for percent in summary.sdr.values()]
    return [str(summary.n), mean, *rates, *errors, str(summary.missed)]
