"""Train a model, and say how it goes to a person or a program."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from napari_landmarker.cli.options import MaxMinutes, ProjectPath, shown
from napari_landmarker.terminal import training_bar

if TYPE_CHECKING:
    from napari_landmarker.engine.project import Project
    from napari_landmarker.engine.train.events import Control, Event


class EventFormat(StrEnum):
    """How a training run says what it does."""

    JSONL = "jsonl"


def train(
    project: ProjectPath,
    preset: Annotated[str, typer.Option(help="How to train: fast or accurate.")] = "fast",
    max_minutes: MaxMinutes = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="End the training after so many steps.")] = None,
    events: Annotated[EventFormat | None, typer.Option(help="Say each event as a line of JSON, for programs.")] = None,
) -> None:
    """Train a model on the annotated cases. Ctrl+C stops and keeps the best so far; twice keeps nothing."""
    from napari_landmarker.engine.project import Project

    opened = Project.open(project)
    name = run_training(opened, preset, max_minutes, max_steps, events)
    if name is not None and events is None:
        typer.echo(f"Model: {shown(opened.model_path(name))}")


def run_training(
    project: Project,
    preset: str,
    max_minutes: float | None,
    max_steps: int | None,
    events: EventFormat | None,
) -> str | None:
    """Train and say how it goes; the model's name, or None if nothing was kept."""
    from napari_landmarker.engine.errors import LandmarkerError
    from napari_landmarker.engine.train.config import preset_config
    from napari_landmarker.engine.train.events import Control, Failed

    control = Control()
    try:
        config = preset_config(preset, max_minutes)
        if max_steps is not None:
            config = config.model_copy(update={"max_steps": max_steps})
        if events is None:
            typer.echo("Getting ready to train ...")
        from napari_landmarker.engine.train.fit import train_project

        if events is not None:
            control.listen(sys.stdin)
            with _interrupts_to(control):
                return train_project(project, config, _write_line, control)
        with _interrupts_to(control), training_bar() as listener:
            name = train_project(project, config, listener, control)
    except LandmarkerError as error:
        if events is not None:
            _write_line(Failed(str(error)))
        raise
    if name is None:
        typer.echo("Cancelled: nothing was kept.")
    return name


def _write_line(event: Event) -> None:
    sys.stdout.write(event.to_json() + "\n")
    sys.stdout.flush()


@contextmanager
def _interrupts_to(control: Control) -> Iterator[None]:
    """Ctrl+C stops the training, and the second time cancels it; afterwards it ends the program as ever."""
    from napari_landmarker.engine.train.events import Ending

    def interrupted(_signal: int, _frame: object) -> None:
        control.ask(Ending.STOP if control.ending is None else Ending.CANCEL)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
