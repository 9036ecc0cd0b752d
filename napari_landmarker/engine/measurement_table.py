"""The measurements of all images of a project as one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_landmarker.engine.io.atomic import write_text
from napari_landmarker.engine.metrics import Measured, measurements_of
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.report.table import to_csv


def export_measurements(
    project: Project, path: Path | str, case_ids: Sequence[str] | None = None, progress: Progress | None = None
) -> int:
    """Write one CSV table of what the points that persons placed or confirmed measure.

    One row a measurement of an image: its value with its unit, norm, deviation, and how many deviations the value is
    from the norm; empty where there is none, or where value and norm are not in the same unit. Images in which nothing
    can be measured are left out.

    Args:
        project: the project.
        path: the table.
        case_ids: of which images; None for all.
        progress: called for every image.

    Returns:
        How many images are in the table.

    Raises:
        LandmarkerError: if annotations cannot be read, or the table cannot be written.
    """
    ids = [case.id for case in project.cases] if case_ids is None else list(case_ids)
    lines: list[list[str | float | None]] = [
        ["case", "measurement", "value", "unit", "norm", "deviation", "deviations_from_norm", "square_pixels_assumed"]
    ]
    count = 0
    for number, case_id in enumerate(ids, start=1):
        measured = measurements_of(project.annotations(case_id).truth(), project.schema.measurements)
        rows = [_row(case_id, one) for one in measured if one.value is not None]
        lines += rows
        count += bool(rows)
        if progress is not None:
            progress(number, len(ids))
    write_text(path, to_csv(lines))
    return count


def _row(case_id: str, one: Measured) -> list[str | float | None]:
    of = one.measurement
    assumed = "yes" if one.square_pixels else "no"
    return [case_id, of.name, one.value, one.unit or "ratio", of.norm, of.deviation, one.deviations, assumed]
