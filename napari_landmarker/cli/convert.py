"""Convert annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_landmarker.cli.options import shown


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="An annotation file, a folder of them, or a project.")],
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
    from napari_landmarker.engine.project import PROJECT_FILE

    if (source / PROJECT_FILE).is_file():
        _require_none({"--image": image, "--images": images, "--names": names, "--several": several or None})
        _export(source, target, to, overwrite)
        return
    order = None if names is None else parse_schema(names).names
    done = convert_files(
        source, target, to=to, image=image, images=images, names=order, several=several, overwrite=overwrite
    )
    _say("Converted", done.n_points, done.n_images, target, done.lost, done.doubts)


def _export(project: Path, target: Path, to: str | None, overwrite: bool) -> None:
    """Write what a person stands behind in a project."""
    from napari_landmarker.engine.exporting import export_annotations
    from napari_landmarker.engine.project import Project
    from napari_landmarker.terminal import bar

    with bar("Exporting") as say:
        done = export_annotations(Project.open(project), target, to, overwrite=overwrite, progress=say)
    if done.n_images:
        _say("Exported", done.n_points, done.n_images, target, done.lost)
    else:
        typer.echo("Nothing was exported: no image of this project is annotated yet.")


def _require_none(options: dict[str, object]) -> None:
    """Make sure that nothing is given which a project knows by itself; LandmarkerError otherwise."""
    from napari_landmarker.engine.errors import LandmarkerError

    given = next((name for name, value in options.items() if value is not None), None)
    if given is not None:
        raise LandmarkerError(f"A project knows its own images and landmarks: leave out {given}.")


def _say(
    did: str, n_points: int, n_images: int, target: Path, lost: tuple[str, ...], doubts: tuple[str, ...] = ()
) -> None:
    counts = [f"{n} {word}{'s' * (n != 1)}" for n, word in ((n_points, "point"), (n_images, "image"))]
    typer.echo(f"{did} {counts[0]} of {counts[1]}: {shown(target)}")
    for sentence in doubts:
        typer.secho(f"Please check: {sentence}", fg=typer.colors.YELLOW)
    if lost:
        typer.echo("Not carried over:")
    for sentence in lost:
        typer.echo(f"  - {sentence}")
