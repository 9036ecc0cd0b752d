"""`ModeBar`: what a click on the image does, as three buttons of which one is pressed."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QPushButton, QWidget

from napari_landmarker.gui.keys import tip
from napari_landmarker.gui.links import follow
from napari_landmarker.state.modes import LabelMode
from napari_landmarker.state.session import Session


class ModeBar(QWidget):
    """The labelling modes.

    Attributes:
        buttons: one for each mode.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.buttons: dict[LabelMode, QPushButton] = {}
        group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        label = QLabel("A click:")
        label.setToolTip(tip("next_mode", "What a click on the image does."))
        row.addWidget(label)
        row.addSpacing(4)
        for mode in LabelMode:
            button = QPushButton(mode.label)
            button.setCheckable(True)
            button.setToolTip(tip("next_mode", mode.help))
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.clicked.connect(lambda _=False, mode=mode: session.set_mode(mode))
            group.addButton(button)
            row.addWidget(button, 1)
            self.buttons[mode] = button
        follow(self, session.mode_changed, self._show)
        self._show(session.mode)

    def _show(self, mode: LabelMode) -> None:
        self.buttons[mode].setChecked(True)
        for each, button in self.buttons.items():
            font = button.font()
            font.setBold(each is mode)
            button.setFont(font)
