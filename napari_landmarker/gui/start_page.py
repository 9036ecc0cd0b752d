"""`StartPage`: what one sees before a project is open."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_landmarker.gui.project_bar import ProjectActions


class StartPage(QWidget):
    """What the tool does, and the three ways to begin."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.actions_ = ProjectActions(vertical=True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 12, 24, 12)
        layout.addStretch(1)
        title = words("Mark anatomical landmarks, teach a model to find them, and measure how well it does.")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.2)
        title.setFont(font)
        layout.addWidget(title)
        layout.addSpacing(title.fontMetrics().height())
        layout.addWidget(self.actions_)
        layout.addWidget(words("Or drop a project, or images to begin a new one with, on this panel."))
        layout.addStretch(2)


def words(text: str) -> QLabel:
    """A text that is broken into lines."""
    label = QLabel(text)
    label.setWordWrap(True)
    return label
