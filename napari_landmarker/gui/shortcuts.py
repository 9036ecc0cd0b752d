"""Keys of the table of keys that act while a widget of ours, or something in it, has the focus."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget

from napari_landmarker.gui.keys import KEYS, WINDOW_SEQUENCES

_INSIDE = Qt.ShortcutContext.WidgetWithChildrenShortcut


def add_shortcut(
    widget: QWidget, sequence: str, press: Callable[[], object], context: Qt.ShortcutContext = _INSIDE
) -> None:
    """Call ``press`` at a key, also where napari's window has the same one."""
    shortcut = QShortcut(QKeySequence(sequence), widget)
    shortcut.setContext(context)
    for pressed in (shortcut.activated, shortcut.activatedAmbiguously):
        pressed.connect(lambda: press())


def add_all(widget: QWidget, do: Callable[[str], object]) -> None:
    """Every key of the table that is not the whole window's already; ``do`` is told its action."""
    for key in KEYS:
        for sequence in key.sequences:
            if sequence not in WINDOW_SEQUENCES:
                add_shortcut(widget, sequence, lambda action=key.action: do(action))
