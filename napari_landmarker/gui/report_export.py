"""What of a report can be saved on its own: the document, each table, and every figure as a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_landmarker.engine.project import Project
from napari_landmarker.gui.preload import preload_engine
from napari_landmarker.gui.tasks import Job

if TYPE_CHECKING:
    from napari_landmarker.engine.metrics import Evaluation

#: What each choice is called and the name of its file; the ending says the format.
EXPORTS = {
    "report.html": "Report to read (HTML)…",
    "report.csv": "Table of the landmarks (CSV)…",
    "report_cases.csv": "Table of the images (CSV)…",
    "report_measurements.csv": "Table of the measurements (CSV)…",
    "report_regions.csv": "Table of the regions (CSV)…",
    "report.json": "All numbers (JSON)…",
    "cumulative_error.png": "Figure: cumulative errors (PNG)…",
    "error_by_landmark.png": "Figure: error by landmark (PNG)…",
    "reliability.png": "Figure: coverage of the regions (PNG)…",
}
#: How a file dialog calls each format.
KINDS = {".html": "Web page (*.html)", ".csv": "Tables (*.csv)", ".json": "JSON (*.json)", ".png": "Pictures (*.png)"}


def exports_of(evaluation: Evaluation) -> dict[str, str]:
    """The choices there are for an evaluation, as in `EXPORTS`."""
    left = set()
    if not evaluation.measurements:
        left.add("report_measurements.csv")
    if evaluation.coverage is None:
        left |= {"report_regions.csv", "reliability.png"}
    return {name: title for name, title in EXPORTS.items() if name not in left}


def export(job: Job, project: Project, evaluation: Evaluation, what: str, path: Path) -> Path:
    """Write one of `EXPORTS` to a file, in a worker thread; returns the file.

    Raises:
        ProjectError: if the file cannot be written.
    """
    preload_engine()
    from napari_landmarker.engine import visualize
    from napari_landmarker.engine.io.atomic import write_json, write_text
    from napari_landmarker.engine.report import coverage, table
    from napari_landmarker.engine.report.html import report_html

    job.give(f"Writing {path.name}…")
    figures: dict[str, Callable[[], Any]] = {
        "cumulative_error.png": lambda: visualize.cumulative_error_figure(evaluation),
        "error_by_landmark.png": lambda: visualize.error_by_landmark_figure(evaluation),
    }
    if evaluation.coverage is not None:
        report = evaluation.coverage
        figures["reliability.png"] = lambda: visualize.reliability_figure(report)
    texts: dict[str, Callable[[], str]] = {
        "report.html": lambda: report_html(evaluation, project.schema, project.image, worst=6),
        "report.csv": lambda: table.report_csv(evaluation),
        "report_cases.csv": lambda: table.cases_csv(evaluation),
        "report_measurements.csv": lambda: table.measurements_csv(evaluation),
        "report_regions.csv": lambda: coverage.coverage_csv(evaluation),
    }
    if what in figures:
        visualize.save_figure(figures[what](), path)
    elif what in texts:
        write_text(path, texts[what]())
    else:
        write_json(path, evaluation.to_dict())
    return path
