"""The tables of a report: the same rows and columns for HTML, CSV and JSON."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any

from napari_landmarker.engine.metrics import CaseScore, Evaluation, Interval, MeasuredCase, Summary, radius_key

#: The row that sums up all landmarks; it is the last one.
OVERALL = "overall"
#: What stands in the table of the images where a true point got no prediction; where there is no true point, nothing.
MISSED = "missed"
_COUNTS = ("n", "missing", "missed")
_ERRORS = ("mean", "median", "std", "max")
_NO_INTERVAL = (None, None)


def rows(evaluation: Evaluation) -> Iterator[tuple[str, Summary]]:
    """Name and numbers of each row: every landmark, then all of them together."""
    yield from evaluation.landmarks.items()
    yield OVERALL, evaluation.overall


def report_csv(evaluation: Evaluation) -> str:
    """The landmarks as CSV: the numbers of report.json in full precision, an empty field where there is none."""
    radii = evaluation.radii
    sdr = [f"sdr_{radius_key(radius)}" for radius in radii]
    ends = [f"{name}_{end}" for name in ("mean", "median", *sdr) for end in ("low", "high")]
    lines: list[list[Any]] = [["landmark", "unit", *_COUNTS, *_ERRORS, *sdr, *ends]]
    for name, summary in rows(evaluation):
        numbers = [getattr(summary, key) for key in (*_COUNTS, *_ERRORS)]
        lines.append([name, evaluation.unit, *numbers, *(summary.sdr[radius] for radius in radii)])
        lines[-1] += [end for interval in intervals(summary) for end in interval or _NO_INTERVAL]
    return to_csv(lines)


def cases_csv(evaluation: Evaluation) -> str:
    """The images as CSV: counts, the error of every landmark, and true and predicted value of every measurement.

    An error is empty where there is no true point, and `MISSED` where the model gave none. Of several points of a
    landmark it is the mean over those found.
    """
    names, scores = list(evaluation.landmarks), list(evaluation.measurements.values())
    measured = [f"{score.name} ({score.unit or 'ratio'}), {of}" for score in scores for of in ("true", "predicted")]
    summary = ["mean", "median", "max"]
    lines: list[list[Any]] = [["case", "unit", *_COUNTS, *summary, *(f"error of {name}" for name in names), *measured]]
    for number, case in enumerate(evaluation.cases):
        numbers = [getattr(case, key) for key in (*_COUNTS, *summary)]
        lines.append([case.case_id, evaluation.unit, *numbers, *(_error(case, name) for name in names)])
        lines[-1] += _values(score.cases[number] for score in scores)
    return to_csv(lines)


def measurements_csv(evaluation: Evaluation) -> str:
    """The measurements as CSV: how far predicted values lie from true ones, as in report.json."""
    keys = ("kind", "unit", *_COUNTS, *_ERRORS, "bias")
    lines: list[list[Any]] = [["measurement", "landmarks", *keys, "mean_low", "mean_high", "square_pixels"]]
    for score in evaluation.measurements.values():
        numbers = [getattr(score, key) for key in keys]
        ends = score.mean_interval or _NO_INTERVAL
        lines.append([score.name, "; ".join(score.landmarks), *numbers, *ends, "yes" if score.square_pixels else "no"])
    return to_csv(lines)


def intervals(summary: Summary) -> list[Interval | None]:
    """The confidence intervals of a row: of mean, median and each success rate."""
    found = summary.intervals
    return [found.mean, found.median, *(found.sdr.get(radius) for radius in summary.sdr)]


def _error(case: CaseScore, name: str) -> float | str | None:
    errors = case.errors_of(name)
    found = [error for error in errors if error is not None]
    if not found:
        return MISSED if errors else None
    return sum(found) / len(found)


def _values(measured: Iterable[MeasuredCase]) -> list[float | None]:
    return [value for case in measured for value in (case.true, case.predicted)]


def to_csv(lines: Iterable[list[Any]]) -> str:
    """Lines of cells as CSV; None is an empty cell."""
    target = StringIO()
    csv.writer(target, lineterminator="\n").writerows(lines)
    return target.getvalue()
