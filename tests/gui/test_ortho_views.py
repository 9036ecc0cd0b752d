"""Volumes from three sides at once: one crosshair, one place for a click in every view, and what lies nearby."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import nibabel
import numpy as np
import pytest
from machine import slowness
from one_window import one_window, open_fresh
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from window import NAMES, SHAPE_3D, SPACING_3D, Canvas

from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.ortho_view import OrthoView
from napari_landmarker.gui.ortho_views import OrthoViews
from napari_landmarker.state.modes import LabelMode

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def solid(window: Canvas, tmp_path: Path, images_3d: list[Path]) -> Canvas:
    """Two volumes with thick slices; views that are shown already stay."""
    return open_fresh(window, tmp_path / "study", LandmarkSchema.from_names(NAMES), images_3d)


def shown(canvas: Canvas) -> OrthoViews:
    """The three views, switched on."""
    canvas.widget.canvas.actions.view.set_three_views(True)
    QApplication.processEvents()
    views = canvas.widget.ortho.views
    assert views is not None
    return views


def put(view: OrthoView, index: tuple[float, ...]) -> QPoint:
    """The pixel of a view at which an index coordinate lies."""
    return view.to_widget(index).toPoint()


def click(view: OrthoView, index: tuple[float, ...], button: Qt.MouseButton = LEFT) -> np.ndarray:
    """Click there; returns the index coordinates that were hit."""
    at = put(view, index)
    QTest.mouseClick(view, button, NONE, at)
    return view.to_index(QPointF(at))


def move(view: OrthoView, at: QPoint, held: Qt.MouseButton = Qt.MouseButton.NoButton) -> None:
    """Move the mouse there."""
    event = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(at), QPointF(view.mapToGlobal(at)), Qt.MouseButton.NoButton, held, NONE
    )
    QApplication.sendEvent(view, event)


def drag(view: OrthoView, start: tuple[float, ...], end: tuple[float, ...]) -> np.ndarray:
    """Press at one place and let go at another; returns how far it was, in index coordinates."""
    a, b = put(view, start), put(view, end)
    QTest.mousePress(view, LEFT, NONE, a)
    move(view, (a + b) / 2, LEFT)
    move(view, b, LEFT)
    way = view.to_index(QPointF(b)) - view.to_index(QPointF(a))
    QTest.mouseRelease(view, LEFT, NONE, b)
    QApplication.processEvents()
    return way


def test_a_click_in_each_view_places_at_the_very_place(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    for axis, name in enumerate(NAMES):
        views.look_at((5, 20, 30))
        target = [6.0, 25.0, 40.0]
        target[axis] = (5, 20, 30)[axis]
        hit = click(views.views[axis], tuple(target))
        point = session.annotations.point(name)
        np.testing.assert_allclose(point, hit, atol=1e-9)
        assert point[axis] == target[axis]
        others = [other for other in range(3) if other != axis]
        away = np.abs(point - target)[others] * np.array(SPACING_3D)[others]
        assert away.max() <= 0.5 * (SPACING_3D[1] / np.abs(views.views[axis].scale).min() + 1)
        np.testing.assert_allclose(views.cross, np.clip(point, 0, np.array(SHAPE_3D) - 1))


def lying(folder: Path, lean_deg: float = 0.0) -> tuple[Path, np.ndarray]:
    """A volume of thick slices that is stored sagittal, with every axis the other way round, and leans to the left.

    Returns:
        Its file, and the matrix from index coordinates ``(z, y, x)`` of the volume as it is shown to world (LPS).
    """
    size_mm = np.array([3.0, 0.7, 1.3])  # along x, y, z of the patient
    shape_xyz = (12, 40, 30)
    c, s = np.cos(np.radians(lean_deg)), np.sin(np.radians(lean_deg))
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    lps = np.eye(4)
    lps[:3, :3] = (turn * size_mm)[:, ::-1]
    lps[:3, 3] = (7.0, -15.0, 40.0)
    last = np.array([shape_xyz[1] - 1, shape_xyz[2] - 1, shape_xyz[0] - 1])  # stored order: y, z, x, each backwards
    stored = np.eye(4)
    stored[:3, :3] = lps[:3, [1, 0, 2]] * -1  # columns of the shown z, y, x are those of 0, 1, 2
    stored[:3, 3] = (lps @ [last[1], last[0], last[2], 1])[:3]
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ stored
    values = np.random.default_rng(1).integers(0, 900, last + 1, dtype=np.int16)
    folder.mkdir()
    nibabel.save(nibabel.Nifti1Image(values, ras), folder / "lying.nii.gz")
    return folder / "lying.nii.gz", lps


def test_a_click_at_a_place_of_the_patient_is_exact_in_a_turned_volume(window: Canvas, tmp_path: Path) -> None:
    path, lps = lying(tmp_path / "turned")
    open_fresh(window, tmp_path / "lying", LandmarkSchema.from_names(NAMES), [path])
    views, session, target = shown(window), window.widget.session, np.array([17.0, 22.0, 5.0])
    place = (lps @ [*target, 1])[:3]
    index = session.image.grid.world_to_index(place)
    np.testing.assert_allclose(index, target, atol=1e-4)  # the file has its numbers in single precision
    values = nibabel.load(path).get_fdata()
    y, z, x = np.array([39, 29, 11]) - target[[1, 0, 2]].astype(int)
    assert views.image.array[17, 22, 5] == values[y, z, x]
    low, high = views.layer.contrast_limits
    for view, name in zip(views.views, NAMES, strict=True):
        views.look_at(target)
        at = view.to_widget(index)
        everywhere = QPointF(view.mapToGlobal(at.toPoint()))
        for kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease):
            QApplication.sendEvent(view, QMouseEvent(kind, at, everywhere, LEFT, LEFT, NONE))
        expected = np.where(np.arange(3) == view.axis, target, index)
        np.testing.assert_allclose(session.annotations.point(name), expected, atol=1e-6)
        down, across = np.abs(view.scale) / np.array([1.3, 0.7, 3.0])[[view.row, view.column]]
        assert down == pytest.approx(across, rel=1e-5)
        row, column = target[[view.row, view.column]].astype(int)
        picture = view._slice_picture()
        drawn = picture.pixelColor(column, picture.height() - 1 - row if view.flipped else row).red()
        assert drawn == pytest.approx(255 * np.clip((values[y, z, x] - low) / (high - low), 0, 1), abs=1)
        session.move(name, (0, 0, 0))  # out of the way of the next click


def test_slices_that_lean_in_the_patient_are_called_oblique(window: Canvas, tmp_path: Path) -> None:
    path, _ = lying(tmp_path / "leaning", 20.0)
    open_fresh(window, tmp_path / "lean", LandmarkSchema.from_names(NAMES), [path])
    titles = [view.title.split("  ")[0] for view in shown(window).views]
    assert titles == ["Oblique axial", "Coronal", "Oblique sagittal"]  # it turns about the axis from front to back


def test_a_slice_of_a_large_volume_is_drawn_at_once(solid: Canvas) -> None:
    """512x512x400 voxels of 16 bits: within 50 ms a view, the fastest of three as other programs are at work."""
    views = shown(solid)
    memory = np.zeros(2**26, np.int16)  # rows overlap, to take less of it
    large = np.lib.stride_tricks.as_strided(memory, (400, 512, 512), (2**18, 2**9, 2))
    views._image = Image.from_array(large[:, ::-1, ::-1])  # as NIfTI files are turned
    for view in views.views:
        took = []
        for index in (100, 101, 102):
            views.cross = np.full(3, float(index))
            start = perf_counter()
            view.grab()
            took.append(perf_counter() - start)
        assert min(took) < 0.05 * slowness()


def test_a_pixel_of_every_view_is_as_long_as_in_the_patient(solid: Canvas) -> None:
    for view in shown(solid).views:
        down, across = np.abs(view.scale) / np.array(SPACING_3D)[[view.row, view.column]]
        assert down == pytest.approx(across)


def test_head_back_and_left_are_where_radiologists_have_them(solid: Canvas) -> None:
    """The file is stored from left to right, back to front: all that is turned when it is read."""
    views = shown(solid)
    axial, coronal, sagittal = views.views
    low, high = np.zeros(3), np.array(SHAPE_3D) - 1
    assert axial.title.startswith("Axial")
    for view in (coronal, sagittal):
        assert view.to_widget(low).y() > view.to_widget(high).y()  # the feet are below
    assert axial.to_widget(low).y() < axial.to_widget(high).y()  # the face is above
    for view in (axial, coronal):
        assert view.to_widget(low).x() < view.to_widget(high).x()  # the patient's left is on the right
    path = solid.widget.session.project.image_path(solid.widget.session.case_id)
    stored = np.asarray(nibabel.load(path).dataobj)
    world = nibabel.load(path).affine @ [3, 4, 2, 1]
    index = views.image.grid.world_to_index(np.array([-world[0], -world[1], world[2]]))
    assert views.image.array[tuple(np.round(index).astype(int))] == stored[3, 4, 2]
    views.look_at(index)
    for view in views.views:
        picture = view._slice_picture()
        row, column = np.round(index[[view.row, view.column]]).astype(int)
        row = picture.height() - 1 - row if view.flipped else row
        grey = picture.pixelColor(int(column), int(row)).red()
        a, b = views.layer.contrast_limits
        assert grey == pytest.approx(255 * np.clip((stored[3, 4, 2] - a) / (b - a), 0, 1), abs=1)


def test_of_a_volume_that_does_not_say_how_it_lies_no_side_is_named(window: Canvas, tmp_path: Path) -> None:
    path = tmp_path / "unknown.npy"
    np.save(path, np.zeros((6, 20, 30), np.uint8))
    open_fresh(window, tmp_path / "other", LandmarkSchema.from_names(NAMES), [path])
    views = shown(window)
    assert not views.oriented
    assert [view.title.split("  ")[0] for view in views.views] == ["Across z", "Across y", "Across x"]
    assert all((view.scale > 0).all() for view in views.views)


def test_the_right_button_moves_the_crosshair_and_the_slice_of_the_canvas(solid: Canvas) -> None:
    views = shown(solid)
    hit = click(views.views[1], (2, 30, 12), RIGHT)
    assert round(hit[0]) == 2
    np.testing.assert_allclose(views.cross, hit)
    assert solid.viewer.dims.current_step[0] == 2
    assert solid.widget.session.annotations.placed.sum() == 0


def test_the_slider_of_the_canvas_moves_the_crosshair(solid: Canvas) -> None:
    views = shown(solid)
    solid.viewer.dims.set_current_step(0, 6)
    assert views.views[0].slice == 6
    assert views.views[0].title.endswith("6 / 7")


def test_a_point_that_is_clicked_on_the_canvas_takes_the_crosshair(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    session.place((4, 30, 30))
    session.place((4, 10, 60))
    views.look_at((4, 50, 50))
    solid.click((4, 30, 30))
    np.testing.assert_allclose(views.cross, (4, 30, 30))
    click(views.views[0], (4, 10, 60))
    assert session.current == "sella"
    np.testing.assert_allclose(views.cross, (4, 10, 60))


def test_the_views_begin_at_the_landmark_that_is_chosen(solid: Canvas) -> None:
    session, view = solid.widget.session, solid.widget.canvas.actions.view
    view.set_three_views(False)
    session.place((2, 10, 60))
    session.place((2, 40, 20))
    session.set_current("sella")
    solid.viewer.dims.set_current_step(0, 2)
    np.testing.assert_allclose(shown(solid).cross, (2, 40, 20))
    np.testing.assert_allclose(shown(solid).centre, (np.array(SHAPE_3D) - 1) / 2)
    session.open_case("scan_1")
    session.open_case("scan_0")
    np.testing.assert_allclose(shown(solid).cross, (2, 10, 60))  # the first of an image is the one that it opens at


def test_a_chosen_landmark_is_shown_in_all_views(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    session.place((2, 10, 60))
    session.place((6, 40, 20))
    solid.widget.annotate.landmarks.selectRow(0)
    np.testing.assert_allclose(views.cross, (2, 10, 60))
    solid.widget.annotate.landmarks.selectRow(1)
    np.testing.assert_allclose(views.cross, (6, 40, 20))


def test_a_drag_in_one_view_moves_the_landmark_and_the_others_follow(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    session.place((4, 30, 30))
    solid.widget.layers.bring_into_view("nasion")
    way = drag(views.views[2], (4, 30, 30), (6, 45, 30))
    assert abs(way[0]) > 1
    np.testing.assert_allclose(session.annotations.point("nasion"), np.array((4, 30, 30)) + way, atol=1e-9)
    np.testing.assert_allclose(views.cross, session.annotations.point("nasion"))
    solid.undo()
    np.testing.assert_allclose(session.annotations.point("nasion"), (4, 30, 30))


def test_a_locked_landmark_stays_in_every_view(solid: Canvas, told: list[str]) -> None:
    views, session = shown(solid), solid.widget.session
    session.place((4, 30, 30))
    session.set_locked("nasion", True)
    solid.widget.layers.bring_into_view("nasion")
    drag(views.views[2], (4, 30, 30), (6, 45, 30))
    np.testing.assert_allclose(session.annotations.point("nasion"), (4, 30, 30))
    assert told


def test_the_labelling_mode_holds_in_every_view(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    session.set_mode(LabelMode.QUICK)
    session.place((4, 30, 30))
    hit = click(views.views[0], (4, 10, 50))
    np.testing.assert_allclose(session.annotations.point("nasion"), hit, atol=1e-9)
    assert session.current == "nasion"


def test_the_wheel_goes_through_the_slices_and_with_ctrl_it_zooms(solid: Canvas) -> None:
    views = shown(solid)
    view, before = views.views[1], views.views[1].slice

    def wheel(modifiers: Qt.KeyboardModifier) -> None:
        middle = QPointF(view.rect().center())
        event = QWheelEvent(
            middle,
            QPointF(view.mapToGlobal(middle.toPoint())),
            QPoint(),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            modifiers,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(view, event)

    wheel(NONE)
    assert view.slice == before + 1
    wheel(Qt.KeyboardModifier.ControlModifier)
    assert (view.slice, views.zoom) == (before + 1, pytest.approx(1.2))


def test_keys_mean_the_landmark_under_the_mouse_in_a_view(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    session.place((4, 30, 30))
    session.place((4, 10, 10))
    views.look_at((4, 30, 30))
    move(views.views[0], put(views.views[0], (4, 30, 30)))
    solid.key(Qt.Key.Key_Delete)
    assert session.annotations.status_of("nasion") == LandmarkStatus.UNPLACED
    assert session.annotations.status_of("sella") == LandmarkStatus.CONFIRMED
    QTest.mouseMove(solid.native)
    QApplication.processEvents()


def test_the_views_can_be_gone_through_and_worked_in_by_keys(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    session.place((4, 30, 30))
    session.place((4, 10, 10))
    views.look_at((4, 30, 30))
    view = views.views[2]
    view.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.slice == 31
    QTest.keyClick(view, Qt.Key.Key_Left)
    QTest.keyClick(view, Qt.Key.Key_Left)
    assert view.slice == 29
    assert {other.focusPolicy() for other in views.views} == {Qt.FocusPolicy.StrongFocus}
    session.set_current("nasion")
    QTest.keyClick(view, Qt.Key.Key_E)
    assert session.current == "sella"
    np.testing.assert_allclose(views.cross, (4, 10, 10))


def test_when_the_canvas_is_turned_it_shows_the_slice_through_the_crosshair(solid: Canvas) -> None:
    views, dims = shown(solid), solid.viewer.dims
    views.look_at((3, 17, 44))
    dims.order = (2, 0, 1)
    assert dims.current_step[2] == 44
    views.look_at((3, 17, 21))
    assert dims.current_step[2] == 21
    dims.order = (0, 1, 2)
    assert dims.current_step[0] == 3


def test_hidden_points_are_neither_drawn_nor_placed_in_the_views(solid: Canvas) -> None:
    views, session = shown(solid), solid.widget.session
    session.place((4, 30, 30))
    views.look_at((4, 30, 30))
    solid.widget.layers.points.visible = False
    click(views.views[0], (4, 10, 50))
    assert session.annotations.placed.sum() == 1
    assert views.views[0].name_near(QPointF(put(views.views[0], (4, 30, 30)))) is None
    solid.widget.layers.points.visible = True


def test_u_shows_and_hides_the_views_and_a_picture_has_none(
    window: Canvas, solid: Canvas, tmp_path: Path, images_2d: list[Path], told: list[str]
) -> None:
    solid.widget.canvas.actions.view.set_three_views(False)
    assert solid.widget.ortho.views is None
    solid.key(Qt.Key.Key_U)
    assert solid.widget.ortho.views is not None
    assert solid.widget.annotate.view.three.isChecked()
    solid.key(Qt.Key.Key_U)
    assert solid.widget.ortho.views is None
    open_fresh(window, tmp_path / "flat", LandmarkSchema.from_names(NAMES), images_2d)
    assert not window.widget.annotate.view.three.isVisible()
    window.key(Qt.Key.Key_U)
    assert window.widget.ortho.views is None
    assert "for volumes" in told[-1]


def test_an_image_that_was_seen_as_a_whole_still_is_beside_the_views(solid: Canvas) -> None:
    view, camera = solid.widget.canvas.actions.view, solid.viewer.scene.camera
    view.set_three_views(False)
    QTest.qWait(50)
    solid.viewer.reset_view()
    view.set_three_views(True)
    QTest.qWait(50)
    width = SHAPE_3D[2] * SPACING_3D[2] * camera.zoom
    assert 0.5 * solid.native.width() < width <= solid.native.width()
    view.set_three_views(False)
    QTest.qWait(50)
    camera.zoom = 40.0
    view.set_three_views(True)
    QTest.qWait(50)
    assert camera.zoom == 40.0


def test_landmarks_fade_over_the_neighbouring_slices_of_the_canvas(solid: Canvas) -> None:
    session, dims = solid.widget.session, solid.viewer.dims
    session.place((2, 20, 30))
    near = solid.widget.canvas.near
    strengths, sizes = [], []
    for at in (2, 3, 4, 5, 6):
        dims.set_current_step(0, at)
        seen = near.layer is not None and near.layer.visible
        strengths.append(float(near.layer.face_color[0, 3]) if seen else 0.0)
        sizes.append(float(near.layer.size[0]) if seen else 0.0)
        if seen:
            np.testing.assert_allclose(near.layer.data, [(at, 20, 30)])
    assert strengths[0] == strengths[4] == 0  # on its own slice it is a point, and far away nothing
    assert 0.7 > strengths[1] > strengths[2] > strengths[3] > 0
    assert sizes[1] > sizes[2] > sizes[3] > 0
    dims.set_current_step(0, 3)
    session.set_current("nasion")
    solid.drag((3, 20, 30), (3, 40, 50))
    np.testing.assert_allclose(session.annotations.point("nasion"), (2, 20, 30))  # nothing to take hold of
