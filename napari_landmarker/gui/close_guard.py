"""`CloseGuard`: asks before the window closes on a training, and ends what still runs when it does close."""

from __future__ import annotations

from enum import Enum

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget

from napari_landmarker.gui.preload import release_window
from napari_landmarker.gui.tasks import Task, TrainingProcess
from napari_landmarker.state.training import duration


class Answer(Enum):
    """What a person wants to become of a running training."""

    KEEP = "stop it and keep what is learnt"
    DISCARD = "end it and keep nothing"
    STAY = "do not close"


class CloseGuard(QObject):
    """Watches one window for its closing.

    A close that comes from a script (napari has hidden the canvas by then) is not asked about: the run is cancelled.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        window.installEventFilter(self)

    @classmethod
    def watch(cls, window: QWidget) -> None:
        """Watch a window, once."""
        if window.findChild(cls) is None:
            cls(window)

    def ask(self, process: TrainingProcess) -> Answer:
        """Ask what is to become of the training."""
        left = process.run.remaining_s
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("A training is running")
        time_left = "" if left is None else f" It needs {duration(left)} still."
        box.setText(f"A model is being trained.{time_left} What should become of it?")
        keep = box.addButton("Stop and keep the model", QMessageBox.ButtonRole.AcceptRole)
        discard = box.addButton("Discard the model", QMessageBox.ButtonRole.DestructiveRole)
        stay = box.addButton("Do not close", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.exec()
        clicked = box.clickedButton()
        return Answer.KEEP if clicked is keep else Answer.DISCARD if clicked is discard else Answer.STAY

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Called by Qt."""
        if watched is self._window and event.type() == QEvent.Type.Close and not self._may_close():
            event.ignore()
            return True
        return False

    def _may_close(self) -> bool:
        process = TrainingProcess.active()
        if process is not None:
            answer = self.ask(process) if self._by_person() else Answer.DISCARD
            if answer is Answer.KEEP and not process.run.state.ended:
                process.ended.connect(self._window.close)
                process.stop()
            if answer is not Answer.DISCARD and not process.run.state.ended:
                return False
            process.kill()
        for task in Task.all_running():
            task.end()
        release_window()
        return True

    def _by_person(self) -> bool:
        """Whether something is still to be seen in the middle of the window."""
        centre = self._window.centralWidget() if isinstance(self._window, QMainWindow) else None
        if centre is None:
            return True
        inside = centre.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return any(widget.isVisible() for widget in inside or [centre])
