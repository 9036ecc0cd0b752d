"""`ItemList`: a list whose items a person adds, removes and puts in another order, with keys or the mouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QKeyEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QStyle,
    QVBoxLayout,
    QWidget,
)


class ItemList(QWidget):
    """Shows the rows that it is given and asks for changes; whoever owns the rows makes them and shows them anew.

    Args:
        what: one item, as in "Add a landmark".
        can_order: whether the order of the items matters.
        parent: as in Qt.

    Attributes:
        rows: the list itself.
        more: layout for further buttons below the list.
    """

    chosen = Signal(int)
    """This row was chosen; -1 for none."""
    add_wanted = Signal()
    """Add an item behind the chosen one."""
    remove_wanted = Signal(int)
    """Remove this row."""
    move_wanted = Signal(int, int)
    """Put this row at that place, counted without it."""
    edit_wanted = Signal()
    """Go to the fields of the chosen item."""

    def __init__(self, what: str, *, can_order: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = _Rows()
        side = self.fontMetrics().height()
        self.rows.setIconSize(QSize(side, side))
        self.rows.setAccessibleName(f"List: {what}")
        self.rows.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        if can_order:
            self.rows.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
            self.rows.setToolTip("Drag to put in another order.")
        self.add = _button("Add", f"Add a {what} (Insert).", self.add_wanted.emit)
        self.remove = _button("Remove", f"Remove the chosen {what} (Delete).", self._remove)
        self.up = _button("▲", f"Move the chosen {what} up (Alt+↑).", lambda: self._move(-1))
        self.down = _button("▼", f"Move the chosen {what} down (Alt+↓).", lambda: self._move(+1))
        for button in (self.up, self.down):
            button.setFixedWidth(button.fontMetrics().averageCharWidth() * 6)
            button.setVisible(can_order)
        self.up.setAccessibleName("Move up")
        self.down.setAccessibleName("Move down")
        buttons = QHBoxLayout()
        for button in (self.add, self.remove, self.up, self.down):
            buttons.addWidget(button)
        self.more = QVBoxLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.rows, 1)
        layout.addLayout(buttons)
        layout.addLayout(self.more)
        self.rows.currentRowChanged.connect(self._row_changed)
        self.rows.dropped.connect(self.move_wanted)
        self.rows.itemDoubleClicked.connect(lambda _: self.edit_wanted.emit())
        self.rows.keys = {
            (Qt.Key.Key_Insert, False): self.add_wanted.emit,
            (Qt.Key.Key_Delete, False): self._remove,
            (Qt.Key.Key_F2, False): self.edit_wanted.emit,
            (Qt.Key.Key_Return, False): self.edit_wanted.emit,
            (Qt.Key.Key_Enter, False): self.edit_wanted.emit,
        }
        if can_order:
            self.rows.keys[Qt.Key.Key_Up, True] = lambda: self._move(-1)
            self.rows.keys[Qt.Key.Key_Down, True] = lambda: self._move(+1)
        self._enable()

    @property
    def row(self) -> int:
        """The chosen row, -1 for none."""
        return int(self.rows.currentRow())

    def show_rows(self, texts: Sequence[str], icons: Sequence[QIcon], wrong: Sequence[str], row: int) -> None:
        """Show these rows and choose one, without telling.

        Args:
            texts: of the rows.
            icons: of the rows.
            wrong: what is wrong in each; empty where all is well.
            row: which one is chosen.
        """
        self.rows.blockSignals(True)
        while self.rows.count() > len(texts):
            self.rows.takeItem(self.rows.count() - 1)
        while self.rows.count() < len(texts):
            self.rows.addItem(QListWidgetItem())
        warning = QApplication.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning)
        for number, (text, icon, problem) in enumerate(zip(texts, icons, wrong, strict=True)):
            item = self.rows.item(number)
            item.setText(text)
            item.setIcon(warning if problem else icon)
            item.setToolTip(problem)
        self.rows.setCurrentRow(row)
        self.rows.blockSignals(False)
        self._enable()

    def _row_changed(self, row: int) -> None:
        self._enable()
        self.chosen.emit(row)

    def _remove(self) -> None:
        if self.row >= 0:
            self.remove_wanted.emit(self.row)

    def _move(self, step: int) -> None:
        if self.row >= 0 and 0 <= self.row + step < self.rows.count():
            self.move_wanted.emit(self.row, self.row + step)

    def _enable(self) -> None:
        self.remove.setEnabled(self.row >= 0)
        self.up.setEnabled(self.row > 0)
        self.down.setEnabled(0 <= self.row < self.rows.count() - 1)


class _Rows(QListWidget):
    """A list that tells where a row was dropped, and leaves moving it to whoever owns the rows.

    Attributes:
        keys: what keys do, by whether Alt is held.
    """

    dropped = Signal(int, int)

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[tuple[int, bool], Callable[[], None]] = {}

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Called by Qt."""
        action = self.keys.get((event.key(), bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)))
        if action is None:
            super().keyPressEvent(event)
        else:
            action()

    def dropEvent(self, event: object) -> None:
        """Called by Qt."""
        row, at = self.currentRow(), self.indexAt(event.position().toPoint()).row()  # type: ignore[attr-defined]
        place = self.dropIndicatorPosition()
        if at < 0:
            at = self.count()
        elif place != QAbstractItemView.DropIndicatorPosition.AboveItem:
            at += 1
        event.setDropAction(Qt.DropAction.IgnoreAction)  # type: ignore[attr-defined]
        event.accept()  # type: ignore[attr-defined]
        if row >= 0 and at not in (row, row + 1):
            self.dropped.emit(row, at - 1 if at > row else at)


def _button(text: str, tip: str, action: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    button.clicked.connect(lambda _=False: action())
    return button
