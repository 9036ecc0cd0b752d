"""Open the window, on a project or at the end of a demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_landmarker.cli.options import MaxMinutes, has_screen, shown
from napari_landmarker.cli.project import SplitName, run_evaluation
from napari_landmarker.cli.training import Settings, run_training

if TYPE_CHECKING:
    from napari_landmarker.engine.datasets import Sample
    from napari_landmarker.engine.project import Project

#: How long the demo trains.
DEMO_MINUTES = 4.0


def open_project(
    project: Annotated[Path | None, typer.Argument(metavar="[PROJECT]", help="Folder of a project.")] = None,
) -> None:
    """Open the napari window with the tool docked, on a project if one is named."""
    from napari_landmarker.engine.errors import LandmarkerError
    from napari_landmarker.engine.project import Project

    if project is not None:
        Project.open(project)
    if not has_screen():
        raise LandmarkerError("This machine has no screen to open a window on: use the other commands, see --help.")
    from napari_landmarker.gui.open import open_window

    open_window(project)


def demo(
    out: Annotated[Path | None, typer.Option(help="Folder of the demo project.")] = None,
    no_gui: Annotated[bool, typer.Option("--no-gui", help="Open no window at the end.")] = False,
    dims: Annotated[int, typer.Option(min=2, max=3, help="2: fundus photographs; 3: MRI volumes.")] = 2,
    max_minutes: MaxMinutes = None,
) -> None:
    """Do the whole job on the sample images: train, predict, report, and open the window on the result."""
    from napari_landmarker.engine.datasets import SAMPLES, sample_project

    sample = SAMPLES[dims]
    out = Path(f"landmarker-demo-{dims}d") if out is None else out
    project = sample_project(sample, out)
    typer.echo(f"Project with {len(project.cases)} sample images ({sample.title}): {out}")
    model = run_training(project, Settings(max_minutes=DEMO_MINUTES if max_minutes is None else max_minutes))
    if model is not None:
        _demo_report(project, sample, model, out)
    if no_gui:
        return
    if not has_screen():
        where = "" if model is None else f"; the report is {shown(out / 'reports' / f'{model}-test' / 'report.html')}"
        typer.echo(f"This machine has no screen, so no window is opened{where}")
        return
    from napari_landmarker.engine.project import Split
    from napari_landmarker.gui.open import open_window

    annotated = project.annotated_cases(Split.TEST)
    to_review = next((case.id for case in project.cases_in(Split.TEST) if case not in annotated), None)
    open_window(project.root, to_review)


def _demo_report(project: Project, sample: Sample, model: str, out: Path) -> None:
    from napari_landmarker.engine.predict import Predictor
    from napari_landmarker.engine.predict.batch import predict_files
    from napari_landmarker.engine.project import Split

    report = out / "reports" / f"{model}-test"
    run_evaluation(project, model, SplitName.TEST, report, list(sample.radii))
    if sample.radius_note:
        typer.echo(f"  ({sample.radius_note})")
    predictor, held_out = Predictor.load(project.model_path(model)), project.cases_in(Split.TEST)
    paths = [project.image_path(case.id) for case in held_out]
    table = predict_files(predictor, paths, out / "predicted" / model).table
    for case, path in zip(held_out, paths, strict=True):
        if project.predictions(case.id, model) is not None:
            continue  # saved by the evaluation
        project.save_predictions(case.id, model, predictor.landmarks(project.image(case.id), path))
    typer.echo(f"Model: {shown(out / 'models' / model)}\nPredictions: {shown(table)}")
