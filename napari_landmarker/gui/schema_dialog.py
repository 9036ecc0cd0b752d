"""`SchemaDialog`: the editor of a project's landmarks, the lines between them and what is measured."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QMessageBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.gui.messages import tell
from napari_landmarker.gui.problem_label import ProblemLabel
from napari_landmarker.gui.schema_draft import LandmarkDraft, LineDraft, SchemaDraft
from napari_landmarker.gui.schema_landmarks import LandmarksPage
from napari_landmarker.gui.schema_lines import LinesPage
from napari_landmarker.gui.schema_measurements import MeasurementsPage
from napari_landmarker.gui.schema_problems import Problem, problems
from napari_landmarker.gui.schema_saving import drop_pictures, loss, take_pictures
from napari_landmarker.gui.scroll_panel import wrapped
from napari_landmarker.gui.waiting import run_beside
from napari_landmarker.state.session import Session

_TITLES = ("Landmarks", "Lines", "Measurements")
_STOPPED = "Nothing was changed: saving was stopped."


class SchemaDialog(QDialog):
    """Changes a draft of the open project's schema, and the project when it is saved.

    Args:
        session: with a project.
        parent: as in Qt.

    Attributes:
        draft: what was changed so far.
        landmarks: first page.
        lines: second page.
        measurements: third page.
        question: asked before annotated landmarks are removed or renamed; None while it is not on the screen.
        busy: whether files are being read or changed beside the window; the dialog stays as it is meanwhile.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        project = session.project
        assert project is not None
        self.session = session
        self.question: QMessageBox | None = None
        self.busy = False
        self.draft = SchemaDraft.of(project.schema)
        self.setWindowTitle("Landmarks of this project")
        self.landmarks = LandmarksPage(self.draft, project.root)
        self.lines = LinesPage(self.draft)
        self.measurements = MeasurementsPage(self.draft)
        self.pages = (self.landmarks, self.lines, self.measurements)
        self.tabs = QTabWidget()
        for page, title in zip(self.pages, _TITLES, strict=True):
            self.tabs.addTab(page, title)
            page.changed.connect(self._check)
            page.told.connect(self._tell)
        self.tabs.currentChanged.connect(lambda at: self.pages[at].refill())
        self.said, self.problem = wrapped(), ProblemLabel()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.save = self.buttons.addButton("Save", QDialogButtonBox.ButtonRole.AcceptRole)
        self.save.setAutoDefault(False)
        self.save.setToolTip("Change the project (Ctrl+Enter).")
        self.buttons.button(QDialogButtonBox.StandardButton.Cancel).setAutoDefault(False)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.said)
        layout.addWidget(self.problem)
        layout.addWidget(self.buttons)
        unit = self.fontMetrics()
        self.resize(unit.averageCharWidth() * 145, unit.height() * 36)
        self._problems: Sequence[Problem] = ()
        self._check()

    def show_measurements(self) -> None:
        """Go to the page of measurements."""
        self.tabs.setCurrentWidget(self.measurements)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Called by Qt: Enter goes on in the list and the fields; Ctrl+Enter saves."""
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.accept()
        else:
            self.pages[self.tabs.currentIndex()].enter()

    # ---- saving

    def accept(self) -> None:
        """Save, after asking where annotations are concerned; with a mistake, show it. Called by Qt."""
        if self.busy:
            return
        self._check()
        if self._problems:
            self._go_to(self._problems[0])
            return
        removed, renamed = self.draft.removed, self.draft.renamed
        try:
            annotated = self._annotated([*removed, *renamed])
        except LandmarkerError as error:
            self._tell(str(error), wrong=True)
            return
        if annotated is None:
            self._tell(_STOPPED)
            return
        lost, changed = loss(removed, renamed, annotated)
        if lost or changed:
            self._ask(lost, changed)
        else:
            self._save()

    def reject(self) -> None:
        """Close without saving; not in the middle of it. Called by Qt."""
        if not self.busy:
            super().reject()

    def _annotated(self, names: list[str]) -> dict[str, int] | None:
        """In how many images landmarks are annotated; None if a person stopped the look through the files."""
        if not names:
            return {}
        with self._busy():
            return self.session.annotated_in(names)

    def _ask(self, lost: str, changed: str) -> None:
        box = QMessageBox(self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Warning if lost else QMessageBox.Icon.Question)
        box.setWindowTitle("Annotated landmarks")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText("\n".join(part for part in (lost, changed) if part))
        box.setInformativeText(
            "That holds for all raters, and for what models predicted. It can be undone while the project is open. "
            "Models that are trained already go on with the old names."
        )
        yes = box.addButton(
            "Delete points and save" if lost else "Rename and save",
            QMessageBox.ButtonRole.DestructiveRole if lost else QMessageBox.ButtonRole.AcceptRole,
        )
        back = box.addButton("Go back", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(back)
        box.setEscapeButton(back)
        box.finished.connect(self._answered)
        yes.clicked.connect(lambda _=False: self._save())
        self.question = box
        box.open()

    def _answered(self, _: int = 0) -> None:
        self.question = None

    def _save(self) -> None:
        project = self.session.project
        assert project is not None
        made, removed = [], self.draft.removed
        try:
            made = take_pictures(self.draft, project.root)
            schema = self.draft.schema()
            if schema != project.schema or removed:
                with self._busy():
                    done = self.session.change_schema(schema, self.draft.renamed, removed=removed)
                if not done:
                    drop_pictures(made)
                    self._tell(_STOPPED)
                    return
                tell("The landmarks of the project were saved.")
        except LandmarkerError as error:
            drop_pictures(made)
            self._tell(str(error), wrong=True)
            return
        super().accept()

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """While the session is at work: nothing can be done in this dialog, and what takes long is shown over it."""
        self.busy, run_long = True, self.session.run_long
        self.session.run_long = functools.partial(run_beside, self)
        parts = (self.tabs, self.buttons)
        for part in parts:
            part.setEnabled(False)
        try:
            yield
        finally:
            self.busy, self.session.run_long = False, run_long
            for part in parts:
                part.setEnabled(True)

    # ---- inside

    def _check(self) -> None:
        """Find what is wrong and say it beside the fields."""
        self._problems = problems(self.draft)
        for at, page in enumerate(self.pages):
            mine = [problem for problem in self._problems if self._page_of(problem) is page]
            page.show_problems(mine)
            self.tabs.setTabText(at, f"⚠ {_TITLES[at]}" if mine else _TITLES[at])
        self._tell(self._problems[0].sentence if self._problems and self._problems[0].item is None else "", wrong=True)

    def _page_of(self, problem: Problem) -> LandmarksPage | LinesPage | MeasurementsPage:
        if problem.item is None or isinstance(problem.item, LandmarkDraft):
            return self.landmarks
        return self.lines if isinstance(problem.item, LineDraft) else self.measurements

    def _go_to(self, problem: Problem) -> None:
        page = self._page_of(problem)
        self.tabs.setCurrentWidget(page)
        page.go_to(problem)

    def _tell(self, sentence: str, *, wrong: bool = False) -> None:
        self.problem.say(sentence if wrong else "")
        self.said.setText("" if wrong else sentence)
        self.said.setVisible(bool(self.said.text()))
