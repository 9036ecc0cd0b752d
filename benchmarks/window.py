"""How fast the window is: what a person waits for, measured in the real window on synthetic data.

Usage: python benchmarks/window.py [--quick] [NAME ...]

It needs a screen, or ``xvfb-run`` in front. All data are made in a temporary folder. Each line has the median and the
95th percentile of what was measured, in milliseconds:

- ``place``: a click on the image, from the release of the mouse to the saved file and the updated table, in a project
  of 5,000 images with 40 landmarks; the line above it includes the drawing of canvas and tables;
- ``next``: stepping to the next cephalogram of 2400 x 1935, which was read ahead, until it is drawn;
- ``heatmaps``: showing 19 heatmaps of 512 x 512 (the strongest of all, then one) until they are drawn;
- ``scroll``: one slice of a volume of 512 x 512 x 400 (int16) with 300 landmarks, until it is drawn;
- ``open``: opening the project of 5,000 images with 40 landmarks, until it is drawn;
- ``block``: the longest that the event loop stands still while a model predicts in the window.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import napari
import numpy as np
from PIL import Image as PillowImage
from qtpy.QtCore import QEvent, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "gui"))
from window import Canvas, FakePrediction

from napari_landmarker.engine.datasets import SAMPLES, sample_project
from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.open import dock
from napari_landmarker.gui.widget import LandmarkerWidget
from napari_landmarker.state.modes import LabelMode

#: How long each may take at most: the 95th percentile, in milliseconds.
BARS_MS = {"place": 50, "next": 300, "heatmaps": 150, "scroll": 100, "open": 2_000, "block": 200}
CASES, LANDMARKS = 5_000, 40


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


def drawn_ms(bench: Bench, action: Callable[[], object]) -> float:
    """How long an action takes until the canvas is drawn with it, in milliseconds."""
    begin = time.perf_counter()
    action()
    QApplication.processEvents()
    bench.canvas.native.repaint()
    QApplication.processEvents()
    return (time.perf_counter() - begin) * 1000


def large_project(folder: Path) -> Project:
    """5,000 images, which are links to one file, with 40 landmarks; a tenth of them is annotated."""
    root = folder / "large"
    if (root / "project.json").exists():
        return Project.open(root)
    images = folder / "many"
    images.mkdir()
    one = images / "image_0000.png"
    PillowImage.fromarray(np.random.default_rng(0).integers(0, 255, (400, 320), dtype=np.uint8)).save(one)
    paths = [one] + [images / f"image_{number:04d}.png" for number in range(1, CASES)]
    for path in paths[1:]:
        path.hardlink_to(one)
    names = [f"landmark {number}" for number in range(1, LANDMARKS + 1)]
    project = create_project(root, LandmarkSchema.from_names(names), paths)
    grid = project.geometry(project.cases[0].id).grid
    points = {name: (5.0 * row + 100, 4.0 * row + 100) for row, name in enumerate(names[:-1])}
    for case in project.cases[1 :: 10 if len(paths) > 10 else 1]:
        project.save_annotations(case.id, LandmarkSet.from_points(points, grid, names=names))
    return project


def released_ms(bench: Bench, pixel: QPointF) -> tuple[float, float]:
    """From the release of the mouse until the point is saved and the table has it, and until all is drawn."""
    native, left, none = bench.canvas.native, Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    everywhere = QPointF(native.mapToGlobal(pixel.toPoint()))
    kind, keys = QEvent.Type.MouseButtonRelease, Qt.KeyboardModifier.NoModifier
    event = QMouseEvent(kind, pixel, everywhere, left, none, keys)
    begin = time.perf_counter()
    QApplication.sendEvent(native, event)
    saved = (time.perf_counter() - begin) * 1000
    QApplication.processEvents()
    return saved, (time.perf_counter() - begin) * 1000


def place(bench: Bench) -> list[float]:
    """Clicks: each places the current landmark, which is saved, drawn and shown in the tables."""
    session = bench.widget.session
    session.open_project(large_project(bench.folder))
    session.set_mode(LabelMode.QUICK)
    bench.settle()
    rng = np.random.default_rng(0)
    project, case_id = session.project, session.case_id
    assert project is not None
    assert case_id is not None
    for name in session.names:  # all but the last are there: the usual state, and the dearest
        session.set_current(name)
        session.place(rng.uniform(50, 250, 2))
    bench.settle()
    spent, drawn = [], []
    for _ in range(bench.times(100)):
        name = str(rng.choice(session.names))
        session.set_current(name)
        QTest.qWait(10)
        at = rng.uniform(20, 40, 2)
        saved = project.annotation_path(case_id).stat().st_mtime_ns
        pixel = bench.canvas.pixel(at)
        bench.canvas.send(QEvent.Type.MouseMove, pixel, held=False)
        bench.canvas.send(QEvent.Type.MouseButtonPress, pixel)
        done_ms, all_ms = released_ms(bench, pixel)
        spent.append(done_ms)
        drawn.append(all_ms)
        assert project.annotation_path(case_id).stat().st_mtime_ns != saved
        QTest.qWait(20)
        session.move(name, rng.uniform(100, 250, 2))
    session.set_mode(LabelMode.SEQUENTIAL)
    median, high = np.percentile(drawn, (50, 95))
    print(f"{'':10} until canvas and tables are drawn: median {median:.1f}, 95 % {high:.1f} ms")
    return spent


def step(bench: Bench) -> list[float]:
    """Steps through cephalograms that were read ahead."""
    rng = np.random.default_rng(0)
    folder = bench.folder / "cephalograms"
    folder.mkdir()
    smooth = np.kron(rng.integers(0, 200, (240, 194)), np.ones((10, 10)))[:2400, :1935]
    count = bench.times(30) + 1
    for number in range(count):
        image = PillowImage.fromarray((smooth + rng.integers(0, 50, smooth.shape)).astype(np.uint8))
        image.save(folder / f"head_{number:02d}.png", compress_level=1)
    names = [f"landmark {number}" for number in range(1, 20)]
    project = create_project(bench.folder / "heads", LandmarkSchema.from_names(names), sorted(folder.iterdir()))
    bench.widget.session.open_project(project)
    spent = []
    for _ in range(count - 1):
        bench.settle()
        spent.append(drawn_ms(bench, bench.widget.session.next_case))
    return spent


def heatmaps(bench: Bench) -> list[float]:
    """From a prediction to its heatmaps on the screen."""
    folder = bench.folder / "square"
    folder.mkdir()
    PillowImage.fromarray(np.zeros((512, 512), np.uint8)).save(folder / "square.png")
    names = tuple(f"landmark {number}" for number in range(1, 20))
    project = create_project(bench.folder / "squares", LandmarkSchema.from_names(names), [folder / "square.png"])
    session = bench.widget.session
    session.open_project(project)
    bench.settle()
    grid = project.geometry("square").grid
    rng = np.random.default_rng(0)
    spent = []
    for _ in range(bench.times(30)):
        points = {name: rng.uniform(20, 490, 2) for name in names}
        scores = dict.fromkeys(names, 0.5)
        found = LandmarkSet.from_points(points, grid, names=names, status=LandmarkStatus.PREDICTED, score=scores)
        maps = rng.random((19, 512, 512), dtype=np.float32)
        made = FakePrediction(found, maps, names, AffineMap.identity(grid.shape))
        session.model = "model"
        spent.append(drawn_ms(bench, lambda made=made: session.take_prediction("square", made, model="model")))
    return spent


def scroll(bench: Bench) -> list[float]:
    """Slices of a volume with many landmarks."""
    shape = (40, 512, 512) if bench.quick else (400, 512, 512)
    path = bench.folder / "volume.npy"
    np.save(path, np.random.default_rng(0).integers(0, 900, shape, dtype=np.int16))
    names = [f"landmark {number}" for number in range(1, 301)]
    project = create_project(bench.folder / "volumes", LandmarkSchema.from_names(names), [path])
    rng = np.random.default_rng(1)
    points = {name: rng.uniform(0, np.array(shape) - 1) for name in names}
    grid = project.geometry("volume").grid
    project.save_annotations("volume", LandmarkSet.from_points(points, grid, names=names))
    begin = time.perf_counter()
    bench.widget.session.open_project(project)
    QApplication.processEvents()
    print(f"{'':10} the volume opened in {(time.perf_counter() - begin) * 1000:.0f} ms, its file read included")
    bench.settle()
    dims = bench.canvas.viewer.dims
    steps = range(5, 5 + bench.times(100)) if not bench.quick else range(5, 30)
    return [drawn_ms(bench, lambda at=at: dims.set_current_step(0, at)) for at in steps]


def open_large(bench: Bench) -> list[float]:
    """Opening the project of 5,000 images."""
    root = large_project(bench.folder).root
    spent = []
    for _ in range(bench.times(5)):
        bench.widget.session.close_project(discard=True)
        bench.settle(50)
        spent.append(drawn_ms(bench, lambda: bench.widget.open_project(root)))
    return spent


def block(bench: Bench) -> list[float]:
    """How long the event loop stands still while the model that comes with the program predicts."""
    project = sample_project(SAMPLES[2], bench.folder / "sample")
    bench.widget.open_project(project.root)
    session = bench.widget.session
    spent = []
    for case in project.cases_in(Split.TEST)[: bench.times(5)]:
        session.open_case(case.id)
        bench.settle()
        gaps: list[float] = []
        last = [time.perf_counter()]

        def beat(gaps: list[float] = gaps, last: list[float] = last) -> None:
            now = time.perf_counter()
            gaps.append((now - last[0]) * 1000)
            last[0] = now

        timer = QTimer()
        timer.timeout.connect(beat)
        timer.start(10)
        predict = bench.widget.predict
        bench.widget.tabs.setCurrentWidget(predict)
        predict.predict_this()
        until = time.perf_counter() + 120
        while session.prediction is None and time.perf_counter() < until:
            QTest.qWait(20)
        QTest.qWait(200)
        timer.stop()
        spent.append(max(gaps))
    return spent


MEASURED: dict[str, Callable[[Bench], list[float]]] = {
    "open": open_large,
    "place": place,
    "next": step,
    "heatmaps": heatmaps,
    "scroll": scroll,
    "block": block,
}


def main() -> None:
    """Measure what is named, or all, and print a line each."""
    parser = argparse.ArgumentParser(description="How fast the window is.")
    parser.add_argument("names", nargs="*", choices=[*MEASURED, []], help="what to measure; all by default")
    parser.add_argument("--quick", action="store_true", help="measure a few times only")
    arguments = parser.parse_args()
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(1400, 900)
    canvas = Canvas(viewer, dock(viewer))
    QTest.qWait(500)
    print(f"{'':10} {'median':>8} {'95 %':>8} {'bar':>8}   in ms")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(canvas, Path(folder), arguments.quick)
        for name in arguments.names or MEASURED:
            spent = MEASURED[name](bench)
            median, high = np.percentile(spent, (50, 95))
            bar = BARS_MS[name]
            print(f"{name:10} {median:8.1f} {high:8.1f} {bar:8d}   {'ok' if high <= bar else 'TOO SLOW'}", flush=True)
        bench.widget.session.close_project(discard=True)
        viewer.close()


if __name__ == "__main__":
    main()
