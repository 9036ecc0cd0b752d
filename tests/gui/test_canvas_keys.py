"""The keys of the window and the labelling modes, one behaviour a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from napari.settings import get_settings
from one_window import one_window, open_fresh
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel
from window import NAMES, Canvas, prediction

from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.keys import KEYS, readable
from napari_landmarker.gui.landmark_actions import LandmarkActions
from napari_landmarker.gui.marks import STATUS_WORDS
from napari_landmarker.state.modes import LabelMode

K, CTRL, SHIFT = Qt.Key, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
#: What napari's keys act on while our layers are active: the window, images, points and vectors.
_NAPARI = ("viewer", "image", "points", "vectors")
#: With these napari would change points behind the session's back, so they are ours; so is Ctrl+Y, to redo.
_OURS = {"Delete", "Backspace", "Ctrl+C", "Ctrl+V", "Ctrl+Y"}


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def flat(window: Canvas, tmp_path: Path, images_2d: list[Path]) -> Canvas:
    """Three pictures."""
    return open_fresh(window, tmp_path / "study", LandmarkSchema.from_names(NAMES), images_2d)


@pytest.fixture
def solid(window: Canvas, tmp_path: Path, images_3d: list[Path]) -> Canvas:
    """Two volumes."""
    return open_fresh(window, tmp_path / "study", LandmarkSchema.from_names(NAMES), images_3d)


def predict(canvas: Canvas, points: dict[str, tuple[float, ...]]) -> None:
    """Show predictions of a model in the open case."""
    session = canvas.widget.session
    case_id = session.case_id
    session.take_prediction(case_id, prediction(session, points), model="m")
    session.model = "m"
    session.open_case(case_id)


def status(canvas: Canvas) -> list[str]:
    return list(canvas.widget.session.shown.status)


# ---- the table


def test_no_key_is_one_of_naparis_own_except_those_that_would_change_points() -> None:
    from napari.utils.action_manager import action_manager

    theirs = set()
    for name, sequences in get_settings().shortcuts.shortcuts.items():
        keymap = getattr(action_manager._actions.get(name), "keymapprovider", None)
        kind = "" if keymap is None else keymap.__name__.lower()
        if any(part in kind for part in _NAPARI):
            theirs |= {str(sequence) for sequence in sequences}
    theirs |= {"Shift+Up", "Shift+Down", "Ctrl+C", "Ctrl+V"}
    assert {"V", "Left", "Delete", "1"} <= theirs, "the list of napari's keys was not found"
    assert {sequence for key in KEYS for sequence in key.sequences} & theirs <= _OURS


def test_no_key_stands_for_two_actions_and_each_has_one() -> None:
    sequences = [sequence for key in KEYS for sequence in key.sequences]
    assert len(sequences) == len(set(sequences))
    assert all(callable(getattr(LandmarkActions, key.action)) for key in KEYS)


def test_question_mark_opens_a_list_of_all_keys_and_marks_and_closes_it(flat: Canvas) -> None:
    view = flat.widget.annotate.view
    flat.key(K.Key_F1)
    assert view.keys_help.isVisible()
    texts = {label.text() for label in view.keys_help.findChildren(QLabel)}
    for key in KEYS:
        assert {key.name, *map(readable, key.sequences)} <= texts
    assert set(STATUS_WORDS.values()) <= texts
    QTest.keyClick(view.keys_help, K.Key_F1)
    assert not view.keys_help.isVisible()
    flat.viewer.window.activate()
    flat.native.setFocus()
    QTest.qWait(20)
    flat.key(K.Key_Question, SHIFT)
    assert view.keys_help.isVisible()
    view.keys_help.close()


# ---- labelling modes


def test_sequential_mode_places_one_after_the_other_and_never_overwrites(flat: Canvas, told: list[str]) -> None:
    session = flat.widget.session
    hits = [flat.click(at) for at in ((30, 30), (60, 60), (90, 90))]
    flat.click((50, 120))
    np.testing.assert_allclose(session.shown.points, hits, atol=1e-6)
    assert len(told) == 1
    session.set_current("nasion")
    flat.click((50, 120))
    np.testing.assert_allclose(session.shown.points, hits, atol=1e-6)
    assert "drag it to move it" in told[-1]


@pytest.mark.parametrize("place", ["flat", "solid"])
def test_quick_mode_moves_the_current_landmark(place: str, request: pytest.FixtureRequest) -> None:
    canvas = request.getfixturevalue(place)
    session, z = canvas.widget.session, () if place == "flat" else (3,)
    session.set_mode(LabelMode.QUICK)
    if z:
        canvas.viewer.dims.set_current_step(0, 3)
    canvas.click((*z, 20, 20))
    hit = canvas.click((*z, 45, 50))
    np.testing.assert_allclose(session.shown.point("nasion"), hit, atol=1e-6)
    assert (session.current, list(session.shown.placed)) == ("nasion", [True, False, False])


def test_loop_mode_places_the_same_landmark_in_image_after_image(flat: Canvas) -> None:
    session = flat.widget.session
    session.set_current("sella")
    session.set_mode(LabelMode.LOOP)
    hits = {}
    for case in ("head_0", "head_1"):
        assert session.case_id == case
        hits[case] = flat.click((40, 60))
        QApplication.processEvents()
    assert (session.case_id, session.current) == ("head_2", "sella")
    flat.undo()
    assert session.case_id == "head_1"
    assert not session.shown.placed.any()


def test_the_mode_is_chosen_by_button_and_by_key_and_both_show_it(flat: Canvas) -> None:
    session, buttons = flat.widget.session, flat.widget.annotate.modes.buttons
    for mode in (LabelMode.QUICK, LabelMode.LOOP, LabelMode.SEQUENTIAL):
        flat.key(K.Key_T)
        assert session.mode is mode
        assert [m for m, button in buttons.items() if button.isChecked()] == [mode]
    QTest.mouseClick(buttons[LabelMode.LOOP], Qt.MouseButton.LeftButton)
    assert session.mode is LabelMode.LOOP
    assert all(mode.help in button.toolTip() and "(T)" in button.toolTip() for mode, button in buttons.items())


# ---- states by key


def test_f_confirms_the_prediction_under_the_mouse_else_the_chosen_one(flat: Canvas) -> None:
    predict(flat, {"nasion": (20, 20), "sella": (60, 60), "menton": (100, 100)})
    session = flat.widget.session
    session.set_current("nasion")
    flat.hover((60, 60))
    flat.key(K.Key_F)
    assert status(flat) == ["predicted", "confirmed", "predicted"]
    assert session.current == "menton"
    flat.hover((20, 120))
    flat.key(K.Key_F)
    assert status(flat) == ["predicted", "confirmed", "confirmed"]
    flat.key(K.Key_F, SHIFT)
    assert status(flat) == ["confirmed"] * 3
    flat.undo()
    assert status(flat) == ["predicted", "confirmed", "confirmed"]


def test_g_says_that_the_chosen_landmark_is_not_visible_and_takes_it_back(flat: Canvas) -> None:
    session = flat.widget.session
    flat.click((30, 30))
    flat.key(K.Key_G)
    assert status(flat) == ["confirmed", "absent", "unplaced"], "the point just placed lies under the mouse still"
    session.set_current("sella")
    flat.key(K.Key_G)
    assert status(flat) == ["confirmed", "unplaced", "unplaced"]
    assert session.current == "sella"


def test_r_shows_the_prediction_again_and_shift_r_takes_the_point_away(flat: Canvas) -> None:
    predict(flat, {"nasion": (20, 20)})
    session = flat.widget.session
    flat.drag((20, 20), (30, 40), (50, 60))
    assert status(flat)[0] == "edited"
    flat.key(K.Key_R)
    assert status(flat)[0] == "predicted"
    np.testing.assert_allclose(session.shown.point("nasion"), (20, 20))
    flat.hover((20, 20))
    flat.key(K.Key_R, SHIFT)
    assert status(flat)[0] == "unplaced"


@pytest.mark.parametrize("place", ["flat", "solid"])
def test_b_locks_the_point_under_the_mouse_so_that_nothing_changes_it(
    place: str, request: pytest.FixtureRequest, told: list[str]
) -> None:
    canvas = request.getfixturevalue(place)
    session, z = canvas.widget.session, np.zeros(0 if place == "flat" else 1)
    if len(z):
        canvas.viewer.dims.set_current_step(0, 0)
    hit = canvas.click((*z, 20, 20))
    canvas.key(K.Key_B)
    assert session.locked("nasion")
    assert str(canvas.widget.layers.points.symbol[0]) == "square"
    canvas.drag(hit, np.add(hit, (*z, 8, 8)), np.add(hit, (*z, 20, 20)))
    np.testing.assert_allclose(canvas.widget.layers.points.data[0], hit, atol=1e-6)
    canvas.hover(hit)
    for key in (K.Key_Delete, K.Key_R):
        canvas.key(key)
    np.testing.assert_allclose(session.shown.point("nasion"), hit, atol=1e-6)
    assert all("'nasion' is locked" in sentence for sentence in told)
    assert len(told) >= 2
    canvas.key(K.Key_B)
    canvas.key(K.Key_Delete)
    assert not session.shown.placed.any()


def test_shift_b_locks_all_that_is_done_and_the_table_shows_it(flat: Canvas) -> None:
    session, table = flat.widget.session, flat.widget.annotate.landmarks
    lock = table.model().columnCount() - 1
    flat.click((30, 30))
    flat.key(K.Key_G)
    flat.key(K.Key_B, SHIFT)
    assert [session.locked(name) for name in NAMES] == [True, True, False]
    marks = [table.model().index(row, lock).data(Qt.ItemDataRole.DecorationRole) is not None for row in range(3)]
    assert marks == [True, True, False]
    flat.key(K.Key_B, SHIFT)
    assert not any(session.locked(name) for name in NAMES)
    rect = table.visualRect(table.model().index(0, lock))
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert session.locked("nasion")


# ---- going round


@pytest.mark.parametrize(("forth", "back"), [(K.Key_E, K.Key_Q), (K.Key_Down, K.Key_Up)])
def test_keys_go_through_the_landmarks_and_bring_each_and_its_slice_into_view(
    solid: Canvas, forth: Qt.Key, back: Qt.Key
) -> None:
    session, viewer = solid.widget.session, solid.viewer
    for at in ((1, 10, 10), (6, 50, 60), (3, 30, 30)):
        session.place(at)
    viewer.scene.camera.zoom *= 8
    seen = []
    for key in (forth, forth, forth, back):
        solid.key(key)
        world = np.multiply(session.shown.point(session.current), (5, 0.8, 0.8))
        half = np.array(viewer.canvas.size) / 2 / viewer.scene.camera.zoom
        assert (np.abs(np.array(viewer.scene.camera.center[-2:]) - world[1:]) <= half).all()
        seen.append((session.current, viewer.dims.current_step[0]))
    assert seen == [("nasion", 1), ("sella", 6), ("menton", 3), ("sella", 6)]


def test_d_and_shift_d_step_through_the_images(flat: Canvas) -> None:
    flat.key(K.Key_D)
    assert flat.widget.session.case_id == "head_1"
    flat.key(K.Key_D, SHIFT)
    assert flat.widget.session.case_id == "head_0"


@pytest.mark.parametrize("which", ["image", "points", "edges", "none", "panel"])
def test_keys_work_whichever_of_our_layers_or_the_panel_has_them(
    window: Canvas, tmp_path: Path, images_2d: list[Path], which: str
) -> None:
    schema = LandmarkSchema.from_names(NAMES).model_copy(update={"edges": (("nasion", "sella"),)})
    canvas = open_fresh(window, tmp_path / "p", schema, images_2d)
    session, layers = canvas.widget.session, canvas.widget.layers
    canvas.click((30, 30))
    canvas.click((60, 60))
    ours = {"image": layers.image, "points": layers.points, "edges": canvas.widget.canvas.edges.lines.layer}
    canvas.viewer.layers.selection.active = ours.get(which)

    def press(key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        if which == "panel":
            QTest.keyClick(canvas.widget.annotate.landmarks, key, modifiers)
        else:
            canvas.key(key, modifiers)

    if which == "panel":
        canvas.viewer.window.activate()
        canvas.widget.annotate.landmarks.setFocus()
        QTest.qWait(20)
    canvas.hover((20, 120))
    press(K.Key_G)
    assert status(canvas) == ["confirmed", "confirmed", "absent"]
    press(K.Key_Z, CTRL)
    assert status(canvas)[2] == "unplaced"
    press(K.Key_N)
    assert not layers.points.text.visible
    press(K.Key_E)
    press(K.Key_B)
    assert session.locked(session.current)


def test_keys_are_left_to_a_layer_that_is_not_ours(flat: Canvas) -> None:
    labels = flat.viewer.add_labels(np.zeros((120, 160), np.uint8))
    flat.key(K.Key_G)
    flat.key(K.Key_D)
    assert (status(flat)[0], flat.widget.session.case_id) == ("unplaced", "head_0")
    flat.key(K.Key_E)
    assert str(labels.mode) == "erase"
    flat.viewer.layers.remove(labels)


def test_copy_and_paste_fill_only_what_is_empty_in_another_image(flat: Canvas, told: list[str]) -> None:
    session = flat.widget.session
    first, second = flat.click((30, 30)), flat.click((60, 60))
    flat.key(K.Key_C, CTRL)
    assert "2 landmarks copied" in told[-1]
    flat.key(K.Key_D)
    own = flat.click((90, 100))
    assert session.current == "sella"
    flat.key(K.Key_V, CTRL)
    np.testing.assert_allclose(session.shown.points[:2], [own, second], atol=1e-6)
    assert status(flat) == [LandmarkStatus.CONFIRMED, LandmarkStatus.PREDICTED, LandmarkStatus.UNPLACED]
    assert "Pasted 1 of 2" in told[-1]
    np.testing.assert_allclose(flat.widget.layers.points.data, [own, second], atol=1e-6)
    flat.undo()
    assert status(flat)[1] == "unplaced"
    flat.key(K.Key_D, SHIFT)
    np.testing.assert_allclose(session.shown.points[:2], [first, second], atol=1e-6)
