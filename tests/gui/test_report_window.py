"""What the report shows in the window, where its rows lead, and what of it can be saved on its own."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari import Viewer
from PIL import Image as PillowImage
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QDockWidget
from window import prediction

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.metrics import CaseResult, evaluate
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.report import ReportFiles
from napari_landmarker.gui.error_table import ErrorTable
from napari_landmarker.gui.evaluating import Reported
from napari_landmarker.gui.rater_layer import MODEL_NAME
from napari_landmarker.gui.report_points import judged_points
from napari_landmarker.gui.widget import LandmarkerWidget

Show = Callable[[Project], Reported]


@pytest.fixture
def show(widget: LandmarkerWidget, tmp_path: Path) -> Show:
    """Shows a report in which the case number ``c`` is ``1 + 3 c + landmark`` pixels off, one point is not found."""

    def make(project: Project) -> Reported:
        names, results = project.schema.names, []
        for number, case in enumerate(project.cases):
            grid = project.annotations(case.id).grid
            truth = {name: np.full(grid.ndim, 5.0) for name in names}
            found = {}
            for at, name in enumerate(names):
                found[name] = truth[name].copy()
                found[name][-1] += 1 + 3 * number + at
            if number == 0:
                del found[names[1]]
            results.append(
                CaseResult(
                    case.id,
                    LandmarkSet.from_points(truth, grid, names=names),
                    LandmarkSet.from_points(found, grid, names=names, status=LandmarkStatus.PREDICTED),
                )
            )
        evaluation = evaluate(results, model="m", split="test")
        files = ReportFiles(*(tmp_path / f"report.{kind}" for kind in ("html", "csv", "json")), tmp_path / "cases.csv")
        widget.session.open_project(project)
        widget.tabs.setCurrentWidget(widget.report)
        widget.report._returned(project, reported := Reported(evaluation, files, "Head.", ("Caution.",)))
        widget.report._refresh()
        return reported

    return make


@pytest.mark.parametrize("dims", [2, 3])
def test_a_row_opens_that_image_at_that_landmark(
    dims: int, show: Show, widget: LandmarkerWidget, qtbot: QtBot, request: pytest.FixtureRequest
) -> None:
    project = request.getfixturevalue(f"project_{dims}d")
    show(project)
    session, points = widget.session, widget.report.results.points
    seen: list[str] = []
    widget.report.looked.connect(seen.append)
    assert points.point(0) == (project.cases[0].id, session.names[1], session.names[1], None)
    assert points.model().index(0, 2).data() == "not found"
    second = points.point(1)
    assert (second.case_id, second.landmark) == (project.cases[-1].id, session.names[-1])
    where = points.visualRect(points.model().index(1, 0)).center()
    qtbot.mouseClick(points.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert (session.case_id, session.current, seen) == (second.case_id, second.landmark, [second.landmark])
    points.setCurrentIndex(points.model().index(0, 0))
    qtbot.keyClick(points, Qt.Key.Key_Return)
    assert (session.case_id, session.current) == (project.cases[0].id, session.names[1])


@pytest.mark.parametrize("dims", [2, 3])
def test_a_row_shows_the_point_of_the_model_beside_until_another_image_is_open(
    dims: int, show: Show, widget: LandmarkerWidget, viewer: Viewer, qtbot: QtBot, request: pytest.FixtureRequest
) -> None:
    project = request.getfixturevalue(f"project_{dims}d")
    show(project)
    session, points = widget.session, widget.report.results.points
    session.model = "m"
    own, off = np.array([3.0, 20.0, 30.0][-dims:]), np.array([0.0, 6.0, 8.0][-dims:])
    session.open_case(project.cases[-1].id)
    session.take_prediction(str(session.case_id), prediction(session, {session.names[-1]: own + off}), "m")
    session.move(session.names[-1], own)
    session.open_case(project.cases[0].id)
    assert MODEL_NAME not in viewer.layers
    where = points.visualRect(points.model().index(1, 0)).center()
    qtbot.mouseClick(points.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert session.case_id == project.cases[-1].id
    layer = viewer.layers[MODEL_NAME]
    assert layer.visible
    assert np.allclose(layer.data, [own + off])
    assert widget.raters.other.currentText() == "the model"
    session.open_case(project.cases[0].id)
    assert not layer.visible
    assert widget.raters.other.currentText() == "nobody"


def test_what_was_compared_before_comes_back_unless_the_person_chose_otherwise(
    show: Show, widget: LandmarkerWidget, project_2d: Project
) -> None:
    project_2d.save_annotations(project_2d.cases[0].id, project_2d.annotations(project_2d.cases[0].id), "bo")
    show(project_2d)
    session, results = widget.session, widget.report.results
    ids = [case.id for case in project_2d.cases]
    session.model = "m"
    session.show_rater("bo")
    for number in (0, 1):
        results.opened.emit(ids[number], "nasion")
        results.opened.emit(ids[number], "menton")
        assert (session.beside_model, session.other_rater) == (True, None)
    session.open_case(ids[2])
    assert (session.beside_model, session.other_rater) == (False, "bo")
    results.opened.emit(ids[0], "nasion")
    session.show_rater(None)
    session.open_case(ids[1])
    assert (session.beside_model, session.other_rater) == (False, None), "nobody was chosen by hand"
    session.model = "another"
    results.opened.emit(ids[0], "nasion")
    assert (session.case_id, session.beside_model) == (ids[0], False), "its points are not those that were judged"


def test_nothing_of_the_report_is_cut_off_in_the_narrowest_panel(
    show: Show, widget: LandmarkerWidget, viewer: Viewer, project_2d: Project
) -> None:
    project_2d.save_annotations(project_2d.cases[0].id, project_2d.annotations(project_2d.cases[0].id), "bo")
    show(project_2d)
    panel, window = widget.report, viewer.window._qt_window
    dock = next(one for one in window.findChildren(QDockWidget) if one.isAncestorOf(widget))
    window.resizeDocks([dock], [100], Qt.Orientation.Horizontal)
    QApplication.processEvents()
    assert panel.raters.isVisible()
    assert panel.widget().width() == panel.viewport().width()
    for table in (panel.table, panel.results.points):
        right = table.mapTo(panel.viewport(), QPoint(table.width(), 0)).x()
        assert right <= panel.viewport().width()
    assert panel.table.horizontalScrollBar().maximum() > 0
    assert panel.table.horizontalScrollBar().isVisible()


def test_a_long_name_leaves_room_for_the_numbers(qtbot: QtBot) -> None:
    name = "the_most_anterior_midpoint_of_the_anterior_nasal_spine_of_the_maxilla"
    truth = LandmarkSet.from_points({name: (5.0, 5.0)}, Grid((20, 20)))
    found = LandmarkSet.from_points({name: (5.0, 8.0)}, Grid((20, 20)), status=LandmarkStatus.PREDICTED)
    table = ErrorTable()
    qtbot.addWidget(table)
    table.resize(360, 200)
    table.show_evaluation(evaluate([CaseResult("c", truth, found)], model="m", split="test"))
    table.show()
    for width in (360, 500):
        table.resize(width, table.height())
        QApplication.processEvents()
        assert table.columnWidth(0) == round(0.4 * table.viewport().width())
        assert table.columnViewportPosition(3) < table.viewport().width(), "the mean is in sight"
    assert table.item(1, 0).toolTip() == name


def test_errors_are_sorted_with_points_that_were_not_found_first(show: Show, project_2d: Project) -> None:
    points = judged_points(show(project_2d).evaluation)
    assert [point.error for point in points] == [None, 9, 8, 7, 6, 5, 4, 3, 1]


def test_a_landmark_of_the_table_narrows_the_list_to_its_points(
    show: Show, widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot
) -> None:
    show(project_2d)
    results = widget.report.results
    table, points = results.table, results.points
    assert points.model().rowCount() == 9
    item = table.item(3, 0)
    widget.report.ensureWidgetVisible(table)
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=table.visualItemRect(item).center())
    assert [points.point(row).landmark for row in range(points.model().rowCount())] == ["menton"] * 3
    assert results.which.text() == "Points of menton, largest error first"
    qtbot.mouseClick(results.all, Qt.MouseButton.LeftButton)
    assert points.model().rowCount() == 9
    assert not results.all.isVisible()


def test_errors_by_landmark_are_drawn(show: Show, widget: LandmarkerWidget, project_2d: Project) -> None:
    show(project_2d)
    plot = widget.report.results.by_landmark
    assert list(plot.errors) == list(project_2d.schema.names)
    assert sorted(plot.errors["menton"]) == [3, 6, 9]
    drawn = plot.grab().toImage()
    colors = {drawn.pixelColor(x, y).name() for x in range(drawn.width()) for y in range(drawn.height())}
    assert {one.color.lower() for one in project_2d.schema.landmarks} <= colors


def test_a_model_that_promises_no_regions_has_no_table_of_them(
    show: Show, widget: LandmarkerWidget, project_2d: Project
) -> None:
    show(project_2d)
    assert not widget.report.results.regions.isVisible()
    titles = [action.text() for action in widget.report.export.menu().actions()]
    assert "Table of the landmarks (CSV)…" in titles
    assert not any("regions" in title for title in titles)


@pytest.mark.parametrize("what", ["report.html", "report.csv", "report_cases.csv", "report.json"])
def test_each_part_of_the_report_is_saved_on_its_own(
    what: str, show: Show, widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot, tmp_path: Path, told: list[str]
) -> None:
    reported = show(project_2d)
    path = tmp_path / f"mine{Path(what).suffix}"
    widget.report.export_one(what, path)
    qtbot.waitUntil(lambda: widget.report.task is None)
    text = path.read_text(encoding="utf-8")
    if what.endswith("json"):
        assert json.loads(text) == json.loads(json.dumps(reported.evaluation.to_dict()))
    elif what.endswith("csv"):
        rows = list(csv.DictReader(text.splitlines()))
        assert len(rows) == (4 if what == "report.csv" else 3)
    else:
        assert "<html" in text
    assert widget.report.told.text() == f"Saved as {path.name}."
    assert told == []


def test_every_figure_is_saved_as_a_picture_from_the_menu(
    show: Show, widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    show(project_2d)
    monkeypatch.setattr(
        "napari_landmarker.gui.report_panel.choose_new_file", lambda _, __, start, ___: tmp_path / Path(start).stem
    )
    figures = [action for action in widget.report.export.menu().actions() if "PNG" in action.text()]
    assert len(figures) == 2
    for action in figures:
        action.trigger()
        qtbot.waitUntil(lambda: widget.report.task is None)
    for name in ("cumulative_error.png", "error_by_landmark.png"):
        picture = np.asarray(PillowImage.open(tmp_path / name).convert("L"))
        assert min(picture.shape) > 200
        assert picture.std() > 5
