"""`AnnotatePanel`: the images, the landmarks, what the next click does, and all that can be done to a landmark."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.gui.case_list import CaseList
from napari_landmarker.gui.done_count import DoneCount
from napari_landmarker.gui.exchange_buttons import ExchangeButtons
from napari_landmarker.gui.file_choice import choose_images
from napari_landmarker.gui.landmark_table import LandmarkTable
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.marks import status_icon
from napari_landmarker.gui.messages import reported, reports
from napari_landmarker.gui.scroll_panel import breakable
from napari_landmarker.state.session import Session


class AnnotatePanel(QWidget):
    """Annotates the open image.

    Args:
        session: what is open.
        layers: the layers that show it.
        parent: as in Qt.
    """

    def __init__(self, session: Session, layers: CaseLayers, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.layers = layers
        self._count = DoneCount(session, self)
        self.cases = CaseList(session)
        self.landmarks = LandmarkTable(session)
        self.landmarks.chosen.connect(layers.bring_into_view)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.addWidget(self._make_images())
        splitter.addWidget(self._make_landmarks())
        splitter.setChildrenCollapsible(False)
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 3)
        layout = QVBoxLayout(self)
        layout.addWidget(splitter)
        self._make_shortcuts()
        for signal in (
            session.case_changed,
            session.landmarks_changed,
            session.current_changed,
            session.history_changed,
        ):
            follow(self, signal, self._refresh)
        follow(self, session.cases_changed, self._refresh)
        self._count.counted.connect(self._show_count)
        self._refresh()

    # ---- making it

    def _make_images(self) -> QWidget:
        self.summary = QLabel()
        self.previous = _button("◀", "The image before (Page Up)", self._previous)
        self.next = _button("▶", "The next image (Page Down)", self._next)
        for button in (self.previous, self.next):
            button.setFixedWidth(44)
        self.add = _button("Add images…", "Add more images to this project.", self._add_images)
        row = QHBoxLayout()
        row.addWidget(self.summary, 1)
        for button in (self.previous, self.next, self.add):
            row.addWidget(button)
        box = QWidget()
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.cases, 1)
        return box

    def _make_landmarks(self) -> QWidget:
        box = QWidget()
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 6, 0, 0)
        layout.addWidget(self._make_hint())
        layout.addWidget(self.landmarks, 1)
        layout.addLayout(self._make_actions())
        self.exchange = ExchangeButtons(self.session)
        layout.addWidget(self.exchange)
        return box

    def _make_hint(self) -> QWidget:
        frame = QFrame()
        frame.setFrameShape(QFrame.Shape.StyledPanel)
        self.hint_icon, self.hint, self.hint_where = QLabel(), QLabel(), QLabel()
        self.hint_icon.setFixedWidth(24)
        for label in (self.hint, self.hint_where):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        font = self.hint.font()
        font.setBold(True)
        self.hint.setFont(font)
        grid = QGridLayout(frame)
        grid.setContentsMargins(8, 6, 8, 6)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.hint_icon, 0, 0)
        grid.addWidget(self.hint, 0, 1)
        grid.addWidget(self.hint_where, 1, 1)
        return frame

    def _make_actions(self) -> QGridLayout:
        self.accept = _button(
            "Accept", "Agree with the prediction of the chosen landmark and go to the next one.", self._accept
        )
        self.accept_all = _button("Accept all", "Agree with all predictions in this image.", self._accept_all)
        self.absent = _button(
            "Not visible", "The chosen landmark cannot be seen in this image. That counts as done.", self._mark_absent
        )
        self.remove = _button(
            "Remove", "Take the chosen landmark away (Delete; on the image: the one under the mouse).", self._remove
        )
        self.reset = _button("Reset", "Drop my point and show the model's prediction again.", self._reset)
        self.undo = _button("Undo", "Take the last change back (Ctrl+Z).", self._undo)
        self.redo = _button("Redo", "Do it again (Ctrl+Shift+Z).", self._redo)
        self.names = QCheckBox("Names")
        self.names.setToolTip("Write the names beside the points on the image.")
        self.names.setChecked(True)
        self.names.toggled.connect(self.layers.show_names)
        self.saved = QLabel()
        self.saved.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        grid = QGridLayout()
        rows = (
            (self.accept, self.accept_all, self.reset, self.names),
            (self.remove, self.absent, self.undo, self.redo),
        )
        for row, widgets in enumerate(rows):
            for column, widget in enumerate(widgets):
                grid.addWidget(widget, row, column)
        for column in range(4):
            grid.setColumnStretch(column, 1)
        grid.addWidget(self.saved, 2, 0, 1, 4)
        return grid

    def _make_shortcuts(self) -> None:
        """The canvas's keys, for when the panel has the focus."""
        keys: tuple[tuple[str, Callable[[], object]], ...] = (
            ("Delete", self._remove),
            ("Backspace", self._remove),
            ("Ctrl+Z", self._undo),
            ("Ctrl+Shift+Z", self._redo),
        )
        for key, action in keys:
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(action)

    # ---- what the session tells

    def _refresh(self, *_: object) -> None:
        session, shown = self.session, self.session.shown
        status = LandmarkStatus.UNPLACED
        if shown is not None and session.current is not None:
            status = shown.status_of(session.current)
        chosen = shown is not None and session.current is not None
        predicted = shown is not None and bool((shown.status == LandmarkStatus.PREDICTED.value).any())
        self.accept.setEnabled(chosen and status == LandmarkStatus.PREDICTED)
        self.accept_all.setEnabled(predicted)
        self.absent.setEnabled(chosen and status != LandmarkStatus.ABSENT)
        self.remove.setEnabled(chosen and status != LandmarkStatus.UNPLACED)
        self.reset.setEnabled(session.current is not None and session.can_reset(session.current))
        self.undo.setEnabled(session.can_undo)
        self.redo.setEnabled(session.can_redo)
        self._show_hint(status)
        self._show_saved()
        self._show_count()

    def _show_hint(self, status: LandmarkStatus) -> None:
        project, name = self.session.project, self.session.current
        self.hint_icon.clear()
        self.hint_where.setVisible(False)
        if project is None or self.session.shown is None:
            self.hint.setText("Choose an image above to begin.")
        elif name is None:
            waiting = self.accept_all.isEnabled()
            self.hint.setText("Check the predicted points." if waiting else "All landmarks of this image are done.")
            self.hint_where.setText(
                "Accept those that are right, and drag the others to where they belong."
                if waiting
                else "Drag a point to correct it, or choose one below to place it anew."
            )
            self.hint_where.setVisible(True)
        else:
            definition = project.schema.definition(name)
            verb = "move" if status.has_point else "place"
            self.hint.setText(f"Click on the image to {verb}: {breakable(name)}")
            self.hint_icon.setPixmap(status_icon(definition.color, status).pixmap(20, 20))
            self.hint_where.setText(definition.description)
            self.hint_where.setVisible(bool(definition.description))

    def _show_saved(self) -> None:
        if self.session.unsaved:
            self.saved.setText("⚠ Not saved yet: the last save failed")
            self.saved.setToolTip(
                "It is tried again with your next change. Check that the project's folder is writable."
            )
        else:
            self.saved.setText("✓ Saved" if self.session.can_undo or self.session.can_redo else "")
            self.saved.setToolTip("Every change is saved at once.")

    def _show_count(self) -> None:
        project = self.session.project
        if project is not None:
            self.summary.setText(f"{len(self._count.complete)} of {len(project.cases)} images done")
            ids = [case.id for case in project.cases[:1] + project.cases[-1:]]
            self.previous.setEnabled(bool(ids) and self.session.case_id != ids[0])
            self.next.setEnabled(bool(ids) and self.session.case_id != ids[-1])

    # ---- what a person does

    @reports
    def _previous(self) -> None:
        self.session.previous_case()

    @reports
    def _next(self) -> None:
        self.session.next_case()

    @reports
    def _undo(self) -> None:
        self.session.undo()

    @reports
    def _redo(self) -> None:
        self.session.redo()

    @reports
    def _accept_all(self) -> None:
        self.session.accept_all()

    def _accept(self) -> None:
        self._to_current(self.session.accept)
        if self.session.current is not None:
            self.layers.bring_into_view(self.session.current)

    def _mark_absent(self) -> None:
        self._to_current(self.session.mark_absent)

    def _remove(self) -> None:
        self._to_current(self.session.remove)

    def _reset(self) -> None:
        self._to_current(self.session.reset)

    def _to_current(self, action: Callable[[str], None]) -> None:
        if self.session.current is not None:
            with reported():
                action(self.session.current)

    @reports
    def _add_images(self) -> None:
        paths = choose_images(self)
        if paths:
            self.session.add_images(paths)


def _button(text: str, tip: str, action: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(lambda _=False: action())
    return button
