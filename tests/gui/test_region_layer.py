"""Regions on the screen: of a calibrated model, as large as the slider says, and honest where there are none."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from napari import Viewer
from pytestqt.qtbot import QtBot
from test_predict_report import make_model, press
from window import NAMES, FakePrediction, prediction

from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict.calibration_file import stored_calibration, write_calibration
from napari_landmarker.engine.predict.ensemble import fingerprint_of
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.uncertainty import Calibration, CalibrationConfig, RankScore
from napari_landmarker.gui.region_box import RegionBox
from napari_landmarker.gui.region_layer import CURRENT, EVERY, REGIONS_NAME, SURFACES_NAME
from napari_landmarker.gui.regions import promise_of
from napari_landmarker.gui.widget import LandmarkerWidget

POINTS_2D = {"nasion": (40.0, 70.0), "sella": (80.0, 110.0)}
POINTS_3D = {"nasion": (3.2, 20.0, 40.0), "sella": (6.0, 40.0, 20.0)}
SPREAD = {2: np.array([[9.0, 2.0], [2.0, 4.0]]), 3: np.array([[1.0, 0.5, 0], [0.5, 9.0, 2.0], [0, 2.0, 4.0]])}
#: Scores of 99 images: 1/20, 2/20, ...; rank ceil(100 c) of them is the threshold at a confidence c.
SCORES = np.arange(1, 100) / 20


def calibrate(
    project: Project, names: Sequence[str] = NAMES, config: CalibrationConfig | None = None, count: int = 99
) -> Calibration:
    """A model of a project that is calibrated."""
    make_model(project)
    folder = project.model_path("auto-1")
    ndim = project.geometry(project.cases[0].id).grid.ndim
    table = np.tile(SCORES[:count, None, None], (1, len(names), 1))
    made = Calibration.from_scores(config or CalibrationConfig(), names, ndim, list(table), None, "99 images")
    write_calibration(
        folder, made, fingerprint=fingerprint_of([folder]), views=1, flips=False, split=Split.CALIBRATION.value
    )
    assert stored_calibration(folder).calibration is not None
    return made


def said(widget: LandmarkerWidget, points: dict[str, Sequence[float]]) -> FakePrediction:
    """A prediction of points, each with the same covariance."""
    made = prediction(widget.session, points)
    found = made.landmarks
    spread = np.tile(SPREAD[found.grid.ndim], (len(found.names), 1, 1))
    made.landmarks = LandmarkSet(found.names, found.points, found.status, found.grid, found.score, spread)
    return made


def open_project(widget: LandmarkerWidget, project: Project, qtbot: QtBot) -> RegionBox:
    """The window at the Predict tab, what the model promises is known and checked."""
    widget.session.open_project(project)
    widget.tabs.setCurrentWidget(widget.predict)
    box = widget.predict.regions
    qtbot.waitUntil(lambda: box.model is not None and box.keeping.task is None)
    return box


@pytest.fixture
def regions_2d(widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot) -> LandmarkerWidget:
    """The window on an image with regions of two landmarks."""
    calibrate(project_2d)
    open_project(widget, project_2d, qtbot)
    widget.session.take_prediction(str(widget.session.case_id), said(widget, POINTS_2D))
    return widget


@pytest.fixture
def regions_3d(widget: LandmarkerWidget, project_3d: Project, qtbot: QtBot) -> LandmarkerWidget:
    """The window on a volume with regions of two landmarks."""
    calibrate(project_3d)
    open_project(widget, project_3d, qtbot)
    widget.session.take_prediction(str(widget.session.case_id), said(widget, POINTS_3D))
    return widget


def test_the_slider_changes_the_drawn_ellipse_by_the_exact_factor(regions_2d: LandmarkerWidget, viewer: Viewer) -> None:
    box = regions_2d.predict.regions
    lines = viewer.layers[REGIONS_NAME]
    assert box.layer.drawn == ("nasion", "sella")
    for percent in (95, 50, 80):
        box.slider.setValue(percent)
        threshold = SCORES[percent - 1]  # rank ceil((99 + 1) c)
        for line, centre in zip(lines.data, POINTS_2D.values(), strict=True):
            offset = np.asarray(line) - centre
            reach = np.sqrt(np.einsum("ni,ij,nj->n", offset, np.linalg.inv(SPREAD[2]), offset))
            assert reach == pytest.approx(threshold, rel=1e-6)
    assert box.percent.text() == "80 %"
    area = np.pi * SCORES[79] ** 2 * np.sqrt(np.linalg.det(SPREAD[2]))
    assert f"{area:.0f} px²" in box.sizes.text()


def test_regions_have_the_colours_of_their_landmarks_and_lie_under_the_points(
    regions_2d: LandmarkerWidget, viewer: Viewer
) -> None:
    lines, points = viewer.layers[REGIONS_NAME], regions_2d.layers.points
    assert viewer.layers.index(lines) == viewer.layers.index(points) - 1
    assert viewer.layers.selection.active is points
    assert lines.edge_color == pytest.approx(points.face_color[:2], abs=1e-6)
    assert not lines.editable


def test_the_promise_is_told_in_plain_words(regions_2d: LandmarkerWidget) -> None:
    box = regions_2d.predict.regions
    told = "In 95 of 100 such images, the true point of a landmark lies inside its region."
    assert box.promise.text() == told
    assert box.slider.toolTip() == told
    box.slider.setValue(60)
    assert box.slider.toolTip().startswith("In 60 of 100")


def test_a_promise_that_no_proof_stands_behind_says_so() -> None:
    made = Calibration.from_scores(CalibrationConfig(), ("a",), 2, [[[1.0]]] * 19)
    assert promise_of(made, 0.9).startswith("In 90 of 100")
    told = promise_of(replace(made, crossed=True), 0.9)
    assert told.startswith("As a rule, though cross-validation does not prove it: in 90 of 100")


def test_regions_of_points_that_wait_of_all_or_of_the_current_landmark(regions_2d: LandmarkerWidget) -> None:
    session, box = regions_2d.session, regions_2d.predict.regions
    session.accept("nasion")
    assert box.layer.drawn == ("sella",)
    box.which.setCurrentIndex(box.which.findData(EVERY))
    assert box.layer.drawn == ("nasion", "sella")
    box.which.setCurrentIndex(box.which.findData(CURRENT))
    session.set_current("nasion")
    assert box.layer.drawn == ("nasion",)
    session.set_current("menton")
    assert box.layer.drawn == ()
    assert not box.layer.shapes.visible


def test_regions_are_hidden_where_there_is_nothing_to_show(regions_2d: LandmarkerWidget, viewer: Viewer) -> None:
    session, box = regions_2d.session, regions_2d.predict.regions
    lines = viewer.layers[REGIONS_NAME]
    box.shown.setChecked(False)
    assert not lines.visible
    box.shown.setChecked(True)
    assert lines.visible
    session.next_case()
    assert not lines.visible
    assert box.sizes.text() == ""
    session.previous_case()
    assert lines.visible


def test_regions_of_predictions_that_are_read_from_disk(
    regions_2d: LandmarkerWidget, viewer: Viewer, qtbot: QtBot
) -> None:
    before = [np.array(line) for line in viewer.layers[REGIONS_NAME].data]
    project = Project.open(regions_2d.session.project.root)
    regions_2d.session.close_project()
    open_project(regions_2d, project, qtbot)
    assert regions_2d.session.prediction is None
    for line, first in zip(viewer.layers[REGIONS_NAME].data, before, strict=True):
        assert np.asarray(line) == pytest.approx(first, abs=1e-3)


def test_a_model_that_was_not_calibrated_says_so_and_shows_none(
    widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot, viewer: Viewer
) -> None:
    make_model(project_2d)
    box = open_project(widget, project_2d, qtbot)
    widget.session.take_prediction(str(widget.session.case_id), said(widget, POINTS_2D))
    assert box.promise.text().startswith("The model 'auto-1' was not calibrated, so it cannot promise regions")
    assert REGIONS_NAME not in viewer.layers
    assert not box.slider.isEnabled()
    assert box.keeping.calibrate.text() == "Calibrate"


def test_too_few_images_are_said_instead_of_drawn(
    widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot, viewer: Viewer
) -> None:
    calibrate(project_2d, count=18)
    box = open_project(widget, project_2d, qtbot)
    widget.session.take_prediction(str(widget.session.case_id), said(widget, POINTS_2D))
    assert REGIONS_NAME not in viewer.layers
    assert "For 95 % it takes 19 images" in box.sizes.text()
    box.slider.setValue(90)
    assert box.layer.drawn == ("nasion", "sella")


def test_regions_that_need_heatmaps_say_so_for_saved_points(
    widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot
) -> None:
    calibrate(project_2d, config=CalibrationConfig(score=RankScore()))
    box = open_project(widget, project_2d, qtbot)
    project_2d.save_predictions(project_2d.cases[1].id, "auto-1", said(widget, POINTS_2D).landmarks)
    widget.session.next_case()
    assert box.sizes.text() == "The regions of this model need its heatmaps: predict this image to see them."


def test_a_section_in_the_slice_view_and_a_skin_in_the_3d_view(regions_3d: LandmarkerWidget, viewer: Viewer) -> None:
    box, session = regions_3d.predict.regions, regions_3d.session
    box.slider.setValue(60)
    threshold, inverse = SCORES[59], np.linalg.inv(SPREAD[3])
    lines = viewer.layers[REGIONS_NAME]
    for z, near in ((3, ("nasion",)), (5, ("nasion", "sella")), (7, ("sella",)), (0, ()), (4, ("nasion", "sella"))):
        viewer.dims.set_point(0, z * session.image.grid.spacing[0])
        assert box.layer.drawn == near
        assert lines.visible == bool(near)
        if not near:
            continue
        for name, line in zip(box.layer.drawn, lines.data, strict=True):
            offset = np.asarray(line) - POINTS_3D[name]
            assert np.asarray(line)[:, 0] == pytest.approx(z)
            assert np.sqrt(np.einsum("ni,ij,nj->n", offset, inverse, offset)) == pytest.approx(threshold, rel=1e-6)
    viewer.dims.ndisplay = 3
    assert not lines.visible
    skins = viewer.layers[SURFACES_NAME]
    for percent in (60, 80):
        box.slider.setValue(percent)
        vertices = np.asarray(skins.data[0]).reshape(2, -1, 3)
        for skin, centre in zip(vertices, POINTS_3D.values(), strict=True):
            offset = skin - centre
            reach = np.sqrt(np.einsum("ni,ij,nj->n", offset, inverse, offset))
            assert reach == pytest.approx(SCORES[percent - 1], rel=1e-6)
    assert skins.scale == pytest.approx(session.image.grid.spacing)
    assert viewer.layers.selection.active is regions_3d.layers.points
    viewer.dims.ndisplay = 2
    assert not skins.visible


def test_a_region_between_two_slices_is_drawn_on_the_nearer(
    widget: LandmarkerWidget, project_3d: Project, qtbot: QtBot, viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrate(project_3d)
    box = open_project(widget, project_3d, qtbot)
    monkeypatch.setitem(SPREAD, 3, np.diag([1 / 12, 4.0, 4.0]))
    box.slider.setValue(50)
    made = Calibration.from_scores(CalibrationConfig(), NAMES, 3, [np.full((3, 1), 0.5)] * 99, None)
    monkeypatch.setattr(RegionBox, "confidence", property(lambda self: 0.5))
    object.__setattr__(box.model.stored, "calibration", made)
    widget.session.take_prediction(str(widget.session.case_id), said(widget, {"nasion": (3.3, 20.0, 40.0)}))
    for z, drawn in ((2, ()), (3, ("nasion",)), (4, ())):
        viewer.dims.set_point(0, z * project_3d.geometry(project_3d.cases[0].id).grid.spacing[0])
        assert box.layer.drawn == drawn


def test_it_is_said_whether_corrected_images_still_lie_inside(
    widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot
) -> None:
    calibrate(project_2d)
    box = open_project(widget, project_2d, qtbot)
    assert box.keeping.still.text() == "No other image has been predicted and corrected yet to see whether they hold."
    session, last = widget.session, project_2d.cases[-1].id
    session.set_split(last, Split.TEST)
    session.open_case(last)
    session.take_prediction(last, said(widget, POINTS_2D))
    session.move("nasion", (41.0, 70.0))
    session.move("sella", (20.0, 20.0))
    press(qtbot, box.keeping.check)
    qtbot.waitUntil(lambda: box.keeping.task is None)
    assert box.keeping.still.text().startswith("At 95%, in 1 corrected image: 1 of 2 points lie inside their regions")


def test_recalibrate_learns_from_the_calibration_split_as_the_command_does(
    widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model(project_2d)
    for case in project_2d.cases:
        project_2d.set_split(case.id, Split.TEST)
    box = open_project(widget, project_2d, qtbot)
    press(qtbot, box.keeping.calibrate)
    qtbot.waitUntil(lambda: box.keeping.task is None)
    assert told == [
        "No case is in the calibration split, so this model cannot promise regions: put at least 19 annotated cases "
        "there and calibrate it."
    ]
    session = widget.session
    session.set_split(str(session.case_id), Split.CALIBRATION)
    for name in NAMES:
        session.set_current(name)
        session.place((30.0, 40.0))
    press(qtbot, box.keeping.calibrate)
    qtbot.waitUntil(lambda: box.keeping.task is None and box.model.calibration is not None)
    assert box.model.calibration.count == 1
    assert stored_calibration(project_2d.model_path("auto-1")).calibration.count == 1
    assert box.keeping.still.text().startswith("Calibrated on 1 image of the calibration split")
    assert box.keeping.calibrate.text() == "Recalibrate"
    # a corrected image that the model has not met can be calibrated on too, if a person says so
    monkeypatch.setattr("napari_landmarker.gui.calibrating._met", lambda project, regions: frozenset())
    other = project_2d.cases[1].id
    session.set_split(other, Split.TRAIN)
    session.open_case(other)
    session.take_prediction(other, said(widget, POINTS_2D))
    session.accept_all()
    press(qtbot, box.keeping.check)
    qtbot.waitUntil(lambda: box.keeping.task is None)
    asked: list[int] = []

    def ask(answer: bool | None, count: int) -> bool | None:
        asked.append(count)
        return answer

    for answer, count in ((None, 1), (False, 1), (True, 2)):
        monkeypatch.setattr(box.keeping, "ask", functools.partial(ask, answer))
        press(qtbot, box.keeping.calibrate)
        qtbot.waitUntil(lambda: box.keeping.task is None)
        assert box.model.calibration.count == count
    assert asked == [1, 1, 1]
    assert session.project.case(other).split is Split.CALIBRATION
