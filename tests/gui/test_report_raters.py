"""Whose annotations a report and a check of the regions are judged by, where several raters share a project."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from test_predict_report import make_model, press
from test_region_layer import SPREAD, calibrate
from window import NAMES

from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.predict.calibration_file import stored_calibration
from napari_landmarker.engine.predict.held_out import keep_calibrated
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.gui.calibrating import Kept, see_whether_kept
from napari_landmarker.gui.regions import CalibrationKey, ModelRegions
from napari_landmarker.gui.widget import LandmarkerWidget

QUIET = SimpleNamespace(progress=lambda done, total: None, check=lambda: None)


def annotate(project: Project, case_id: str, rater: str, points: dict[str, tuple[float, ...]]) -> None:
    """What a rater placed in a case."""
    grid = project.geometry(case_id).grid
    project.save_annotations(case_id, LandmarkSet.from_points(points, grid, names=project.schema.names), rater)


def errors(project: Project, points: dict[str, dict[str, tuple[float, ...]]]) -> dict[str, dict[str, float]]:
    """How far the saved predictions are from points ``{case: {name: point}}``."""
    found = {case: project.predictions(case, "auto-1") for case in points}
    return {
        case: {name: pytest.approx(float(np.linalg.norm(found[case].point(name) - place)), abs=1e-3)
               for name, place in placed.items()}
        for case, placed in points.items()
    }  # fmt: skip


def test_a_report_is_judged_by_the_rater_at_work_when_it_began(
    widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    make_model(project_2d)
    cases = [case.id for case in project_2d.cases[:2]]
    places = {
        rater: {case: {name: (20.0 + 30 * at, 40.0 + off) for at, name in enumerate(NAMES)} for case in cases}
        for rater, off in (("rater1", 0.0), ("bo", 50.0))
    }
    for rater, placed in places.items():
        for case, points in placed.items():
            annotate(project_2d, case, rater, points)
    for case in project_2d.cases:
        project_2d.set_split(case.id, Split.TEST)
    session, panel = widget.session, widget.report
    session.open_project(project_2d)
    widget.tabs.setCurrentWidget(panel)
    begun, switched, save = threading.Event(), threading.Event(), Project.save_predictions

    def wait_and_save(project: Project, *rest: object) -> None:
        begun.set()
        assert switched.wait(60)
        save(project, *rest)

    monkeypatch.setattr(Project, "save_predictions", wait_and_save)
    press(qtbot, panel.make)
    qtbot.waitUntil(begun.is_set)
    session.set_rater("bo")
    switched.set()
    qtbot.waitUntil(lambda: panel.task is None, timeout=120_000)
    file = project_2d.report_dir("auto-1", Split.TEST) / "report.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["rater"] == "rater1"
    assert {case["case"]: case["errors"] for case in content["cases"]} == errors(project_2d, places["rater1"])
    assert not panel.result.isVisible()
    assert panel.told.text() == (
        "Saved in the project, in reports/auto-1-test: judged by the annotations of rater1. Make it again for yours."
    )
    press(qtbot, panel.make)
    qtbot.waitUntil(lambda: panel.task is None, timeout=120_000)
    content = json.loads(file.read_text(encoding="utf-8"))
    assert {case["case"]: case["errors"] for case in content["cases"]} == errors(project_2d, places["bo"])
    assert "The true points are those of the rater “bo”" in panel.headline.text()
    assert "The true points are those of the rater “bo”" in file.with_name("report.html").read_text(encoding="utf-8")
    kept = project_2d.model_path("auto-1") / "evaluations" / "test.json"
    assert "rater" not in json.loads(kept.read_text(encoding="utf-8")), "a model may be given away"
    session.set_rater("rater1")
    assert not panel.result.isVisible()
    assert told == []


# ---- whether regions hold


def check(project: Project, folder: Path) -> Kept:
    """Whether the regions hold, seen at once."""
    return see_whether_kept(
        QUIET, project, "auto-1", ModelRegions(CalibrationKey.of(folder), stored_calibration(folder))
    )


def predicted(project: Project, case_id: str, placed: tuple[float, float], rater: str = "rater1") -> None:
    """A case in which the model finds nasion at (40, 70), and a rater placed it somewhere."""
    grid = project.geometry(case_id).grid
    found = LandmarkSet.from_points({"nasion": (40.0, 70.0)}, grid, names=NAMES, status=LandmarkStatus.PREDICTED)
    spread = np.tile(SPREAD[2], (len(NAMES), 1, 1))
    found = LandmarkSet(found.names, found.points, found.status, grid, found.score, spread)
    project.save_predictions(case_id, "auto-1", found)
    annotate(project, case_id, rater, {"nasion": placed})


INSIDE, OUTSIDE = (41.0, 70.0), (100.0, 20.0)


def test_regions_are_judged_by_images_that_they_were_not_learnt_from(project_2d: Project) -> None:
    """A case that was calibrated on and moved is left out, one that was moved in since is not."""
    calibrate(project_2d)
    folder = project_2d.model_path("auto-1")
    was, new, learnt = (case.id for case in project_2d.cases)
    for case_id, split, placed in (
        (was, Split.TEST, INSIDE), (new, Split.CALIBRATION, OUTSIDE), (learnt, Split.TRAIN, INSIDE),
    ):  # fmt: skip
        project_2d.set_split(case_id, split)
        predicted(project_2d, case_id, placed)
    (project_2d.runs_dir / "auto-1").mkdir(parents=True)
    keep_calibrated(project_2d, folder, [project_2d.case(was)])
    kept = check(project_2d, folder)
    assert "in 1 corrected image: 0 of 1 points lie inside" in kept.sentence
    assert kept.usable == ()
    (project_2d.runs_dir / "auto-1" / "calibrated.json").unlink()
    assert "in 1 corrected image: 1 of 1 points lie inside" in check(project_2d, folder).sentence, "known by its split"


def test_a_check_of_the_regions_sees_one_rater_only(
    widget: LandmarkerWidget, project_2d: Project, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rater is switched while the check reads; afterwards it is made again for the new one."""
    calibrate(project_2d)
    for case in project_2d.cases[1:]:
        project_2d.set_split(case.id, Split.TEST)
        predicted(project_2d, case.id, INSIDE)
        predicted(project_2d, case.id, OUTSIDE, "bo")
    begun, switched, seen = threading.Event(), threading.Event(), []

    def wait_and_see(job: object, project: Project, model: str, regions: ModelRegions) -> Kept:
        begun.set()
        assert switched.wait(60)
        kept = see_whether_kept(job, project, model, regions)
        seen.append(kept.sentence)
        return kept

    monkeypatch.setattr("napari_landmarker.gui.keeping_box.see_whether_kept", wait_and_see)
    widget.session.open_project(project_2d)
    widget.tabs.setCurrentWidget(widget.predict)
    keeping = widget.predict.regions.keeping
    qtbot.waitUntil(begun.is_set)
    widget.session.set_rater("bo")
    switched.set()
    qtbot.waitUntil(lambda: len(seen) == 2 and keeping.task is None)
    assert "2 of 2 points lie inside" in seen[0]
    assert "0 of 2 points lie inside" in seen[1]
    assert keeping.still.text() == seen[1]
