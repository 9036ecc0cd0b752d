"""How long a click takes that places a landmark, and whether it takes longer in a large project."""

from __future__ import annotations

import time

import numpy as np
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from window_bench import Bench, Line, Painted, drawn_ms, many_images

from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.gui.marks import STATUS_WORDS
from napari_landmarker.state.modes import LabelMode

SMALL, LARGE = 10, 5_000
PLACE_MS, OPEN_MS = 50, 2_000
#: A click in the large project may cost this much of one in the small project: the same, as far as can be measured.
RATIO = 1.15
_CLICKS, _ROUNDS = 100, 2

#: In milliseconds: by the clock until the file is saved and the table updated, and until all is painted; and the
#: processor time of all.
Click = tuple[float, float, float]


def open_large(bench: Bench) -> list[Line]:
    """Opening the project of 5,000 images with 40 landmarks, until it is drawn."""
    root = many_images(bench.folder, LARGE).root
    spent = []
    for _ in range(bench.times(10)):
        bench.widget.session.close_project(discard=True)
        bench.settle(50)
        spent.append(drawn_ms(bench, lambda: bench.widget.open_project(root)))
    return [Line(f"open: {LARGE:,} images, 40 landmarks", spent, OPEN_MS)]


def place(bench: Bench) -> list[Line]:
    """Clicks from the release of the mouse until all is saved and painted, in a large and a small project by turns."""
    clicks: dict[int, list[Click]] = {SMALL: [], LARGE: []}
    for _ in range(_ROUNDS):
        for count, found in clicks.items():
            found += _clicks(bench, count, bench.times(_CLICKS) // _ROUNDS)
    saved, painted, used = zip(*clicks[LARGE], strict=True)
    small, large = np.median(clicks[SMALL], axis=0), np.median(clicks[LARGE], axis=0)
    return [
        Line(f"place: to file saved, table updated, {LARGE:,}", list(saved), PLACE_MS),
        Line(f"place: to canvas and tables painted, {LARGE:,}", list(painted), PLACE_MS),
        Line(f"place: the same with {SMALL} images", [click[1] for click in clicks[SMALL]]),
        Line(f"place: processor time, all threads, {LARGE:,}", list(used)),
        Line(f"place: median, {LARGE:,} to {SMALL} images", [large[1] / small[1]], RATIO, "times"),
        Line("place: the same of processor time", [large[2] / small[2]], RATIO, "times"),
    ]


def _clicks(bench: Bench, count: int, times: int) -> list[Click]:
    """Clicks in a project of so many images, in turn on an unplaced landmark and on one to be moved."""
    session = bench.widget.session
    session.open_project(many_images(bench.folder, count))
    session.open_case(session.project.cases[0].id if session.project is not None else "")
    bench.settle()
    rng = np.random.default_rng(0)
    session.set_mode(LabelMode.QUICK)
    for name in session.names:  # all are there: the usual state, and the dearest
        session.set_current(name)
        session.place(rng.uniform(50, 250, 2))
    bench.settle()
    annotate = bench.widget.annotate
    painted = Painted(bench.canvas.native, annotate.landmarks.viewport(), annotate.cases.viewport())
    found = []
    for number in range(times + 2):
        name, following = rng.choice(session.names, 2, replace=False)
        if number % 2:
            session.set_mode(LabelMode.SEQUENTIAL)
            session.remove(str(following))
            session.remove(str(name))
        session.set_current(str(name))
        QTest.qWait(200)  # what this changed is drawn before a person clicks again
        found.append(_click(bench, painted, rng.uniform(20, 40, 2), str(name)))
        QTest.qWait(20)
        session.set_mode(LabelMode.QUICK)
        for moved in (str(following), str(name)):
            session.set_current(moved)
            session.place(rng.uniform(100, 250, 2))
    session.set_mode(LabelMode.SEQUENTIAL)
    return found[2:]


def _click(bench: Bench, painted: Painted, at: np.ndarray, name: str) -> Click:
    """One click; what was measured is what a person asked for."""
    session, native = bench.widget.session, bench.canvas.native
    project, case_id = session.project, session.case_id
    assert project is not None
    assert case_id is not None
    path = project.annotation_path(case_id)
    before = path.stat().st_mtime_ns
    table = bench.widget.annotate.landmarks.model()
    row = session.names.index(name)
    changed: list[int] = []
    pixel = bench.canvas.pixel(at)
    bench.canvas.send(QEvent.Type.MouseMove, pixel, held=False)
    bench.canvas.send(QEvent.Type.MouseButtonPress, pixel)
    left, none, everywhere = (
        Qt.MouseButton.LeftButton,
        Qt.MouseButton.NoButton,
        QPointF(native.mapToGlobal(pixel.toPoint())),
    )
    kind, keys = QEvent.Type.MouseButtonRelease, Qt.KeyboardModifier.NoModifier
    event = QMouseEvent(kind, pixel, everywhere, left, none, keys)
    heard = table.dataChanged.connect(lambda first, last: changed.extend(range(first.row(), last.row() + 1)))
    painted.begin()
    begin, used = time.perf_counter(), time.process_time()
    QApplication.sendEvent(native, event)
    saved = time.perf_counter() - begin
    updated = row in changed and table.index(row, 1).data() == STATUS_WORDS[LandmarkStatus.CONFIRMED]
    painted.wait()
    spent, used = time.perf_counter() - begin, time.process_time() - used
    table.dataChanged.disconnect(heard)
    assert updated
    assert path.stat().st_mtime_ns != before
    assert session.annotations is not None
    assert session.annotations.status_of(name) is LandmarkStatus.CONFIRMED
    assert np.abs(session.annotations.point(name) - at).max() < 2
    return saved * 1000, spent * 1000, used * 1000
