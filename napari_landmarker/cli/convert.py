"""Convert annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_landmarker.cli.options import shown


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="An annotation file, or a folder of them.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file to write, or a folder for one file an image.")
    ],
    to: Annotated[
        str | None,
        typer.Option(
            help="Format: labelme, slicer, fcsv, csv, csv-wide, coco, tps or isbi; by default by the ending of OUT "
            "(.json is labelme, .mrk.json slicer, .csv csv)."
        ),
    ] = None,
    image: Annotated[
        Path | None, typer.Option(help="The image: its size, and how millimetres and pixels belong together.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of the images, where there are many.")] = None,
    names: Annotated[
        str | None,
        typer.Option(help="Landmarks in order, with commas between, or a file with one name a line."),
    ] = None,
    several: Annotated[
        bool, typer.Option("--several", help="Take points of one name as several points of one landmark.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT if it is there.")] = False,
) -> None:
    """Convert annotations from one format to another, and say what the new format cannot carry."""
    from napari_landmarker.engine.exchange import parse_schema
    from napari_landmarker.engine.io.convert import convert as convert_files

    order = None if names is None else parse_schema(names).names
    done = convert_files(
        source, target, to=to, image=image, images=images, names=order, several=several, overwrite=overwrite
    )
    counts = [f"{n} {word}{'s' * (n != 1)}" for n, word in ((done.n_points, "point"), (done.n_images, "image"))]
    typer.echo(f"Converted {counts[0]} of {counts[1]}: {shown(target)}")
    for sentence in done.doubts:
        typer.secho(f"Please check: {sentence}", fg=typer.colors.YELLOW)
    if done.lost:
        typer.echo("Not carried over:")
    for sentence in done.lost:
        typer.echo(f"  - {sentence}")
