"""The three views of a volume: states by shape, the contrast of the canvas, measurements that follow a drag."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from one_window import one_window, open_fresh
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from window import SHAPE_3D, Canvas, prediction

from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.ortho_views import OrthoViews

K, SHIFT = Qt.Key, Qt.KeyboardModifier.ShiftModifier
SCHEMA = LandmarkSchema.parse(
    {
        "landmarks": [{"name": name} for name in ("nasion", "sella", "menton")],
        "measurements": [{"name": "depth", "kind": "distance", "landmarks": ("nasion", "sella")}],
    }
)


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def solid(window: Canvas, tmp_path: Path, images_3d: list[Path]) -> Canvas:
    """Two volumes with thick slices, and a distance."""
    window.widget.session.model = None
    return open_fresh(window, tmp_path / "study", SCHEMA, images_3d)


def three_views(canvas: Canvas) -> OrthoViews:
    canvas.widget.canvas.actions.view.set_three_views(True)
    QApplication.processEvents()
    return canvas.widget.ortho.views


def test_states_are_told_apart_by_shape_in_the_three_views_too(solid: Canvas) -> None:
    session, views = solid.widget.session, three_views(solid)
    points = {"nasion": (4.0, 15.0, 15.0), "sella": (4.0, 40.0, 20.0), "menton": (4.0, 25.0, 55.0)}
    session.place(points["nasion"])
    session.place(points["sella"])
    session.set_locked("sella", True)
    session.model = "m"
    session.take_prediction(str(session.case_id), prediction(session, {"menton": points["menton"]}))
    solid.widget.layers.show_names(False)
    solid.widget.layers.set_size(40)
    views.look_at((4, 55, 5))
    session.set_current(None)
    picture, view = views.views[0].grab().toImage(), views.views[0]

    def is_own(name: str, offset: QPointF) -> bool:
        at = view.to_widget(points[name]) + offset
        return picture.pixelColor(at.toPoint()).name() == session.project.schema.definition(name).color.lower()

    middle, corner = QPointF(0, 0), QPointF(16, 16)  # a disc of radius 20 does not reach a corner of its square
    assert [is_own("nasion", middle), is_own("nasion", corner)] == [True, False]
    assert [is_own("sella", middle), is_own("sella", corner)] == [True, True]
    assert [is_own("menton", middle), is_own("menton", QPointF(20, 0))] == [False, True]


def test_contrast_keys_hold_in_the_three_views_too(solid: Canvas) -> None:
    views = three_views(solid)
    layer, view = solid.widget.layers.image, views.views[2]
    view.grab()  # what a first look sets up
    QApplication.processEvents()
    before = view.grab().toImage()
    solid.key(K.Key_E, SHIFT)
    low, high = layer.contrast_limits
    row, column = SHAPE_3D[0] // 2, SHAPE_3D[1] // 2
    value = float(views.image.array[row, column, view.slice])
    picture = view._slice_picture()
    drawn = picture.pixelColor(column, picture.height() - 1 - row if view.flipped else row).red()
    assert drawn == pytest.approx(255 * np.clip((value - low) / (high - low), 0, 1), abs=1)
    assert view.grab().toImage() != before
    solid.key(K.Key_T, SHIFT)
    assert view.grab().toImage() == before


def test_a_distance_is_worked_out_anew_during_a_drag_in_one_of_the_three_views(solid: Canvas) -> None:
    session, views, values = solid.widget.session, three_views(solid), solid.widget.measure.table.values
    session.place((4, 30, 30))
    session.place((4, 30, 50))
    solid.widget.tabs.setCurrentWidget(solid.widget.measure)
    assert values.index(0, 1).data() == "16.0 mm"
    view = views.views[1]  # across y: down is z, with 5 mm a slice
    views.look_at((4, 30, 30))
    at, below = (view.to_widget(index).toPoint() for index in ((4, 30, 30), (6, 30, 30)))
    QTest.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    for end in ((at + below) / 2, below):
        held = QMouseEvent(
            QEvent.Type.MouseMove, QPointF(end), QPointF(view.mapToGlobal(end)), Qt.MouseButton.NoButton,
            Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QApplication.sendEvent(view, held)
    moved_mm = 5.0 * (view.to_index(QPointF(below)) - view.to_index(QPointF(at)))[0]
    assert float(values.index(0, 1).data().split()[0]) == pytest.approx(np.hypot(16.0, moved_mm), abs=0.06)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, below)
