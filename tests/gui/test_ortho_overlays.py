"""The three views show the heatmap, measurements, confidences and the scale bar as the main canvas does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from one_window import one_window, open_fresh
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QColor, QImage, QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from window import Canvas, FakePrediction

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.ortho_view import OrthoView
from napari_landmarker.gui.ortho_views import OrthoViews
from napari_landmarker.gui.slice_guests import SliceLine, SlicePicture, SliceText

SCHEMA = LandmarkSchema.parse(
    {
        "landmarks": [{"name": name} for name in ("nasion", "sella", "menton")],
        "measurements": [{"name": "depth", "kind": "distance", "landmarks": ("nasion", "sella")}],
    }
)
SCORES = {"nasion": 0.9, "sella": 0.1, "menton": 0.6}


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def solid(window: Canvas, tmp_path: Path, images_3d: list[Path]) -> Canvas:
    """A volume with thick slices, of which the first is nearest to the feet; nothing is switched on."""
    session, measures = window.widget.session, window.widget.canvas.actions.measures
    session.model = None
    measures.draw_all(False)
    open_fresh(window, tmp_path / "study", SCHEMA, images_3d)
    window.widget.predict.heatmaps.which.setCurrentIndex(0)
    window.widget.predict.heatmaps.opacity.setValue(60)
    return window


def shown(canvas: Canvas) -> OrthoViews:
    """The three views, switched on."""
    canvas.widget.canvas.actions.view.set_three_views(True)
    QApplication.processEvents()
    views = canvas.widget.ortho.views
    assert views is not None
    return views


def predict(canvas: Canvas, width: float = 4.0) -> dict[str, np.ndarray]:
    """Predict all landmarks, with maps of half the size that are brightest at one pixel; where the landmarks are."""
    session = canvas.widget.session
    grid = session.image.grid
    half = (grid.shape[0], grid.shape[1] // 2, grid.shape[2] // 2)
    to_heatmap = AffineMap.scaling(grid.shape, [1, 0.5, 0.5], half)
    peaks = {"nasion": (2, 9, 25), "sella": (5, 20, 10), "menton": (2, 22, 28)}
    pixels = np.indices(half).reshape(3, -1).T
    maps = [np.exp(-((pixels - peak) ** 2).sum(axis=1) / width).reshape(half) for peak in peaks.values()]
    points = {name: to_heatmap.inverse.apply(np.array(peak, dtype=float)) for name, peak in peaks.items()}
    found = LandmarkSet.from_points(points, grid, names=session.names, status=LandmarkStatus.PREDICTED, score=SCORES)
    session.model = "m"
    heatmaps = np.array(maps, dtype=np.float32)
    session.take_prediction(session.case_id, FakePrediction(found, heatmaps, tuple(peaks), to_heatmap))
    return points


def on_black(canvas: Canvas) -> None:
    """Draw nothing of the image and its landmarks, so that only what lies over them is seen."""
    layers = canvas.widget.layers
    layers.image.contrast_limits_range = layers.image.contrast_limits = (1e5, 2e5)
    layers.points.visible = False


def drawn(view: OrthoView) -> np.ndarray:
    """What is drawn on a view, ``(h, w, 3)``."""
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    rows = rows.reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def texts(views: OrthoViews, axis: int, at: int) -> list[SliceText]:
    return [one for one in views.guests(axis, at) if isinstance(one, SliceText)]


# ---- the heatmap


def test_the_heatmap_is_brightest_within_half_a_pixel_of_its_landmark_in_every_view(solid: Canvas) -> None:
    views, box = shown(solid), solid.widget.predict.heatmaps
    points = predict(solid)
    on_black(solid)
    assert [view.flipped for view in views.views] == [False, True, True]
    for name in ("nasion", "sella"):
        box.which.setCurrentIndex(box.which.findData(name))
        views.look_at(points[name])
        for view in views.views:
            box.shown.setChecked(True)
            heat = drawn(view)
            box.shown.setChecked(False)
            heat = np.abs(heat - drawn(view)).sum(axis=2)
            y, x = np.argwhere(heat > 0.95 * heat.max()).mean(axis=0) + 0.5
            off_px = (view.to_index(QPointF(x, y)) - points[name])[[view.row, view.column]]
            assert np.abs(off_px).max() < 0.5, (name, view.axis)
            box.shown.setChecked(True)


def test_the_heatmap_has_the_colours_the_opacity_and_the_choice_of_the_main_canvas(solid: Canvas) -> None:
    views, box, heard = shown(solid), solid.widget.predict.heatmaps, []
    points = predict(solid)
    on_black(solid)
    views.look_at((2, 50, 5))  # no line of the crosshair runs through a peak
    solid.widget.layers.guests_changed.connect(lambda: heard.append(None))
    view = views.views[0]
    at = {name: view.to_widget(points[name]).toPoint() for name in ("nasion", "menton")}

    def seen(name: str) -> list[int]:
        assert heard  # it is drawn again by itself
        heard.clear()
        return drawn(view)[at[name].y(), at[name].x()].tolist()

    brightest = np.array([255, 255, 0.75 * 255])
    for percent in (60, 30):
        box.opacity.setValue(90)
        box.opacity.setValue(percent)
        assert seen("nasion") == pytest.approx(brightest * percent / 100, abs=12)
    box.which.setCurrentIndex(box.which.findData("menton"))
    assert seen("nasion") == [0, 0, 0]
    solid.widget.session.set_current("nasion")
    box.which.setCurrentIndex(1)
    assert box.which.currentText() == "the current landmark"
    assert seen("nasion") == pytest.approx(brightest * 0.3, abs=8)
    solid.widget.session.set_current("menton")
    assert seen("nasion") == [0, 0, 0]
    box.which.setCurrentIndex(0)
    box.layer.layer.visible = False  # by napari's own eye
    assert seen("nasion") == [0, 0, 0]
    box.layer.layer.visible = True
    assert seen("nasion") == pytest.approx(brightest * 0.3, abs=8)


def test_between_two_slices_of_the_map_it_is_interpolated_before_it_is_coloured(solid: Canvas) -> None:
    """Half of the highest value is pink; half of the colour of that value would be pale yellow, half seen."""
    views = shown(solid)
    points = predict(solid, width=0.01)
    picture = next(one for one in views.guests(0, 2) if isinstance(one, SlicePicture))
    middle = points["nasion"] + (0, 0, 0.99)  # between the one pixel of the map that is 1 and another, which is 0
    share = (middle - picture.first)[1:] / (picture.last - picture.first)[1:]
    row, column = (share * [picture.image.height(), picture.image.width()]).astype(int)
    color = picture.image.pixelColor(int(column), int(row))
    assert color.getRgbF() == pytest.approx((0.95, 0.3, 0.55, 0.75), abs=0.1)


def test_the_heatmap_of_a_slice_is_made_once(solid: Canvas) -> None:
    views, layers, heat = shown(solid), solid.widget.layers, solid.widget.predict.heatmaps.layer
    predict(solid)
    views.look_at((2, 30, 30))
    before = [heat.on_slice(axis, at)[0] for axis, at in enumerate((2, 30, 30))]
    layers.preview("nasion", np.array([2.0, 40, 30]))
    assert [heat.on_slice(axis, at)[0] is before[axis] for axis, at in enumerate((2, 40, 30))] == [True, False, True]
    layers.let_go()
    heat.refresh()
    assert heat.on_slice(0, 2)[0] is not before[0]
    solid.widget.session.open_case("scan_1")
    assert heat.on_slice(0, 2) == []


# ---- measurements


def test_a_value_follows_a_drag_in_the_views_as_on_the_main_canvas(solid: Canvas) -> None:
    session, views, heard = solid.widget.session, shown(solid), []
    measures = solid.widget.canvas.actions.measures
    session.place((4, 30, 30))
    session.place((4, 30, 50))
    solid.widget.layers.guests_changed.connect(lambda: heard.append(None))
    assert views.guests(0, 4) == []
    measures.draw_all(True)
    assert heard
    view = views.views[1]  # across y: down is z, with 5 mm a slice
    views.look_at((4, 30, 30))
    assert [one.text for one in texts(views, 1, 30)] == ["16.0 mm"] == list(measures.values.written)
    line = next(one for one in views.guests(1, 30) if isinstance(one, SliceLine))
    np.testing.assert_allclose(line.points, [(4, 30, 30), (4, 30, 50)])
    along = [view.to_widget((4, 30, x)).toPoint() for x in (36, 38, 40, 42, 44)]  # the value may cover some of it
    assert max(drawn(view)[at.y() - 1 : at.y() + 2, at.x()].min(axis=1).max() for at in along) > 190
    at, below = (view.to_widget(index).toPoint() for index in ((4, 30, 30), (6, 30, 30)))
    QTest.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    told = []
    for end in ((at + below) / 2, below):
        held = QMouseEvent(
            QEvent.Type.MouseMove, QPointF(end), QPointF(view.mapToGlobal(end)), Qt.MouseButton.NoButton,
            Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(view, held)
        moved_mm = 5.0 * (view.to_index(QPointF(end)) - view.to_index(QPointF(at)))[0]
        told.append(texts(views, 1, 30)[0].text)
        assert float(told[-1].split()[0]) == pytest.approx(np.hypot(16.0, moved_mm), abs=0.06)
        assert (told[-1],) == measures.values.written
        line = next(one for one in views.guests(1, 30) if isinstance(one, SliceLine))
        np.testing.assert_allclose(line.points[0], (4 + moved_mm / 5, 30, 30))
    assert len({"16.0 mm", *told}) == 3
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, below)
    measures.draw_all(False)
    assert views.guests(1, 30) == []


def test_a_measurement_is_drawn_on_the_slices_it_reaches_and_faint_beside_a_chosen_one(solid: Canvas) -> None:
    session, views = solid.widget.session, shown(solid)
    measures = solid.widget.canvas.actions.measures
    session.place((2, 30, 30))
    session.place((5, 20, 50))
    measures.draw_all(True)
    reached = {axis: [at for at in range(60) if texts(views, axis, at)] for axis in range(3)}
    assert reached == {0: [2, 3, 4, 5], 1: list(range(20, 31)), 2: list(range(30, 51))}
    assert all(one.place[1] == 22 for one in texts(views, 1, 22))
    measures.choose(("depth",))
    assert texts(views, 0, 3)[0].text == f"depth {np.hypot(15, np.hypot(8, 16)):.1f} mm"
    assert texts(views, 0, 3)[0].strong == 1
    solid.widget.canvas.actions.measures.choose(())


def test_values_cover_neither_points_nor_names_nor_the_scale_bar(solid: Canvas) -> None:
    session, views = solid.widget.session, shown(solid)
    view = views.views[0]
    views.look_at((4, 30, 35))
    bar = view.bar.box(view.width(), view.height(), view.fontMetrics())
    corner = view.to_index(QPointF(bar[0], bar[1]))
    session.place(np.clip(corner, 0, np.array(views.shape) - 1))
    session.place(np.clip(corner - (0, 6, 6), 0, np.array(views.shape) - 1))
    solid.widget.canvas.actions.measures.draw_all(True)
    session.place((5, 20, 20))  # it is seen faintly on the slice before
    views.look_at((4, 30, 35))
    value = texts(views, 0, 4)[0]
    on_bar = SliceText("other", value.text, view.to_index(QPointF(bar[2] - 10, bar[3] - 5)), "white")
    on_point = SliceText("third", value.text, np.array([4.0, 20, 20]), "white")
    names = list(view.words.name_boxes(*view.named()).values())
    at, half = view.to_widget((4, 20, 20)), views.size_px / 2
    point = np.array([at.x() - half, at.y() - half, at.x() + half, at.y() + half])
    boxes = view.words.value_boxes([value, on_bar, on_point], names)
    assert len(boxes) == 3
    for _, box in boxes:
        for other in (*names, bar, point):
            assert (np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])).min() <= 3  # of a height of 13


# ---- confidence


def test_points_have_the_colours_of_the_main_canvas_while_confidences_are_shown(solid: Canvas) -> None:
    views, answers, heard = shown(solid), solid.widget.predict.answers, []
    points = predict(solid)
    layers = solid.widget.layers
    layers.show_names(False)
    layers.set_size(40)
    solid.widget.predict.heatmaps.shown.setChecked(False)
    solid.widget.session.set_current(None)
    layers.look_changed.connect(lambda: heard.append(None))
    own = {name: QColor(SCHEMA.definition(name).color).getRgbF() for name in points}
    views.look_at(points["nasion"])
    ring = (views.views[0].to_widget(points["nasion"]) + QPointF(20, 0)).toPoint()
    for on, expected in ((True, layers.points.face_color), (False, None)):
        heard.clear()
        answers.colored.setChecked(on)
        assert heard  # they are drawn again by themselves
        for row, name in enumerate(layers.names):
            color = own[name] if expected is None else layers.points.face_color[row]
            assert QColor(views.look_of(name)[1]).getRgbF() == pytest.approx(color, abs=2e-3)
        wanted = np.array(layers.points.face_color[layers.names.index("nasion")][:3]) * 255
        np.testing.assert_allclose(drawn(views.views[0])[ring.y(), ring.x()], wanted, atol=3)
    answers.colored.setChecked(True)
    assert QColor(views.look_of("nasion")[1]).getRgbF()[:3] == pytest.approx((0.2, 0.54, 0.784), abs=0.2)
    assert QColor(views.look_of("sella")[1]).alphaF() == pytest.approx(0.35, abs=3e-3)
    answers.colored.setChecked(False)
    solid.widget.predict.heatmaps.shown.setChecked(True)


# ---- the scale bar


def painted_length_px(view: OrthoView) -> int:
    """The longest white line across that is drawn at the bottom of a view."""
    white = (drawn(view)[-20:, view.width() // 2 :] > 200).all(axis=2)
    return int(white.sum(axis=1).max())


def test_the_scale_bar_is_as_long_as_its_millimetres(solid: Canvas) -> None:
    views = shown(solid)
    on_black(solid)
    for zoom in (1.0, 1.7):
        views.zoom_by(zoom)
        for view in views.views:
            number, unit = view.bar.text.split()
            origin = view.to_widget((0, 0, 0))
            across, down = np.zeros((2, 3))
            across[view.column], down[view.row] = 1, 1
            wide = abs((view.to_widget(across) - origin).x()) / views.spacing[view.column]
            high = abs((view.to_widget(down) - origin).y()) / views.spacing[view.row]
            assert unit == "mm"
            assert view.bar.length_px == pytest.approx(float(number) * wide) == pytest.approx(float(number) * high)
            assert view.width() * 0.1 < view.bar.length_px <= view.width() * 0.3
            assert painted_length_px(view) == pytest.approx(view.bar.length_px, abs=4)
    views.zoom_by(1e-6)


def test_there_is_a_scale_bar_where_the_main_canvas_has_one(solid: Canvas) -> None:
    views, switch = shown(solid), solid.widget.canvas.actions.view
    on_black(solid)
    for on in (False, True):
        switch.set_scale_bar(on)
        assert [view.bar is not None for view in views.views] == [on] * 3
        assert (painted_length_px(views.views[0]) > 20) is on


def test_lengths_of_unknown_pixels_are_px_and_never_mm(window: Canvas, tmp_path: Path) -> None:
    path = tmp_path / "unknown.npy"
    np.save(path, np.random.default_rng(0).integers(0, 9, (20, 60, 70), dtype=np.int16))
    open_fresh(window, tmp_path / "plain", SCHEMA, [path])
    views = shown(window)
    assert window.widget.session.image.grid.spacing is None
    for view in views.views:
        number, unit = view.bar.text.split()
        across = np.zeros(3)
        across[view.column] = 1
        assert unit == "px"
        wide = (view.to_widget(across) - view.to_widget((0, 0, 0))).x()
        assert view.bar.length_px == pytest.approx(float(number) * wide)
