"""Temperatures in a calibrated model: from the command to the file, to regions, and under other names of landmarks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from synthetic import make_project
from test_calibrate import SPACING, move, rows_of, save_model
from typer.testing import CliRunner

from napari_landmarker.cli import app
from napari_landmarker.engine.predict import Predictor, evaluate_model
from napari_landmarker.engine.predict.batch import predict_files
from napari_landmarker.engine.predict.calibrate import calibrate_model
from napari_landmarker.engine.predict.calibration_file import read_calibration
from napari_landmarker.engine.predict.importing import adopt_model, stage_model
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.uncertainty import Calibration, CalibrationConfig, RankScore, TemperatureScaling


@pytest.fixture(params=[2, 3])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """Eight cases to calibrate on and two to test on, with a model that has learnt nothing."""
    made, _ = make_project(tmp_path / "p", ndim=request.param, count=11, spacing=SPACING[request.param])
    move(made, calibration=8, test=2)
    save_model(made, "m", request.param)
    return made


def test_the_command_sets_temperatures_that_predictions_are_brought_to(project: Project, tmp_path: Path) -> None:
    """Oracle: every third case sets the temperatures, and the other six the thresholds; each part by itself."""
    words = ["calibrate", str(project.root), "--model", "m", "--score", "rank", "--temperature", "each"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    told = "8 images of the calibration split, 2 of which only set its temperatures:"
    assert told in done.output.replace("\n", " ")
    predictor = Predictor.load(project.model_path("m"))
    cases = project.cases_in(Split.CALIBRATION)
    said = [(predictor.predict(project.image(case.id)), project.annotations(case.id)) for case in cases]
    warm, kept = [said[2], said[5]], [said[k] for k in (0, 1, 3, 4, 6, 7)]
    scaling = TemperatureScaling.fit([p for p, _ in warm], [t for _, t in warm], per_landmark=True)
    made = predictor.calibration
    assert made is not None
    assert made.config == CalibrationConfig(score=RankScore(), temperature="each")
    assert made.scaling == scaling
    plain = CalibrationConfig(score=RankScore())
    by_hand = Calibration.fit(plain, (scaling.applied(p) for p, _ in kept), (t for _, t in kept))
    np.testing.assert_array_equal(made.scores, by_hand.scores)
    report = json.loads((project.model_path("m") / "evaluations" / "regions.json").read_text(encoding="utf-8"))
    assert report["images"]["n"] == 6
    image = project.image_path(cases[0].id)
    spacing = project.geometry(cases[0].id).grid.spacing
    predict_files(predictor, [image], tmp_path / "out", spacing=spacing, confidence=0.6)
    expected = by_hand.regions(scaling.applied(said[0][0]), 0.6)
    for row in rows_of(tmp_path / "out" / "regions.csv"):
        assert float(row["size"]) == pytest.approx(expected[row["landmark"]].size, rel=1e-4)
    evaluation = evaluate_model(project, "m", Split.TEST, confidence=0.6)
    assert evaluation.coverage is not None
    assert evaluation.coverage.points.mean_size is not None


@pytest.mark.parametrize("project", [2], indirect=True)
def test_temperatures_go_with_landmarks_that_are_called_otherwise(project: Project, tmp_path: Path) -> None:
    made = calibrate_model(project, "m", CalibrationConfig(score=RankScore(), temperature="each"))
    assert made.scaling is not None
    other, _ = make_project(tmp_path / "q", ndim=2, count=2, spacing=SPACING[2])
    staged = stage_model(other, project.model_path("m"))
    adopted = read_calibration(other.model_path(adopt_model(other, staged, {"bright": "dark", "dark": "bright"})))
    assert adopted is not None
    assert adopted.scaling is not None
    assert adopted.scaling.own == {"dark": made.scaling.own["bright"], "bright": made.scaling.own["dark"]}
    assert adopted.names == ("dark", "bright")


@pytest.mark.parametrize("project", [2], indirect=True)
def test_another_temperature_is_another_prediction(project: Project, tmp_path: Path) -> None:
    """Regions that are there are found anew when only the temperature changed."""
    image = project.image_path(project.cases[0].id)
    for temperature, predicted in (("none", 1), ("none", 0), ("common", 1), ("common", 0), ("each", 1)):
        calibrate_model(project, "m", CalibrationConfig(score=RankScore(), temperature=temperature))
        predictor = Predictor.load(project.model_path("m"))
        done = predict_files(predictor, [image], tmp_path, spacing=SPACING[2], confidence=0.6, resume=True)
        assert done.predicted == predicted, temperature
