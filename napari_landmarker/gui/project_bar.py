"""`ProjectBar`: which project is open, the ways to open or make one, and a menu with the rest."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPainter, QPaintEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_landmarker.engine.datasets import SAMPLES
from napari_landmarker.gui.links import follow
from napari_landmarker.state.session import Session

_NEW_TIP = "Make a project from a folder of images."
_OPEN_TIP = "Open a project folder that was made before."
_SAMPLE_TIP = "Try the tool on real images that come with it."


class ProjectActions(QWidget):
    """Three buttons: new, open, sample. It only asks; the widget does.

    Args:
        vertical: one below the other, with words beside them.
        parent: as in Qt.
    """

    new_wanted = Signal()
    open_wanted = Signal()
    sample_wanted = Signal(int)
    """With the number of dimensions of the sample."""

    def __init__(self, *, vertical: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.new = QPushButton("New project…" if vertical else "New…")
        self.open = QPushButton("Open project…" if vertical else "Open…")
        self.sample = QPushButton("Open a sample" if vertical else "Sample")
        menu = QMenu(self.sample)
        for ndim, sample in SAMPLES.items():
            action = menu.addAction(f"{sample.title}, {ndim}D")
            action.triggered.connect(lambda _=False, n=ndim: self.sample_wanted.emit(n))
        self.sample.setMenu(menu)
        self.new.clicked.connect(lambda _=False: self.new_wanted.emit())
        self.open.clicked.connect(lambda _=False: self.open_wanted.emit())
        layout = QVBoxLayout(self) if vertical else QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for button, tip in ((self.new, _NEW_TIP), (self.open, _OPEN_TIP), (self.sample, _SAMPLE_TIP)):
            button.setToolTip(tip)
            layout.addWidget(button)
            if vertical:
                layout.addWidget(_words(tip))
                layout.addSpacing(button.fontMetrics().height() // 2)


class ProjectBar(QWidget):
    """The name of the open project, and the three buttons."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.name = _Elided()
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        font = self.name.font()
        font.setBold(True)
        font.setPointSizeF(font.pointSizeF() * 1.15)
        self.name.setFont(font)
        self.actions_ = ProjectActions()
        self.more = QToolButton()
        self.more.setText("☰")
        self.more.setToolTip("More: what to send along with a question.")
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.more.setAccessibleName("More")
        self.menu = QMenu(self.more)
        self.more.setMenu(self.menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.name, 1)
        row.addWidget(self.actions_)
        row.addWidget(self.more)
        follow(self, session.project_changed, self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        project = self._session.project
        root = Path() if project is None else project.root
        self.name.setText("Landmarker" if project is None else root.name)
        self.name.setToolTip("No project is open." if project is None else f"Project in {root}")
        self.actions_.setVisible(project is not None)


class _Elided(QLabel):
    """A line whose middle is left out where there is no room for it."""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Called by Qt."""
        room = self.rect().adjusted(4, 0, 0, 0)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, room.width())
        QPainter(self).drawText(room, Qt.AlignmentFlag.AlignVCenter, text)


def _words(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    return label
