"""`AccessBanner`: says why nothing can be saved in the open project, and what to do about it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from napari_landmarker.gui.links import follow
from napari_landmarker.gui.messages import reports, tell, tell_warning
from napari_landmarker.state.session import Session


class Banner(QFrame):
    """A sentence that stays until its reason is gone, with one button; hidden at first.

    It has colours of its own, which are read on napari's light and dark themes.

    Args:
        button: what stands on the button.
        tip: what the button does.
        parent: as in Qt.
    """

    def __init__(self, button: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("landmarker-banner")
        self.setStyleSheet(
            "#landmarker-banner { background: #5c4300; border: 1px solid #c99a2e; border-radius: 4px; }"
            "#landmarker-banner QLabel { color: #fff3d6; background: transparent; }"
        )
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)
        self.sentence.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.button = QPushButton(button)
        self.button.setToolTip(tip)
        row = QHBoxLayout(self)
        row.addWidget(self.sentence, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignVCenter)
        self.hide()

    def show_sentence(self, sentence: str | None) -> None:
        """Show a sentence, or hide the banner."""
        self.sentence.setText(sentence or "")
        self.setVisible(sentence is not None)


class AccessBanner(Banner):
    """Shown while a project can only be looked at; its button makes this window the one that saves."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Take over", "Save from this window from now on; the other one can then only look.", parent)
        self._session = session
        self.button.clicked.connect(lambda _=False: self._take_over())
        follow(self, session.access_changed, self._refresh)
        self._refresh()

    @reports
    def _take_over(self) -> None:
        self._session.take_over()
        if self._session.lock_owner is None:
            tell("What you change here is saved again.")
        else:
            tell_warning(self._session.lock_owner)

    def _refresh(self) -> None:
        self.show_sentence(self._session.lock_owner)
