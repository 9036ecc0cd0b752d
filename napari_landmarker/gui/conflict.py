"""`ConflictBanner`: asks which annotations to keep where another program changed the file of an image."""

from __future__ import annotations

from typing import Literal

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_landmarker.gui.access_banner import Banner
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.messages import reports
from napari_landmarker.state.session import Session


class ConflictBanner(Banner):
    """Asks as soon as a conflict is found, and stays for as long as there is one that nobody has decided.

    Attributes:
        dialog: the question that is on the screen, or None.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Choose…", "Choose which annotations of this image to keep.", parent)
        self._session = session
        self.dialog: QMessageBox | None = None
        self.button.clicked.connect(lambda _=False: self.ask())
        for signal in (session.project_changed, session.rater_changed, session.history_changed):
            follow(self, signal, self._refresh)
        follow(self, session.conflict, self._found)

    def ask(self) -> None:
        """Ask about the first conflict; the answer comes later, and the window goes on meanwhile."""
        if self.dialog is not None or not self._session.conflicts:
            return
        case_id = self._session.conflicts[0]
        box = QMessageBox(self.window())
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("Annotations were changed elsewhere")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(f"Another program changed the annotations of '{case_id}' since they were read here.")
        box.setInformativeText("Nothing is written over until you choose. The other version is lost.")
        mine = box.addButton("Keep mine", QMessageBox.ButtonRole.AcceptRole)
        theirs = box.addButton("Take theirs", QMessageBox.ButtonRole.DestructiveRole)
        later = box.addButton("Decide later", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(later)
        box.setEscapeButton(later)
        mine.clicked.connect(lambda _=False: self.resolve(case_id, "mine"))
        theirs.clicked.connect(lambda _=False: self.resolve(case_id, "theirs"))
        box.finished.connect(self._closed)
        self.dialog = box
        box.open()

    @reports
    def resolve(self, case_id: str, keep: Literal["mine", "theirs"]) -> None:
        """Keep what was annotated in this window, or what the other program wrote."""
        try:
            self._session.resolve(case_id, keep)
        finally:
            self._refresh()

    # ---- inside

    def _found(self, _: str) -> None:
        self._refresh()
        QTimer.singleShot(0, self.ask)  # not within the click that found it

    def _closed(self, _: int) -> None:
        self.dialog = None

    def _refresh(self, *_: object) -> None:
        conflicts = self._session.conflicts
        if not conflicts:
            self.show_sentence(None)
            return
        more = f" The same is so for {len(conflicts) - 1} more." if len(conflicts) > 1 else ""
        self.show_sentence(f"Another program changed the annotations of '{conflicts[0]}': they are not saved.{more}")
