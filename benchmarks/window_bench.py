"""What all measurements of the window share: the window, a mouse on it, and how long until a person sees something."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "gui"))
from window import Canvas, FakePrediction

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.widget import LandmarkerWidget

__all__ = ["Bench", "Canvas", "FakePrediction", "Line", "Painted", "drawn_ms", "longest_gap_ms", "many_images"]

LANDMARKS = 40
#: What is to be painted must have been painted after so many seconds.
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Line:
    """One line of the result.

    Attributes:
        name: what was measured.
        values: in ``unit``.
        bar: what the 95th percentile must not be above; None where the line only explains another.
        unit: of the values.
    """

    name: str
    values: list[float]
    bar: float | None = None
    unit: str = "ms"

    def __str__(self) -> str:
        median, high = np.percentile(self.values, (50, 95))
        digits = 2 if self.unit != "ms" else 1
        verdict = "" if self.bar is None else f"at most {self.bar:g}: {'ok' if high <= self.bar else 'TOO SLOW'}"
        return f"{self.name:44} {median:9.{digits}f} {high:9.{digits}f} {self.unit:5} {len(self.values):4}   {verdict}"


@dataclass
class Bench:
    """One window for everything that is measured.

    Attributes:
        canvas: a mouse on it.
        folder: for the data.
        quick: whether to measure a few times only.
    """

    canvas: Canvas
    folder: Path
    quick: bool

    @property
    def widget(self) -> LandmarkerWidget:
        """The widget in the window."""
        return self.canvas.widget

    def times(self, many: int) -> int:
        """How often to measure."""
        return max(3, many // 10) if self.quick else many

    def settle(self, ms: int = 300) -> None:
        """Wait until the window has nothing left to do."""
        QTest.qWait(ms)
        while self.widget.upkeep.busy or self.widget.annotate._count.busy:
            QTest.qWait(20)


class Painted(QObject):
    """Sees which of some widgets were painted since `begin`."""

    def __init__(self, *widgets: QWidget) -> None:
        super().__init__()
        self.missing: set[int] = set()
        self._widgets = {id(widget): widget for widget in widgets}
        for widget in widgets:
            widget.installEventFilter(self)

    def begin(self) -> None:
        """From now on."""
        self.missing = set(self._widgets)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Called by Qt."""
        if event is not None and event.type() == QEvent.Type.Paint:
            self.missing.discard(id(watched))
        return False

    def wait(self) -> None:
        """Let the window work until all were painted, and nothing is left to do."""
        until = time.perf_counter() + _PATIENCE_S
        while self.missing:
            QApplication.processEvents()
            if time.perf_counter() > until:
                raise TimeoutError(f"{[self._widgets[one].objectName() for one in self.missing]} were not painted.")
        QApplication.processEvents()


def drawn_ms(bench: Bench, action: Callable[[], object]) -> float:
    """How long an action takes until the canvas is drawn with it, in milliseconds."""
    begin = time.perf_counter()
    action()
    QApplication.processEvents()
    bench.canvas.native.repaint()
    QApplication.processEvents()
    return (time.perf_counter() - begin) * 1000


@contextmanager
def longest_gap_ms() -> Iterator[list[float]]:
    """The longest time for which the event loop did nothing else; it is the only item of the list after the block."""
    gaps: list[float] = []
    last = [time.perf_counter()]

    def beat() -> None:
        now = time.perf_counter()
        gaps.append((now - last[0]) * 1000)
        last[0] = now

    timer = QTimer()
    timer.timeout.connect(beat)
    timer.start(10)
    longest: list[float] = []
    yield longest
    timer.stop()
    beat()
    longest.append(max(gaps))


def many_images(folder: Path, count: int) -> Project:
    """A project of so many images, which are links to one file, with 40 landmarks; a tenth of them is annotated."""
    root = folder / f"project_{count}"
    if (root / "project.json").exists():
        return Project.open(root)
    images = folder / f"images_{count}"
    images.mkdir()
    one = images / "image_0000.png"
    PillowImage.fromarray(np.random.default_rng(0).integers(0, 255, (400, 320), dtype=np.uint8)).save(one)
    paths = [one] + [images / f"image_{number:04d}.png" for number in range(1, count)]
    for path in paths[1:]:
        path.hardlink_to(one)
    names = [f"landmark {number}" for number in range(1, LANDMARKS + 1)]
    project = create_project(root, LandmarkSchema.from_names(names), paths)
    grid = project.geometry(project.cases[0].id).grid
    points = {name: (5.0 * row + 100, 4.0 * row + 100) for row, name in enumerate(names[:-1])}
    for case in project.cases[1::10]:
        project.save_annotations(case.id, LandmarkSet.from_points(points, grid, names=names))
    return project
