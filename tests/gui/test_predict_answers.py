"""Predicted points are answered one by one, all at once, or as far as they are sure; and seen by their confidence."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from test_predict_report import make_model, press
from window import prediction

from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.confidence import confidence_colors
from napari_landmarker.gui.widget import LandmarkerWidget

POINTS = {"nasion": (30.0, 40.0), "sella": (60.0, 80.0), "menton": (90.0, 120.0)}
SCORES = {"nasion": 0.95, "sella": 0.8, "menton": 0.3}


@pytest.fixture
def predicted(widget: LandmarkerWidget, project_2d: Project) -> LandmarkerWidget:
    """The window at the Predict tab, with three predicted points of different confidence."""
    widget.session.open_project(project_2d)
    widget.session.model = "given"
    said = prediction(widget.session, POINTS)
    found = said.landmarks
    said.landmarks = LandmarkSet(
        found.names, found.points, found.status, found.grid, np.array([SCORES[name] for name in found.names])
    )
    widget.session.take_prediction(str(widget.session.case_id), said)
    widget.tabs.setCurrentWidget(widget.predict)
    return widget


def statuses(widget: LandmarkerWidget) -> list[str]:
    return [widget.session.shown.status_of(name).value for name in POINTS]


def test_accept_the_current_point_only(predicted: LandmarkerWidget, qtbot: QtBot) -> None:
    answers = predicted.predict.answers
    predicted.session.set_current("sella")
    press(qtbot, answers.one)
    assert statuses(predicted) == ["predicted", "confirmed", "predicted"]
    assert predicted.session.annotations.status_of("nasion") is LandmarkStatus.UNPLACED
    predicted.session.set_current("sella")
    assert not answers.one.isEnabled()
    predicted.session.undo()
    assert statuses(predicted) == ["predicted"] * 3


def test_accept_all_above_a_confidence(predicted: LandmarkerWidget, qtbot: QtBot) -> None:
    answers = predicted.predict.answers
    answers.threshold.setValue(96)
    assert not answers.above.isEnabled()
    answers.threshold.setValue(80)
    assert answers.above.text() == "Accept 2 of 3 that are so sure"
    press(qtbot, answers.above)
    assert statuses(predicted) == ["confirmed", "confirmed", "predicted"]
    press(qtbot, answers.all)
    assert statuses(predicted) == ["confirmed"] * 3
    assert not answers.all.isEnabled()


def test_confidence_is_a_continuous_colour_with_a_limit(predicted: LandmarkerWidget) -> None:
    answers, points = predicted.predict.answers, predicted.layers.points
    own = np.array(points.face_color)
    answers.colored.setChecked(True)
    answers.threshold.setValue(50)
    expected = confidence_colors(np.array(list(SCORES.values())), 0.5)
    assert points.face_color == pytest.approx(expected, abs=1e-5)
    assert points.face_color[:, 3] == pytest.approx([1, 1, 0.35])
    predicted.session.accept("nasion")
    assert points.face_color[0] == pytest.approx(own[0])
    assert points.face_color[1] == pytest.approx(expected[1], abs=1e-5)
    answers.colored.setChecked(False)
    assert points.face_color == pytest.approx(own)


def test_confidence_colours_rise_evenly_and_are_told_apart_by_the_colour_blind() -> None:
    colors = confidence_colors(np.linspace(0, 1, 101))[:, :3]
    assert np.abs(np.diff(colors, axis=0)).max() < 0.03
    blue_less_red = colors[:, 2] - colors[:, 0]
    assert (np.diff(blue_less_red) > 0).all()  # the yellow-blue axis, which deuteranopia and protanopia leave
    assert confidence_colors([np.nan])[0] == pytest.approx([0.6, 0.6, 0.6, 1.0])


def test_predict_the_next_opens_the_next_unfinished_image_with_points_to_correct(
    widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot
) -> None:
    make_model(project_2d)
    session, panel = widget.session, widget.predict
    session.open_project(project_2d)
    widget.tabs.setCurrentWidget(panel)
    ids = [case.id for case in project_2d.cases]
    session.open_case(ids[1])
    for name in session.names:
        session.mark_absent(name)
    session.open_case(ids[0])
    press(qtbot, panel.next)
    qtbot.waitUntil(lambda: panel.task is None)
    assert session.case_id == ids[2]
    assert session.prediction is not None
    assert set(session.shown.status) == {LandmarkStatus.PREDICTED.value}
    for case_id in (ids[0], ids[2]):
        session.open_case(case_id)
        for name in session.names:
            session.mark_absent(name)
    press(qtbot, panel.next)
    assert panel.told.text() == "Every image is finished."
