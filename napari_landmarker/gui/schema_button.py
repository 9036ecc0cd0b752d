"""`SchemaButton`: opens the editor of a project's landmarks."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton, QWidget

from napari_landmarker.gui.links import follow
from napari_landmarker.gui.messages import tell_warning
from napari_landmarker.gui.schema_dialog import SchemaDialog
from napari_landmarker.state.session import Session

_TIP = "Change names, colours, descriptions, groups, sides, lines and measurements of the landmarks of this project."


class SchemaButton(QPushButton):
    """Opens the editor, one at a time.

    Attributes:
        dialog: the editor while it is open, or None.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Landmarks…", parent)
        self.session = session
        self.dialog: SchemaDialog | None = None
        self.clicked.connect(lambda _=False: self.edit())
        for signal in (session.project_changed, session.access_changed):
            follow(self, signal, self._refresh)
        self._refresh()

    def edit(self, *, measurements: bool = False) -> None:
        """Open the editor, at the page of the measurements if they are wanted."""
        if self.session.project is None or self.dialog is not None:
            return
        if self.session.lock_owner is not None:
            tell_warning(self.session.lock_owner)
            return
        self.dialog = SchemaDialog(self.session, self.window())
        self.dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.dialog.finished.connect(self._closed)
        if measurements:
            self.dialog.show_measurements()
        self.dialog.open()

    def _closed(self, _: int = 0) -> None:
        self.dialog = None

    def _refresh(self) -> None:
        self.setEnabled(self.session.project is not None and not self.session.read_only)
        self.setToolTip(self.session.lock_owner or _TIP)
