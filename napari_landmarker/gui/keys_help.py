"""`KeysHelp`: the list of all keys and marks, made from the table of keys."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent, QShowEvent
from qtpy.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.gui.keys import ANSWERS, KEYS, PLACING, VIEW, readable
from napari_landmarker.gui.marks import STATUS_WORDS, status_icon

_MARK = "#56b4e9"
_CAP = "QLabel { border: 1px solid palette(mid); border-radius: 3px; padding: 1px 5px; font-weight: bold; }"


class KeysHelp(QDialog):
    """A window beside the others that can stay open while one works."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys of napari-landmarker")
        columns = QHBoxLayout()
        for groups in ((PLACING, ANSWERS), (VIEW,)):
            column = QVBoxLayout()
            column.setSpacing(4)
            for group in groups:
                column.addWidget(_title(group))
                column.addLayout(_rows(group))
            if VIEW in groups:
                column.addWidget(_title("Marks"))
                column.addLayout(_marks())
            column.addStretch(1)
            columns.addLayout(column, 1)
        columns.setSpacing(2 * self.fontMetrics().height())
        self._inside = QWidget()
        self._inside.setLayout(columns)
        area = QScrollArea()
        area.setWidget(self._inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        layout = QVBoxLayout(self)
        layout.addWidget(area)

    def showEvent(self, event: QShowEvent) -> None:
        """Called by Qt: as large as the list, as far as the screen goes; the style is known only now."""
        for label in self._inside.findChildren(QLabel):
            label.ensurePolished()
        line, room = self.fontMetrics().height(), self.screen().availableSize()
        size = self._inside.sizeHint()
        self.resize(min(size.width() + 4 * line, room.width()), min(size.height() + 3 * line, room.height() * 9 // 10))
        super().showEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Called by Qt: the keys that open it close it too, as does Esc."""
        if event.key() in (Qt.Key.Key_F1, Qt.Key.Key_Question):
            self.close()
        else:
            super().keyPressEvent(event)

    def toggle(self) -> None:
        """Show it, or close it."""
        if self.isVisible():
            self.close()
        else:
            self.show()
            self.raise_()


def _title(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    font.setPointSizeF(font.pointSizeF() * 1.15)
    label.setFont(font)
    label.setContentsMargins(0, 10, 0, 2)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    return label


def _rows(group: str) -> QGridLayout:
    """A row for each key: its caps, and what it does; more in the tooltip."""
    grid = QGridLayout()
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(3)
    grid.setColumnStretch(1, 1)
    for row, key in enumerate(key for key in KEYS if key.group == group):
        caps = QHBoxLayout()
        caps.setSpacing(4)
        for sequence in key.sequences:
            cap = QLabel(readable(sequence))
            cap.setStyleSheet(_CAP)
            cap.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            caps.addWidget(cap)
        caps.addStretch(1)
        said = QLabel(key.name)
        said.setToolTip(key.help)
        said.setAccessibleDescription(key.help)
        grid.addLayout(caps, row, 0)
        grid.addWidget(said, row, 1, Qt.AlignmentFlag.AlignVCenter)
    return grid


def _marks() -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(4)
    grid.setColumnStretch(1, 1)
    marks = [(status, False, STATUS_WORDS[status]) for status in reversed(LandmarkStatus)]
    marks.insert(1, (LandmarkStatus.CONFIRMED, True, "confirmed and locked"))
    for row, (status, locked, words) in enumerate(marks):
        icon = QLabel()
        side = icon.fontMetrics().height()
        icon.setPixmap(status_icon(_MARK, status, locked).pixmap(side, side))
        grid.addWidget(icon, row, 0, Qt.AlignmentFlag.AlignVCenter)
        said = QLabel(words)
        said.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        grid.addWidget(said, row, 1, Qt.AlignmentFlag.AlignVCenter)
    return grid
