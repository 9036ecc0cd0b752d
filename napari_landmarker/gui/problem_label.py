"""`ProblemLabel`: a sentence that says what is wrong, there only while something is."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QPalette, QShowEvent
from qtpy.QtWidgets import QApplication

from napari_landmarker.gui.scroll_panel import WrappedLabel

#: Reds that can be read on napari's dark and on its light theme: at least 4.5 to 1.
_ON_DARK, _ON_LIGHT = "#ff9ea1", "#a61b23"


class ProblemLabel(WrappedLabel):
    """A bold red line, in a red that stands out in napari's theme; hidden until something is wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._color = ""
        self.hide()

    def say(self, sentence: str) -> None:
        """Say what is wrong; nothing is wrong for an empty sentence."""
        self.setText(sentence)
        self.setVisible(bool(sentence))

    def showEvent(self, event: QShowEvent) -> None:
        """Called by Qt."""
        super().showEvent(event)
        self._follow_theme()

    def changeEvent(self, event: QEvent) -> None:
        """Called by Qt: another theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._follow_theme()

    def _follow_theme(self) -> None:
        around = self.parentWidget()
        palette = QApplication.palette() if around is None else around.palette()
        letters, behind = (palette.color(role).lightness() for role in (QPalette.WindowText, QPalette.Window))
        color = _ON_DARK if letters > behind else _ON_LIGHT
        if color != self._color:
            self._color = color
            self.setStyleSheet(f"color: {color}; font-weight: bold;")
