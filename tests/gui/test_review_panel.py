"""The review: what to look at, why, in which order; ticked off, and the next image read ahead."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from test_predict_report import make_model, press
from test_region_layer import calibrate
from window import NAMES, SPACING_3D

from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.calibrating import region_widths
from napari_landmarker.gui.widget import LandmarkerWidget

#: Lowest confidence of each of three images.
LOWEST = (0.7, 0.2, 0.5)


def save(project: Project, number: int, lowest: float, spread: float = 1.0) -> None:
    """Predictions of an image in which sella has the lowest confidence and menton the largest spread."""
    case = project.cases[number]
    grid = project.geometry(case.id).grid
    points = np.stack([np.array(grid.shape) * share for share in (0.3, 0.5, 0.7)])
    covariance = np.stack([np.eye(grid.ndim) * variance for variance in (1.0, 2.0, 4.0 * spread)])
    status = np.full(3, LandmarkStatus.PREDICTED.value)
    score = np.array([0.9, lowest, 0.8])
    project.save_predictions(case.id, "auto-1", LandmarkSet(NAMES, points, status, grid, score, covariance))


@pytest.fixture
def reviewing(widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot) -> LandmarkerWidget:
    """The window with the review of three predicted images."""
    make_model(project_2d)
    for number, lowest in enumerate(LOWEST):
        save(project_2d, number, lowest)
    widget.session.open_project(project_2d)
    widget.tabs.setCurrentWidget(widget.predict)
    look(widget, qtbot)
    return widget


def look(widget: LandmarkerWidget, qtbot: QtBot) -> None:
    panel = widget.predict.review
    panel.start()
    qtbot.waitUntil(lambda: panel.task is None)


def test_the_least_certain_image_is_opened_first_at_its_landmark_with_the_reason(reviewing: LandmarkerWidget) -> None:
    session, panel = reviewing.session, reviewing.predict.review
    ids = [case.id for case in session.project.cases]
    assert [item.case_id for item in panel.rows.items] == [ids[1], ids[2], ids[0]]
    assert session.case_id == ids[1]
    assert session.current == "sella"
    assert panel.reason.text() == "Of this image's points the model is least sure of 'sella': 20%."
    assert panel.count.text() == "0 of 3 images reviewed."


def test_reviewed_ticks_an_image_off_and_opens_the_next(reviewing: LandmarkerWidget, qtbot: QtBot) -> None:
    session, panel = reviewing.session, reviewing.predict.review
    ids = [case.id for case in session.project.cases]
    qtbot.wait(50)
    press(qtbot, panel.reviewed)
    assert session.reviewed(ids[1])
    assert session.case_id == ids[2]
    assert panel.count.text() == "1 of 3 images reviewed."
    assert panel.rows.data(panel.rows.index(0)).startswith("✓ ")
    press(qtbot, panel.skip)
    assert session.case_id == ids[0]
    press(qtbot, panel.reviewed)
    assert session.case_id == ids[2]
    press(qtbot, panel.reviewed)
    assert panel.count.text() == "3 of 3 images reviewed."
    session.open_project(Project.open(session.project.root))
    look(reviewing, qtbot)
    assert panel.count.text() == "3 of 3 images reviewed."


def test_the_next_image_is_read_ahead(reviewing: LandmarkerWidget, qtbot: QtBot) -> None:
    session, panel = reviewing.session, reviewing.predict.review
    qtbot.waitUntil(lambda: panel.ahead is None)
    assert session.images.has(panel.rows.items[1].case_id)


def test_a_row_opens_its_image(reviewing: LandmarkerWidget) -> None:
    panel = reviewing.predict.review
    panel.list.setCurrentIndex(panel.rows.index(2))
    assert reviewing.session.case_id == panel.rows.items[2].case_id


def test_images_by_the_size_of_their_regions_in_mm(widget: LandmarkerWidget, project_3d: Project, qtbot: QtBot) -> None:
    made = calibrate(project_3d)
    save(project_3d, 0, 0.2)
    save(project_3d, 1, 0.9, spread=9.0)
    widget.session.open_project(project_3d)
    widget.tabs.setCurrentWidget(widget.predict)
    box, panel = widget.predict.regions, widget.predict.review
    qtbot.waitUntil(lambda: box.model is not None and box.keeping.task is None)
    look(widget, qtbot)
    panel.order.setCurrentIndex(1)
    ids = [case.id for case in project_3d.cases]
    assert [item.case_id for item in panel.rows.items] == [ids[1], ids[0]]
    assert {item.landmark for item in panel.rows.items} == {"menton"}
    threshold = 95 / 20
    width = 2 * threshold * np.sqrt(36.0) * np.cbrt(np.prod(SPACING_3D))  # of a ball as large as this ellipsoid
    assert region_widths(made, project_3d.predictions(ids[1], "auto-1"))["menton"] == pytest.approx(width, rel=1e-3)
    assert f"{width:.1f} mm wide" in panel.rows.items[0].reason


def test_a_project_without_predictions_has_nothing_to_review(
    widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot
) -> None:
    make_model(project_2d)
    widget.session.open_project(project_2d)
    look(widget, qtbot)
    panel = widget.predict.review
    assert panel.rows.items == ()
    assert panel.list.isHidden()
    assert panel.count.text() == "There is nothing to look at: predict images first."


def test_what_was_found_is_forgotten_when_landmarks_change_their_names(reviewing: LandmarkerWidget) -> None:
    session, panel = reviewing.session, reviewing.predict.review
    assert panel.rows.items
    renamed = LandmarkSchema.from_names(("nasion", "saddle", "menton"))
    session.change_schema(renamed, {"sella": "saddle"})
    assert not panel.rows.items
    assert panel.reason.isHidden()
