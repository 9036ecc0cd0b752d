"""How the image is looked at: edges, zoom, magnifier, contrast, points, scale bar, ruler; one behaviour a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from napari import Viewer
from one_window import one_window, open_fresh
from PIL import Image as PillowImage
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDockWidget
from window import NAMES, SPACING_3D, Canvas

from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkDefinition, LandmarkSchema
from napari_landmarker.gui.looks import point_style
from napari_landmarker.gui.magnifier import Magnifier
from napari_landmarker.gui.marks import lock_icon, status_icon
from napari_landmarker.gui.open import dock, make_room
from napari_landmarker.state.modes import LabelMode

K, SHIFT = Qt.Key, Qt.KeyboardModifier.ShiftModifier
SCHEMA = LandmarkSchema(
    landmarks=(
        LandmarkDefinition(name="nasion", description="Where the nose begins.", example="pictures/nasion.png"),
        LandmarkDefinition(name="sella", description="The middle of the saddle."),
        LandmarkDefinition(name="menton"),
    ),
    edges=(("nasion", "sella"), ("sella", "menton")),
)


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def flat(window: Canvas, tmp_path: Path, images_2d: list[Path]) -> Canvas:
    """Three pictures, joined landmarks."""
    return open_fresh(window, tmp_path / "study", SCHEMA, images_2d)


@pytest.fixture
def solid(window: Canvas, tmp_path: Path, images_3d: list[Path]) -> Canvas:
    """Two volumes, joined landmarks."""
    return open_fresh(window, tmp_path / "study", SCHEMA, images_3d)


def lines(canvas: Canvas) -> np.ndarray:
    """Both ends of the lines that are drawn, ``(N, 2, D)``; none where they are hidden."""
    layer = canvas.widget.canvas.edges.lines.layer
    if layer is None or not layer.visible:
        return np.empty((0, 2, 2))
    data = np.asarray(layer.data)
    return np.stack([data[:, 0], data[:, 0] + data[:, 1]], axis=1)


# ---- marks


def test_every_state_has_a_shape_of_its_own_without_its_colour() -> None:
    status = np.array(["confirmed", "edited", "predicted", "confirmed", "edited"])
    style = point_style(["#888888"] * 5, status, np.array([False, False, False, True, True]))
    looks = set(zip(map(str, style["symbol"]), style["border_color"][:, 0], style["border_width"], strict=True))
    assert len(looks) == 5


def test_every_state_has_an_icon_of_its_own_without_its_colour(qapp: QApplication) -> None:
    from napari_landmarker.engine.landmarks import LandmarkStatus

    def pixels(status: LandmarkStatus, locked: bool) -> bytes:
        image = status_icon("#888888", status, locked).pixmap(36, 36).toImage()
        return image.constBits().asstring(image.sizeInBytes())

    icons = {pixels(status, False) for status in LandmarkStatus}
    icons |= {pixels(status, True) for status in (LandmarkStatus.CONFIRMED, LandmarkStatus.EDITED)}
    assert len(icons) == 7
    assert not lock_icon("#ffffff").isNull()


# ---- undo


def test_undo_and_redo_go_to_the_slice_of_what_they_change(solid: Canvas) -> None:
    session, dims = solid.widget.session, solid.viewer.dims
    dims.set_current_step(0, 2)
    QApplication.processEvents()
    solid.click((2, 20, 30))
    for step, placed in ((solid.undo, False), (solid.redo, True)):
        dims.set_current_step(0, 6)
        step()
        assert session.shown.status_of("nasion").has_point is placed
        assert dims.current_step[0] == 2


def test_undo_brings_into_view_what_it_changes(flat: Canvas) -> None:
    camera = flat.viewer.scene.camera
    flat.click((30, 30))
    flat.send(QEvent.Type.MouseMove, flat.pixel((30, 30)), held=False)
    QTest.keyClick(flat.native, Qt.Key.Key_Delete)
    assert not flat.widget.session.shown.status_of("nasion").has_point
    camera.zoom *= 8
    camera.center = (0, 100, 140)
    flat.undo()
    np.testing.assert_allclose(camera.center[-2:], flat.widget.session.shown.point("nasion"), atol=1e-6)
    flat.viewer.reset_view()


# ---- edges


def test_edges_join_placed_landmarks_and_follow_a_drag(flat: Canvas) -> None:
    first = flat.click((30, 30))
    assert len(lines(flat)) == 0
    second = flat.click((60, 60))
    np.testing.assert_allclose(lines(flat), [[first, second]], atol=1e-4)
    flat.send(QEvent.Type.MouseButtonPress, flat.pixel(second))
    flat.send(QEvent.Type.MouseMove, flat.pixel((80, 90)))
    grip = second - flat.index_at(flat.pixel(second))
    now = flat.index_at(flat.pixel((80, 90))) + grip
    np.testing.assert_allclose(lines(flat), [[first, now]], atol=1e-4)
    flat.send(QEvent.Type.MouseButtonRelease, flat.pixel((80, 90)))
    np.testing.assert_allclose(lines(flat), [[first, now]], atol=1e-4)
    assert flat.viewer.layers.selection.active is flat.widget.layers.points
    flat.undo()
    flat.undo()
    assert len(lines(flat)) == 0


def test_edges_of_an_annotated_image_lie_between_image_and_points(flat: Canvas) -> None:
    flat.click((30, 30))
    flat.click((60, 60))
    project = flat.widget.session.project
    flat.widget.session.close_project()
    flat.widget.canvas.edges.lines.remove()
    flat.widget.open_project(project.root)
    layers = flat.widget.layers
    assert len(lines(flat)) == 1
    order = [
        flat.viewer.layers.index(one) for one in (layers.image, flat.widget.canvas.edges.lines.layer, layers.points)
    ]
    assert order == sorted(order)


def test_edges_keep_their_width_on_the_screen(flat: Canvas) -> None:
    flat.click((30, 30))
    flat.click((60, 60))
    layer, camera = flat.widget.canvas.edges.lines.layer, flat.viewer.scene.camera
    before = layer.edge_width * camera.zoom
    camera.zoom *= 3
    assert layer.edge_width * camera.zoom == pytest.approx(before)


def test_an_edge_of_a_volume_is_seen_from_the_slice_of_one_end_to_that_of_the_other(solid: Canvas) -> None:
    session, dims = solid.widget.session, solid.viewer.dims
    session.place((2, 10, 10))
    session.place((5, 40, 50))
    seen = []
    for step in range(8):
        dims.set_current_step(0, step)
        seen.append(len(lines(solid)))
    assert seen == [0, 0, 1, 1, 1, 1, 0, 0]
    dims.set_current_step(0, 3)
    np.testing.assert_allclose(lines(solid), [[(3, 10, 10), (3, 40, 50)]], atol=1e-4)
    np.testing.assert_allclose(solid.widget.canvas.edges.lines.layer.scale, SPACING_3D)
    dims.ndisplay = 3
    np.testing.assert_allclose(lines(solid), [[(2, 10, 10), (5, 40, 50)]], atol=1e-4)


# ---- zoom, contrast, points, names


@pytest.mark.parametrize("place", ["flat", "solid"])
def test_w_looks_at_the_chosen_landmark_from_near_and_back(place: str, request: pytest.FixtureRequest) -> None:
    canvas = request.getfixturevalue(place)
    session, camera, dims = canvas.widget.session, canvas.viewer.scene.camera, canvas.viewer.dims
    point = (40.0, 50.0) if place == "flat" else (6.0, 40.0, 50.0)
    spacing = (1, 1) if place == "flat" else SPACING_3D[1:]
    session.place(point)
    session.set_current("nasion")
    before = (camera.zoom, tuple(camera.center))
    canvas.key(K.Key_W)
    np.testing.assert_allclose(camera.center[-2:], np.multiply(point[-2:], spacing))
    assert camera.zoom > 3 * before[0]
    assert place == "flat" or dims.current_step[0] == 6
    canvas.key(K.Key_W)
    assert (camera.zoom, tuple(camera.center)) == before


def test_contrast_keys_narrow_widen_shift_and_reset_what_is_between_black_and_white(flat: Canvas) -> None:
    layer = flat.widget.layers.image
    low, high = start = tuple(layer.contrast_limits)
    flat.key(K.Key_E, SHIFT)
    np.testing.assert_allclose(layer.contrast_limits, (low + 0.1 * (high - low), high - 0.1 * (high - low)))
    flat.key(K.Key_Q, SHIFT)
    np.testing.assert_allclose(layer.contrast_limits, start)
    flat.key(K.Key_Period)
    np.testing.assert_allclose(layer.contrast_limits, np.array(start) - 0.1 * (high - low))
    flat.key(K.Key_Comma)
    flat.key(K.Key_Comma)
    np.testing.assert_allclose(layer.contrast_limits, np.array(start) + 0.1 * (high - low))
    flat.key(K.Key_T, SHIFT)
    np.testing.assert_allclose(layer.contrast_limits, start)


def test_the_contrast_of_a_colour_image_is_changed_by_the_same_keys(window: Canvas, tmp_path: Path) -> None:
    paths, pixels = [tmp_path / "a.png", tmp_path / "b.png"], np.full((50, 60, 3), 99, np.uint8)
    pixels[0, :3, 0] = 0, 255, 230
    for path in paths:
        PillowImage.fromarray(pixels).save(path)
    canvas = open_fresh(window, tmp_path / "p", SCHEMA, paths)
    layers, session = canvas.widget.layers, canvas.widget.session

    def middle() -> int:
        return int(canvas.viewer.screenshot(canvas_only=True, flash=False)[canvas.native.height() // 2, :, 0].max())

    canvas.viewer.canvas.overlays.scale_bar.visible = False
    assert middle() == pytest.approx(99, abs=1)
    canvas.key(K.Key_E, SHIFT)  # a tenth less at both ends: 25.5 is black and 229.5 the brightest
    assert middle() == pytest.approx(92, abs=1)  # (99 - 25.5) / 204 * 255 = 91.9
    canvas.widget.canvas.actions.view.set_magnifier(True)
    canvas.hover((25, 30))
    patch, _ = canvas.widget.annotate.view.magnifier.patch()
    assert abs(int(patch[0, 0, 0]) - 92) <= 1
    canvas.widget.canvas.actions.view.set_magnifier(False)
    canvas.key(K.Key_T, SHIFT)
    assert middle() == pytest.approx(99, abs=1)
    canvas.key(K.Key_E, SHIFT)
    session.next_case()
    assert tuple(layers.image.contrast_limits) == (0, 255)
    assert middle() == pytest.approx(99, abs=1)


def test_points_grow_and_shrink_in_screen_pixels_by_key_and_slider(flat: Canvas) -> None:
    flat.click((30, 30))
    layer, camera, view = flat.widget.layers.points, flat.viewer.scene.camera, flat.widget.annotate.view
    before = layer.size[0] * camera.zoom
    flat.key(K.Key_BracketRight)
    assert layer.size[0] * camera.zoom == pytest.approx(1.25 * before)
    flat.key(K.Key_BracketLeft)
    flat.key(K.Key_BracketLeft)
    assert layer.size[0] * camera.zoom == pytest.approx(before / 1.25)
    assert view.size.value() == 12
    view.size.setValue(30)
    camera.zoom *= 2
    assert layer.size[0] * camera.zoom == pytest.approx(2 * before)


def test_n_hides_the_names_and_the_switch_follows(flat: Canvas) -> None:
    box = flat.widget.annotate.view.names
    flat.key(K.Key_N)
    assert (flat.widget.layers.points.text.visible, box.isChecked()) == (False, False)
    box.click()
    assert flat.widget.layers.points.text.visible


def test_the_scale_bar_is_in_mm_where_the_spacing_is_known_and_else_in_pixels(
    window: Canvas, tmp_path: Path, images_2d: list[Path], images_3d: list[Path]
) -> None:
    bar = window.viewer.canvas.overlays.scale_bar
    for images, unit, said in ((images_2d, "pixel", "unknown"), (images_3d, "millimeter", "0.8 x 0.8 x 5 mm")):
        open_fresh(window, tmp_path / unit, SCHEMA, images)
        assert bar.visible
        assert {str(u) for u in window.viewer.layers.extent.units} == {unit}
        assert said in window.widget.annotate.view.pixel.text()
    window.widget.annotate.view.bar.click()
    assert not bar.visible


# ---- magnifier


@pytest.mark.parametrize("place", ["flat", "solid"])
def test_the_magnifier_shows_the_pixels_under_the_mouse(place: str, request: pytest.FixtureRequest) -> None:
    canvas = request.getfixturevalue(place)
    at = (50, 60) if place == "flat" else (3, 30, 40)
    if place == "solid":
        canvas.viewer.dims.set_current_step(0, 3)
    canvas.hover(at)
    canvas.key(K.Key_M)
    canvas.hover(at)
    lens = canvas.widget.annotate.view.magnifier
    assert isinstance(lens, Magnifier)
    assert lens.isVisible()
    index = canvas.index_at(canvas.pixel(at))
    picture = lens.grab().toImage()
    middle = lens.side // 2
    values = canvas.widget.session.image.array
    low, high = canvas.widget.layers.image.contrast_limits
    expected = np.clip((float(values[tuple(np.round(index).astype(int))]) - low) / (high - low), 0, 1) * 255
    assert picture.pixelColor(middle, middle).red() == pytest.approx(expected, abs=1.5)
    assert lens.factor.min() > canvas.viewer.scene.camera.zoom * min(SPACING_3D if place == "solid" else (1,))
    canvas.hover((*at[:-2], -10, 10))
    assert not lens.isVisible(), "there are no pixels beside the image"
    canvas.hover(at)
    canvas.key(K.Key_W, SHIFT)
    assert not lens.isVisible()


# ---- ruler


def measure(canvas: Canvas, length_mm: float, for_all: bool) -> float:
    """Draw the ruler, type its length and agree; returns how long it was, in px."""
    view = canvas.widget.annotate.view
    canvas.key(K.Key_L)
    assert view.ruler.isChecked()
    first = canvas.click((20, 20))
    canvas.hover((50, 50))
    second = canvas.click((20, 120))
    dialog = view.dialog
    dialog.length.setValue(length_mm)
    (dialog.all if for_all else dialog.this).setChecked(True)
    dialog.ok.click()
    QApplication.processEvents()
    return float(np.linalg.norm(second - first))


@pytest.mark.parametrize("for_all", [False, True])
def test_a_ruler_of_known_length_calibrates_this_image_or_all(flat: Canvas, told: list[str], for_all: bool) -> None:
    session, view = flat.widget.session, flat.widget.annotate.view
    placed = flat.click((60, 60))
    length_px = measure(flat, 25.0, for_all)
    expected = 25.0 / length_px
    np.testing.assert_allclose(session.image.grid.spacing, (expected, expected), rtol=1e-6)
    np.testing.assert_allclose(flat.widget.layers.points.scale, (expected, expected), rtol=1e-6)
    np.testing.assert_allclose(session.shown.point("nasion"), placed, atol=1e-6)
    assert list(session.shown.placed) == [True, False, False], "the ruler's clicks place nothing"
    assert f"{expected:.4g} mm" in view.pixel.text()
    assert f"{expected:.4g} mm" in told[-1]
    assert ("all 3 images" if for_all else "this image") in told[-1]
    again = Project.open(session.project.root)
    known = [again.geometry(case.id).grid.spacing is not None for case in again.cases]
    assert known == ([True] * 3 if for_all else [True, False, False])
    half = np.array(flat.viewer.canvas.size) / 2 / flat.viewer.scene.camera.zoom
    assert (np.array(session.image.grid.shape) * expected / 2 <= half).all(), "the whole image is in view"
    flat.undo()
    assert session.image.grid.spacing is None
    assert [case.spacing for case in Project.open(session.project.root).cases] == [None] * len(again.cases)
    assert list(session.shown.placed) == [True, False, False]
    flat.redo()
    np.testing.assert_allclose(session.image.grid.spacing, (expected, expected), rtol=1e-6)


def test_escape_puts_the_ruler_away_and_clicks_place_again(flat: Canvas) -> None:
    flat.key(K.Key_L)
    flat.click((20, 20))
    layer = flat.widget.canvas.actions.tape.lines.layer
    assert layer.visible
    flat.key(K.Key_Escape)
    assert not layer.visible
    flat.click((40, 40))
    assert flat.widget.session.shown.placed[0]
    assert flat.widget.session.image.grid.spacing is None


def test_a_volume_cannot_be_calibrated_by_a_ruler_on_one_slice(solid: Canvas, told: list[str]) -> None:
    solid.key(K.Key_L)
    assert not solid.widget.canvas.actions.tape.active
    assert "slices" in told[-1]


# ---- beside the image


def test_name_colour_description_and_example_of_the_landmark_stand_beside_the_image(flat: Canvas) -> None:
    session, card = flat.widget.session, flat.widget.annotate.card
    assert "nasion" in card.title.text()
    assert card.where.text() == "Where the nose begins."
    assert not card.example.isVisible()
    folder = session.project.root / "pictures"
    folder.mkdir()
    PillowImage.new("RGB", (300, 150), "red").save(folder / "nasion.png")
    card.refresh()
    assert card.example.isVisible()
    picture = card.example.pixmap()
    assert picture.width() == pytest.approx(2 * picture.height(), abs=1)
    assert picture.toImage().pixelColor(5, 5).name() == "#ff0000"
    color = session.project.schema.definition("sella").color
    session.set_current("sella")
    assert card.where.text() == "The middle of the saddle."
    assert not card.example.isVisible()
    image = card.icon.pixmap().toImage()
    assert image.pixelColor(image.width() // 2, image.height() // 2).name() == color


def test_nothing_is_placed_or_dragged_in_a_3d_rendering(solid: Canvas, told: list[str]) -> None:
    session = solid.widget.session
    session.place((3, 30, 30))
    session.set_mode(LabelMode.QUICK)
    solid.viewer.dims.ndisplay = 3
    QApplication.processEvents()
    before = session.shown
    middle = solid.native.rect().center().toPointF()
    for way in ((0, 0), (0, 40)):
        solid.send(QEvent.Type.MouseButtonPress, middle)
        solid.send(QEvent.Type.MouseMove, middle + type(middle)(*way))
        solid.send(QEvent.Type.MouseButtonRelease, middle + type(middle)(*way))
    assert session.shown is before
    assert len(told) == 1
    assert "slice view" in told[0]


def test_names_of_the_schema_are_those_of_the_tests() -> None:
    assert SCHEMA.names == NAMES


# ---- the whole image


@contextmanager
def narrower(canvas: Canvas) -> Iterator[None]:
    """While the canvas has half its width."""
    window = canvas.viewer.window._qt_window
    (dock,) = (dock for dock in window.findChildren(QDockWidget) if dock.isAncestorOf(canvas.widget))
    before, half = dock.width(), canvas.native.width() // 2
    window.resizeDocks([dock], [before + half], Qt.Orientation.Horizontal)
    QTest.qWait(100)
    try:
        yield
    finally:
        window.resizeDocks([dock], [before], Qt.Orientation.Horizontal)
        QTest.qWait(100)


def is_whole(canvas: Canvas) -> bool:
    """Whether all of the image is seen, and it fills the canvas in one direction."""
    first = canvas.pixel((0, 0))
    last = canvas.pixel(np.array(canvas.widget.session.image.grid.shape) - 1)
    inside = 0 <= first.x() < last.x() <= canvas.native.width() and 0 <= first.y() < last.y() <= canvas.native.height()
    shares = (last.x() - first.x()) / canvas.native.width(), (last.y() - first.y()) / canvas.native.height()
    return inside and max(shares) > 0.8


def test_the_whole_image_stays_in_view_while_the_canvas_changes_its_size(flat: Canvas) -> None:
    assert is_whole(flat)
    before = flat.native.width()
    with narrower(flat):
        assert flat.native.width() < 0.7 * before
        assert is_whole(flat)
    assert is_whole(flat)


@pytest.mark.parametrize("what", ["zoom", "move"])
def test_a_view_that_a_person_chose_stays_while_the_canvas_changes_its_size(flat: Canvas, what: str) -> None:
    camera = flat.viewer.scene.camera
    if what == "zoom":
        camera.zoom *= 1.5
    else:
        camera.center = tuple(np.add(camera.center, (0.0, 5.0, 5.0)))
    before = camera.zoom, tuple(camera.center)
    with narrower(flat):
        assert (camera.zoom, tuple(camera.center)) == before
    flat.viewer.reset_view()


def test_the_command_line_opens_an_image_in_full(qapp: QApplication, project_2d: Project) -> None:
    """As it does it: the panel is docked, and the project opened before the window is laid out."""
    case = project_2d.cases[0]
    points = {name: (20 + 30 * number, 40) for number, name in enumerate(NAMES)}
    done = LandmarkSet.from_points(points, project_2d.geometry(case.id).grid, names=NAMES)
    project_2d.save_annotations(case.id, done)
    viewer = Viewer(show=True)
    try:
        widget = dock(viewer)
        make_room(viewer)
        widget.open_project(project_2d.root)
        QTest.qWait(300)
        assert is_whole(Canvas(viewer, widget))
        screen = QGuiApplication.primaryScreen().availableSize()
        size = viewer.window.geometry()[2:]
        assert size[0] >= min(1200, screen.width())
        make_room(viewer)
        assert viewer.window.geometry()[2:] == size, "a window that has room stays as it is"
        where = widget.annotate.card.where
        assert where.text().startswith("Drag a point to correct it")
        assert where.height() >= where.heightForWidth(where.width())
    finally:
        viewer.close()
