"""The command line, thin over the engine."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from napari_landmarker.cli.calibration import calibrate
from napari_landmarker.cli.convert import convert
from napari_landmarker.cli.export import export
from napari_landmarker.cli.info import info
from napari_landmarker.cli.options import NamesFormats
from napari_landmarker.cli.prediction import predict
from napari_landmarker.cli.project import evaluate, init
from napari_landmarker.cli.training import plan, train
from napari_landmarker.cli.window import demo, open_project

app = typer.Typer(
    name="napari-landmarker",
    help="Annotate anatomical landmarks in 2D and 3D medical images, and train models that predict them.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Open the napari window when no command is given."""
    if context.invoked_subcommand is None:
        open_project(None)


app.command("open")(open_project)
for command in (demo, init, plan, train, calibrate, predict, evaluate, info, convert, export):
    app.command(cls=NamesFormats)(command)


def main() -> None:
    """Run the command line; what a user can mend is one sentence and exit code 2."""
    from napari_landmarker.engine.errors import LandmarkerError

    # Threads of torch that wait for work must sleep: where they spin, a window beside the training nearly stands still.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except LandmarkerError as error:
        _end(str(error))
    except OSError as error:  # such as a name that is too long, or a folder that may not be looked into
        _end(
            f"{error.filename or 'A file'} cannot be used ({error.strerror or error}): check its name and permissions."
        )


def _end(sentence: str) -> NoReturn:
    typer.secho(f"Error: {sentence}", fg=typer.colors.RED, err=True)
    sys.exit(2)
