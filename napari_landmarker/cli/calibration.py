"""Calibrate a model, so that it says where else a point may be, and keeps its word."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_landmarker.cli.options import ProjectPath
from napari_landmarker.cli.project import SplitName
from napari_landmarker.terminal import bar


def calibrate(
    project: ProjectPath,
    model: Annotated[str, typer.Option(help="Name of a model of the project.")],
    split: Annotated[SplitName, typer.Option(help="Which cases; the model must not have learnt from them.")] = (
        SplitName.CALIBRATION
    ),
    folds: Annotated[
        bool,
        typer.Option(
            "--folds",
            help="Instead of a split: the cases of its cross-validation, each answered by the model of the fold that "
            "did not learn from it.",
        ),
    ] = False,
    score: Annotated[
        str | None,
        typer.Option(
            help="What regions are like: mahalanobis (ellipses, the default), euclidean (balls), per_axis (boxes), "
            "density or rank (sets of any form)."
        ),
    ] = None,
    landmarks: Annotated[
        str | None,
        typer.Option(
            help="What is promised: each (landmark, the default), pooled (landmarks on average), max or bonferroni "
            "(all landmarks of an image together)."
        ),
    ] = None,
    temperature: Annotated[
        str | None,
        typer.Option(
            help="How sure heatmaps or spreads are first made, by a third of the cases: none (as they are, the "
            "default), common (one temperature for all landmarks), each (one for each), or scatter (spreads, joined by "
            "how each landmark usually errs)."
        ),
    ] = None,
    views: Annotated[int, typer.Option(min=1, max=64, help="For predictions of so many views of each image.")] = 1,
    mirror: Annotated[bool, typer.Option("--mirror", help="For predictions with mirrored views.")] = False,
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda, or auto.")] = "auto",
) -> None:
    """Learn from annotated cases how far the points of a model may be from the true ones."""
    from napari_landmarker.engine.predict.bundle import read_info
    from napari_landmarker.engine.predict.calibrate import calibrate_model, promise
    from napari_landmarker.engine.project import Project, Split
    from napari_landmarker.engine.uncertainty import leave_one_out

    opened = Project.open(project)
    config = None
    if any(choice is not None for choice in (score, landmarks, temperature)):
        config = read_info(opened.find_model(model)).config.calibration.changed(score, landmarks, temperature)
    with bar("Predicting") as say:
        made = calibrate_model(
            opened,
            model,
            config,
            split=Split(split.value),
            folds=folds,
            views=views,
            flips=mirror,
            device=device,
            progress=say,
        )
    typer.echo(promise(made, leave_one_out(made)))
