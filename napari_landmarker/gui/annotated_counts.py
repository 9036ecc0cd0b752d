"""`AnnotatedCounts`: how many images of each split have annotations, counted without holding the window up."""

from __future__ import annotations

import time
from collections.abc import Iterator

from qtpy.QtCore import QObject, QTimer, Signal

from napari_landmarker.engine.project import Case, Split
from napari_landmarker.state.session import Session

#: Longest time that one portion of the count takes, in milliseconds.
_PORTION_MS = 15
#: How often it is looked whether the files of the project may be read again, in milliseconds.
_HELD_MS = 100


class AnnotatedCounts(QObject):
    """Counts the images of each split in which a person placed at least one landmark, in portions.

    A project of thousands of images reads its annotation files once; later counts come from the session's memory.

    Attributes:
        counts: images with annotations, by split; complete once `counted` was emitted.
    """

    counted = Signal()
    """`counts` is complete."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self.counts: dict[Split, int] = dict.fromkeys(Split, 0)
        self._session = session
        self._left: Iterator[Case] = iter(())
        self._running: dict[Split, int] = {}
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._portion)

    @property
    def busy(self) -> bool:
        """Whether a count is under way."""
        return bool(self._timer.isActive())

    def start(self) -> None:
        """Count afresh; `counted` comes when it is done."""
        project = self._session.project
        self._left = iter(() if project is None else project.cases)
        self._running = dict.fromkeys(Split, 0)
        self._timer.start(0)

    def stop(self) -> None:
        """Leave the count that is under way."""
        self._timer.stop()

    def _portion(self) -> None:
        if self._session.held is not None:
            self._timer.start(_HELD_MS)
            return
        self._timer.setInterval(0)
        end = time.perf_counter() + _PORTION_MS / 1000
        for case in self._left:
            self._running[case.split] += self._session.placed(case.id) > 0
            if time.perf_counter() > end:
                return
        self._timer.stop()
        self.counts = self._running
        self.counted.emit()
