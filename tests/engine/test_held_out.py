"""What a model has met is not held out: neither for regions nor for figures, nor by a model that begins with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from synthetic import make_project, small
from test_calibrate import SPACING, move, save_model
from typer.testing import CliRunner

from napari_landmarker.cli import app
from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.predict import evaluate_model
from napari_landmarker.engine.predict.bundle import read_info
from napari_landmarker.engine.predict.calibrate import calibrate_model
from napari_landmarker.engine.predict.ensemble import save_ensemble
from napari_landmarker.engine.predict.held_out import calibrated_cases, held_out, history_of_model
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.report import write_report
from napari_landmarker.engine.train.events import Calibrated, Event
from napari_landmarker.engine.train.fit import train_project
from napari_landmarker.engine.train.folder import RECORD, History


def record(project: Project, name: str, train: list[str], validation: list[str], **more: Any) -> None:
    """The record of a run, as `train` leaves it."""
    content = {
        "model": name, "train": train, "validation": validation, "names": ["bright", "dark"], "ndim": 2, "channels": 1,
        "frame": {"shape": [64, 96], "spacing_mm": 0.5, "multiple": 32}, **more,
    }  # fmt: skip
    (project.runs_dir / name).mkdir(parents=True, exist_ok=True)
    (project.runs_dir / name / RECORD).write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Six cases to calibrate on, five to test on and four to learn from, with a model that has learnt nothing."""
    made, _ = make_project(tmp_path, count=15, spacing=SPACING[2])
    move(made, calibration=6, test=5)
    save_model(made, "m", 2)
    return made


def begun_with(project: Project, base: Path) -> tuple[str, list[Event]]:
    events: list[Event] = []
    name = train_project(project, small(2), events.append, base=base)
    assert name is not None
    return name, events


def test_a_model_that_begins_with_another_has_met_what_that_had(project: Project) -> None:
    """Of a chain of three, the last one's calibration leaves out what the first two learnt from, and says so."""
    first = [case.id for case in project.cases_in(Split.CALIBRATION)[:2]]
    second = project.cases_in(Split.CALIBRATION)[2].id
    record(project, "m", first[:1], first[1:])
    name, _ = begun_with(project, project.model_path("m"))
    told = json.loads((project.runs_dir / name / RECORD).read_text(encoding="utf-8"))
    assert told["met"] == sorted(first)
    assert told["stranger"] == ""
    record(project, name, [*told["train"], second], told["validation"], met=told["met"])
    last, events = begun_with(project, project.model_path(name))
    met = history_of_model(project, project.model_path(last)).cases
    own = {case.id for case in project.cases_in(Split.TRAIN)}
    assert met == {*first, second, *own}
    (said,) = [event for event in events if isinstance(event, Calibrated)]
    left_out = "without 3 that it, or the model it began with, learnt from or was chosen on"
    assert said.count == 3
    assert f"Calibrated on 3 images of the calibration split, {left_out}" in said.sentence
    card = (project.model_path(last) / "docs" / "README.md").read_text(encoding="utf-8")
    assert left_out in card
    assert not any(case.id in card for case in project.cases)
    assert calibrated_cases(project, project.model_path(last)) == {
        case.id for case in project.cases_in(Split.CALIBRATION)[3:]
    }


def test_what_a_model_from_elsewhere_had_met_is_not_known_and_that_is_said(project: Project, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(project.model_path("m"), tmp_path / "given")
    name, events = begun_with(project, elsewhere)
    assert history_of_model(project, project.model_path(name)).stranger == "given"
    (said,) = [event for event in events if isinstance(event, Calibrated)]
    assert "it began with 'given' from elsewhere, which may have met some of them" in said.sentence
    again, _ = begun_with(project, project.model_path(name))
    assert history_of_model(project, project.model_path(again)).stranger == "given"
    assert (
        "whether that had met any of these images is not known" in evaluate_model(project, again, Split.TEST).left_out
    )


def test_figures_leave_out_what_was_met(project: Project, tmp_path: Path) -> None:
    test = [case.id for case in project.cases_in(Split.TEST)]
    record(project, "m", ["case14"], [], met=test[:2])
    evaluation = evaluate_model(project, "m", Split.TEST)
    assert [case.case_id for case in evaluation.cases] == test[2:]
    assert evaluation.left_out == (
        "2 images of the test split were left out, as the model, or the one it began with, learnt from them or was "
        "chosen on them."
    )
    page = write_report(evaluation, tmp_path / "r", project.schema, project.image).html.read_text(encoding="utf-8")
    assert evaluation.left_out in page.replace("\u00a0", " ")
    words = ["evaluate", str(project.root), "--model", "m", "--out", str(tmp_path / "r")]
    assert "2 images of the test split were left out" in CliRunner().invoke(app, words).output
    kept = json.loads((project.model_path("m") / "evaluations" / "test.json").read_text(encoding="utf-8"))
    assert kept["n_images"] == 3
    assert evaluate_model(project, "m", Split.TRAIN).left_out == ""  # asked for by name, and known to be flattering
    record(project, "m", test, [])
    with pytest.raises(LandmarkerError, match="chosen on every annotated case of the test split"):
        evaluate_model(project, "m", Split.TEST)


def test_coverage_is_not_counted_where_regions_were_learnt_from(project: Project) -> None:
    """A case of the calibration that is moved to the test split tells errors, and nothing of regions."""
    calibrate_model(project, "m")
    moved = project.cases_in(Split.CALIBRATION)[0].id
    project.set_split(moved, Split.TEST)
    evaluation = evaluate_model(project, "m", Split.TEST, confidence=0.5)
    assert evaluation.n_images == 6
    assert evaluation.coverage is not None
    assert evaluation.coverage.images.n == 5
    assert evaluation.left_out == "An image that the regions were learnt from is not counted in their coverage."
    project.set_split(project.cases_in(Split.TRAIN)[0].id, Split.CALIBRATION)  # and one that they were not
    own = evaluate_model(project, "m", Split.CALIBRATION, confidence=0.5)
    assert own.coverage is not None
    assert own.coverage.images.n == 1
    assert "5 images that the regions were learnt from are not counted" in own.left_out


def test_a_part_of_an_ensemble_has_met_what_the_whole_has(project: Project) -> None:
    folder = project.model_path("both")
    save_ensemble(folder, [project.model_path("m")], read_info(project.model_path("m")))
    record(project, "both", ["case14"], ["case13"])
    for place in (folder, folder / "m"):
        assert history_of_model(project, place).cases == {"case13", "case14"}
    apart = held_out(project, folder / "m", project.cases_in(Split.TRAIN))
    assert {case.id for case in apart.met} == {"case13", "case14"}
    assert history_of_model(project, project.root.parent) == History()
    assert calibrated_cases(project, folder) is None
