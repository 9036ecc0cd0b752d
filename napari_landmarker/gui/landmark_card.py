"""`LandmarkCard`: the landmark that is placed next: its mark, name, description and a picture of where it lies."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QFrame, QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.marks import LOCKED_HELP, status_icon
from napari_landmarker.gui.pictures import read_picture
from napari_landmarker.gui.scroll_panel import breakable
from napari_landmarker.state.modes import LabelMode
from napari_landmarker.state.session import Session

_ICON_PX = 20
#: Size of the example picture, in heights of a line of text: beside the name, and where one looks closer.
_SMALL, _LARGE = 6, 30


class LandmarkCard(QFrame):
    """Says what the next click does.

    Attributes:
        title: what to do, with the landmark's name.
        where: its description, or what else to do.
        example: the picture; the tooltip shows it larger.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.icon, self.title, self.where, self.example = QLabel(), QLabel(), QLabel(), QLabel()
        self.icon.setFixedWidth(_ICON_PX + 4)
        for label in (self.title, self.where):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.example.hide()
        self._marked = 0
        self._pictured: tuple[Path, int] | None = None
        texts = QVBoxLayout()
        texts.addWidget(self.title)
        texts.addWidget(self.where)
        texts.addStretch(1)
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 6, 8, 6)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.icon, 0, 0, Qt.AlignmentFlag.AlignTop)
        grid.addLayout(texts, 0, 1)
        grid.addWidget(self.example, 0, 2, Qt.AlignmentFlag.AlignTop)
        for signal in (session.case_changed, session.landmarks_changed, session.current_changed, session.mode_changed):
            follow(self, signal, self.refresh)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show what the session has now."""
        project, name, shown = self.session.project, self.session.current, self.session.shown
        mark, tip = QPixmap(), ""
        if project is None or shown is None:
            self._say("Choose an image above to begin.")
        elif name is None:
            waiting = bool((shown.status == LandmarkStatus.PREDICTED.value).any())
            if waiting:
                self._say("Check the predicted points.", "Confirm those that are right, and drag the others.")
            else:
                self._say(
                    "All landmarks of this image are done.",
                    "Drag a point to correct it, or choose one below to place it anew.",
                )
        else:
            definition, status = project.schema.definition(name), shown.status_of(name)
            locked = self.session.locked(name)
            self._say(f"{self._verb(status, locked)}: {breakable(name)}", definition.description)
            mark = status_icon(definition.color, status, locked).pixmap(_ICON_PX, _ICON_PX)
            tip = LOCKED_HELP if locked else ""
        if mark.cacheKey() != self._marked:
            self.icon.setPixmap(mark)
            self._marked = mark.cacheKey()
        self.setToolTip(tip)
        self._show_example(None if project is None or shown is None or name is None else self.session.example(name))

    def _verb(self, status: LandmarkStatus, locked: bool) -> str:
        if locked:
            return "Locked"
        if status.has_point and self.session.mode is LabelMode.SEQUENTIAL:
            return "Drag to move"
        return f"Click on the image to {'move' if status.has_point else 'place'}"

    def _say(self, title: str, where: str = "") -> None:
        self.title.setText(title)
        self.where.setText(where)
        self.where.setVisible(bool(where))

    def _show_example(self, path: Path | None) -> None:
        """Show a picture, read again only where it is another file or was changed."""
        key = None if path is None else (path, path.stat().st_mtime_ns)
        if key == self._pictured:
            return
        self._pictured = key
        line = self.fontMetrics().height()
        picture = QPixmap() if path is None else read_picture(path, _SMALL * line)
        self.example.setPixmap(picture)
        self.example.setVisible(not picture.isNull())
        if path is not None:
            side = read_picture(path, _LARGE * line).size()
            self.example.setToolTip(
                f'<img src="{path.as_uri().removeprefix("file://")}" width="{side.width()}" height="{side.height()}">'
            )
