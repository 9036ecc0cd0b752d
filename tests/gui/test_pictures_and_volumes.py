"""What holds of pictures and of volumes alike, by mouse and keys; one behaviour a test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from one_window import one_window, open_fresh
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from window import Canvas, prediction

from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.modes import LabelMode

K, CTRL = Qt.Key, Qt.KeyboardModifier.ControlModifier
BOTH = pytest.mark.parametrize("place", ["flat", "solid"])
SCHEMA = LandmarkSchema.parse(
    {
        "landmarks": [{"name": name} for name in ("nasion", "sella", "menton")],
        "edges": [("nasion", "sella")],
        "measurements": [{"name": "depth", "kind": "distance", "landmarks": ("nasion", "sella")}],
    }
)
#: Places in pictures, and in volumes.
AT = {
    "flat": ((30.0, 30.0), (60.0, 60.0), (90.0, 100.0)),
    "solid": ((1.0, 15.0, 15.0), (6.0, 45.0, 50.0), (4.0, 30.0, 30.0)),
}
#: Where nothing is.
ELSEWHERE = {"flat": (20.0, 130.0), "solid": (4.0, 10.0, 60.0)}


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[Canvas]:
    with one_window() as canvas:
        yield canvas


@pytest.fixture
def canvas(window: Canvas, place: str, tmp_path: Path, request: pytest.FixtureRequest) -> Canvas:
    """Pictures or volumes, of a measured line between two landmarks."""
    images = request.getfixturevalue("images_2d" if place == "flat" else "images_3d")
    window.widget.canvas.actions.view.set_three_views(False)
    window.widget.tabs.setCurrentIndex(0)
    window.widget.session.model = None
    return open_fresh(window, tmp_path / "study", SCHEMA, images)


def go_to(canvas: Canvas, index: Sequence[float]) -> None:
    """Show the slice of a place, if it is one of a volume."""
    if len(index) == 3:
        canvas.viewer.dims.set_current_step(0, round(index[0]))
        QApplication.processEvents()


def click(canvas: Canvas, index: Sequence[float]) -> np.ndarray:
    go_to(canvas, index)
    return canvas.click(index)


def status(canvas: Canvas) -> list[str]:
    return list(canvas.widget.session.shown.status)


def on_disk(canvas: Canvas, case_id: str) -> list[str]:
    """What another program would read."""
    return list(Project.open(canvas.widget.session.project.root).annotations(case_id).status)


def predict(canvas: Canvas, points: dict[str, Sequence[float]]) -> None:
    """Predictions of a model, of the open image."""
    session = canvas.widget.session
    session.model = "m"
    session.take_prediction(str(session.case_id), prediction(session, points))


# ---- placing


@BOTH
def test_a_click_on_a_row_chooses_a_landmark_that_sequential_mode_does_not_move(
    canvas: Canvas, place: str, told: list[str]
) -> None:
    session, table = canvas.widget.session, canvas.widget.annotate.landmarks
    hits = [click(canvas, at) for at in AT[place]]
    QTest.mouseClick(
        table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualRect(table.model().index(1, 0)).center()
    )
    assert session.current == "sella"
    click(canvas, ELSEWHERE[place])
    np.testing.assert_allclose(session.shown.points, hits, atol=1e-6)
    assert "drag it to move it" in told[-1]


@BOTH
def test_loop_mode_asks_for_one_landmark_in_every_image(canvas: Canvas, place: str) -> None:
    session = canvas.widget.session
    ids = [case.id for case in session.project.cases]
    session.set_current("sella")
    canvas.key(K.Key_T)
    canvas.key(K.Key_T)
    assert session.mode is LabelMode.LOOP
    for number, case_id in enumerate(ids):
        assert (session.case_id, session.current) == (case_id, "sella")
        click(canvas, AT[place][number])
    assert [on_disk(canvas, case_id) for case_id in ids] == [["unplaced", "confirmed", "unplaced"]] * len(ids)


@BOTH
def test_up_and_down_bring_a_landmark_that_is_out_of_sight_into_view(canvas: Canvas, place: str) -> None:
    session, camera = canvas.widget.session, canvas.viewer.scene.camera
    for at in AT[place]:
        session.place(at)
    session.set_current("nasion")
    spacing = np.array(session.image.grid.spacing or (1.0, 1.0))[-2:]
    for key, name in ((K.Key_Down, "sella"), (K.Key_Down, "menton"), (K.Key_Up, "sella")):
        camera.zoom, camera.center = 60.0, (0.0, 1.0, 1.0)
        go_to(canvas, (0,) * len(AT[place][0]))
        canvas.key(key)
        point = session.shown.point(name)
        assert session.current == name
        np.testing.assert_allclose(camera.center[-2:], point[-2:] * spacing)
        assert place == "flat" or canvas.viewer.dims.current_step[0] == point[0]


@BOTH
def test_undo_and_redo_go_to_the_image_of_the_edit(canvas: Canvas, place: str) -> None:
    session = canvas.widget.session
    ids = [case.id for case in session.project.cases]
    click(canvas, AT[place][0])
    canvas.key(K.Key_D)
    click(canvas, AT[place][1])
    canvas.key(K.Key_G)
    assert [on_disk(canvas, one)[:2] for one in ids[:2]] == [["confirmed", "unplaced"], ["confirmed", "absent"]]
    seen = []
    for _ in range(3):
        canvas.undo()
        seen.append((session.case_id, on_disk(canvas, str(session.case_id))[:2]))
    assert seen == [
        (ids[1], ["confirmed", "unplaced"]),
        (ids[1], ["unplaced", "unplaced"]),
        (ids[0], ["unplaced", "unplaced"]),
    ]
    assert not session.can_undo
    for _ in range(3):
        canvas.redo()
    assert session.case_id == ids[1]
    assert [on_disk(canvas, one)[:2] for one in ids[:2]] == [["confirmed", "unplaced"], ["confirmed", "absent"]]
    np.testing.assert_allclose(canvas.widget.layers.points.data, session.shown.points[:1])


@BOTH
def test_pasted_points_fill_what_is_empty_and_wait_for_an_answer(canvas: Canvas, place: str, told: list[str]) -> None:
    session = canvas.widget.session
    hits = [click(canvas, at) for at in AT[place][:2]]
    canvas.key(K.Key_C, CTRL)
    canvas.key(K.Key_D)
    own = click(canvas, AT[place][2])
    canvas.key(K.Key_V, CTRL)
    np.testing.assert_allclose(session.shown.points[:2], [own, hits[1]], atol=1e-6)
    assert status(canvas) == ["confirmed", "predicted", "unplaced"]
    assert "Pasted 1 of 2" in told[-1]
    canvas.undo()
    assert status(canvas) == ["confirmed", "unplaced", "unplaced"]


# ---- states


@BOTH
def test_keys_set_every_state_and_each_is_on_disk(canvas: Canvas, place: str) -> None:
    session, points = canvas.widget.session, canvas.widget.layers.points
    case_id, at = str(session.case_id), AT[place]
    predict(canvas, dict(zip(session.names, at, strict=True)))
    assert [str(symbol) for symbol in points.symbol] == ["ring"] * 3
    go_to(canvas, at[0])
    canvas.hover(at[0])
    canvas.key(K.Key_F)
    go_to(canvas, at[1])
    away = np.zeros(len(at[1]))
    away[-2:] = 8
    canvas.drag(at[1], np.add(at[1], away / 2), np.add(at[1], away))
    session.set_current("menton")
    canvas.hover(ELSEWHERE[place])
    canvas.key(K.Key_G)
    assert status(canvas) == on_disk(canvas, case_id) == ["confirmed", "edited", "absent"]
    assert [str(symbol) for symbol in points.symbol] == ["disc", "disc"]
    np.testing.assert_array_equal(points.border_color[:, 0], [0, 1])  # the one that was moved has a white rim
    go_to(canvas, at[1])
    canvas.hover(np.add(at[1], away))
    canvas.key(K.Key_R)
    session.set_current("menton")
    canvas.hover(ELSEWHERE[place])
    canvas.key(K.Key_G)
    assert on_disk(canvas, case_id) == ["confirmed", "unplaced", "unplaced"]
    assert status(canvas) == ["confirmed", "predicted", "predicted"]
    np.testing.assert_allclose(session.shown.point("sella"), at[1])


@BOTH
def test_a_landmark_that_the_model_missed_is_placed_by_a_click_and_the_predictions_stay(
    canvas: Canvas, place: str
) -> None:
    session = canvas.widget.session
    predict(canvas, {"nasion": AT[place][0], "sella": AT[place][1]})
    before = session.project.predictions(session.case_id, "m")
    session.set_current("menton")
    hit = click(canvas, AT[place][2])
    np.testing.assert_allclose(session.shown.point("menton"), hit, atol=1e-6)
    assert status(canvas) == ["predicted", "predicted", "confirmed"]
    assert on_disk(canvas, str(session.case_id)) == ["unplaced", "unplaced", "confirmed"]
    assert Project.open(session.project.root).predictions(session.case_id, "m") == before


@BOTH
def test_only_points_as_sure_as_the_slider_says_are_accepted_together(canvas: Canvas, place: str) -> None:
    session, answers = canvas.widget.session, canvas.widget.predict.answers
    session.model = "m"
    said = prediction(session, dict(zip(session.names, AT[place], strict=True)))
    found = said.landmarks
    said.landmarks = type(found)(found.names, found.points, found.status, found.grid, np.array([0.2, 0.9, 0.7]))
    session.take_prediction(str(session.case_id), said)
    canvas.widget.tabs.setCurrentWidget(canvas.widget.predict)
    answers.threshold.setValue(70)
    QTest.mouseClick(answers.above, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert status(canvas) == ["predicted", "confirmed", "confirmed"]
    assert on_disk(canvas, str(session.case_id)) == ["unplaced", "confirmed", "confirmed"]


@BOTH
def test_the_surer_the_model_the_bluer_its_point_and_below_the_limit_it_is_faint(canvas: Canvas, place: str) -> None:
    session, answers = canvas.widget.session, canvas.widget.predict.answers
    session.model = "m"
    said = prediction(session, dict(zip(session.names, AT[place], strict=True)))
    found = said.landmarks
    said.landmarks = type(found)(found.names, found.points, found.status, found.grid, np.array([0.2, 0.9, 0.6]))
    session.take_prediction(str(session.case_id), said)
    canvas.widget.tabs.setCurrentWidget(canvas.widget.predict)
    own = np.array(canvas.widget.layers.points.face_color)
    answers.threshold.setValue(50)
    canvas.widget.predict.ensureWidgetVisible(answers.colored)
    QTest.mouseClick(answers.colored, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    colors = np.array(canvas.widget.layers.points.face_color)
    assert list(np.argsort(colors[:, 2] - colors[:, 0])) == [0, 2, 1]
    assert (colors[:, 3] < 0.5).tolist() == [True, False, False]
    QTest.mouseClick(answers.colored, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    np.testing.assert_allclose(canvas.widget.layers.points.face_color, own)


# ---- the schema


@BOTH
def test_a_landmark_renamed_in_the_editor_has_its_new_name_on_the_image_once_agreed(canvas: Canvas, place: str) -> None:
    widget, session = canvas.widget, canvas.widget.session
    hit = click(canvas, AT[place][0])
    QTest.mouseClick(widget.annotate.schema, Qt.MouseButton.LeftButton)
    editor = widget.annotate.schema.dialog
    editor.landmarks.name.selectAll()
    QTest.keyClicks(editor.landmarks.name, "N")
    QTest.mouseClick(editor.save, Qt.MouseButton.LeftButton)
    assert Project.open(session.project.root).schema == SCHEMA, "it asks first"
    (yes,) = (button for button in editor.question.buttons() if button.text() == "Rename and save")
    QTest.mouseClick(yes, Qt.MouseButton.LeftButton)
    QApplication.processEvents()
    saved = Project.open(session.project.root)
    assert saved.schema.names == ("N", "sella", "menton")
    np.testing.assert_allclose(saved.annotations(session.case_id).point("N"), hit, atol=1e-6)
    assert list(widget.layers.points.features["name"]) == ["N"]
    assert widget.annotate.landmarks.model().index(0, 0).data() == "N"


# ---- measuring


@BOTH
def test_a_distance_is_worked_out_anew_at_every_step_of_a_drag(canvas: Canvas, place: str) -> None:
    session, values = canvas.widget.session, canvas.widget.measure.table.values
    start = AT[place][2]
    for name, offset in (("nasion", 0.0), ("sella", 20.0)):
        session.set_current(name)
        session.place((*start[:-1], start[-1] + offset))
    canvas.widget.tabs.setCurrentWidget(canvas.widget.measure)
    go_to(canvas, start)
    QTest.qWait(20)
    canvas.send(QEvent.Type.MouseMove, canvas.pixel(start), held=False)
    canvas.send(QEvent.Type.MouseButtonPress, canvas.pixel(start))
    spacing_mm = 1.0 if place == "flat" else 0.8
    for step in (5.0, 10.0):
        canvas.send(QEvent.Type.MouseMove, canvas.pixel((*start[:-1], start[-1] + step)))
        length = float(values.index(0, 1).data().split()[0])
        assert length == pytest.approx((20 - step) * spacing_mm, abs=0.5)
    assert session.annotations.point("nasion")[-1] == start[-1], "nothing is saved before the drag ends"
    canvas.send(QEvent.Type.MouseButtonRelease, canvas.pixel(start))
