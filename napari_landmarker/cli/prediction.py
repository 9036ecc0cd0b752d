"""Predict the landmarks of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_landmarker.cli.options import ModelName, Spacing, found_model, numbers, shown
from napari_landmarker.terminal import bar


def predict(
    model: ModelName,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Images, or folders of images.")],
    out: Annotated[Path, typer.Option(help="Folder for one annotation file an image, and predictions.csv.")],
    spacing: Spacing = None,
    also: Annotated[
        list[Path] | None, typer.Option("--also", metavar="MODEL", help="Average with this model; may be repeated.")
    ] = None,
    views: Annotated[
        int, typer.Option(min=1, max=64, help="Average so many slightly turned, zoomed and shifted views.")
    ] = 1,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="See each view mirrored as well; the model needs left-right pairs.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep predictions of the same model for images that have not changed.")
    ] = False,
    confidence: Annotated[
        float, typer.Option(help="What the regions of a calibrated model promise, such as 0.95; see regions.csv.")
    ] = 0.95,
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda, or auto.")] = "auto",
) -> None:
    """Predict the landmarks of images. Images that fail are listed at the end, and do not stop the others."""
    from napari_landmarker.engine.io import distinct_images
    from napari_landmarker.engine.predict import Predictor
    from napari_landmarker.engine.predict.batch import FAILURES, predict_files

    predictor = Predictor.load([found_model(one) for one in (model, *(also or ()))], device, views=views, flips=mirror)
    paths = distinct_images(images)
    with bar("Predicting") as say:
        done = predict_files(
            predictor, paths, out, spacing=numbers(spacing), resume=resume, confidence=confidence, progress=say
        )
    kept = f", {done.kept} kept from before" if done.kept else ""
    typer.echo(f"Predicted {done.predicted} image{'s' * (done.predicted != 1)}{kept}: {shown(done.table)}")
    for failure in done.failures:
        typer.secho(failure.sentence, fg=typer.colors.RED, err=True)
    if done.failures:
        count = len(done.failures)
        typer.echo(f"{count} image{'s' * (count != 1)} failed: {shown(out / FAILURES)}", err=True)
        raise typer.Exit(1)
