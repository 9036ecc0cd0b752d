"""`SaveGuard`: nothing that is annotated is lost unseen when the window closes."""

from __future__ import annotations

import weakref

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_landmarker.gui.close_guard import CloseGuard
from napari_landmarker.state.session import Session


class SaveGuard(QObject):
    """Tries to save once more when the window of a widget closes, and asks if that fails."""

    def __init__(self, session: Session, widget: QWidget) -> None:
        super().__init__(widget)
        self._session = session
        self._widget = widget
        self._window: weakref.ref[QWidget] | None = None
        widget.installEventFilter(self)

    def may_close(self) -> bool:
        """Whether all is saved, or a person agrees to lose what is not."""
        sentence = self._session.save()
        if sentence is None:
            return True
        answer = QMessageBox.warning(
            self._widget.window(),
            "Annotations are not saved",
            f"{sentence}\n\nClose all the same and lose the last changes?",
            QMessageBox.StandardButton.Close | QMessageBox.StandardButton.Cancel,
            QMessageBox.StandardButton.Cancel,
        )
        return bool(answer == QMessageBox.StandardButton.Close)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Called by Qt: finds the window when the widget is shown, and watches it."""
        if watched is self._widget and event.type() == QEvent.Type.Show:
            self._watch(self._widget.window())
        elif watched is self._watched() and event.type() == QEvent.Type.Close and not self.may_close():
            event.ignore()
            return True
        return False

    def _watch(self, window: QWidget) -> None:
        before = self._watched()
        if window is not before and window is not self._widget:
            if before is not None:
                before.removeEventFilter(self)
            self._window = weakref.ref(window)
            CloseGuard.watch(window)  # what is watched later is asked first: no training ends if nothing closes
            window.installEventFilter(self)

    def _watched(self) -> QWidget | None:
        """The window, held weakly: a widget that outlives its window must not keep it."""
        return None if self._window is None else self._window()
