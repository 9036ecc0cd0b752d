"""Say what is understood of files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_landmarker.cli.options import shown


def info(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Images, or files of landmarks.")],
    as_json: Annotated[bool, typer.Option("--json", help="Write a list in JSON, for programs.")] = False,
) -> None:
    """Say what is understood of images and files of landmarks: size, spacing, orientation, points."""
    import json

    from napari_landmarker.engine.errors import LandmarkerError
    from napari_landmarker.engine.io.describe import describe_file

    found, failed = [], False
    for number, path in enumerate(files):
        try:
            description = describe_file(path)
        except LandmarkerError as error:
            failed = True
            typer.secho(f"Error: {error}", fg=typer.colors.RED, err=True)
            found.append({"file": shown(path), "error": str(error)})
            continue
        found.append({"file": shown(path), **description.to_json()})
        if not as_json:
            _show(shown(path), description.lines(), first=number == 0)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
    if failed:
        raise typer.Exit(2)


def _show(name: str, lines: list[tuple[str, str]], *, first: bool) -> None:
    """A file's name and below it what is understood, in two columns."""
    if not first:
        typer.echo()
    typer.secho(name, bold=True)
    width = max(len(title) for title, _ in lines) + 2
    for title, text in lines:
        typer.echo(f"  {title:<{width}}{text}")
