"""Reports of an evaluation that open anywhere: one HTML file to read, CSV and JSON to compute with."""

from napari_landmarker.engine.report.coverage import coverage_text
from napari_landmarker.engine.report.write import ReportFiles, write_report

__all__ = ["ReportFiles", "coverage_text", "write_report"]
