"""`ScrollPanel`: a panel that scrolls where the window is low, and labels and lists that fit into it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget


class ScrollPanel(QScrollArea):
    """A column of widgets, as wide as the panel and as high as it needs.

    Attributes:
        body: layout of the column.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        inside = QWidget()
        self.body = QVBoxLayout(inside)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)


def wrapped(text: str = "") -> QLabel:
    """A label of several lines that takes no more height than its text."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
    return label


def breakable(name: str) -> str:
    """A name that a label may break after every ``_``: a long one would be cut off where the panel ends."""
    return name.replace("_", "_\u200b")


def choice() -> QComboBox:
    """A list to choose from that becomes narrow where the panel is, however long its texts are."""
    combo = QComboBox()
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(12)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return combo
