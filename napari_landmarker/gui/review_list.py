"""`ReviewModel`: the rows of the review, ticked off as persons go through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QApplication

from napari_landmarker.engine.review import ReviewItem, ReviewKind
from napari_landmarker.gui.links import follow
from napari_landmarker.state.session import Session

_ROOT = QModelIndex()
#: Why a row is there, in a word or two.
KIND_WORDS = {
    ReviewKind.REGION: "large region",
    ReviewKind.SHAPE: "unusual place",
    ReviewKind.SWAP: "sides swapped?",
}


class ReviewModel(QAbstractListModel):
    """One row for each thing to look at; a tick changes only the rows of its image."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.items: tuple[ReviewItem, ...] = ()
        follow(self, session.reviewed_changed, self._ticked)

    def show(self, items: Sequence[ReviewItem]) -> None:
        """Show these."""
        self.beginResetModel()
        self.items = tuple(items)
        self.endResetModel()

    def next_open(self, row: int, not_case: str | None = None) -> int:
        """The first row after ``row`` of an image that is not ticked off, round and round; -1 if there is none."""
        count = len(self.items)
        for step in range(1, count + 1):
            at = (row + step) % count
            case_id = self.items[at].case_id
            if case_id != not_case and not self._session.reviewed(case_id):
                return at
        return -1

    @property
    def images(self) -> frozenset[str]:
        """The images in the list."""
        return frozenset(item.case_id for item in self.items)

    # ---- what Qt asks

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = _ROOT) -> int:
        """Called by Qt."""
        return 0 if parent.isValid() else len(self.items)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Called by Qt."""
        if not index.isValid():
            return None
        item = self.items[index.row()]
        done = self._session.reviewed(item.case_id)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            tick = "✓ " if done else ""
            return f"{tick}{item.case_id}: {item.landmark} ({self._word(item)})"
        if role == Qt.ItemDataRole.ToolTipRole:
            return item.reason
        if role == Qt.ItemDataRole.ForegroundRole and done:
            return QApplication.palette().brush(QPalette.ColorGroup.Disabled, QPalette.ColorRole.WindowText)
        return None

    @staticmethod
    def _word(item: ReviewItem) -> str:
        """Why it is there, in a word or two."""
        if item.kind is ReviewKind.CONFIDENCE:
            return f"{1 - item.severity:.0%} sure"
        return KIND_WORDS[item.kind]

    def _ticked(self, case_id: str) -> None:
        for row, item in enumerate(self.items):
            if item.case_id == case_id:
                self.dataChanged.emit(self.index(row), self.index(row))
