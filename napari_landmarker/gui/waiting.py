"""`wait_for`: work that a person waits for, with its progress and a button that stops it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from qtpy.QtCore import QEventLoop, Qt
from qtpy.QtWidgets import QProgressDialog, QWidget

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.gui.tasks import Job, Task

T = TypeVar("T")

#: Work that is over sooner shows no dialog, in milliseconds.
_PATIENCE_MS = 500


def wait_for(parent: QWidget, words: str, work: Callable[[Job], T]) -> T | None:
    """Run a function in a thread while the window behind the dialog takes no clicks.

    Args:
        parent: the dialog stands over its window.
        words: what is going on.
        work: the function.

    Returns:
        What the function returned, or None if a person stopped it.

    Raises:
        LandmarkerError: if the function fails; its sentence says why.
    """
    results: list[T] = []
    problems: list[str] = []
    loop = QEventLoop()
    dialog = QProgressDialog(words, "Stop", 0, 0, parent)
    dialog.setWindowModality(Qt.WindowModality.WindowModal)
    dialog.setAutoReset(False)
    dialog.setMinimumDuration(_PATIENCE_MS)
    task = Task(work)

    def progressed(done: int, total: int) -> None:
        if not dialog.wasCanceled():
            dialog.setMaximum(total)
            dialog.setValue(done)

    task.progressed.connect(progressed)
    task.returned.connect(results.append)
    task.failed.connect(problems.append)
    task.finished.connect(loop.quit)
    dialog.canceled.connect(task.cancel)
    try:
        task.start()
        loop.exec()
    finally:
        dialog.canceled.disconnect(task.cancel)
        dialog.close()
        dialog.deleteLater()
    if problems:
        raise LandmarkerError(problems[0])
    return results[0] if results else None
