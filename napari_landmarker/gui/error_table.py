"""`ErrorTable` and `CoverageTable`: the numbers of an evaluation, a row for each landmark and one for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

if TYPE_CHECKING:
    from napari_landmarker.engine.metrics import Evaluation, Summary

#: How many rows are in sight before the table scrolls.
_SHOWN_ROWS = 8
#: Of the width, what names may take.
_NAMES = 0.4
_COVERAGE_COLUMNS = (
    ("Landmark", "Name of the landmark."),
    ("n", "Points that a person placed and for which the model gives a region."),
    ("inside", "How many of them lie inside their regions."),
    ("coverage (%)", "The same in percent; it should be what the regions promise, or a little more."),
    ("likely (%)", "The range in which the coverage would lie for most other samples of as many images."),
    ("mean size", "Mean size of a region."),
    ("median size", "Median size of a region."),
    ("whole", "Regions that are the whole image: the model said that it does not know."),
    ("follows", "Rank correlation of region size and error: above 0 where large regions warn of bad points."),
)


class NumberTable(QTableWidget):
    """Numbers with names at their left, to read and to copy; not to edit.

    Names take at most a part of the width, so that there are always numbers beside them; what has no room is scrolled
    to.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)

    def show_rows(
        self, columns: Sequence[tuple[str, str]], rows: Sequence[tuple[str, Sequence[str]]], bold: Sequence[str]
    ) -> None:
        """Fill the table.

        Args:
            columns: title and tooltip of each.
            rows: the name of each row and its cells.
            bold: names of rows that stand for all others.
        """
        self.clear()
        self.setColumnCount(len(columns))
        self.setRowCount(len(rows))
        for column, (title, tip) in enumerate(columns):
            header = QTableWidgetItem(title)
            header.setToolTip(tip)
            self.setHorizontalHeaderItem(column, header)
        for row, (name, cells) in enumerate(rows):
            for column, text in enumerate([name, *cells]):
                item = QTableWidgetItem(text)
                if not column:
                    item.setToolTip(name)
                else:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                if name in bold:
                    font = item.font()
                    font.setBold(True)
                    item.setFont(font)
                self.setItem(row, column, item)
        rows_px = self.verticalHeader().sectionSize(0) * min(len(rows), _SHOWN_ROWS)
        bars_px = self.horizontalHeader().sizeHint().height() + self.horizontalScrollBar().sizeHint().height()
        self.setFixedHeight(rows_px + bars_px + 4)
        if columns:
            self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        self._fit_names()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Called by Qt."""
        super().resizeEvent(event)
        self._fit_names()

    def _fit_names(self) -> None:
        """As wide as the longest name, or as the names may be."""
        if self.columnCount():
            self.setColumnWidth(0, min(self.sizeHintForColumn(0), round(_NAMES * self.viewport().width())))


class ErrorTable(NumberTable):
    """Point errors and success rates."""

    landmark_chosen = Signal(str)
    """A person chose the row of this landmark; ``""`` for the row of all."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self.itemSelectionChanged.connect(self._chosen)

    def show_evaluation(self, evaluation: Evaluation) -> None:
        """Fill the table."""
        unit = evaluation.unit
        columns = [
            ("Landmark", "Name of the landmark; choose one to list its points only."),
            ("n", "Points that a person placed and the model was compared with."),
            (f"mean ({unit})", "Mean distance between the predicted and the true point."),
            *[(f"≤ {r:g} {unit}", f"Percent of the points that lie within {r:g} {unit}.") for r in evaluation.radii],
            ("median", "Half of the points found lie nearer than this."),
            ("SD", "Standard deviation of the distances."),
            ("max", "The largest distance."),
            ("missed", "Points that the model did not find; they count as failures."),
        ]
        summaries = [("all landmarks", evaluation.overall), *evaluation.landmarks.items()]
        self._names = ("", *evaluation.landmarks)
        self.blockSignals(True)
        rows = [(name, _cells(summary, unit)) for name, summary in summaries]
        self.show_rows(columns, rows, ("all landmarks",))
        self.clearSelection()
        self.blockSignals(False)

    def _chosen(self) -> None:
        rows = self.selectionModel().selectedRows()
        if rows:
            self.landmark_chosen.emit(self._names[rows[0].row()])


class CoverageTable(NumberTable):
    """How often the regions of a calibrated model hold the true points."""

    def show_evaluation(self, evaluation: Evaluation) -> None:
        """Fill the table; it is empty where the model promises no regions."""
        from napari_landmarker.engine.report.coverage import IMAGES, coverage_rows, shown_row
        from napari_landmarker.engine.report.table import OVERALL

        rows = [(name, shown_row(one)) for name, one in coverage_rows(evaluation)]
        self.show_rows(_COVERAGE_COLUMNS, rows, (OVERALL, IMAGES))


def _cells(summary: Summary, unit: str) -> list[str]:
    digits = 1 if unit == "px" else 2
    mean, *errors = [
        "–" if value is None else f"{value:.{digits}f}"
        for value in (summary.mean, summary.median, summary.std, summary.max)
    ]
    rates = ["–" if percent is None else f"{percent:.1f} %" for percent in summary.sdr.values()]
    return [str(summary.n), mean, *rates, *errors, str(summary.missed)]
