"""`Upkeep`: what goes on beside a person's work while a project is open, without holding the window up."""

from __future__ import annotations

from qtpy.QtCore import QEventLoop, QObject, Qt, QTimer
from qtpy.QtWidgets import QApplication

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io.image import Image
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.tasks import Job, Task
from napari_landmarker.state.lock import HEARTBEAT_S
from napari_landmarker.state.prefetch import ImageCache
from napari_landmarker.state.session import Session

#: Reading ahead waits for so long after an image was opened, in milliseconds: it is to be drawn first.
_PAUSE_MS = 50
#: Files below this are read in a moment; the window waits for them, in bytes.
_SMALL_BYTES = 64 * 1024


class Upkeep(QObject):
    """Renews the lock of the open project, reads the next images ahead, and reads large ones in a thread.

    Args:
        session: what is open.
        parent: with which this ends.
    """

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._task: Task | None = None
        self._beat = QTimer(self)
        self._beat.setInterval(int(HEARTBEAT_S * 1000))
        self._beat.timeout.connect(session.heartbeat)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._read_ahead)
        session.read_image = read_beside
        follow(self, session.project_changed, self._project_changed)
        follow(self, session.case_changed, self._case_changed)
        self._project_changed()

    @property
    def busy(self) -> bool:
        """Whether an image is being read ahead, or soon will be."""
        return self._task is not None or self._pause.isActive()

    def _project_changed(self) -> None:
        if self._session.project is None:
            self._beat.stop()
        else:
            self._beat.start()

    def _case_changed(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._session.case_id is None:
            self._pause.stop()
        else:
            self._pause.start()

    def _read_ahead(self) -> None:
        images, ids = self._session.images, self._session.next_ids()
        if images is None or not ids:
            return
        task = Task(lambda _: images.prefetch(ids, lambda: not task.cancelled))
        self._task = task
        task.finished.connect(lambda: self._over(task))
        task.start()

    def _over(self, task: Task) -> None:
        if self._task is task:
            self._task = None


def read_beside(images: ImageCache, case_id: str) -> Image:
    """The image of a case; while a large one is read in a thread, the window is drawn but takes no clicks.

    Raises:
        ImageError: if it cannot be read.
    """
    if images.has(case_id) or images.file_bytes(case_id) < _SMALL_BYTES:
        return images.image(case_id)
    read: list[Image] = []
    problems: list[str] = []
    loop = QEventLoop()

    def work(_: Job) -> Image:
        return images.image(case_id)

    task = Task(work)
    task.returned.connect(read.append)
    task.failed.connect(problems.append)
    task.finished.connect(loop.quit)
    QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
    try:
        task.start()
        loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    finally:
        QApplication.restoreOverrideCursor()
    if not read:
        raise ImageError(problems[0] if problems else "The image was not read, because the window is being closed.")
    return read[0]
