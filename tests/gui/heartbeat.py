"""`Heartbeat`: how long the window stood still, apart from when the machine was given to other programs."""

from __future__ import annotations

import time
from pathlib import Path

from qtpy.QtCore import Qt, QTimer

#: What the kernel says of the thread that asks: how long it ran, and how long it waited for a core, in nanoseconds.
_WAITED = Path("/proc/thread-self/schedstat")


class Heartbeat:
    """Beats every 10 ms as long as the event loop turns.

    Attributes:
        longest_s: the longest pause, without the time in which the window could have gone on but had no core.
        beats: how often it beat.
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.beats = 0
        self._last = _own_time()
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self._beat)
        self.timer.start(10)

    def _beat(self) -> None:
        now = _own_time()
        self.longest_s = max(self.longest_s, now - self._last)
        self._last, self.beats = now, self.beats + 1

    def stop(self) -> None:
        self.timer.stop()


def _own_time() -> float:
    """A clock that stands still while this thread waits for a core; where the kernel does not say, a plain one."""
    waited = int(_WAITED.read_text().split()[1]) if _WAITED.exists() else 0
    return time.perf_counter() - waited / 1e9
