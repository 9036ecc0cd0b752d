"""Names on the canvas: readable where landmarks are dense, at rest while the view is moved, and of no weight."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from one_window import one_window, open_fresh
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDockWidget
from window import Canvas

from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.contrast import brightest_colors
from napari_landmarker.gui.layers import SIZE_PX
from napari_landmarker.gui.name_layer import NAMES_NAME
from napari_landmarker.gui.screen import Screen, text_sizes

NAMES = ("nasion", "sella", "menton", "gonion", "porion")
SCHEMA = LandmarkSchema.parse(
    {
        "landmarks": [{"name": name} for name in NAMES],
        "measurements": [{"name": "SN", "kind": "distance", "landmarks": ["nasion", "sella"]}],
    }
)


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def flat(window: Canvas, tmp_path: Path, images_2d: list[Path]) -> Canvas:
    """A picture with four points in a heap, some ten pixels of the screen apart."""
    canvas = open_fresh(window, tmp_path / "study", SCHEMA, images_2d)
    step = 10 / canvas.viewer.scene.camera.zoom
    for name, (down, across) in zip(NAMES, ((0, 0), (0, 2), (2, 1), (-1.5, 0)), strict=False):
        canvas.widget.session.set_current(name)
        canvas.widget.session.place((60 + down * step, 80 + across * step))
    QApplication.processEvents()
    return canvas


@pytest.fixture
def solid(window: Canvas, tmp_path: Path, images_3d: list[Path]) -> Canvas:
    """A volume with three points on a slice and one on the next."""
    canvas = open_fresh(window, tmp_path / "study", SCHEMA, images_3d)
    for name, point in zip(NAMES, ((4, 30, 20), (4, 30, 21), (4, 31, 20), (5, 30, 20)), strict=False):
        canvas.widget.session.set_current(name)
        canvas.widget.session.place(point)
    QApplication.processEvents()
    return canvas


def written(canvas: Canvas) -> dict[str, np.ndarray]:
    """Left, top, right and bottom of each name on the canvas, in its pixels."""
    layers, texts = canvas.widget.layers, canvas.widget.canvas.names.texts
    screen = Screen.of(canvas.viewer, layers.points)
    middles = screen.to_px(texts.places) - screen.bounds[:2]
    half = text_sizes(layers.names) / 2
    boxes = np.concatenate([middles - half, middles + half], axis=1)
    return {name: box for name, box, text in zip(layers.names, boxes, texts.written, strict=True) if text == name}


def meet(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two boxes have more than a pixel in common both ways."""
    return bool((np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]) > 1).all())


def seen_box(canvas: Canvas) -> np.ndarray:
    """Left, top, right and bottom of all that is bright, on a canvas where only the names are to be seen."""
    for layer in canvas.viewer.layers:
        layer.opacity = float(layer.name == NAMES_NAME)
    canvas.widget.layers.image.visible = False
    canvas.viewer.canvas.overlays.scale_bar.visible = False
    QTest.qWait(50)
    picture = canvas.viewer.screenshot(canvas_only=True, flash=False)[..., :3].min(axis=-1)
    rows, columns = np.nonzero(picture > 128)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def test_names_of_points_in_a_heap_cover_neither_each_other_nor_a_point(flat: Canvas) -> None:
    boxes = written(flat)
    assert set(boxes) == set(NAMES[:4])
    assert not any(meet(a, b) for a, b in combinations(boxes.values(), 2))
    points = np.array([(at.x(), at.y()) for at in map(flat.pixel, flat.widget.layers.points.data)])
    for box in boxes.values():
        away = points - np.clip(points, box[:2], box[2:])  # from the nearest place of the name
        assert np.hypot(*away.T).min() >= SIZE_PX / 2


@pytest.mark.parametrize("ndisplay", [2, 3])
def test_a_name_is_drawn_where_it_was_meant_to_be(solid: Canvas, ndisplay: int) -> None:
    """Its bright pixels fill the box that was kept free for it, on a slice and in a volume that was turned."""
    session, viewer = solid.widget.session, solid.viewer
    for name in NAMES[1:]:
        session.remove(name)
    solid.widget.layers.bring_into_view("nasion")
    viewer.dims.ndisplay = ndisplay
    viewer.scene.camera.angles = (15, 40, 70)
    QTest.qWait(100)  # the canvas has another size without a slider
    box = written(solid)["nasion"]
    texts = solid.widget.canvas.names.texts.layer
    texts.text.color = "white"
    seen = seen_box(solid)
    assert np.abs(seen - box)[[0, 2]].max() <= 5
    assert box[1] - 4 <= seen[1] < seen[3] <= box[3] + 4


def test_a_name_keeps_its_side_and_is_not_drawn_again_while_the_view_is_moved(flat: Canvas) -> None:
    names, found = flat.widget.canvas.names, []
    texts, before = names.texts.layer, dict(names.sides)
    texts.events.set_data.connect(lambda event: found.append(event.type))
    for step in range(5):
        flat.viewer.scene.camera.center = (0, 60 + 3 * step, 80 + 5 * step)
        QApplication.processEvents()
    assert (found, names.sides) == ([], before)
    flat.viewer.reset_view()


def test_a_name_is_not_cut_off_where_the_canvas_becomes_narrower(flat: Canvas) -> None:
    session, native = flat.widget.session, flat.native
    session.move("menton", (60, 120))
    flat.viewer.scene.camera.zoom *= 1.01  # the view stays as a person has it, whatever the canvas does
    assert written(flat)["menton"][0] > flat.pixel((60, 120)).x(), "it stands on the right while there is room"
    window = flat.viewer.window._qt_window
    away_px = flat.pixel((60, 120)).x() - native.width() / 2
    (dock,) = (dock for dock in window.findChildren(QDockWidget) if dock.isAncestorOf(flat.widget))
    try:
        wider = dock.width() + round(native.width() - 2 * (away_px + 20))
        window.resizeDocks([dock], [wider], Qt.Orientation.Horizontal)
        QTest.qWait(100)
        assert flat.pixel((60, 120)).x() < native.width() < flat.pixel((60, 120)).x() + 40
        left, _, right, _ = written(flat)["menton"]
        assert 0 <= left < right <= native.width()
    finally:
        window.resizeDocks([dock], [420], Qt.Orientation.Horizontal)
        QTest.qWait(100)
        flat.viewer.reset_view()


def test_a_name_stays_as_near_to_its_point_at_every_zoom(flat: Canvas) -> None:
    session = flat.widget.session
    for name in NAMES[1:4]:
        session.remove(name)
    for factor in (1, 2, 5):
        flat.viewer.scene.camera.zoom *= factor
        at = flat.pixel(session.shown.point("nasion"))
        left, top, right, bottom = written(flat)["nasion"]
        gaps = (left - at.x(), at.x() - right, top - at.y(), at.y() - bottom)
        assert SIZE_PX / 2 <= max(gaps) < SIZE_PX
    flat.viewer.reset_view()


def test_a_name_follows_its_point_while_that_is_dragged(flat: Canvas) -> None:
    layers, names = flat.widget.layers, flat.widget.canvas.names
    row, before = layers.names.index("menton"), dict(names.sides)
    shift = names.texts.layer.data[row] - layers.points.data[row]
    layers.preview("menton", np.array([20.0, 30.0]))
    np.testing.assert_allclose(names.texts.layer.data[row], shift + np.array([20, 30]))
    assert names.sides == before
    layers.let_go()


def test_names_of_a_slice_do_not_mind_those_of_the_next(solid: Canvas) -> None:
    sides = solid.widget.canvas.names.sides
    assert sides["gonion"] == 0, "alone on its slice it stands to the right"
    assert len({sides[name] for name in NAMES[:3]}) == 3
    texts = solid.widget.canvas.names.texts
    np.testing.assert_allclose(texts.places[:, 0], [4, 4, 4, 5], atol=1e-9)
    np.testing.assert_array_equal(texts.layer.data[:4], texts.places)


def test_where_there_is_no_room_the_name_of_the_current_landmark_is_written(window: Canvas, tmp_path: Path) -> None:
    path = tmp_path / "small.npy"
    np.save(path, np.zeros((40, 40), np.uint8))
    many = [f"landmark number {number}" for number in range(30)]
    canvas = open_fresh(window, tmp_path / "study", LandmarkSchema.from_names(many), [path])
    session = canvas.widget.session
    for number, name in enumerate(many):
        session.set_current(name)
        session.place((20 + 0.01 * number, 20))
    session.set_current(None)
    session.set_current(many[0])
    assert 1 <= len(written(canvas)) < 20
    for hidden in [name for name in many if name not in written(canvas)][:2]:
        session.set_current(hidden)
        assert hidden in written(canvas)


def test_names_go_with_their_points_and_with_the_switch_of_the_layer(flat: Canvas) -> None:
    layers, names = flat.widget.layers, flat.widget.canvas.names
    for switch in (layers.points, layers.points.text):
        switch.visible = False
        assert not names.texts.layer.visible
        switch.visible = True
        assert names.texts.layer.visible
    layers.points.text.visible = False
    assert not layers.names_visible
    layers.show_names(True)
    assert layers.points.text.visible


def test_a_click_on_a_name_places_as_anywhere_else(flat: Canvas) -> None:
    session, layers = flat.widget.session, flat.widget.layers
    middle = flat.widget.canvas.names.texts.layer.data[layers.names.index("menton")].copy()
    session.set_current("porion")
    hit = flat.click(middle)
    np.testing.assert_allclose(session.annotations.point("porion"), hit, atol=1e-6)


def test_an_edit_draws_the_names_once(flat: Canvas) -> None:
    found: list[str] = []
    flat.widget.canvas.names.texts.layer.events.set_data.connect(lambda event: found.append(event.type))
    flat.widget.session.move("menton", (20, 30))
    assert found == ["set_data"]
    flat.widget.session.set_current("nasion")
    assert found == ["set_data"]


def test_a_value_is_not_written_under_a_point(flat: Canvas) -> None:
    session, measure = flat.widget.session, flat.widget.measure
    flat.widget.layers.show_names(False)
    session.move("nasion", (60, 20))
    session.move("sella", (60, 140))
    session.move("menton", (60, 80))  # where the value would be
    measure.table.choose(("SN",))
    layer = flat.viewer.layers["Measured values"]
    screen = Screen.of(flat.viewer, flat.widget.layers.points)
    half = text_sizes([layer.text.values[0]])[0] / 2
    for zoom in (1, 3):
        flat.viewer.scene.camera.zoom *= zoom
        screen = Screen.of(flat.viewer, flat.widget.layers.points)
        away = np.abs(screen.to_px(layer.data)[0] - screen.to_px(np.array([[60.0, 80.0]]))[0])
        assert (away - half >= SIZE_PX / 2 - 1).any()
        assert (away <= 2 * half + SIZE_PX).all(), "it is near all the same"
    measure.table.choose(())
    flat.viewer.reset_view()


def test_names_before_a_bright_part_of_a_rendered_volume_are_black() -> None:
    """Two lines of sight along z: one meets a bright voxel far behind the name, the other none."""
    pixels = np.zeros((9, 5, 5), np.float32)
    pixels[7, 1, 1] = 100.0
    rays = np.array([[[[z, row, row] for z in range(-3, 12)]] for row in (1, 3)], dtype=np.float64)
    colors = brightest_colors(Image.from_array(pixels), rays, (0.0, 100.0))
    np.testing.assert_array_equal(colors, [[0, 0, 0, 1], [1, 1, 1, 1]])
