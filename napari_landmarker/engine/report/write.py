"""Writing a report: report.html, report.json and tables as CSV, with the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_landmarker.engine.io.atomic import write_json, write_text
from napari_landmarker.engine.metrics import Evaluation
from napari_landmarker.engine.report.coverage import coverage_csv
from napari_landmarker.engine.report.html import ImageOf, report_html
from napari_landmarker.engine.report.table import cases_csv, measurements_csv, report_csv
from napari_landmarker.engine.schema import LandmarkSchema


@dataclass(frozen=True)
class ReportFiles:
    """Where a report lies.

    Attributes:
        html: the report to read; it holds all its pictures and opens on any machine.
        csv: one row a landmark, and one for all.
        json: `Evaluation.to_dict`.
        cases_csv: one row an image, with the error of each landmark.
        measurements_csv: one row a distance, angle or ratio; None where the project has none.
        regions_csv: one row a landmark, with how often its regions cover; None where the model promises none.
    """

    html: Path
    csv: Path
    json: Path
    cases_csv: Path
    measurements_csv: Path | None = None
    regions_csv: Path | None = None


def write_report(
    evaluation: Evaluation, out: Path, schema: LandmarkSchema, image_of: ImageOf, *, worst: int = 6
) -> ReportFiles:
    """Write the report of an evaluation; files of an earlier one are replaced, each at once and whole.

    Args:
        evaluation: the numbers.
        out: folder of the report; it is made where there is none.
        schema: the landmarks' colours.
        image_of: reads the image of a case by its id, for the pictures of the worst cases.
        worst: how many of the worst cases are shown.

    Raises:
        ProjectError: if the folder cannot be written.
    """
    measurements, regions = out / "report_measurements.csv", out / "report_regions.csv"
    files = ReportFiles(
        html=out / "report.html",
        csv=out / "report.csv",
        json=out / "report.json",
        cases_csv=out / "report_cases.csv",
        measurements_csv=measurements if evaluation.measurements else None,
        regions_csv=None if evaluation.coverage is None else regions,
    )
    html = report_html(evaluation, schema, image_of, worst=worst)
    write_json(files.json, evaluation.to_dict())
    write_text(files.csv, report_csv(evaluation))
    write_text(files.cases_csv, cases_csv(evaluation))
    for path, wanted, make in (
        (measurements, files.measurements_csv, measurements_csv),
        (regions, files.regions_csv, coverage_csv),
    ):
        if wanted is not None:
            write_text(path, make(evaluation))
        elif path.is_file():
            path.unlink()
    write_text(files.html, html)
    return files
