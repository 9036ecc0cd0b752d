"""`AnnotatePanel`: the images, the landmarks, what the next click does, and all that can be done to a landmark."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QSplitter, QVBoxLayout, QWidget

from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.gui.case_list import CaseList
from napari_landmarker.gui.done_count import DoneCount
from napari_landmarker.gui.exchange_buttons import ExchangeButtons
from napari_landmarker.gui.file_choice import choose_images
from napari_landmarker.gui.keys import KEYS, WINDOW_SEQUENCES, tip
from napari_landmarker.gui.landmark_actions import LandmarkActions
from napari_landmarker.gui.landmark_card import LandmarkCard
from napari_landmarker.gui.landmark_table import LandmarkTable
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.messages import reported, reports, tell, tell_warning
from napari_landmarker.gui.mode_bar import ModeBar
from napari_landmarker.gui.schema_button import SchemaButton
from napari_landmarker.gui.shortcuts import add_shortcut
from napari_landmarker.gui.steady import Steady
from napari_landmarker.gui.view_bar import ViewBar
from napari_landmarker.state.session import Session

#: What is told where a person stopped it, without the full stop.
NOT_ADDED = "Stopped: no images were added"


class AnnotatePanel(QWidget):
    """Annotates the open image.

    Args:
        session: what is open.
        actions: what keys and buttons do.
        parent: as in Qt.
    """

    def __init__(self, session: Session, actions: LandmarkActions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.actions_ = actions
        self.layers = actions.layers
        self._count = DoneCount(session, self)
        self.cases = CaseList(session)
        self.landmarks = LandmarkTable(session)
        self.landmarks.chosen.connect(self.layers.bring_into_view)
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
        for signal in (session.project_changed, session.cases_changed, session.case_changed):
            follow(self, signal, self._show_count)
        follow(self, session.refused, tell_warning)
        follow(self, session.told, tell)
        self._count.counted.connect(self._show_count)
        self._refresh()
        self._show_count()

    # ---- making it

    def _make_images(self) -> QWidget:
        self.summary = QLabel()
        self.previous = _button("◀", tip("previous_image"), self._previous)
        self.next = _button("▶", tip("next_image"), self._next)
        for button in (self.previous, self.next):
            button.setFixedWidth(button.fontMetrics().averageCharWidth() * 7)
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
        self.modes = ModeBar(self.session)
        self.card = LandmarkCard(self.session)
        self.hint, self.hint_where = self.card.title, self.card.where
        self.view = ViewBar(self.actions_)
        self.names = self.view.names
        self.exchange = ExchangeButtons(self.session)
        self.schema = SchemaButton(self.session)
        layout.addWidget(self.modes)
        layout.addWidget(Steady(self.card))
        layout.addWidget(self.landmarks, 1)
        layout.addLayout(self._make_actions())
        layout.addWidget(self.view)
        self.tools = QHBoxLayout()
        self.tools.addWidget(self.exchange, 2)
        self.tools.addWidget(self.schema, 1)
        layout.addLayout(self.tools)
        return box

    def _make_actions(self) -> QGridLayout:
        chosen = self._to_current
        actions = self.actions_
        self.accept = _button(
            "Confirm",
            tip("confirm", "Agree with what a model placed, and go to the next one."),
            lambda: chosen(actions.confirm_landmark),
        )
        self.accept_all = _button("Accept all", tip("accept_all"), self._accept_all)
        self.absent = _button(
            "Not visible",
            tip("absent", "The chosen landmark cannot be seen in this image: that counts as done. Again: it can."),
            lambda: chosen(actions.toggle_absent),
        )
        self.remove = _button(
            "Remove", tip("remove", "Take the chosen landmark away."), lambda: chosen(self.session.remove)
        )
        self.reset = _button("Reset", tip("reset"), lambda: chosen(self.session.reset))
        self.lock = _button(
            "Lock",
            tip("lock", "Keep the chosen landmark from being changed. Again: unlock."),
            lambda: chosen(lambda name: self.session.set_locked(name, not self.session.locked(name))),
        )
        self.undo = _button("Undo", tip("undo"), self._undo)
        self.redo = _button("Redo", tip("redo"), self._redo)
        self.saved = QLabel()
        self.saved.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        grid = QGridLayout()
        rows = (
            (self.accept, self.accept_all, self.reset, self.lock),
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
        """The canvas's keys, for when the panel has the focus; those that napari cannot tell apart, everywhere."""
        for key in KEYS:
            for sequence in key.panel_sequences:
                if sequence in WINDOW_SEQUENCES:
                    # Keyboards differ in whether they say that Shift is held to write it.
                    self._shortcut(sequence, key.action, Qt.ShortcutContext.WindowShortcut)
                    self._shortcut(f"Shift+{sequence}", key.action, Qt.ShortcutContext.WindowShortcut)
                else:
                    self._shortcut(sequence, key.action, Qt.ShortcutContext.WidgetWithChildrenShortcut)

    def _shortcut(self, sequence: str, action: str, context: Qt.ShortcutContext) -> None:
        add_shortcut(self, sequence, lambda: self.actions_.do(action), context)

    # ---- what the session tells

    def _refresh(self, *_: object) -> None:
        session, shown = self.session, self.session.shown
        status = LandmarkStatus.UNPLACED
        if shown is not None and session.current is not None:
            status = shown.status_of(session.current)
        chosen = shown is not None and session.current is not None
        predicted = shown is not None and bool((shown.status == LandmarkStatus.PREDICTED.value).any())
        locked = session.current is not None and session.locked(session.current)
        free = chosen and not locked
        self.accept.setEnabled(free and status in (LandmarkStatus.PREDICTED, LandmarkStatus.EDITED))
        self.accept_all.setEnabled(predicted)
        self.absent.setEnabled(free)
        self.absent.setText("Visible" if status == LandmarkStatus.ABSENT else "Not visible")
        self.remove.setEnabled(free and status != LandmarkStatus.UNPLACED)
        self.reset.setEnabled(free and session.current is not None and session.can_reset(session.current))
        self.lock.setEnabled(chosen and status.by_person)
        self.lock.setText("Unlock" if locked else "Lock")
        self.undo.setEnabled(session.can_undo)
        self.redo.setEnabled(session.can_redo)
        self._show_saved()

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
        if self.session.project is not None:
            cases = self.session.project.cases
            done = f"{len(self._count.complete)} of {len(cases)} images done"
            self.summary.setText("Counting the images that are done…" if self._count.busy else done)
            self.previous.setEnabled(bool(cases) and self.session.case_id != cases[0].id)
            self.next.setEnabled(bool(cases) and self.session.case_id != cases[-1].id)

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

    def _to_current(self, action: Callable[[str], None]) -> None:
        if self.session.current is not None:
            with reported():
                action(self.session.current)

    @reports
    def _add_images(self) -> None:
        paths = choose_images(self)
        if paths and self.session.add_images(paths) is None:
            tell(f"{NOT_ADDED}.")


def _button(text: str, tip: str, action: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(lambda _=False: action())
    return button
