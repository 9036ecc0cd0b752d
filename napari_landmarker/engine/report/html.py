"""The report as one HTML file that needs nothing else: styles and pictures are inside."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.metrics import CaseScore, Evaluation, MeasurementScore, Summary
from napari_landmarker.engine.metrics.bootstrap import LEVEL
from napari_landmarker.engine.report import coverage, table, words
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.uncertainty import Coverage
from napari_landmarker.engine.visualize import (
    case_figure,
    cumulative_error_figure,
    error_by_landmark_figure,
    reliability_figure,
    to_png,
    to_svg,
)

_TEMPLATES = Path(__file__).parent / "templates"
_NO_COLOR = "#9ca3af"
#: Beside a picture, this many landmarks are listed, worst first.
_LISTED = 8

ImageOf = Callable[[str], Image]


def report_html(evaluation: Evaluation, schema: LandmarkSchema, image_of: ImageOf, *, worst: int) -> str:
    """The whole report.

    Args:
        evaluation: the numbers.
        schema: colours of the landmarks.
        image_of: reads the image of a case by its id; where it raises a `LandmarkerError`, the report says
            that there is no picture.
        worst: how many of the worst cases are shown.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    colors = {definition.name: definition.color for definition in schema.landmarks}
    today = date.today()
    return environment.get_template("report.html.j2").render(
        evaluation=evaluation,
        made_on=f"{today.day} {today:%B %Y}",
        headline=words.headline(evaluation),
        cautions=words.cautions(evaluation),
        glossary=[*words.glossary(evaluation), *coverage.coverage_glossary(evaluation)],
        facts=_facts(evaluation),
        cards=_cards(evaluation),
        level=f"{100 * LEVEL:.0f}",
        images=[_image(evaluation, case) for case in evaluation.cases],
        measurements=[_measurement(score) for score in evaluation.measurements.values()],
        coverage_text=coverage.coverage_text(evaluation),
        regions=[_regions(name, one, colors) for name, one in coverage.coverage_rows(evaluation)],
        reliability=None
        if evaluation.coverage is None
        else _data_uri("image/svg+xml", to_svg(reliability_figure(evaluation.coverage))),
        rows=[_row(evaluation, name, summary, colors) for name, summary in table.rows(evaluation)],
        curve=_data_uri("image/svg+xml", to_svg(cumulative_error_figure(evaluation))),
        spread=_data_uri("image/svg+xml", to_svg(error_by_landmark_figure(evaluation))),
        cases=[_case(evaluation, case, schema, image_of, colors) for case in evaluation.worst_cases(worst)],
    )


def _facts(evaluation: Evaluation) -> list[tuple[str, str]]:
    overall = evaluation.overall
    points = f"{words.count(overall.n, 'true point')} of {words.count(len(evaluation.landmarks), 'landmark')}"
    unannotated = sum(case.n == 0 for case in evaluation.cases)
    images = words.images_text(evaluation)
    if unannotated:
        images += f", {unannotated} of them without any true point"
    return [
        ("Model", evaluation.model),
        ("Split", evaluation.split),
        ("Images", f"{images} ({evaluation.ndim}D)"),
        ("Compared", points),
        ("Spacing" if evaluation.unit == "mm" else "Scale", evaluation.physical_scale),
    ]


def _cards(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The headline numbers, each with its name, its interval and, for a percentage, how far its bar reaches."""
    overall, unit = evaluation.overall, evaluation.unit
    mean, median, *rates = _intervals(evaluation, overall)
    cards: list[dict[str, Any]] = [
        {"value": words.error_text(overall.mean, unit), "name": "mean distance", "percent": None, "interval": mean},
        {"value": words.error_text(overall.median, unit), "name": "median distance", "percent": None},
    ]
    cards[1]["interval"] = median
    for (radius, percent), interval in zip(overall.sdr.items(), rates, strict=True):
        name = f"within {radius:g} {unit}"
        cards.append({"value": words.percent_text(percent), "name": name, "percent": percent, "interval": interval})
    return cards


def _intervals(evaluation: Evaluation, summary: Summary) -> list[str]:
    """The intervals of mean, median and each success rate as text, with as many decimals as the numbers."""
    digits = 1 if evaluation.unit == "px" else 2
    mean, median, *rates = table.intervals(summary)
    return [words.interval_text(i, digits) for i in (mean, median)] + [words.interval_text(i, 1) for i in rates]


def _row(evaluation: Evaluation, name: str, summary: Summary, colors: dict[str, str]) -> dict[str, Any]:
    errors = (summary.mean, summary.median, summary.std, summary.max)
    mean, median, *rates = _intervals(evaluation, summary)
    texts = [words.error_text(value, digits_of=evaluation.unit) for value in errors]
    return {
        "name": name,
        "is_overall": summary is evaluation.overall,
        "color": colors.get(name, _NO_COLOR),
        "counts": (summary.n, summary.missing, summary.missed),
        "errors": list(zip(texts, (mean, median, "", ""), strict=True)),
        "sdr": [
            (words.percent_text(percent, ""), percent or 0.0, interval)
            for percent, interval in zip(summary.sdr.values(), rates, strict=True)
        ],
    }


def _image(evaluation: Evaluation, case: CaseScore) -> list[str]:
    """A row of the table of images."""
    errors = [words.error_text(value, digits_of=evaluation.unit) for value in (case.mean, case.median, case.max)]
    worst = case.worst_landmark or words.NOTHING
    return [case.case_id, str(case.n), str(case.missing), str(case.missed), *errors, worst]


def _regions(name: str, one: Coverage, colors: dict[str, str]) -> dict[str, Any]:
    """A row of the table of regions."""
    is_overall = name in (table.OVERALL, coverage.IMAGES) and name not in colors
    shown = {table.OVERALL: "All landmarks", coverage.IMAGES: "All landmarks of an image together"}
    return {
        "name": shown[name] if is_overall else name,
        "is_overall": is_overall,
        "color": colors.get(name, _NO_COLOR),
        "cells": coverage.shown_row(one),
    }


def _measurement(score: MeasurementScore) -> dict[str, Any]:
    """A row of the table of measurements."""
    differences = [words.measured_text(value, score) for value in (score.mean, score.median, score.std, score.max)]
    differences.append(words.measured_text(score.bias, score, signed=True))
    interval = words.interval_text(score.mean_interval, words.digits_of(score))
    return {
        "name": f"{score.name} ({score.unit})" if score.unit else f"{score.name} (ratio)",
        "counts": (score.n, score.missing, score.missed),
        "differences": [(text, interval if not column else "") for column, text in enumerate(differences)],
    }


def _case(
    evaluation: Evaluation, case: CaseScore, schema: LandmarkSchema, image_of: ImageOf, colors: dict[str, str]
) -> dict[str, Any]:
    """What is shown of one case."""
    unit = evaluation.unit
    focus = case.worst_landmark
    errors = sorted(case.errors.items(), key=lambda item: np.inf if item[1] is None else item[1], reverse=True)
    listed = [
        {
            "name": name,
            "color": colors.get(case.landmark_of.get(name, name), _NO_COLOR),
            "error": "missed" if error is None else words.error_text(error, unit),
        }
        for name, error in errors[:_LISTED]
    ]
    return {
        "id": case.case_id,
        "mean": words.error_text(case.mean, unit),
        "max": words.error_text(case.max, unit),
        "focus": focus,
        "landmarks": listed,
        "others": len(errors) - len(listed),
        "picture": _picture(case, schema, image_of, focus),
    }


def _picture(case: CaseScore, schema: LandmarkSchema, image_of: ImageOf, focus: str | None) -> str | None:
    """The case's figure as a data URI, None if the image cannot be read or does not fit its annotation."""
    try:
        figure = case_figure(image_of(case.case_id), case.truth, case.predicted, schema, focus=focus)
    except LandmarkerError:
        return None
    return _data_uri("image/png", to_png(figure))


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
