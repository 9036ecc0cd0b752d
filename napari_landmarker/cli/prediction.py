"""Predict the landmarks of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_landmarker.cli.options import Spacing, numbers, shown
from napari_landmarker.terminal import bar


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a model.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Images, or folders of images.")],
    out: Annotated[Path, typer.Option(help="Folder for one annotation file an image, and predictions.csv.")],
    spacing: Spacing = None,
) -> None:
    """Predict the landmarks of images."""
    from napari_landmarker.engine.io import distinct_images
    from napari_landmarker.engine.predict import Predictor
    from napari_landmarker.engine.predict.batch import predict_files

    predictor = Predictor.load(model)
    paths = distinct_images(images)
    with bar("Predicting") as say:
        table = predict_files(predictor, paths, out, spacing=numbers(spacing), progress=say)
    typer.echo(f"Predicted {len(paths)} image{'s' * (len(paths) != 1)}: {shown(table)}")
