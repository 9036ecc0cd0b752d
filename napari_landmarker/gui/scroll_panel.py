"""`ScrollPanel`: a panel that scrolls where the window is low, and labels and lists that fit into it."""

from __future__ import annotations

from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QComboBox, QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget


class ScrollPanel(QScrollArea):
    """A column of widgets, as wide as the panel and as high as it needs; what needs more width can be scrolled to.

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


class WrappedLabel(QLabel):
    """A label of several lines that is always as high as its text is in the width that it has.

    Layouts ask a label how high it is before they know how wide it will be, and cut off what does not fit.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def setText(self, text: str | None) -> None:
        """As in Qt."""
        super().setText(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Called by Qt."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        height = self.heightForWidth(self.width())
        if height > 0 and (self.minimumHeight(), self.maximumHeight()) != (height, height):
            self.setFixedHeight(height)


def wrapped(text: str = "") -> QLabel:
    """A label of several lines that takes as much height as its text, and no more."""
    return WrappedLabel(text)


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
