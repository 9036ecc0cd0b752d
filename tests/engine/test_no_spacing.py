"""Images of which nobody knows how large a pixel is: whatever is written of them says px, and nothing says mm."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from synthetic import NAMES, make_project

from napari_landmarker.engine.exchange import read_annotations
from napari_landmarker.engine.exporting import export_annotations
from napari_landmarker.engine.io import ANNOTATION_FORMATS
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.measurement_table import export_measurements
from napari_landmarker.engine.metrics import CaseResult, evaluate
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.report import write_report
from napari_landmarker.engine.schema import Measurement

WIDTH = Measurement(name="width", kind="distance", landmarks=NAMES, norm=10.0, deviation=1.0)
#: Formats that can hold such images: all but those of millimetres.
HELD = [
    (key, ndim)
    for key, fmt in ANNOTATION_FORMATS.items()
    for ndim in fmt.capabilities.dimensions
    if fmt.capabilities.landmarks is None and ndim not in fmt.capabilities.needs_spacing
]


def says_mm(text: str) -> list[str]:
    """Every place where millimetres are named: ``mm``, ``x_mm``, ``"mm"``, a TPS file's ``SCALE``."""
    return re.findall(r"(?i).{0,20}(?<![a-z])(?:mm[²³]?|millimet\w+|scale=)(?![a-z]).{0,20}", text)


def test_the_search_finds_millimetres() -> None:
    for text in ("12 mm", "x_mm,y_mm", '"coordinateUnits": "mm"', "SCALE=0.5", "in millimetres", "3 mm²"):
        assert says_mm(text)
    assert not says_mm("comment, hammer, 12 px")


@pytest.mark.parametrize(("key", "ndim"), HELD)
def test_annotations_in_every_format_are_in_pixels_and_come_in_again_the_same(
    tmp_path: Path, key: str, ndim: int
) -> None:
    project, truth = make_project(tmp_path, ndim=ndim, count=2)
    several = ANNOTATION_FORMATS[key].capabilities.several_images
    out = tmp_path / f"out{ANNOTATION_FORMATS[key].suffixes[0] if several else ''}"
    export_annotations(project, out, key)
    files = [out] if several else sorted(out.iterdir())
    assert not [said for file in files for said in says_mm(file.read_text(encoding="utf-8"))]
    read = read_annotations(project, out)
    for case in project.cases:
        assert read[case.id].grid.spacing is None
        np.testing.assert_allclose(read[case.id].points, truth[case.id], atol=1e-6)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_files_of_a_project_are_in_pixels(tmp_path: Path, ndim: int) -> None:
    project, truth = make_project(tmp_path, ndim=ndim, count=1)
    case_id = project.cases[0].id
    path = project.annotation_path(case_id)
    assert says_mm(path.read_text(encoding="utf-8")) == []
    if ndim == 3:
        assert json.loads(path.read_text(encoding="utf-8"))["markups"][0]["coordinateUnits"] == "px"
    again = Project.open(project.root).annotations(case_id)
    assert again.grid.spacing is None
    np.testing.assert_allclose(again.points, truth[case_id], atol=1e-9)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_table_of_measurements_is_in_pixels_and_is_not_compared_with_a_norm_in_mm(tmp_path: Path, ndim: int) -> None:
    project, truth = make_project(tmp_path, ndim=ndim, count=2)
    project.rewrite([], schema=project.schema.model_copy(update={"measurements": (WIDTH,)}))
    export_measurements(project, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row, case in zip(rows, project.cases, strict=True):
        first, second = truth[case.id]
        assert float(row["value"]) == pytest.approx(np.linalg.norm(first - second))
        assert (row["unit"], row["deviations_from_norm"]) == ("px", "")
    assert says_mm((tmp_path / "table.csv").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("ndim", [2, 3])
def test_every_file_of_a_report_is_in_pixels(tmp_path: Path, ndim: int) -> None:
    project, truth = make_project(tmp_path, ndim=ndim, count=3)
    results = []
    for case in project.cases:
        true = project.annotations(case.id)
        moved = dict(zip(NAMES, truth[case.id] + 1.5, strict=True))
        found = LandmarkSet.from_points(moved, true.grid, names=NAMES, status=LandmarkStatus.PREDICTED)
        results.append(CaseResult(case.id, true.truth(), found))
    evaluation = evaluate(results, model="m", split="test", measurements=(WIDTH,))
    files = write_report(evaluation, tmp_path / "report", project.schema, project.image)
    for path in files.html.parent.iterdir():
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            text = re.sub(r"<head>.*?</head>|data:[^\"']*", "", text, flags=re.DOTALL)
            text = text.replace("they do not compare with millimetres", "")
        assert says_mm(text) == [], path.name
    assert json.loads(files.json.read_text(encoding="utf-8"))["unit"] == "px"
    assert f"{1.5 * np.sqrt(ndim):.1f}" in files.html.read_text(encoding="utf-8")
