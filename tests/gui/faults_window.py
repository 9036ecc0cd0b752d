"""Annotates in the real window with mouse and keys until it is killed, and says what was completed.

Usage: python faults_window.py PROJECT SEED

What it prints is as in ``tests/state/faults_script.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import napari
import numpy as np
from qtpy.QtCore import QEvent, Qt
from qtpy.QtTest import QTest
from window import Canvas

from napari_landmarker.gui.open import dock
from napari_landmarker.state.modes import LabelMode

#: A click nearer to a point than this takes hold of it, in index coordinates.
_APART = 16.0


class Annotator:
    """Clicks, drags, takes away and steps through the images, at random."""

    def __init__(self, root: str, seed: int) -> None:
        viewer = napari.Viewer(show=True, show_welcome_screen=False)
        viewer.window.resize(1200, 800)
        self.canvas, self.rng = Canvas(viewer, dock(viewer)), np.random.default_rng(seed)
        self.session = self.canvas.widget.session
        self.canvas.widget.open_project(root)
        self.session.set_mode(LabelMode.QUICK)
        QTest.qWait(300)

    def act(self) -> None:
        """Do one thing."""
        if self.rng.random() < 0.1:
            self.canvas.key(Qt.Key.Key_PageDown)
            return
        name = str(self.rng.choice(self.session.names))
        placed = self.session.shown.status_of(name).has_point
        free = self._free()
        if placed and self.rng.random() < 0.2:
            self.canvas.hover(self.session.shown.point(name))
            self._tell(name, "none", lambda: self.canvas.key(Qt.Key.Key_Delete))
        elif placed and free is not None and self.rng.random() < 0.5:
            self._drag(name, free)
        elif free is not None:
            self.session.set_current(name)
            hit = self.canvas.index_at(self.canvas.pixel(free))
            self._tell(name, f"{hit[0]} {hit[1]}", lambda: self.canvas.click(free))

    def _drag(self, name: str, free: np.ndarray) -> None:
        """Drag a point; only its release is an edit."""
        canvas, start = self.canvas, self.session.shown.point(name)
        grip = start - canvas.index_at(canvas.pixel(start))
        end = canvas.index_at(canvas.pixel(free)) + grip
        canvas.hover(start)
        canvas.send(QEvent.Type.MouseButtonPress, canvas.pixel(start))
        canvas.send(QEvent.Type.MouseMove, canvas.pixel((start + free) / 2))
        canvas.send(QEvent.Type.MouseMove, canvas.pixel(free))
        release = QEvent.Type.MouseButtonRelease
        self._tell(name, f"{end[0]} {end[1]}", lambda: canvas.send(release, canvas.pixel(free)))

    def _free(self) -> np.ndarray | None:
        """A place with no point near it."""
        points = self.session.shown.points[self.session.shown.placed]
        for at in self.rng.uniform((10, 10), (110, 150), (50, 2)):
            if not (np.linalg.norm(points - at, axis=1) < _APART).any():
                return np.asarray(at)
        return None

    def _tell(self, name: str, becomes: str, edit: Callable[[], object]) -> None:
        case_id = self.session.case_id
        say(f"begin {case_id} {name} {becomes}")
        edit()
        say(f"done {case_id} {name} {becomes}")


def say(line: str) -> None:
    """Write a line so that it is out before anything else happens."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    annotator = Annotator(sys.argv[1], int(sys.argv[2]))
    while True:
        annotator.act()
