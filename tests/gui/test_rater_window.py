"""Two raters in the window: each annotates apart, an overlay shows both, the table their distance."""

from __future__ import annotations

import numpy as np
import pytest
from napari import Viewer
from napari.layers import Points
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QComboBox, QInputDialog
from window import Canvas, prediction

from napari_landmarker.gui.rater_layer import LINK_NAME, MODEL_NAME, RATER_NAME
from napari_landmarker.gui.widget import LandmarkerWidget


def choose(combo: QComboBox, text: str) -> None:
    """Choose a line of a list as a person does."""
    combo.setCurrentIndex(combo.findText(text))
    combo.activated.emit(combo.currentIndex())


def as_new_rater(widget: LandmarkerWidget, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Begin as a new rater."""
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: (name, True))
    choose(widget.raters.rater, "new rater…")


def overlay(viewer: Viewer) -> Points:
    layer = viewer.layers[RATER_NAME]
    assert isinstance(layer, Points)
    return layer


def cells(widget: LandmarkerWidget, column: int) -> list[str]:
    """What a column of the table of landmarks shows; nothing where it is hidden."""
    table = widget.annotate.landmarks
    if table.isColumnHidden(column):
        return []
    return [table.model().index(row, column).data() for row in range(table.model().rowCount())]


@pytest.mark.parametrize("dims", [2, 3])
def test_two_raters_annotate_apart_and_the_overlay_shows_both(
    dims: int, widget: LandmarkerWidget, viewer: Viewer, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch, told: list[str],
) -> None:  # fmt: skip
    project = request.getfixturevalue(f"project_{dims}d")
    session = widget.session
    session.open_project(project)
    first = session.rater
    assert not widget.raters.other.isEnabled()
    at = np.array([3.0, 20.0, 30.0][-dims:])
    session.place(at)
    as_new_rater(widget, monkeypatch, "bo")
    assert (session.rater, session.raters) == ("bo", ("bo", first))
    assert not session.shown.placed.any()
    off = np.array([0.0, 3.0, 4.0][-dims:])
    session.place(at + off)
    assert RATER_NAME not in viewer.layers
    assert cells(widget, 3) == []
    choose(widget.raters.other, first)
    layer = overlay(viewer)
    assert layer.visible
    assert np.allclose(layer.data, [at])
    assert not layer.editable
    assert viewer.layers.selection.active is widget.layers.points
    assert viewer.layers.index(layer) < viewer.layers.index(widget.layers.points)
    links = viewer.layers[LINK_NAME].data
    assert np.allclose(links[0, 0], at + off)
    assert np.allclose(links[0, 1], -off)
    spacing = 0.8 if dims == 3 else 1.0
    assert cells(widget, 3) == [f"{5 * spacing:.{2 if dims == 3 else 1}f}", "", ""]
    header = widget.annotate.landmarks.model().headerData(3, Qt.Orientation.Horizontal)
    assert header == ("Rater (mm)" if dims == 3 else "Rater (px)")
    session.move(session.names[0], at)
    assert cells(widget, 3)[0] in ("0.0", "0.00")
    choose(widget.raters.other, "nobody")
    assert not layer.visible
    assert cells(widget, 3) == []
    assert told == []


def test_the_distance_stands_beside_the_error_of_the_model(
    open_2d: LandmarkerWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = open_2d.session
    first = session.rater
    session.place((20.0, 30.0))
    as_new_rater(open_2d, monkeypatch, "bo")
    session.place((20.0, 32.0))
    session.model = "m"
    session.take_prediction(str(session.case_id), prediction(session, {session.names[0]: (26.0, 40.0)}), "m")
    choose(open_2d.raters.other, first)
    assert (cells(open_2d, 3)[0], cells(open_2d, 4)[0]) == ("2.0", "10.0")


def test_names_keep_their_room_in_the_table_however_often_distances_come_and_go(
    open_2d: LandmarkerWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, first = open_2d.annotate.landmarks, open_2d.session.rater
    open_2d.tabs.setCurrentWidget(open_2d.annotate)
    open_2d.session.place((20.0, 30.0))
    as_new_rater(open_2d, monkeypatch, "bo")
    least = 18 * table.fontMetrics().averageCharWidth()
    for other in (first, "nobody", first):
        choose(open_2d.raters.other, other)
        QTest.qWait(100)
        assert table.columnWidth(0) >= least
        assert table.isColumnHidden(3) is (other == "nobody")
        if other == "nobody":
            shown = [column for column in range(table.model().columnCount()) if not table.isColumnHidden(column)]
            assert abs(sum(map(table.columnWidth, shown)) - table.viewport().width()) <= 4


def test_the_points_of_the_model_are_shown_beside_where_a_person_dealt_with_their_landmarks(
    open_2d: LandmarkerWidget, viewer: Viewer
) -> None:
    session, (first, second, _) = open_2d.session, open_2d.session.names
    session.model = "m"
    session.take_prediction(str(session.case_id), prediction(session, {first: (26.0, 40.0), second: (60.0, 50.0)}), "m")
    session.move(first, (20.0, 32.0))
    choose(open_2d.raters.other, "the model")
    layer = viewer.layers[MODEL_NAME]
    assert np.allclose(layer.data, [(26.0, 40.0)]), "the second one is on the image already, as a ring"
    assert np.allclose(viewer.layers[LINK_NAME].data, [[(20.0, 32.0), (6.0, 8.0)]])
    assert (cells(open_2d, 3), cells(open_2d, 4)[0], cells(open_2d, 2)) == ([], "10.0", [])
    session.accept(second)
    assert np.allclose(layer.data, [(26.0, 40.0), (60.0, 50.0)])
    session.next_case()
    assert not layer.visible
    session.previous_case()
    assert layer.visible
    choose(open_2d.raters.other, "nobody")
    assert not layer.visible
    assert cells(open_2d, 4) == []


def test_a_point_of_another_slice_is_drawn_faintly_beside_ones_own(
    open_3d: LandmarkerWidget, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compared is seen on one slice; in the view of the whole volume, points lie only where they are."""
    session = open_3d.session
    first = session.rater
    session.place((5.0, 20.0, 30.0))
    as_new_rater(open_3d, monkeypatch, "bo")
    session.place((3.0, 24.0, 33.0))
    choose(open_3d.raters.other, first)
    layer = overlay(viewer)
    assert np.allclose(layer.data, [(5.0, 20.0, 30.0), (3.0, 20.0, 30.0)])
    assert layer.border_color[0, 3] == 1
    assert 0 < layer.border_color[1, 3] < 0.6
    assert np.allclose(viewer.layers[LINK_NAME].data, [[(3.0, 24.0, 33.0), (0.0, -4.0, -3.0)]])
    viewer.dims.ndisplay = 3
    assert np.allclose(layer.data, [(5.0, 20.0, 30.0)])
    assert np.allclose(viewer.layers[LINK_NAME].data, [[(3.0, 24.0, 33.0), (2.0, -4.0, -3.0)]])


def test_the_overlay_follows_the_open_image_and_takes_no_clicks(
    open_2d: LandmarkerWidget, viewer: Viewer, canvas: Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = open_2d.session
    first = session.rater
    session.place((20.0, 30.0))
    as_new_rater(open_2d, monkeypatch, "bo")
    choose(open_2d.raters.other, first)
    layer = overlay(viewer)
    session.next_case()
    assert not layer.visible
    session.previous_case()
    assert layer.visible
    hit = canvas.drag((20.0, 30.0), (60.0, 70.0))
    assert hit is not None
    assert np.allclose(layer.data, [(20.0, 30.0)])
    assert np.allclose(session.other.point(session.names[0]), (20.0, 30.0))
    canvas.click((20.0, 30.0))
    assert np.allclose(session.annotations.point(session.names[0]), (20.0, 30.0), atol=1.5)


def test_a_name_that_no_folder_can_have_is_refused(
    open_2d: LandmarkerWidget, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    before = open_2d.session.rater
    as_new_rater(open_2d, monkeypatch, "a/b")
    assert open_2d.session.rater == before
    assert open_2d.raters.rater.currentText() == before
    assert len(told) == 1


def test_the_report_sums_up_how_well_raters_agree(
    open_2d: LandmarkerWidget, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, told: list[str]
) -> None:
    session, summary = open_2d.session, open_2d.report.raters
    first, case = session.rater, session.case_id
    assert summary.isHidden()
    session.place((20.0, 30.0))
    session.place((50.0, 60.0))
    as_new_rater(open_2d, monkeypatch, "bo")
    session.place((23.0, 34.0))
    session.next_case()
    open_2d.tabs.setCurrentWidget(open_2d.report)
    assert summary.isVisible()
    assert {summary.one.currentText(), summary.other.currentText()} == {first, "bo"}
    open_2d.report.ensureWidgetVisible(summary.compare)
    qtbot.mouseClick(summary.compare, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    qtbot.waitUntil(lambda: summary.task is None)
    assert "both placed 1 point in 1 image: 5 px apart on average" in summary.told.text()
    assert f"left out: 1 by {first}" in summary.told.text()
    assert summary.table.item(0, 2).text() == "5.0"
    table = summary.points
    where = table.visualRect(table.model().index(0, 0)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert (session.case_id, session.current) == (case, session.names[0])
    assert session.other_rater == first, "whom one is compared with is shown beside"
    assert told == []
