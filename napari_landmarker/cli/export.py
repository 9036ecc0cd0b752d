"""Export a model for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from napari_landmarker.cli.options import ModelName, found_model, shown


class ExportFormat(StrEnum):
    """What a model can be exported as."""

    ONNX = "onnx"


def export(
    model: ModelName,
    out: Annotated[Path, typer.Option(help="The file to write, or a folder for one file for each model of several.")],
    format: Annotated[ExportFormat, typer.Option(help="What to write.")] = ExportFormat.ONNX,
) -> None:
    """Export a model for other programs, and check that its answers stay the same."""
    from napari_landmarker.engine.predict.onnx_export import export_members, export_onnx

    folder = found_model(model)
    typer.echo("Exporting and checking ...")
    into_folder = out.is_dir() or not out.suffix
    files = export_members(folder, out) if into_folder else [export_onnx(folder, out)]
    for file in files:
        typer.echo(f"{format.value.upper()} file, which answers as the model does: {shown(file)}")
