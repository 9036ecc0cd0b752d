"""Every layer of ours, while it is the active one: no key of napari's changes it, and all of our keys work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image, Layer, Points, Shapes, Surface, Vectors
from one_window import one_window, open_fresh
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from window import NAMES, Canvas

from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.uncertainty import Ellipsoid
from napari_landmarker.gui import overlay
from napari_landmarker.gui.keys import KEYS
from napari_landmarker.gui.region_layer import EVERY
from napari_landmarker.state.modes import LabelMode

K, CTRL, SHIFT = Qt.Key, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
NO = Qt.KeyboardModifier.NoModifier
#: Two triangles.
CORNERS = np.array([[10.0, 10.0], [10.0, 60.0], [60.0, 10.0], [60.0, 60.0]])
MAKE = {
    "points": lambda how: Points(CORNERS, **how),
    "shapes": lambda how: Shapes([CORNERS[:3], CORNERS[1:]], shape_type="path", **how),
    "vectors": lambda how: Vectors(CORNERS.reshape(2, 2, 2), **how),
    "surface": lambda how: Surface((CORNERS, np.array([[0, 1, 2], [1, 2, 3]])), **how),
    "image": lambda how: Image(np.eye(50, dtype=np.float32), **how),
}


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def flat(window: Canvas, tmp_path: Path, images_2d: list[Path]) -> Canvas:
    """Three pictures."""
    return open_fresh(window, tmp_path / "study", LandmarkSchema.from_names(NAMES), images_2d)


def content(layer: Layer) -> list[np.ndarray]:
    """What a layer shows, and where."""
    data = layer.data if isinstance(layer, (Shapes, Surface)) else [layer.data]
    return [*(np.array(part) for part in data), np.array(layer.affine.affine_matrix)]


def assert_as_before(layer: Layer, before: list[np.ndarray]) -> None:
    after = content(layer)
    assert len(after) == len(before)
    for one, other in zip(after, before, strict=True):
        np.testing.assert_array_equal(one, other)


def press_naparis_keys(canvas: Canvas) -> None:
    """The keys with which napari chooses, removes, copies, adds, turns and reorders what a layer holds."""
    numbers = (K.Key_1, K.Key_2, K.Key_3, K.Key_4, K.Key_5, K.Key_6, K.Key_7)
    letters = (K.Key_P, K.Key_S, K.Key_I, K.Key_X, K.Key_A)
    for key in (*numbers, *letters):
        canvas.key(key)
    for key, modifiers in ((K.Key_A, CTRL), (K.Key_A, SHIFT), (K.Key_P, SHIFT), (K.Key_L, SHIFT), (K.Key_Return, NO)):
        canvas.key(key, modifiers)


def choose_everything(layer: Any) -> None:
    """Choose all that a layer holds, so that a key which acts on what is chosen has something to act on."""
    if isinstance(layer, (Points, Shapes)):
        layer.selected_data = set(range(len(layer.data)))


@pytest.mark.parametrize("kind", MAKE)
def test_naparis_keys_change_nothing_in_a_layer_of_ours(flat: Canvas, kind: str) -> None:
    session, viewer = flat.widget.session, flat.viewer
    layer = MAKE[kind]({"metadata": {"landmarker": "test"}})
    overlay.insert(viewer, layer)
    assert viewer.layers.selection.active is flat.widget.layers.points, "it does not become active by itself"
    assert viewer.layers.index(layer) == viewer.layers.index(flat.widget.layers.points) - 1
    viewer.layers.selection.active = layer
    before = content(layer)
    choose_everything(layer)
    press_naparis_keys(flat)
    choose_everything(layer)
    for key in (K.Key_C, K.Key_V):
        flat.key(key, CTRL)
    for key in (K.Key_Delete, K.Key_Backspace):
        flat.key(key)
    for key in (K.Key_B, K.Key_F):
        flat.key(key)
    assert_as_before(layer, before)
    assert str(layer.mode) == "pan_zoom"
    assert not layer.editable
    layer.editable = True
    assert not layer.editable, "napari allows edits again whenever a layer gets new data"
    assert not session.can_undo, "keys that found nothing to act on changed no landmark"
    overlay.remove(viewer, layer)


@pytest.mark.parametrize("kind", MAKE)
def test_our_keys_work_while_a_layer_of_ours_is_active(flat: Canvas, kind: str) -> None:
    session, viewer = flat.widget.session, flat.viewer
    flat.click((30, 30))
    layer = MAKE[kind]({"metadata": {"landmarker": "test"}})
    overlay.insert(viewer, layer)
    viewer.layers.selection.active = layer
    flat.hover((100, 140))
    flat.key(K.Key_Delete)
    assert session.shown.status_of("nasion").value == "confirmed", "the current landmark is the next one"
    flat.key(K.Key_Q)
    assert session.current == "nasion"
    flat.key(K.Key_B)
    assert session.locked("nasion")
    flat.key(K.Key_B)
    flat.key(K.Key_Delete)
    assert session.shown.status_of("nasion").value == "unplaced"
    flat.key(K.Key_T)
    assert session.mode is LabelMode.QUICK
    flat.key(K.Key_D)
    assert session.case_id == "head_1"
    flat.undo()
    assert (session.case_id, session.shown.status_of("nasion").value) == ("head_0", "confirmed")
    overlay.remove(viewer, layer)


def test_every_key_of_the_table_is_a_key_of_every_layer_of_ours(flat: Canvas) -> None:
    layers = flat.widget.predict.regions.layer
    layers.which = EVERY
    layers.show({"nasion": Ellipsoid(flat.widget.session.image.grid, (40.0, 70.0), np.diag([9.0, 4.0]), 2.0)})
    flat.widget.session.set_current("nasion")
    flat.click((40, 70))
    layers.refresh()
    ours = [layer for layer in flat.viewer.layers if flat.widget.layers.is_ours(layer)]
    assert layers.shapes in ours
    for layer in ours:
        bound = {str(sequence) for sequence in layer.keymap}
        assert {sequence for key in KEYS for sequence in key.sequences if sequence != "?"} <= bound
    flat.viewer.layers.selection.active = layers.shapes
    flat.key(K.Key_A)
    layers.shapes.selected_data = {0}
    flat.key(K.Key_Delete)
    assert len(layers.shapes.data) == 1, "the region stays; the landmark went"
    assert flat.widget.session.shown.status_of("nasion").value == "unplaced"


# ---- Ctrl+Y


@pytest.mark.parametrize("active", ["points", "none"])
def test_ctrl_y_does_again_what_was_taken_back_and_else_is_naparis(flat: Canvas, active: str) -> None:
    session, viewer = flat.widget.session, flat.viewer
    if active == "none":
        viewer.layers.selection.active = None
    flat.key(K.Key_Y, CTRL)
    assert viewer.dims.ndisplay == 3, "with nothing to redo it turns the view, as everywhere in napari"
    flat.key(K.Key_Y, CTRL)
    assert viewer.dims.ndisplay == 2
    viewer.layers.selection.active = flat.widget.layers.points
    hit = flat.click((30, 30))
    flat.undo()
    assert session.can_redo
    flat.key(K.Key_Y, CTRL)
    np.testing.assert_allclose(session.shown.point("nasion"), hit, atol=1e-6)
    assert viewer.dims.ndisplay == 2


def test_ctrl_y_is_naparis_in_a_layer_that_is_not_ours(flat: Canvas) -> None:
    flat.click((30, 30))
    flat.undo()
    labels = flat.viewer.add_labels(np.zeros((120, 160), np.uint8))
    flat.key(K.Key_Y, CTRL)
    assert flat.viewer.dims.ndisplay == 3
    assert flat.widget.session.can_redo
    flat.viewer.layers.remove(labels)
