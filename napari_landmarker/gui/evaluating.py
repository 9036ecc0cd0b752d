"""What a worker thread does for a report: predict a split, compare, write the files. No widget, no layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.gui.preload import preload_engine
from napari_landmarker.gui.tasks import Job

if TYPE_CHECKING:
    from napari_landmarker.engine.metrics import Evaluation
    from napari_landmarker.engine.report import ReportFiles


@dataclass(frozen=True, eq=False)
class Reported:
    """A report that is written.

    Attributes:
        evaluation: the numbers.
        files: where they lie.
        headline: the result in a sentence or two.
        cautions: what a reader must know, a sentence each.
    """

    evaluation: Evaluation
    files: ReportFiles
    headline: str
    cautions: tuple[str, ...]


def make_report(job: Job, project: Project, model: str, split: Split, radii: Sequence[float] | None = None) -> Reported:
    """Judge a model on a split and write the report into the project.

    Raises:
        LandmarkerError: if there is nothing to judge, the model does not fit or the folder cannot be written.
    """
    preload_engine()
    from napari_landmarker.engine.predict import evaluate_model

    evaluation = evaluate_model(project, model, split, radii=radii, progress=job.progress)
    return save_report(job, project, evaluation, project.report_dir(model, split))


def save_report(job: Job, project: Project, evaluation: Evaluation, out: Path) -> Reported:
    """Write the report of an evaluation to a folder; ProjectError if that fails."""
    from napari_landmarker.engine.report import write_report
    from napari_landmarker.engine.report.words import cautions, headline

    job.give("Writing the report…")
    files = write_report(evaluation, out, project.schema, project.image)
    return Reported(evaluation, files, headline(evaluation), tuple(cautions(evaluation)))


def parse_radii(text: str) -> tuple[float, ...] | None:
    """Radii that a person typed, ``"2, 2.5, 3"``; None for an empty text, which means the usual ones.

    Raises:
        LandmarkerError: if something in it is no positive number.
    """
    words = [word for word in re.split(r"[,;\s]+", text.strip()) if word]
    try:
        radii = tuple(float(word) for word in words)
    except ValueError:
        radii = (0.0,)
    if any(not 0 < radius < float("inf") for radius in radii):
        raise LandmarkerError(f"'{text.strip()}' is no list of radii: write positive numbers, such as 2, 2.5, 3, 4.")
    return radii or None
