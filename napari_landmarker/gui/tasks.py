"""Work beside the window: `TrainingProcess` (a subprocess) and `Task` (a worker thread).

The only code that starts processes or threads. Results come back as values, by signals, on the GUI thread; the work
itself touches no widget and no layer.
"""

from __future__ import annotations

import codecs
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, QProcess, QProcessEnvironment, QThread, QTimer, Signal

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.state.training import TrainingRun, TrainingState

_LOG = logging.getLogger(__name__)

#: How long a run may take to answer a cancel before it is ended by force, in milliseconds.
CANCEL_PATIENCE_MS = 5_000
#: Stack of a worker thread in bytes; the default of macOS is too small for a network's forward pass.
_STACK_BYTES = 16 * 1024 * 1024
#: How often a task that waits for the window looks whether it was cancelled, in seconds.
_LISTEN_S = 0.1
#: How much of the run's error output is kept for a diagnosis, in characters.
_KEPT_ERRORS = 20_000


def training_command(project: Path, how: Sequence[str]) -> list[str]:
    """The command that a person would type to train, with this Python and with its events as JSON lines.

    Args:
        project: the project's folder.
        how: the options, such as ``("--preset", "auto")``.
    """
    return [sys.executable, "-m", "napari_landmarker", "train", str(project), *how, "--events", "jsonl"]


class TrainingProcess(QObject):
    """A training run in a process of its own.

    It belongs to the application, not to a widget, so it goes on when the widget is closed; `active` finds it again.

    Attributes:
        run: what is known of the run; fed by this object.
        project: the project folder that is trained on.
        errors: the end of what the process wrote to its standard error, for a diagnosis.
    """

    changed = Signal()
    """`run` has news."""
    ended = Signal()
    """The process is gone and `run` says how."""

    def __init__(self, run: TrainingRun, project: Path, command: Sequence[str]) -> None:
        super().__init__(QCoreApplication.instance())
        self.run = run
        self.project = project
        self.errors = ""
        run.changed.connect(self.changed.emit)
        self._command = list(command)
        self._killed = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._process = QProcess(self)
        self._process.setProcessEnvironment(_environment())
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.readyReadStandardError.connect(self._read_errors)
        self._process.errorOccurred.connect(self._failed)
        self._process.finished.connect(self._gone)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.timeout.connect(self.kill)

    @staticmethod
    def active() -> TrainingProcess | None:
        """The training that is running in this application, if there is one."""
        application = QCoreApplication.instance()
        children = [] if application is None else application.findChildren(TrainingProcess)
        return next((child for child in children if not child.run.state.ended), None)

    def start(self) -> None:
        """Start the process; a failure to do so ends the run with a sentence."""
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.kill)
        self._process.start(self._command[0], self._command[1:])

    def stop(self) -> None:
        """Ask the run to end and to keep the best model so far."""
        self.run.ask(TrainingState.STOPPING)
        self._process.write(b"stop\n")

    def cancel(self) -> None:
        """Ask the run to end and to keep nothing; it is ended by force if it does not answer."""
        self.run.ask(TrainingState.CANCELLING)
        self._process.write(b"cancel\n")
        self._patience.start(CANCEL_PATIENCE_MS)

    def kill(self) -> None:
        """End the process by force and wait until it is gone."""
        if self._process.state() != QProcess.ProcessState.NotRunning:
            self._killed = True
            self._process.kill()
            self._process.waitForFinished(2_000)

    def _read(self) -> None:
        self.run.feed(self._decoder.decode(bytes(self._process.readAllStandardOutput())))

    def _read_errors(self) -> None:
        text = bytes(self._process.readAllStandardError()).decode("utf-8", "replace")
        self.errors = (self.errors + text)[-_KEPT_ERRORS:]

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self.run.fail(f"The training could not start: {self._process.errorString()}.")
            self._leave()

    def _gone(self) -> None:
        self._patience.stop()
        self._read()
        self._read_errors()
        self.run.close(killed=self._killed)
        if self.run.state is TrainingState.FAILED and self.errors:
            _LOG.error("The training said before it ended:\n%s", self.errors)
        self._leave()

    def _leave(self) -> None:
        self.ended.emit()
        self.deleteLater()


def _environment() -> QProcessEnvironment:
    """The environment of a run: this one's, with text in UTF-8 that comes at once, and no module of the folder."""
    environment = QProcessEnvironment.systemEnvironment()
    for name in ("PYTHONUNBUFFERED", "PYTHONUTF8", "PYTHONSAFEPATH"):
        environment.insert(name, "1")
    return environment


class TaskCancelled(Exception):
    """Ends a task's function from inside, after a person cancelled it."""


class Job:
    """What a task's function has of the window: a way to report, and to hear that it should end."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def check(self) -> None:
        """Go on, or raise `TaskCancelled`."""
        if self._task.cancelled:
            raise TaskCancelled

    def progress(self, done: int, total: int) -> None:
        """Report how much is done; raises `TaskCancelled` after a cancel."""
        self.check()
        self._task.progressed.emit(done, total)

    def give(self, value: object) -> None:
        """Hand over an intermediate value, as soon as the window is through with the one before.

        Where the window is slower than the function, values would heap up otherwise, and it would take no clicks until
        it is through with all. Raises `TaskCancelled` after a cancel.
        """
        self.check()
        while not self._task.free.acquire(timeout=_LISTEN_S):
            self.check()
        self._task.offered.emit(value)


class Task(QObject):
    """One function in a worker thread.

    Every kind of error of the function arrives as one sentence in `failed`: also `RuntimeError`, and with it running
    out of GPU memory, which the workers of superqt swallow. After a cancel neither `returned` nor `failed` comes.

    Attributes:
        cancelled: whether the function was asked to end.
        free: taken while an intermediate value is on its way to the window or being dealt with there.
    """

    progressed = Signal(int, int)
    """How many are done, of how many."""
    given = Signal(object)
    """An intermediate value (`Job.give`)."""
    offered = Signal(object)
    """The same, still on its way from the thread."""
    returned = Signal(object)
    """What the function returned."""
    failed = Signal(str)
    """One sentence that says why there is no result."""
    finished = Signal()
    """The thread is over, whatever came of it. Always the last signal."""

    def __init__(self, function: Callable[[Job], Any]) -> None:
        super().__init__(QCoreApplication.instance())
        self.cancelled = False
        self.free = threading.Semaphore(1)
        self.offered.connect(self._give)
        self._thread = _Thread(function, Job(self), self)
        self._thread.finished.connect(self._done)

    @staticmethod
    def all_running() -> list[Task]:
        """Every task of this application that is not over."""
        application = QCoreApplication.instance()
        children = [] if application is None else application.findChildren(Task)
        return [child for child in children if child.running]

    @property
    def running(self) -> bool:
        """Whether the thread is at work."""
        return bool(self._thread.isRunning())

    def start(self) -> None:
        """Start the thread."""
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.end)
        self._thread.setStackSize(_STACK_BYTES)
        self._thread.start()

    def cancel(self) -> None:
        """Ask the function to end; it does so at its next report of progress."""
        self.cancelled = True

    def end(self, patience_ms: int = 20_000) -> None:
        """Cancel and wait; for the moment when the window goes away."""
        self.cancel()
        self._thread.wait(patience_ms)

    def _give(self, value: object) -> None:
        try:
            self.given.emit(value)
        finally:
            self.free.release()

    def _done(self) -> None:
        outcome = self._thread.outcome
        if isinstance(outcome, _Failure) and not self.cancelled:
            self.failed.emit(outcome.sentence)
        elif not self.cancelled:
            self.returned.emit(outcome)
        self.finished.emit()
        self.deleteLater()


class _Failure:
    """An outcome that is no result."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


class _Thread(QThread):
    """Runs the function and keeps what came of it."""

    def __init__(self, function: Callable[[Job], Any], job: Job, parent: QObject) -> None:
        super().__init__(parent)
        self.outcome: Any = None
        self._function = function
        self._job = job

    def run(self) -> None:
        """Called by Qt in the new thread."""
        try:
            self.outcome = self._function(self._job)
        except TaskCancelled:
            self.outcome = None
        except LandmarkerError as error:
            self.outcome = _Failure(str(error))
        except Exception as error:  # whatever it is, the window must hear of it
            _LOG.exception("A task of the window failed")
            self.outcome = _Failure(_sentence(error))


def _sentence(error: Exception) -> str:
    """An unforeseen error in words."""
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "There is not enough memory for this: close other programs and try again."
    lines = str(error).strip().splitlines()
    return f"Something unexpected went wrong ({lines[0] if lines else type(error).__name__}): please try again."
