"""The table of a report: the same rows and columns for HTML, CSV and JSON."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

from napari_landmarker.engine.metrics import Evaluation, Summary, radius_key

#: The row that sums up all landmarks; it is the last one.
OVERALL = "overall"
_COUNTS = ("n", "missing", "missed")
_ERRORS = ("mean", "median", "std", "max")


def rows(evaluation: Evaluation) -> Iterator[tuple[str, Summary]]:
    """Name and numbers of each row: every landmark, then all of them together."""
    yield from evaluation.landmarks.items()
    yield OVERALL, evaluation.overall


def report_csv(evaluation: Evaluation) -> str:
    """The table as CSV: the numbers of report.json in full precision, an empty field where there is none."""
    target = StringIO()
    writer = csv.writer(target, lineterminator="\n")
    sdr = [f"sdr_{radius_key(radius)}" for radius in evaluation.radii]
    writer.writerow(["landmark", "unit", *_COUNTS, *_ERRORS, *sdr])
    for name, summary in rows(evaluation):
        numbers = [getattr(summary, key) for key in (*_COUNTS, *_ERRORS)]
        writer.writerow([name, evaluation.unit, *numbers, *(summary.sdr[radius] for radius in evaluation.radii)])
    return target.getvalue()
