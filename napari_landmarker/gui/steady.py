"""`Steady`: a frame in which texts may change without all that is around it being laid out and drawn again."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QSize
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QWidget


class Steady(QWidget):
    """Holds one widget, as wide as there is room and as high as that needs.

    In Qt every new text of a label lays out all widgets around it anew, up to the window, and a `QTabWidget` on the way
    draws all of its page again. Only another height goes beyond this frame.
    """

    def __init__(self, inside: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.inside = inside
        inside.setParent(self)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self._height = -1

    def hasHeightForWidth(self) -> bool:
        """Called by Qt."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Called by Qt."""
        needed = self.inside.heightForWidth(width)
        return needed if needed >= 0 else self.inside.sizeHint().height()

    def sizeHint(self) -> QSize:
        """Called by Qt."""
        width = self.inside.sizeHint().width()
        return QSize(width, self.heightForWidth(self.width() if self.isVisible() else width))

    def minimumSizeHint(self) -> QSize:
        """Called by Qt."""
        return QSize(0, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Called by Qt."""
        super().resizeEvent(event)
        self.inside.setGeometry(self.rect())
        self._ask()

    def event(self, event: QEvent) -> bool:
        """Called by Qt: what is inside asks for another size."""
        if event.type() == QEvent.Type.LayoutRequest:
            self._ask()
        return bool(super().event(event))

    def _ask(self) -> None:
        """Ask for the height that is needed now, once."""
        needed = self.heightForWidth(self.width())
        if needed != self._height:
            self._height = needed
            self.updateGeometry()
