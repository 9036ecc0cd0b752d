"""Make a project, and judge a model on it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_landmarker.cli.options import FORMATS, ProjectPath, Spacing, numbers, shown
from napari_landmarker.terminal import bar

if TYPE_CHECKING:
    from napari_landmarker.engine.project import Project


class SplitName(StrEnum):
    """The splits of a project."""

    TRAIN = "train"
    VALIDATION = "validation"
    CALIBRATION = "calibration"
    TEST = "test"


def init(
    project: ProjectPath,
    images: Annotated[Path, typer.Option(help="Folder of the images; they stay where they are.")],
    landmarks: Annotated[str, typer.Option(help="Names with commas between, or a file with one name a line.")],
    annotations: Annotated[
        Path | None,
        typer.Option(help=f"Existing ones: a file of many images, or a folder of files, of these formats: {FORMATS}."),
    ] = None,
    spacing: Spacing = None,
) -> None:
    """Make a project from a folder of images, with annotations that are there already."""
    from napari_landmarker.engine.exchange import create_project, parse_schema
    from napari_landmarker.engine.io import find_images

    made = create_project(
        project,
        parse_schema(landmarks),
        find_images(images),
        annotations=annotations,
        spacing=numbers(spacing),
    )
    _describe(made, project)


def evaluate(
    project: ProjectPath,
    model: Annotated[
        str, typer.Option(help="Name of a model of the project, or of one that comes with the program, or any folder.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for report.html, its tables and report.json.")],
    split: Annotated[SplitName, typer.Option(help="Which cases.")] = SplitName.TEST,
    radii: Annotated[str | None, typer.Option(help="Radii of the success rates, such as 2,2.5,3,4.")] = None,
    views: Annotated[int, typer.Option(min=1, help="Average so many slightly changed views of each image.")] = 1,
    confidence: Annotated[
        float, typer.Option(help="What the regions of a calibrated model promise, such as 0.95.")
    ] = 0.95,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
) -> None:
    """Judge a model on the annotated cases of a split, and write the report."""
    from napari_landmarker.engine.project import Project

    run_evaluation(Project.open(project), model, split, out, numbers(radii), views, device, confidence)


def run_evaluation(
    project: Project,
    model: str,
    split: SplitName,
    out: Path,
    radii: list[float] | None,
    views: int = 1,
    device: str = "auto",
    confidence: float = 0.95,
) -> None:
    """Judge a model on the annotated cases of a split, write the report and say the figures."""
    from napari_landmarker.engine.io.atomic import require_writable
    from napari_landmarker.engine.predict import evaluate_model
    from napari_landmarker.engine.project import Split
    from napari_landmarker.engine.report import coverage_text, write_report

    project.find_model(model)
    require_writable(out)
    with bar("Predicting") as say:
        evaluation = evaluate_model(
            project,
            model,
            Split(split.value),
            radii=radii,
            progress=say,
            views=views,
            device=device,
            confidence=confidence,
        )
    files = write_report(evaluation, out, project.schema, project.image)
    overall = evaluation.overall
    rates = ", ".join(f"{rate:.1f} % within {radius:g}" for radius, rate in overall.sdr.items() if rate is not None)
    mean = "none could be measured" if overall.mean is None else f"mean error {overall.mean:.2f} {evaluation.unit}"
    typer.echo(f"{evaluation.n_images} {split.value} images, {overall.n} points: {mean}; {rates} {evaluation.unit}")
    for told in filter(None, (evaluation.left_out, coverage_text(evaluation))):
        typer.echo(told)
    typer.echo(f"Report: {shown(files.html)}")


def _describe(project: Project, where: Path) -> None:
    from napari_landmarker.engine.project import Split

    counts = ", ".join(f"{len(project.cases_in(split))} {split.value}" for split in Split)
    done = sum(len(project.annotated_cases(split)) for split in Split)
    typer.echo(f"Project with {len(project.cases)} images ({counts}), {done} of them annotated: {shown(where)}")
    typer.echo(f"Landmarks: {', '.join(project.schema.names)}")
    first = project.geometry(project.cases[0].id).grid
    typer.echo(
        "No physical scale: the images state no spacing, so errors will be in pixels; --spacing gives one."
        if first.spacing is None
        else f"Spacing of the first image: {', '.join(f'{s:g}' for s in first.spacing)} mm"
    )
