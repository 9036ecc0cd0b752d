"""Mouse and keys on the canvas, one behaviour a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari import Viewer
from napari.utils.colormaps.standardize_color import transform_color
from PIL import Image as PillowImage
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QApplication
from window import NAMES, SHAPE_3D, SPACING_3D, Canvas, prediction

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.case_layers import POINTS_NAME
from napari_landmarker.gui.layers import SIZE_PX
from napari_landmarker.gui.widget import LandmarkerWidget
from napari_landmarker.state.modes import LabelMode


def test_a_click_outside_the_image_places_nothing(open_2d: LandmarkerWidget, canvas: Canvas) -> None:
    canvas.click((-8, 50))
    canvas.click((60, 170))
    assert not open_2d.session.shown.placed.any()
    assert not open_2d.session.can_undo


def test_a_drag_on_the_image_pans_and_places_nothing(open_2d: LandmarkerWidget, canvas: Canvas) -> None:
    before = np.array(open_2d.viewer.scene.camera.center)
    canvas.drag((50, 50), (55, 60), (60, 80))
    assert not open_2d.session.shown.placed.any()
    assert np.linalg.norm(np.array(open_2d.viewer.scene.camera.center) - before) > 10


def test_dragging_a_point_does_not_pan_and_shows_it_under_the_mouse_all_the_way(
    open_2d: LandmarkerWidget, canvas: Canvas
) -> None:
    hit = canvas.click((50, 50))
    before = np.array(open_2d.viewer.scene.camera.center)
    edits: list[tuple[str, ...]] = []
    open_2d.session.landmarks_changed.connect(edits.append)
    canvas.send(QEvent.Type.MouseButtonPress, canvas.pixel(hit))
    for target in ((55, 60), (60, 80), (70, 90)):
        pixel = canvas.pixel(target)
        canvas.send(QEvent.Type.MouseMove, pixel)
        np.testing.assert_allclose(open_2d.layers.points.data[0], canvas.index_at(pixel), atol=1e-6)
    assert edits == [], "a drag is one edit, when it ends"
    canvas.send(QEvent.Type.MouseButtonRelease, pixel)
    assert edits == [("nasion",)]
    np.testing.assert_array_equal(open_2d.viewer.scene.camera.center, before)
    assert open_2d.session.current == "sella"


def test_a_point_dragged_off_the_image_stops_at_its_border(open_2d: LandmarkerWidget, canvas: Canvas) -> None:
    hit = canvas.click((50, 50))
    canvas.drag(hit, (55, 60), (130, 60))
    assert open_2d.session.shown.point("nasion")[0] == 119.5
    assert open_2d.layers.points.data[0][0] == 119.5


def test_a_press_takes_the_nearest_point_within_ten_pixels(open_2d: LandmarkerWidget, canvas: Canvas) -> None:
    zoom = open_2d.viewer.scene.camera.zoom
    canvas.click((50, 50))
    canvas.click((50, 50 + 16 / zoom))
    canvas.drag((50, 50 + 7 / zoom), (60, 60), (70, 70))
    canvas.drag((50, 50 + 24 / zoom), (60, 90), (70, 110))
    points = open_2d.session.shown.points
    np.testing.assert_allclose(points[:2], [(70, 70), (70, 110)], atol=12 / zoom)
    assert open_2d.session.current == "menton"


def test_a_click_on_a_point_makes_it_current_and_the_next_click_moves_it_in_quick_mode(
    open_2d: LandmarkerWidget, canvas: Canvas
) -> None:
    hit = canvas.click((50, 50))
    canvas.click(hit)
    assert open_2d.session.current == "nasion"
    assert "Drag to move: nasion" in open_2d.annotate.hint.text()
    canvas.click((80, 90))
    np.testing.assert_allclose(open_2d.session.shown.point("nasion"), hit, atol=1e-6)
    open_2d.session.set_mode(LabelMode.QUICK)
    assert "Click on the image to move: nasion" in open_2d.annotate.hint.text()
    again = canvas.click((80, 90))
    np.testing.assert_allclose(open_2d.session.shown.point("nasion"), again, atol=1e-6)
    assert open_2d.session.current == "nasion"


@pytest.mark.parametrize("key", [Qt.Key.Key_Delete, Qt.Key.Key_Backspace])
def test_delete_removes_the_point_under_the_mouse_or_else_the_current_one(
    open_2d: LandmarkerWidget, canvas: Canvas, key: Qt.Key
) -> None:
    session = open_2d.session
    first = canvas.click((50, 50))
    canvas.click((80, 80))
    canvas.key(key)
    assert list(session.shown.placed) == [True, False, False], "just placed: the mouse is still over it"
    session.set_current("nasion")
    canvas.hover((20, 120))
    canvas.key(key)
    assert not session.shown.placed.any()
    assert session.current == "nasion"
    canvas.undo()
    canvas.undo()
    assert list(session.shown.placed) == [True, True, False]
    np.testing.assert_allclose(session.shown.point("nasion"), first, atol=1e-6)


@pytest.mark.parametrize("which", ["image", "points", "none"])
def test_mouse_and_keys_work_whichever_of_our_layers_is_active(
    open_2d: LandmarkerWidget, canvas: Canvas, which: str
) -> None:
    active = {"image": open_2d.layers.image, "points": open_2d.layers.points, "none": None}[which]
    open_2d.viewer.layers.selection.active = active
    canvas.click((50, 50))
    canvas.undo()
    assert not open_2d.session.shown.placed.any()
    canvas.redo()
    canvas.key(Qt.Key.Key_Delete)
    assert open_2d.session.can_undo
    assert not open_2d.session.shown.placed.any()


def test_another_layer_that_is_active_keeps_mouse_and_keys(open_2d: LandmarkerWidget, canvas: Canvas) -> None:
    labels = open_2d.viewer.add_labels(np.zeros((120, 160), np.uint8))
    labels.mode = "paint"
    canvas.click((50, 50))
    assert labels.data.any()
    assert not open_2d.session.shown.placed.any()


def test_keys_of_the_points_layer_cannot_add_select_copy_or_delete_points(
    open_2d: LandmarkerWidget, canvas: Canvas
) -> None:
    layer = open_2d.layers.points
    canvas.click((50, 50))
    ctrl = Qt.KeyboardModifier.ControlModifier
    for key, modifiers in (
        (Qt.Key.Key_A, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_A, ctrl),
        (Qt.Key.Key_C, ctrl),
        (Qt.Key.Key_V, ctrl),
        (Qt.Key.Key_1, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_2, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_P, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_5, Qt.KeyboardModifier.NoModifier),
    ):
        canvas.key(key, modifiers)
    assert (len(layer.data), len(layer.selected_data), str(layer.mode)) == (1, 0, "pan_zoom")


def test_the_status_bar_names_no_tool_that_is_off(open_2d: LandmarkerWidget, viewer: Viewer) -> None:
    for layer in (open_2d.layers.image, open_2d.layers.points):
        viewer.layers.selection.active = layer
        assert viewer.help == layer.help == "click to place the current landmark, drag a point to move it"
    open_2d.session.next_case()
    open_2d.session.place((10, 10))
    assert viewer.help == "click to place the current landmark, drag a point to move it"


def test_a_double_click_does_not_zoom(open_2d: LandmarkerWidget, canvas: Canvas) -> None:
    zoom = open_2d.viewer.scene.camera.zoom
    canvas.click((50, 50))
    pixel = canvas.pixel((50, 50))
    canvas.send(QEvent.Type.MouseButtonDblClick, pixel)
    canvas.send(QEvent.Type.MouseButtonRelease, pixel)
    assert open_2d.viewer.scene.camera.zoom == zoom
    assert list(open_2d.session.shown.placed) == [True, False, False]


def test_page_keys_step_through_the_images(open_2d: LandmarkerWidget, canvas: Canvas) -> None:
    canvas.key(Qt.Key.Key_PageDown)
    assert open_2d.session.case_id == "head_1"
    canvas.key(Qt.Key.Key_PageUp)
    assert open_2d.session.case_id == "head_0"


def test_status_is_shown_by_shape_and_rim(open_2d: LandmarkerWidget) -> None:
    session = open_2d.session
    session.place((10, 10))
    session.take_prediction("head_0", prediction(session, {"sella": (20, 20), "menton": (30, 40)}), model="m")
    session.model = "m"
    session.open_case("head_0")
    session.move("sella", (30, 30))
    layer = open_2d.layers.points
    assert [str(symbol) for symbol in layer.symbol] == ["disc", "disc", "ring"]
    np.testing.assert_array_equal(layer.border_color[:, 0], [0, 1, 0])
    assert list(layer.features["name"]) == ["nasion", "sella", "menton"]


def test_points_keep_their_size_on_the_screen(open_2d: LandmarkerWidget, canvas: Canvas) -> None:
    canvas.click((50, 50))
    layer, camera = open_2d.layers.points, open_2d.viewer.scene.camera
    on_screen = layer.size[0] * camera.zoom
    camera.zoom *= 3
    np.testing.assert_allclose(layer.size[0] * camera.zoom, on_screen)


def test_layers_that_are_deleted_come_back_with_the_next_image(open_2d: LandmarkerWidget, canvas: Canvas) -> None:
    open_2d.viewer.layers.clear()
    canvas.key(Qt.Key.Key_Delete)
    open_2d.session.next_case()
    QApplication.processEvents()
    assert [layer.name for layer in open_2d.viewer.layers] == ["head_1", POINTS_NAME]
    canvas.click((50, 50))
    assert open_2d.session.shown.placed[0]


# ---- volumes


def test_layers_of_a_volume_have_its_spacing(open_3d: LandmarkerWidget) -> None:
    for layer in (open_3d.layers.image, open_3d.layers.points):
        np.testing.assert_allclose(layer.scale, SPACING_3D)
        assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    assert open_3d.layers.image.data.shape == SHAPE_3D


def test_a_row_of_the_table_brings_its_slice_into_view(open_3d: LandmarkerWidget, canvas: Canvas) -> None:
    dims = open_3d.viewer.dims
    dims.set_current_step(0, 1)
    canvas.click((1, 20, 20))
    dims.set_current_step(0, 6)
    canvas.click((6, 30, 30))
    open_3d.annotate.landmarks.selectRow(0)
    assert (open_3d.session.current, dims.current_step[0]) == ("nasion", 1)
    open_3d.annotate.landmarks.selectRow(1)
    assert (open_3d.session.current, dims.current_step[0]) == ("sella", 6)


def test_a_point_between_slices_opens_the_slice_it_is_seen_on(open_3d: LandmarkerWidget) -> None:
    session, dims = open_3d.session, open_3d.viewer.dims
    session.place((4.4, 20, 20))
    dims.set_current_step(0, 1)
    open_3d.layers.bring_into_view("nasion")
    assert dims.current_step[0] == 4
    np.testing.assert_allclose(dims.point[0], 4 * SPACING_3D[0])


def test_a_row_of_the_table_centres_on_a_point_that_is_out_of_sight(open_2d: LandmarkerWidget) -> None:
    open_2d.session.place((110, 150))
    open_2d.viewer.scene.camera.zoom = 40
    open_2d.viewer.scene.camera.center = (0, 10, 10)
    open_2d.annotate.landmarks.selectRow(0)
    np.testing.assert_allclose(open_2d.viewer.scene.camera.center[-2:], (110, 150))


def test_points_of_other_slices_are_neither_taken_nor_removed(open_3d: LandmarkerWidget, canvas: Canvas) -> None:
    dims = open_3d.viewer.dims
    dims.set_current_step(0, 1)
    hit = canvas.click((1, 20, 20))
    dims.set_current_step(0, 2)
    QApplication.processEvents()
    canvas.drag(hit, np.add(hit, (0, 9, 9)), np.add(hit, (0, 20, 20)))
    canvas.key(Qt.Key.Key_Delete)
    np.testing.assert_allclose(open_3d.session.shown.point("nasion"), hit, atol=1e-6)


def test_placing_works_in_every_orientation(open_3d: LandmarkerWidget, canvas: Canvas) -> None:
    open_3d.viewer.dims.order = (1, 0, 2)
    open_3d.viewer.reset_view()
    open_3d.viewer.dims.set_current_step(1, 30)
    QApplication.processEvents()
    hit = canvas.click((4.2, 30, 40.3))
    assert hit[1] == 30
    np.testing.assert_allclose(open_3d.session.shown.point("nasion"), hit, atol=1e-6)


def test_the_3d_view_refuses_a_click_kindly(open_3d: LandmarkerWidget, canvas: Canvas, told: list[str]) -> None:
    open_3d.viewer.dims.ndisplay = 3
    QApplication.processEvents()
    pixel = canvas.native.rect().center().toPointF()
    canvas.send(QEvent.Type.MouseButtonPress, pixel)
    canvas.send(QEvent.Type.MouseButtonRelease, pixel)
    assert not open_3d.session.shown.placed.any()
    assert len(told) == 1
    assert "slice view" in told[0]


def test_a_slice_without_points_shows_none(open_3d: LandmarkerWidget, canvas: Canvas) -> None:
    session, viewer = open_3d.session, open_3d.viewer
    session.place((2.0, 30.0, 30.0))
    viewer.dims.set_point(0, 6 * SPACING_3D[0])
    QApplication.processEvents()
    with_layer = viewer.screenshot(canvas_only=True, flash=False)
    open_3d.layers.points.visible = False
    np.testing.assert_array_equal(with_layer, viewer.screenshot(canvas_only=True, flash=False))
    open_3d.layers.points.visible = True
    viewer.dims.set_point(0, 2 * SPACING_3D[0])
    assert (with_layer != viewer.screenshot(canvas_only=True, flash=False)).any()


def test_a_veil_over_an_image_of_another_size_does_not_stretch_the_view(
    viewer: Viewer, widget: LandmarkerWidget, tmp_path: Path
) -> None:
    paths = []
    for number, shape in enumerate([(300, 400), (60, 80)]):
        paths.append(tmp_path / f"{number}.png")
        PillowImage.fromarray(np.zeros(shape, np.uint8)).save(paths[-1])
    session = widget.session
    session.open_project(create_project(tmp_path / "p", LandmarkSchema.from_names(NAMES), paths))
    viewer.add_image(np.zeros((300, 400)), name="veil", metadata={"landmarker": "heatmap"})
    session.open_case("1")
    assert [layer.name for layer in viewer.layers] == ["1", "Landmarks"]
    assert viewer.layers.extent.world[1].tolist() == [59, 79]


def test_accepting_goes_on_to_the_next_prediction_and_its_slice(open_3d: LandmarkerWidget) -> None:
    session, dims = open_3d.session, open_3d.viewer.dims
    found = prediction(session, {"nasion": (1, 20, 20), "sella": (6, 30, 30), "menton": (3, 40, 40)})
    session.take_prediction("scan_0", found, model="m")
    session.model = "m"
    session.open_case("scan_0")
    open_3d.annotate.landmarks.selectRow(0)
    for name, step in (("sella", 6), ("menton", 3)):
        open_3d.annotate.accept.click()
        assert (session.current, dims.current_step[0]) == (name, step)
    open_3d.annotate.accept.click()
    assert session.current is None
    assert session.progress("scan_0") == (3, 3)


def test_points_stand_before_a_rendered_volume(open_3d: LandmarkerWidget, canvas: Canvas) -> None:
    canvas.click((4, 30, 35))
    open_3d.session.set_current(None)
    open_3d.annotate.names.setChecked(False)
    open_3d.viewer.dims.ndisplay = 3
    QApplication.processEvents()
    picture = open_3d.viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    red, green, blue = transform_color(open_3d.session.project.schema.definition("nasion").color)[0, :3] * 255
    seen = (np.abs(picture - (red, green, blue)) < 12).all(axis=-1).sum()
    whole_disc_px = np.pi * (SIZE_PX * 0.84 / 2) ** 2
    assert seen > 0.6 * whole_disc_px
    assert open_3d.canvas.names.texts.layer.text.blending == open_3d.layers.points.blending
