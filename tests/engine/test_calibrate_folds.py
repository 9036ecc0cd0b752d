"""An ensemble of a cross-validation is calibrated on what its parts held out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from synthetic import make_project, small
from typer.testing import CliRunner

from napari_landmarker.cli import app
from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict import Predictor
from napari_landmarker.engine.predict.calibrate import calibrate_model
from napari_landmarker.engine.predict.calibration_file import CROSS_VALIDATION, stored_calibration
from napari_landmarker.engine.predict.held_out import calibrated_cases
from napari_landmarker.engine.predict.importing import adopt_model, stage_model
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.train.events import Calibrated
from napari_landmarker.engine.train.folds import train_folds
from napari_landmarker.engine.uncertainty import Calibration, CalibrationConfig, ErrorScatter, MahalanobisScore

SPACING = (0.5, 0.25)


def _without_calibration_split(root: Path, **more: int) -> Project:
    project, _ = make_project(root, count=12, spacing=SPACING, **more)
    for case in project.cases_in(Split.CALIBRATION):
        project.set_split(case.id, Split.TRAIN)
    return project


def _clear(project: Project, case: str) -> None:
    landmarks = project.annotations(case)
    project.save_annotations(case, LandmarkSet.empty(landmarks.names, landmarks.grid))


def _held_out(project: Project, name: str) -> list[list[tuple[Prediction, LandmarkSet]]]:
    """Each case answered by the member that did not learn from it, found in the records of the runs."""
    folds = []
    for member in sorted(path.name for path in project.model_path(name).glob("fold-*")):
        record = json.loads((project.runs_dir / name / f"{member}-run" / "run.json").read_text(encoding="utf-8"))
        predictor = Predictor.load(project.model_path(name) / member)
        assert not set(record["validation"]) & set(record["train"])
        cases = record["validation"]
        folds.append([(predictor.predict(project.image(case)), project.annotations(case)) for case in cases])
    return folds


def test_folds_end_with_a_calibration_on_what_each_held_out(tmp_path: Path) -> None:
    project = _without_calibration_split(tmp_path)
    events: list[object] = []
    trained = train_folds(project, small(6), 2, events.append)
    assert trained is not None
    name, evaluation = trained
    ((count, sentence),) = [(event.count, event.sentence) for event in events if isinstance(event, Calibrated)]
    held = {case.id for split in (Split.TRAIN, Split.VALIDATION) for case in project.annotated_cases(split)}
    assert count == evaluation.n_images == len(held)
    assert f"{count} images of a cross-validation, each answered by the one of 2 models that had not met it" in sentence
    stored = stored_calibration(project.model_path(name))
    assert stored.split == CROSS_VALIDATION
    assert "as a rule, though cross-validation does not prove it, in 95 of 100 such images" in sentence
    assert stored.calibration is not None
    said = [one for fold in _held_out(project, name) for one in fold]
    expected = Calibration.fit(CalibrationConfig(), *zip(*said, strict=True))
    np.testing.assert_array_equal(stored.calibration.scores, expected.scores)
    assert calibrated_cases(project, project.model_path(name)) == held
    # the ensemble itself draws regions by it
    prediction = Predictor.load(project.model_path(name)).predict(project.image(project.cases[0].id))
    assert not any(region.whole for region in stored.calibration.regions(prediction, 0.5).values())


def test_cases_that_were_kept_apart_come_first(tmp_path: Path) -> None:
    project = _without_calibration_split(tmp_path)
    kept = [case.id for case in project.annotated_cases(Split.TRAIN)][:3]
    for case in kept:
        project.set_split(case, Split.CALIBRATION)
    trained = train_folds(project, small(2), 2, lambda event: None, name="heads")
    assert trained is not None
    stored = stored_calibration(project.model_path("heads"))
    assert stored.split == "calibration"
    assert stored.calibration is not None
    assert not stored.calibration.crossed
    assert calibrated_cases(project, project.model_path("heads")) == set(kept)


def test_the_command_joins_typical_errors_which_go_with_other_names(tmp_path: Path) -> None:
    """Oracle: each fold's errors in spreads that the others' were added to; other names keep their own scatter."""
    project = _without_calibration_split(tmp_path / "p")
    train_folds(project, small(2), 2, lambda event: None, name="heads")
    words = ["calibrate", str(project.root), "--model", "heads", "--folds", "--temperature", "scatter"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    made = stored_calibration(project.model_path("heads")).calibration
    assert made is not None
    assert isinstance(made.scaling, ErrorScatter)
    folds = _held_out(project, "heads")
    for number, fold in enumerate(folds):
        scatter = ErrorScatter.fit(*zip(*(one for other in folds if other is not fold for one in other), strict=True))
        for k, (prediction, truth) in enumerate(fold):
            expected = MahalanobisScore().at(scatter.applied(prediction), truth.points)
            np.testing.assert_allclose(made.scores[sum(map(len, folds[:number])) + k], expected)
    assert made.scaling == ErrorScatter.fit(*zip(*(one for fold in folds for one in fold), strict=True))
    assert made.count == sum(map(len, folds))
    assert made.crossed
    assert "For that it takes 19 images" in done.output.replace("\n", " ")
    assert f"Calibrated on {made.count} images of a cross-validation, each answered" in done.output.replace("\n", " ")
    other, _ = make_project(tmp_path / "q", ndim=2, count=2, spacing=SPACING)
    staged = stage_model(other, project.model_path("heads"))
    adopted = adopt_model(other, staged, {"bright": "dark", "dark": "bright"})
    renamed = stored_calibration(other.model_path(adopted)).calibration
    assert renamed is not None
    assert isinstance(renamed.scaling, ErrorScatter)
    assert renamed.scaling.scatter["dark"] == made.scaling.scatter["bright"]
    with pytest.raises(CalibrationError, match="not of a cross-validation in this project"):
        calibrate_model(other, adopted, folds=True)


def test_only_what_is_still_annotated_counts_and_nothing_left_is_told(tmp_path: Path) -> None:
    project = _without_calibration_split(tmp_path)
    train_folds(project, small(2), 2, lambda event: None, name="heads")
    cases = [case.id for split in (Split.TRAIN, Split.VALIDATION) for case in project.annotated_cases(split)]
    for case in cases[1:]:
        _clear(project, case)
    assert calibrate_model(project, "heads", folds=True).count == 1
    _clear(project, cases[0])
    with pytest.raises(CalibrationError, match="is annotated any more"):
        calibrate_model(project, "heads", folds=True)
