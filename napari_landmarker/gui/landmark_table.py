"""`LandmarkTable`: the landmarks of the open image with colour, name, status and score."""

from __future__ import annotations

import math
from typing import Any

from qtpy.QtCore import QModelIndex, QSize, Qt, Signal
from qtpy.QtGui import QFont
from qtpy.QtWidgets import QWidget

from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.gui.keys import tip
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.marks import LOCKED_HELP, STATUS_HELP, STATUS_WORDS, lock_icon, status_icon
from napari_landmarker.gui.messages import reported
from napari_landmarker.gui.row_table import Index, RowModel, RowTable
from napari_landmarker.state.comparing import distances
from napari_landmarker.state.session import Session

_NAME, _STATUS, _SCORE, _OTHER, _MODEL, _LOCK = range(6)
_COLUMNS = (
    ("Landmark", "The landmarks of this project. The bold one is placed by the next click on the image."),
    ("Status", "What is known of the landmark in this image."),
    ("Score", "How sure the model is of its prediction, from 0 to 1."),
    ("Rater", "How far the landmark of the other rater is from yours."),
    ("Model", "How far the point of the model is from yours."),
    ("", tip("lock", "Locked landmarks cannot be changed. Click to lock or unlock.")),
)


class LandmarkModel(RowModel):
    """One row a landmark; an edit changes only the rows of its landmarks."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(_COLUMNS, parent)
        self._session = session
        self._ink = parent
        self._names: tuple[str, ...] = ()
        self._current = ""
        follow(self, session.project_changed, self._reset)
        follow(self, session.case_changed, self._all_changed)
        follow(self, session.landmarks_changed, self._rows_changed)
        follow(self, session.current_changed, self._current_changed)
        for signal in (session.other_changed, session.predictions_changed):
            follow(self, signal, self._all_changed)
        self._apart: dict[int, dict[str, float]] = {}
        self._reset()

    def row_of(self, name: str) -> int:
        """The row of a landmark, -1 for none."""
        return self._names.index(name) if name in self._names else -1

    def name_at(self, row: int) -> str:
        """The landmark of a row."""
        return self._names[row]

    # ---- what Qt asks

    def count(self) -> int:
        """One for each landmark."""
        return len(self._names)

    def title(self, column: int) -> str:
        """With the unit of what is a distance."""
        return f"{super().title(column)} ({self._unit()})" if column in (_OTHER, _MODEL) else super().title(column)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Called by Qt."""
        project = self._session.project
        if project is None or not index.isValid():
            return None
        name = self._names[index.row()]
        status = self._status(name)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(name, status, index.column())
        if role == Qt.ItemDataRole.DecorationRole and index.column() == _NAME:
            return status_icon(project.schema.definition(name).color, status, self._session.locked(name))
        if role == Qt.ItemDataRole.DecorationRole and index.column() == _LOCK and self._session.locked(name):
            return lock_icon(self._ink.palette().text().color().name())
        if role == Qt.ItemDataRole.FontRole and name == self._current:
            font = QFont()
            font.setBold(True)
            return font
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(name, status, index.column())
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == _LOCK:
            return "locked" if self._session.locked(name) else "not locked"
        return None

    def _tip(self, name: str, status: LandmarkStatus, column: int) -> str:
        project = self._session.project
        where = "" if project is None else project.schema.definition(name).description
        if column == _LOCK:
            return LOCKED_HELP if self._session.locked(name) else self.columns[_LOCK][1]
        return STATUS_HELP[status] if column == _STATUS else f"{name}: {where}" if where else name

    def _text(self, name: str, status: LandmarkStatus, column: int) -> str:
        if column == _NAME:
            return name
        if column == _STATUS:
            return STATUS_WORDS[status]
        if column == _LOCK:
            return ""
        if column in (_OTHER, _MODEL):
            apart = self._distances(column).get(name)
            return "" if apart is None else f"{apart:.{1 if self._unit() == 'px' else 2}f}"
        shown = self._session.shown
        score = math.nan if shown is None else shown.score_of(name)
        return "" if math.isnan(score) else f"{score:.2f}"

    def _status(self, name: str) -> LandmarkStatus:
        shown = self._session.shown
        return LandmarkStatus.UNPLACED if shown is None else shown.status_of(name)

    def _unit(self) -> str:
        return "px" if self._session.image is None else self._session.image.grid.unit

    def _distances(self, column: int) -> dict[str, float]:
        """How far the other rater or the model is off; measured once after every change, where it is shown."""
        session = self._session
        if session.other is None and not session.beside_model:
            return {}
        if column not in self._apart:
            self._apart[column] = distances(
                session.annotations, session.other if column == _OTHER else session.predictions
            )
        return self._apart[column]

    # ---- what the session tells

    def _reset(self) -> None:
        self.beginResetModel()
        self._names = self._session.names
        self.endResetModel()

    def _all_changed(self) -> None:
        self._rows_changed(self._names)

    def _rows_changed(self, names: tuple[str, ...]) -> None:
        self._apart.clear()
        self.tell_rows(map(self.row_of, names))

    def _current_changed(self, name: str) -> None:
        before, self._current = self._current, name
        self._rows_changed((before, name))


class LandmarkTable(RowTable):
    """The table. Choosing a row by mouse or arrow keys makes its landmark the current one."""

    chosen = Signal(str)
    """A person chose this landmark: bring it into view."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._following = False
        self._model = LandmarkModel(session, self)
        self.show_rows(self._model)
        self.setIconSize(QSize(18, 18))
        self.setMinimumHeight(90)
        self.horizontalHeader().setMinimumSectionSize(self.iconSize().width() + 10)
        self.setColumnWidth(_LOCK, self.iconSize().width() + 10)
        self.make_room(_STATUS, STATUS_WORDS.values())
        self.make_room(_SCORE, ("0.00",))
        self.selectionModel().currentRowChanged.connect(self._row_chosen)
        self.clicked.connect(self._clicked)
        follow(self, session.current_changed, self._select)
        follow(self, session.other_changed, self._show_distances)
        self._show_distances()
        self._select(session.current or "")

    def _show_distances(self) -> None:
        """Distances take the place of the score as long as another rater or the model is shown beside."""
        other = self._session.other is not None
        comparing = other or self._session.beside_model
        for column, shown in ((_OTHER, other), (_MODEL, comparing)):
            self.setColumnHidden(column, not shown)
            self.make_room(column, ("1000.00", "Model (mm)"))
        self.setColumnHidden(_SCORE, comparing)

    def _row_chosen(self, index: QModelIndex, _: QModelIndex | None = None) -> None:
        if index.isValid() and not self._following:
            name = self._model.name_at(index.row())
            self._session.set_current(name)
            self.chosen.emit(name)

    def _clicked(self, index: QModelIndex) -> None:
        self._row_chosen(index)
        if index.isValid() and index.column() == _LOCK:
            name = self._model.name_at(index.row())
            with reported():
                self._session.set_locked(name, not self._session.locked(name))

    def _select(self, name: str) -> None:
        """Follow the session without telling it again."""
        self._following = True
        row = self._model.row_of(name)
        if row < 0:
            self.clearSelection()
            self.setCurrentIndex(QModelIndex())
        elif row != self.currentIndex().row() or not self.selectionModel().isRowSelected(row, QModelIndex()):
            self.selectRow(row)
        self._following = False
