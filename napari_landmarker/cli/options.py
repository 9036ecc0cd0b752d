"""What commands share: their options, and how they write paths and read numbers."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

#: Stands in the help of a `NamesFormats` for the names of all annotation formats.
FORMATS = "{formats}"
ProjectPath = Annotated[Path, typer.Argument(metavar="PROJECT", help="Folder of the project.")]
MaxMinutes = Annotated[float | None, typer.Option("--max-minutes", help="End the training after so many minutes.")]
ModelName = Annotated[
    Path, typer.Argument(metavar="MODEL", help="Folder of a model, or name of one that comes with the program.")
]
Spacing = Annotated[
    str | None, typer.Option(help="Millimetres per pixel, Y,X or Z,Y,X; it replaces what the images state.")
]


class NamesFormats(TyperCommand):
    """A command whose help names the annotation formats where it says so, as they are registered when it is shown."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Called by typer."""
        params: list[Any] = self.params
        asking = [option for option in params if FORMATS in (getattr(option, "help", None) or "")]
        if asking:
            from napari_landmarker.engine.io import ANNOTATION_FORMATS

            names = "; ".join(known.name for known in ANNOTATION_FORMATS.values())
            for option in asking:
                option.help = option.help.replace(FORMATS, names)
        super().format_help(ctx, formatter)


def numbers(text: str | None) -> list[float] | None:
    """Numbers with commas between; LandmarkerError if the text is anything else."""
    from napari_landmarker.engine.errors import LandmarkerError

    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise LandmarkerError(
            f"'{text}' is no list of numbers: write them with commas between, such as 0.5,0.5."
        ) from None


def found_model(model: Path) -> Path:
    """The folder of a model that was named; ModelError if there is none."""
    from napari_landmarker.engine.errors import ModelError
    from napari_landmarker.engine.model_folders import named_model, shipped_models

    folder = named_model(model)
    if folder is None:
        known = ", ".join(shipped_models())
        others = f", or a model that comes with the program ({known})" if known else ""
        raise ModelError(f"There is no model '{model}': name the folder of a model{others}.")
    return folder


def shown(path: Path) -> str:
    """The path as a person would type it from here."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def has_screen() -> bool:
    """Whether a window can be opened here."""
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True
