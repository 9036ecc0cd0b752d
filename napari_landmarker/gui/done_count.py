"""`DoneCount`: how many images of the project are complete, counted without holding the window up."""

from __future__ import annotations

import time
from collections.abc import Iterator

from qtpy.QtCore import QObject, QTimer, Signal

from napari_landmarker.engine.project import Case
from napari_landmarker.gui.links import follow
from napari_landmarker.state.session import Session

#: Longest time that one portion of the count takes, in milliseconds.
_PORTION_MS = 10
#: How often it is looked whether the files of the project may be read again, in milliseconds.
_HELD_MS = 100


class DoneCount(QObject):
    """Counts the complete images once, in portions; an edit afterwards costs only its own image.

    Attributes:
        complete: ids of the images in which every landmark is done; not all of them while the count is `busy`.
    """

    counted = Signal()
    """`complete` is up to date."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self.complete: set[str] = set()
        self._session = session
        self._left: Iterator[Case] = iter(())
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._portion)
        follow(self, session.project_changed, self._start)
        follow(self, session.cases_changed, self._start)
        follow(self, session.progress_changed, self._update)
        self._start()

    @property
    def busy(self) -> bool:
        """Whether the count is under way."""
        return bool(self._timer.isActive())

    def _start(self) -> None:
        project = self._session.project
        self._left = iter(() if project is None else project.cases)
        self.complete.clear()
        self._timer.start(0)

    def _portion(self) -> None:
        if self._session.held is not None:
            self._timer.start(_HELD_MS)
            return
        self._timer.setInterval(0)
        end = time.perf_counter() + _PORTION_MS / 1000
        for case in self._left:
            self._note(case.id)
            if time.perf_counter() > end:
                return
        self._timer.stop()
        self.counted.emit()

    def _update(self, case_ids: tuple[str, ...]) -> None:
        for case_id in case_ids:
            self._note(case_id)
        if not self.busy:
            self.counted.emit()

    def _note(self, case_id: str) -> None:
        done, total = self._session.progress(case_id)
        if done == total:
            self.complete.add(case_id)
        else:
            self.complete.discard(case_id)
