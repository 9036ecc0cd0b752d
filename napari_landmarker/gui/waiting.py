"""`wait_for`: work that a person waits for, with its progress and a button that stops it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import QApplication, QProgressDialog, QPushButton, QWidget

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.gui.tasks import Job, Task
from napari_landmarker.state.long_work import Work
from napari_landmarker.state.training import duration

T = TypeVar("T")

#: Work that is over sooner shows no dialog, in milliseconds.
_PATIENCE_MS = 500
#: How often the dialog shows how far the work is, in milliseconds.
_REFRESH_MS = 100
#: How long the work must have gone on before it is said how long it will still take, in seconds.
_GUESS_AFTER_S = 1.0


def wait_for(parent: QWidget, words: str, work: Callable[[Job], T]) -> T | None:
    """Run a function in a thread while the window behind takes no clicks; a dialog comes where it takes long.

    Args:
        parent: the dialog stands over its window.
        words: what is going on.
        work: the function.

    Returns:
        What the function returned, or None if a person stopped it, even if it was done by then: what goes on after it
        is not wanted any more. A function that changes something has to note itself that it did.

    Raises:
        LandmarkerError: if the function fails; its sentence says why.
    """
    results: list[T] = []
    problems: list[str] = []
    loop, over, progress = QEventLoop(), [False], Progress()

    def finished() -> None:
        over[0] = True
        loop.quit()

    task = Task(work)
    task.progressed.connect(progress.note)
    task.returned.connect(results.append)
    task.failed.connect(problems.append)
    task.finished.connect(finished)
    QTimer.singleShot(_PATIENCE_MS, loop.quit)
    QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
    try:
        task.start()
        loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    finally:
        QApplication.restoreOverrideCursor()
    if not over[0]:
        dialog = WaitingDialog(parent, words, progress, task.cancel)
        try:
            dialog.show()
            loop.exec()
        finally:
            dialog.hide()
            dialog.deleteLater()
    if problems:
        raise LandmarkerError(problems[0])
    return results[0] if results and not task.cancelled else None


def run_beside(parent: QWidget, words: str, work: Work) -> bool:
    """As `wait_for`, for what a session does (see `long_work.RunLong`); False if a person stopped it."""
    return wait_for(parent, words, lambda job: [work(job.progress)]) is not None


class Progress:
    """How far work is, and how long it will still take if it goes on as it did.

    Attributes:
        done: how many are done.
        total: of how many; 0 while that is not known.
    """

    def __init__(self) -> None:
        self.done = self.total = 0
        self._began = time.monotonic()

    def note(self, done: int, total: int) -> None:
        """So many are done now; where there are fewer than before, or of others, another part of the work began."""
        if total != self.total or done < self.done:
            self._began = time.monotonic()
        self.done, self.total = done, total

    @property
    def sentence(self) -> str:
        """The same in words, empty while nothing is known."""
        if not self.total:
            return ""
        if self.done == self.total:
            return "Finishing…"
        passed = time.monotonic() - self._began
        count = f"{self.done:,} of {self.total:,}"
        if not self.done or passed < _GUESS_AFTER_S:
            return count
        return f"{count}, {duration(passed / self.done * (self.total - self.done))} left"


class WaitingDialog(QProgressDialog):
    """Shows how far work is, until that is over: also once it was told to stop.

    Args:
        parent: its window takes no clicks meanwhile.
        words: what is going on.
        progress: how far it is.
        stop: tells the work to stop.
    """

    def __init__(self, parent: QWidget, words: str, progress: Progress, stop: Callable[[], None]) -> None:
        super().__init__(words, "", 0, 0, parent)
        self._words, self._progress, self._stop, self._stopping = words, progress, stop, False
        self._button = QPushButton("Stop")
        self.setCancelButton(self._button)
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.setAutoClose(False)
        self.setAutoReset(False)
        self.setMinimumDuration(0)
        self.setMinimumWidth(self.fontMetrics().averageCharWidth() * 50)
        self.canceled.disconnect()  # Qt would hide the dialog at once
        self.canceled.connect(self._stopped)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._refresh)
        self._timer.start(_REFRESH_MS)
        self._refresh()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Called by Qt: closing it is to stop."""
        event.ignore()
        self._stopped()

    def _stopped(self) -> None:
        self._stopping = True
        self._stop()
        self._button.setEnabled(False)
        self._refresh()

    def _refresh(self) -> None:
        said = "Stopping…" if self._stopping else self._progress.sentence
        self.setLabelText(f"{self._words}\n{said}")
        self.setMaximum(self._progress.total)
        self.setValue(self._progress.done)
