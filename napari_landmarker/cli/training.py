"""Train a model, and say how it goes to a person or a program."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_landmarker.cli.options import MaxMinutes, ProjectPath, shown
from napari_landmarker.terminal import training_bar

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_landmarker.engine.metrics import Evaluation
    from napari_landmarker.engine.project import Project
    from napari_landmarker.engine.train.config import TrainConfig
    from napari_landmarker.engine.train.events import Control, Event, Listener

    #: Trains and returns the model's name, or None.
    Work = Callable[[Listener, Control], str | None]

PresetName = Annotated[
    str | None,
    typer.Option(
        help="How to train: auto (the default: chosen for the project), static, adaptive, adaloss, one-hot, "
        "soft-argmax, coordinate or cascade."
    ),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A configuration file instead of a preset.")]


class EventFormat(StrEnum):
    """How a training run says what it does."""

    JSONL = "jsonl"


@dataclass(frozen=True)
class Settings:
    """What the command was told of the configuration."""

    preset: str | None = None
    config: Path | None = None
    max_minutes: float | None = None
    max_steps: int | None = None
    patience: int | None = None

    def configuration(self, project: Project) -> TrainConfig:
        """The configuration of the run; TrainingError if the settings are not possible."""
        from napari_landmarker.engine.errors import TrainingError

        if self.config is not None and self.preset is not None:
            raise TrainingError("--preset and --config say two things: give one of them.")
        if self.config is None:
            from napari_landmarker.engine.train.planner import preset_config

            config = preset_config(self.preset or "auto", project, self.max_minutes)
        else:
            from napari_landmarker.engine.train.presets import read_config

            config = read_config(self.config)
        wanted = {"max_minutes": self.max_minutes, "max_steps": self.max_steps, "patience": self.patience}
        changes = {name: value for name, value in wanted.items() if value is not None}
        if not changes.get("max_minutes", 1.0) > 0:
            raise TrainingError(f"A run of {self.max_minutes:g} minutes is not possible: give a number above 0.")
        return config.changed(**changes)


def train(
    project: ProjectPath,
    preset: PresetName = None,
    config: ConfigFile = None,
    max_minutes: MaxMinutes = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="End the training after so many steps.")] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="End early after so many validations without a smaller error.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the last run that was cut off.")] = False,
    folds: Annotated[int | None, typer.Option(min=2, help="Cross-validate with so many folds.")] = None,
    base: Annotated[
        Path | None, typer.Option("--from", help="Begin with a model; it may know other landmarks.")
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="Train on so many devices of this machine.")] = 1,
    num_nodes: Annotated[int, typer.Option(min=1, help="Train on so many machines.")] = 1,
    events: Annotated[EventFormat | None, typer.Option(help="Say each event as a line of JSON, for programs.")] = None,
) -> None:
    """Train a model on the annotated cases. Ctrl+C stops and keeps the best so far; twice keeps nothing."""
    from napari_landmarker.engine.project import Project

    opened = Project.open(project)
    settings = Settings(preset, config, max_minutes, max_steps, patience)
    if resume:
        _refuse("--resume goes on with what was begun", settings, folds=folds, base=base)
        work = _resuming(opened, devices, num_nodes)
    elif folds is not None:
        if base is not None or devices * num_nodes > 1:
            _refuse("--folds trains each fold anew and alone", Settings(), base=base, several=devices * num_nodes > 1)
        work = _folding(opened, settings, folds)
    else:
        work = _training(opened, settings, base, devices, num_nodes)
    name = _told(work, events)
    if name is not None and events is None:
        typer.echo(f"Model: {shown(opened.model_path(name))}")


def plan(
    project: ProjectPath,
    out: Annotated[Path, typer.Option(help="The configuration file to write.")],
    preset: PresetName = None,
    max_minutes: MaxMinutes = None,
) -> None:
    """Write the whole configuration that a training would use, and say why; edit it and train with --config."""
    from napari_landmarker.engine.errors import TrainingError
    from napari_landmarker.engine.project import Project
    from napari_landmarker.engine.train.presets import write_config

    if out.exists():
        raise TrainingError(f"{out} is there already: choose another name.")
    config = Settings(preset, None, max_minutes).configuration(Project.open(project))
    write_config(out, config)
    for reason in config.reasons:
        typer.echo(f"- {reason}")
    typer.echo(f"Configuration: {shown(out)}")


def run_training(project: Project, settings: Settings, events: EventFormat | None = None) -> str | None:
    """Train and say how it goes; the model's name, or None if nothing was kept."""
    return _told(_training(project, settings, None, 1, 1), events)


def _training(project: Project, settings: Settings, base: Path | None, devices: int, num_nodes: int) -> Work:
    def work(listener: Listener, control: Control) -> str | None:
        from napari_landmarker.engine.errors import TrainingError

        if num_nodes > 1 and settings.config is None:
            raise TrainingError(
                "Several machines train from one configuration: write it with 'napari-landmarker plan' and give it "
                "to each with --config."
            )
        config = settings.configuration(project)
        folder = None if base is None else project.find_model(base)
        from napari_landmarker.engine.train.fit import train_project
        from napari_landmarker.engine.train.trainer import Machines

        return train_project(project, config, listener, control, machines=Machines(devices, num_nodes), base=folder)

    return work


def _resuming(project: Project, devices: int, num_nodes: int) -> Work:
    def work(listener: Listener, control: Control) -> str | None:
        from napari_landmarker.engine.train.fit import resume_project, unfinished_runs
        from napari_landmarker.engine.train.folds import kept_at, resume_folds, unfinished_folds
        from napari_landmarker.engine.train.trainer import Machines

        folds, runs = unfinished_folds(project), unfinished_runs(project)
        if folds is not None and (not runs or kept_at(project.runs_dir / folds) >= runs[-1].kept_at):
            _refuse("A cross-validation trains each fold alone", Settings(), several=devices * num_nodes > 1)
            return _said(resume_folds(project, folds, listener, control))
        return resume_project(project, listener, control, machines=Machines(devices, num_nodes))

    return work


def _folding(project: Project, settings: Settings, count: int) -> Work:
    def work(listener: Listener, control: Control) -> str | None:
        config = settings.configuration(project)
        from napari_landmarker.engine.train.folds import train_folds

        return _said(train_folds(project, config, count, listener, control))

    return work


def _said(done: tuple[str, Evaluation] | None) -> str | None:
    """Say what a cross-validation found, beside the events."""
    if done is None:
        return None
    name, evaluation = done
    overall = evaluation.overall
    if overall.mean is not None:
        typer.echo(
            f"{overall.n} points of {evaluation.n_images} images that their models never saw: "
            f"mean error {overall.mean:.2f} {evaluation.unit}",
            err=True,
        )
    return name


def _told(work: Work, events: EventFormat | None) -> str | None:
    """Do the work and say how it goes, to a program or in a bar."""
    from napari_landmarker.engine.errors import LandmarkerError
    from napari_landmarker.engine.train.events import Control, Ending, Failed
    from napari_landmarker.engine.train.machine import is_first_process

    control = Control()
    if not is_first_process():
        return work(lambda event: None, control)
    try:
        if events is not None:
            control.listen(sys.stdin)
            with _interrupts_to(control):
                return work(_write_line, control)
        typer.echo("Getting ready to train ...")
        with _interrupts_to(control), training_bar() as listener:
            name = work(listener, control)
    except LandmarkerError as error:
        if events is not None:
            _write_line(Failed(str(error)))
        raise
    if name is None and control.ending is not None:
        kept = control.ending is Ending.STOP
        typer.echo("Stopped: go on with --resume." if kept else "Cancelled: nothing was kept.")
    return name


def _refuse(why: str, settings: Settings, **options: object) -> None:
    """TrainingError for options that cannot be followed."""
    from napari_landmarker.engine.errors import TrainingError

    given = [name for name, value in {**vars(settings), **options}.items() if value]
    names = {"base": "--from", "several": "--devices and --num-nodes"}
    if given:
        options_given = ", ".join(names.get(name, f"--{name.replace('_', '-')}") for name in given)
        raise TrainingError(f"{why}: leave {options_given} out.")


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
