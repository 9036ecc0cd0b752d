"""`RowModel` and `RowTable`: what tables have in common, so that an edit costs only the rows it changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QEvent, QModelIndex, QPersistentModelIndex, Qt
from qtpy.QtGui import QFontMetrics, QResizeEvent, QShowEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
#: The first column is at least as wide as so many characters.
_LEAST_CHARACTERS = 18


class RowModel(QAbstractTableModel):
    """One row a thing.

    Args:
        columns: title of each column, and what it tells.
        parent: as in Qt.
    """

    def __init__(self, columns: tuple[tuple[str, str], ...], parent: QWidget) -> None:
        super().__init__(parent)
        self.columns = columns

    def count(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def title(self, column: int) -> str:
        """The title of a column."""
        return self.columns[column][0]

    def tell_rows(self, rows: Iterable[int]) -> None:
        """Say that these rows look different now; rows below 0 are none."""
        for row in sorted(set(rows)):
            if row >= 0:
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(self.columns) - 1))

    # ---- what Qt asks

    def rowCount(self, parent: Index = _ROOT) -> int:
        """Called by Qt."""
        return 0 if parent.isValid() else self.count()

    def columnCount(self, parent: Index = _ROOT) -> int:
        """Called by Qt."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Called by Qt."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.title(section)
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.ToolTipRole:
            return self.columns[section][1]
        return None


class RowTable(QTableView):
    """A table of rows to choose from.

    The first column, which names the row, takes what room the others leave; where that is too little, the table
    scrolls. The other columns keep their widths: a column as wide as its contents is measured anew, cell by cell, at
    every change of one cell.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._texts: dict[int, tuple[str, ...]] = {}
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)

    def show_rows(self, model: RowModel) -> None:
        """Show what a model holds, from now on."""
        self.setModel(model)
        self._fit_first()

    def make_room(self, column: int, texts: Iterable[str]) -> None:
        """Make a column wide enough for its title and for these texts, in bold too, whatever font they are shown in."""
        self._texts[column] = tuple(texts)
        self._fit(column)

    def setColumnHidden(self, column: int, hide: bool) -> None:
        """As in Qt."""
        super().setColumnHidden(column, hide)
        self._fit_first()

    def showEvent(self, event: QShowEvent) -> None:
        """Called by Qt: only now the fonts are what they will be."""
        super().showEvent(event)
        self._fit_all()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Called by Qt."""
        super().resizeEvent(event)
        self._fit_first()

    def changeEvent(self, event: QEvent) -> None:
        """Called by Qt: another theme or size of the text."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit_all()

    def _fit_all(self) -> None:
        for column in self._texts:
            self._fit(column)

    def _fit(self, column: int) -> None:
        font = self.font()
        font.setBold(True)
        metrics = QFontMetrics(font)
        title = str(self.model().headerData(column, Qt.Orientation.Horizontal))
        widest = max(metrics.horizontalAdvance(text) for text in (title, *self._texts[column]))
        width = widest + 3 * metrics.averageCharWidth()
        if width != self.columnWidth(column):
            self.setColumnWidth(column, width)
            self._fit_first()

    def _fit_first(self) -> None:
        """Give the first column the room that is left, or else what a short name takes."""
        header, modes = self.horizontalHeader(), QHeaderView.ResizeMode
        if header.count() == 0:
            return
        least = _LEAST_CHARACTERS * self.fontMetrics().averageCharWidth()
        left = self.viewport().width() - sum(self.columnWidth(column) for column in range(1, header.count()))
        mode = modes.Stretch if left >= least else modes.Fixed
        if header.sectionResizeMode(0) != mode:
            header.setSectionResizeMode(0, mode)
        if mode == modes.Fixed and self.columnWidth(0) != least:
            self.setColumnWidth(0, least)
