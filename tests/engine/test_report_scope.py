"""Whose annotations a report is judged by, and in which pixels its distances are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from test_report import GRIDS, SCHEMA, image_of, make, read

from napari_landmarker.engine.metrics import Evaluation
from napari_landmarker.engine.metrics.evaluation import shapes_text
from napari_landmarker.engine.report import ReportFiles, write_report


@pytest.fixture(scope="module", params=[2, 3])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, ReportFiles]:
    evaluation = make(request.param)
    return evaluation, write_report(evaluation, tmp_path_factory.mktemp("report"), SCHEMA, image_of(request.param))


def test_the_report_names_the_rater_and_a_model_that_is_given_away_does_not(
    made: tuple[Evaluation, ReportFiles], tmp_path: Path
) -> None:
    evaluation, files = made
    said = "The true points are those of the rater “bo”"
    assert (json.loads(files.json.read_text(encoding="utf-8"))["rater"], said in read(files).text) == ("", False)
    of_bo = replace(evaluation, rater="bo")
    files = write_report(of_bo, tmp_path / "bo", SCHEMA, image_of(evaluation.ndim))
    assert (json.loads(files.json.read_text(encoding="utf-8"))["rater"], said in read(files).text) == ("bo", True)
    assert of_bo.figures().keys() == of_bo.to_dict().keys() - {"rater", "cases"}


def test_the_report_says_which_pixels_are_meant(made: tuple[Evaluation, ReportFiles]) -> None:
    evaluation, files = made
    shape = list(GRIDS[evaluation.ndim].shape)
    assert json.loads(files.json.read_text(encoding="utf-8"))["image_shapes"] == [shape, shape]
    said = "Distances are in pixels of these images (60 x 80 pixels)" in read(files).text
    assert said == (evaluation.unit == "px")
    assert shapes_text([(60, 80), (60, 100)]) == "60 x 80 to 60 x 100 pixels"
