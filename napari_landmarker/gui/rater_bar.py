"""`RaterBar`: who annotates, and whose landmarks are shown beside: another rater's, or the model's."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QInputDialog, QLabel, QWidget

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.scroll_panel import choice
from napari_landmarker.state.session import Session

_NEW, _MODEL = object(), object()


class RaterBar(QWidget):
    """Chooses or makes a rater, and another one to compare with. Each has annotations of their own.

    Args:
        session: what is open.
        parent: as in Qt.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.rater = choice()
        self.rater.setMinimumContentsLength(6)
        self.rater.setToolTip(
            "Who annotates. Each rater sees and changes only their own landmarks;\n"
            "choose “new rater…” to begin as another."
        )
        self.rater.activated.connect(self._rater_chosen)
        self.other = choice()
        self.other.setMinimumContentsLength(6)
        self.other.setToolTip(
            "Show the landmarks of another rater, or the points of the model, over the image (hollow diamonds, faint\n"
            "where they lie on another slice), and in the table of the landmarks how far they are from yours."
        )
        self.other.activated.connect(self._other_chosen)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for text, combo in (("Rater", self.rater), ("Compare with", self.other)):
            label = QLabel(text)
            label.setBuddy(combo)
            label.setToolTip(combo.toolTip())
            row.addWidget(label)
            row.addWidget(combo, 1)
        for signal in (session.project_changed, session.rater_changed, session.other_changed):
            follow(self, signal, self._refresh)
        follow(self, session.predictions_changed, self._model_changed)
        self._refresh()

    # ---- inside

    def _rater_chosen(self, row: int) -> None:
        name = self.rater.itemData(row)
        if name is _NEW:
            name, agreed = QInputDialog.getText(self, "New rater", "Name of the rater, such as initials:")
            name = name.strip() if agreed else ""
        try:
            if name:
                self.session.set_rater(name)
        except LandmarkerError as error:
            self.session.failed.emit(str(error))
        self._refresh()

    def _other_chosen(self, row: int) -> None:
        name = self.other.itemData(row)
        try:
            if name is _MODEL:
                self.session.show_model()
            else:
                self.session.show_rater(name)
        except LandmarkerError as error:
            self.session.failed.emit(str(error))
        self._refresh()

    def _model_changed(self) -> None:
        """There is an active model now, or there is none."""
        if (self._row_of(_MODEL) > 0) != (self.session.model is not None):
            self._refresh()

    def _row_of(self, other: object) -> int:
        """The row of what is shown beside; that of nobody where there is none."""
        return next((row for row in range(self.other.count()) if self.other.itemData(row) == other), 0)

    def _refresh(self) -> None:
        session = self.session
        self.setVisible(session.project is not None)
        self.rater.clear()
        self.other.clear()
        if session.project is None:
            return
        raters = dict.fromkeys((*session.raters, session.rater))
        for name in raters:
            self.rater.addItem(name, name)
        self.rater.addItem("new rater…", _NEW)
        self.rater.setCurrentIndex(self.rater.findText(session.rater, Qt.MatchFlag.MatchExactly))
        self.other.addItem("nobody", None)
        if session.model is not None:
            self.other.addItem("the model", _MODEL)
        for name in raters:
            if name != session.rater:
                self.other.addItem(name, name)
        self.other.setCurrentIndex(self._row_of(_MODEL if session.beside_model else session.other_rater))
        self.other.setEnabled(self.other.count() > 1)
