"""An edit costs only what it changes: nothing is drawn twice, laid out anew, or rebuilt for one landmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Points, Vectors
from one_window import one_window, open_fresh
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QObject
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget
from window import Canvas, prediction

from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.contrast import TextColors, text_colors
from napari_landmarker.gui.drawn_once import drawn_once
from napari_landmarker.gui.steady import Steady
from napari_landmarker.state.modes import LabelMode

NAMES = tuple(f"landmark {number}" for number in range(12))


class Events(QObject):
    """Counts the events of widgets."""

    def __init__(self, *widgets: QWidget) -> None:
        super().__init__()
        self.seen: Counter[tuple[int, QEvent.Type]] = Counter()
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None:
            self.seen[id(watched), event.type()] += 1
        return False

    def settle(self) -> None:
        """Wait until nothing is left of what was done before, and forget it."""
        for _ in range(50):
            self.seen.clear()
            QTest.qWait(100)
            if not self.seen:
                return

    def count(self, widget: QWidget, kind: QEvent.Type) -> int:
        return self.seen[id(widget), kind]


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def full(window: Canvas, tmp_path: Path, images_2d: list[Path]) -> Canvas:
    """A picture with all of its landmarks but the last two."""
    edges = [(NAMES[0], NAMES[1]), (NAMES[1], NAMES[-1])]
    schema = LandmarkSchema.from_names(NAMES).model_copy(update={"edges": tuple(edges)})
    canvas = open_fresh(window, tmp_path / "study", schema, images_2d)
    for number in range(10):
        canvas.widget.session.place((40 + 5 * number, 60 + 3 * number))
    QTest.qWait(200)
    return canvas


def drawings(canvas: Canvas, layer: Points | Vectors) -> list[str]:
    """What napari was told to draw from now on."""
    found: list[str] = []
    for name in ("set_data", "thumbnail", "editable"):
        getattr(layer.events, name).connect(lambda event: found.append(event.type))
    return found


def test_a_point_that_is_moved_is_drawn_once(full: Canvas) -> None:
    session, points = full.widget.session, full.widget.layers.points
    found = drawings(full, points)
    session.move(NAMES[3], (20, 30))
    assert found == ["set_data"]
    np.testing.assert_allclose(points.data[3], (20, 30))
    np.testing.assert_allclose(points.data[4], (60, 72))


def test_a_point_that_is_placed_is_drawn_once_and_again_as_the_next_is_current(full: Canvas) -> None:
    found = drawings(full, full.widget.layers.points)
    full.click((20, 30))
    assert len(full.widget.layers.points.data) == 11
    assert found == ["set_data", "set_data"], "nor does the list of layers or any control change"


def test_points_look_as_if_they_had_been_drawn_anew(full: Canvas) -> None:
    session, points = full.widget.session, full.widget.layers.points
    session.model = "m"
    session.take_prediction(session.case_id, prediction(session, {NAMES[11]: (90, 90)}), model="m")
    session.move(NAMES[11], (91, 90))
    session.set_locked(NAMES[2], True)
    session.remove(NAMES[5])
    session.place((100, 100))
    session.set_current(NAMES[0])
    names = full.widget.canvas.names.texts.layer
    kept = {
        "data": points.data.copy(),
        "size": points.size.copy(),
        "face": points.face_color.copy(),
        "border": points.border_color.copy(),
        "width": points.border_width.copy(),
        "ink": np.broadcast_to(names.text.color.array, (len(names.data), 4)).copy()[: len(points.data)],
        "at": names.data[: len(points.data)].copy(),
    }
    symbols, written = [str(one) for one in points.symbol], list(names.text.values)[: len(points.data)]
    session.open_case(session.next_ids()[0])
    session.previous_case()
    session.set_current(NAMES[0])
    anew, again = full.widget.layers.points, full.widget.canvas.names.texts.layer
    for name, array in (
        ("data", anew.data),
        ("size", anew.size),
        ("face", anew.face_color),
        ("border", anew.border_color),
        ("width", anew.border_width),
        ("ink", again.text.color.array[: len(anew.data)]),
        ("at", again.data[: len(anew.data)]),
    ):
        np.testing.assert_allclose(kept[name], array, err_msg=name)
    assert ([str(one) for one in anew.symbol], list(again.text.values)[: len(anew.data)]) == (symbols, written)
    assert symbols.count("square") == 1
    assert (kept["border"][:, 0] == 1).sum() == 1, "one was predicted and moved"


def test_a_line_follows_its_landmark_and_is_drawn_once(full: Canvas) -> None:
    lines = full.widget.canvas.edges.lines.layer
    found = drawings(full, lines)
    full.widget.session.move(NAMES[1], (30, 40))
    assert found == ["set_data"]
    np.testing.assert_allclose(lines.data, [[(40, 60), (-10, -20)]])
    full.widget.session.set_current(NAMES[-1])
    full.widget.session.place((50, 60))
    np.testing.assert_allclose(lines.data, [[(40, 60), (-10, -20)], [(30, 40), (20, 20)]])


def test_an_edit_lays_nothing_out_but_the_card(full: Canvas) -> None:
    widget = full.widget
    events = Events(widget.tabs, widget.annotate, widget.annotate.modes, widget.annotate.view)
    events.settle()
    full.click((20, 30))
    QTest.qWait(50)
    assert events.count(widget.tabs, QEvent.Type.LayoutRequest) == 0
    assert events.count(widget.annotate, QEvent.Type.LayoutRequest) == 0
    for beside in (widget.annotate.modes, widget.annotate.view):
        assert events.count(beside, QEvent.Type.Paint) == 0
    assert NAMES[11] in widget.annotate.card.title.text()


def test_an_edit_tells_only_the_rows_it_changes(full: Canvas) -> None:
    annotate = full.widget.annotate
    told: dict[str, set[int]] = {"landmarks": set(), "cases": set()}
    resets = []
    for key, table in (("landmarks", annotate.landmarks), ("cases", annotate.cases)):
        model = table.model()
        model.dataChanged.connect(lambda first, last, *_, key=key: told[key].update(range(first.row(), last.row() + 1)))
        for signal in (model.modelReset, model.layoutChanged):
            signal.connect(lambda *_: resets.append(1))
    full.widget.session.set_mode(LabelMode.QUICK)
    full.click((20, 30))
    assert told == {"landmarks": {10}, "cases": {0}}
    assert resets == []


def test_columns_are_as_wide_as_what_stands_in_them(full: Canvas) -> None:
    session, annotate = full.widget.session, full.widget.annotate
    session.model = "m"
    session.take_prediction(session.case_id, prediction(session, {NAMES[11]: (90, 90)}), model="m")
    session.set_current(NAMES[11])
    for table in (annotate.landmarks, annotate.cases):
        for column in range(1, table.model().columnCount()):
            if not table.isColumnHidden(column):
                assert table.columnWidth(column) >= table.sizeHintForColumn(column)


def test_a_dragged_point_goes_back_where_it_may_not_be_moved(full: Canvas) -> None:
    session, layers = full.widget.session, full.widget.layers
    layers.preview(NAMES[3], np.array([10.0, 10.0]))
    np.testing.assert_allclose(layers.points.data[3], (10, 10))
    layers.let_go()
    np.testing.assert_allclose(layers.points.data[3], session.shown.point(NAMES[3]))


def test_what_is_changed_in_a_block_is_drawn_at_its_end() -> None:
    layer = Points(np.zeros((2, 2)))
    found: list[str] = []
    layer.events.set_data.connect(lambda event: found.append(event.type))
    with drawn_once(layer):
        layer.data = np.ones((3, 2))
        layer.size = 5
        layer.face_color[...] = (1, 0, 0, 1)
        assert found == []
    assert found == ["set_data"]
    assert not layer.editable
    layer.size = 6
    assert len(found) == 2, "afterwards napari draws as always"


def test_colours_of_names_are_those_of_every_point_anew() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (60, 80)).astype(np.float32)
    first, second = (Image.from_array(array) for array in (pixels, 255 - pixels))
    colors = TextColors()
    points = rng.uniform(0, 50, (6, 2))
    moved = points[[0, 2, 2, 5]] + [[0.0, 0.0], [9.0, 9.0], [0.0, 0.0], [0.0, 0.0]]
    for image, at, limits in (
        (first, points, (0.0, 255.0)),
        (first, moved, (0.0, 255.0)),
        (first, moved, (0.0, 100.0)),
        (second, moved, (0.0, 100.0)),
        (second, np.empty((0, 2)), (0.0, 100.0)),
    ):
        np.testing.assert_array_equal(colors.of(image, at, limits), text_colors(image, at, limits))


def test_a_steady_frame_changes_its_height_but_nothing_else(qtbot: QtBot) -> None:
    label = QLabel("short")
    label.setWordWrap(True)
    frame, outside = Steady(label), QWidget()
    layout = QVBoxLayout(outside)
    layout.addWidget(frame)
    layout.addStretch(1)
    qtbot.addWidget(outside)
    outside.resize(150, 300)
    outside.show()
    qtbot.waitExposed(outside)
    events = Events(outside)
    events.settle()
    low = frame.height()
    label.setText("other")
    QTest.qWait(20)
    assert events.count(outside, QEvent.Type.LayoutRequest) == 0
    label.setText("a text that is much too long for a single line of this label")
    qtbot.waitUntil(lambda: frame.height() > low)
    assert label.height() == frame.height() >= label.heightForWidth(label.width())
    label.setText("short")
    qtbot.waitUntil(lambda: frame.height() == low)
