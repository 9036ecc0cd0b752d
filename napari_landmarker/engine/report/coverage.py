"""How often the regions of a model cover: the part of a report, in words and as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from napari_landmarker.engine.metrics import Evaluation
from napari_landmarker.engine.report.table import OVERALL, to_csv
from napari_landmarker.engine.report.words import NOTHING, SPACE
from napari_landmarker.engine.uncertainty import Coverage

#: The row of images of which all points are covered.
IMAGES = "all landmarks of an image"
#: The columns of report_regions.csv after the landmark.
_COLUMNS = ("n", "covered", "coverage", "low", "high", "whole", "mean_size", "median_size", "adaptivity")


def coverage_text(evaluation: Evaluation) -> str:
    """Whether the regions keep their word, in a sentence or two."""
    report = evaluation.coverage
    if report is None:
        return evaluation.uncovered
    percent, points = f"{100 * report.confidence:g}{SPACE}%", report.points
    if points.coverage is None:
        return f"No true point lies where the model promises a region at {percent}."
    text = (
        f"{points.covered} of {points.n} true points ({100 * points.coverage:.1f}{SPACE}%) lie inside their regions, "
        f"which promise {percent}"
    )
    if points.mean_size is None:
        return f"{text}."
    return f"{text}; a region has a mean size of {_number(points.mean_size)}{SPACE}{report.unit}."


def coverage_rows(evaluation: Evaluation) -> Iterator[tuple[str, Coverage]]:
    """Name and numbers of each row: every landmark, all of them, and images as a whole; none without regions."""
    if evaluation.coverage is not None:
        yield from evaluation.coverage.landmarks.items()
        yield OVERALL, evaluation.coverage.points
        yield IMAGES, evaluation.coverage.images


def shown_row(coverage: Coverage) -> list[str]:
    """The cells of a row of the report after its name."""
    low, high = coverage.interval or (None, None)
    return [
        str(coverage.n),
        str(coverage.covered),
        NOTHING if coverage.coverage is None else f"{100 * coverage.coverage:.1f}",
        NOTHING if low is None or high is None else f"{100 * low:.1f}–{100 * high:.1f}",
        _number(coverage.mean_size),
        _number(coverage.median_size),
        str(coverage.whole),
        NOTHING if coverage.adaptivity is None else f"{coverage.adaptivity:.2f}",
    ]


def coverage_csv(evaluation: Evaluation) -> str:
    """The regions as CSV: the numbers of report.json in full precision, an empty field where there is none."""
    report = evaluation.coverage
    lines: list[list[Any]] = [["landmark", "confidence", "unit", *_COLUMNS]]
    for name, one in coverage_rows(evaluation):
        numbers = (one.whole, one.mean_size, one.median_size, one.adaptivity)
        shares = (one.n, one.covered, one.coverage, *(one.interval or (None, None)))
        lines.append([name, report and report.confidence, report and report.unit, *shares, *numbers])
    return to_csv(lines)


def coverage_glossary(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The terms of the part on regions, explained; none without regions."""
    if evaluation.coverage is None:
        return []
    percent = f"{100 * evaluation.coverage.confidence:g}"
    return [
        (
            "Region",
            f"Where else the point may be: in {percent} of 100 images like those of the calibration, the true point "
            "lies inside.",
        ),
        (
            "Coverage",
            "How many of 100 true points lie inside their regions. The interval beside it is the range in which that "
            "would lie for most other samples of as many images.",
        ),
        (
            "Follows the error",
            "Rank correlation of the size of a region with the distance of its point: well above 0 where large regions "
            "warn of bad points, about 0 where all regions are alike.",
        ),
    ]


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3g}"
