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

    def configuration(self, project: Project, *, processes: int = 1, folds: int = 1) -> TrainConfig:
        """The configuration of the run, whose minutes are for all folds; TrainingError if it is not possible.

        Args:
            project: what it is for.
            processes: that train together on this machine.
            folds: that share the minutes, so that each is planned for its part of them.
        """
        from napari_landmarker.engine.errors import TrainingError

        if self.config is not None and self.preset is not None:
            raise TrainingError("--preset and --config say two things: give one of them.")
        minutes = self.max_minutes
        if self.config is None:
            from napari_landmarker.engine.train.planner import DEFAULT_MINUTES, preset_config

            name = self.preset or "auto"
            minutes = DEFAULT_MINUTES if minutes is None and name == "auto" else minutes
            share = None if minutes is None else minutes / folds
            config = preset_config(name, project, share, processes=processes)
        else:
            from napari_landmarker.engine.train.presets import read_config

            config = read_config(self.config)
        wanted = {"max_minutes": minutes, "max_steps": self.max_steps, "patience": self.patience}
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
    run: Annotated[
        str | None, typer.Option(help="Name of the run and its model; with --resume, which run to go on with.")
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
        work = _resuming(opened, run, devices, num_nodes)
    elif folds is not None:
        if base is not None or devices * num_nodes > 1:
            _refuse("--folds trains each fold anew and alone", Settings(), base=base, several=devices * num_nodes > 1)
        work = _folding(opened, settings, run, folds)
    else:
        work = _training(opened, settings, run, base, devices, num_nodes)
    name = _told(work, events)
    if name is not None and events is None:
        typer.echo(f"Model: {shown(opened.model_path(name))}")


def plan(
    project: ProjectPath,
    out: Annotated[Path, typer.Option(help="The configuration file to write.")],
    preset: PresetName = None,
    max_minutes: MaxMinutes = None,
    devices: Annotated[int, typer.Option(min=1, help="For a training on so many devices of a machine.")] = 1,
) -> None:
    """Write the whole configuration that a training would use, and say why; edit it and train with --config."""
    from napari_landmarker.engine.errors import TrainingError
    from napari_landmarker.engine.project import Project
    from napari_landmarker.engine.train.presets import write_config

    if out.exists():
        raise TrainingError(f"{out} is there already: choose another name.")
    config = Settings(preset, None, max_minutes).configuration(Project.open(project), processes=devices)
    write_config(out, config)
    for reason in config.reasons:
        typer.echo(f"- {reason}")
    typer.echo(f"Configuration: {shown(out)}")


def run_training(project: Project, settings: Settings, events: EventFormat | None = None) -> str | None:
    """Train and say how it goes; the model's name, or None if nothing was kept."""
    return _told(_training(project, settings, None, None, 1, 1), events)


def _training(
    project: Project, settings: Settings, run: str | None, base: Path | None, devices: int, num_nodes: int
) -> Work:
    def work(listener: Listener, control: Control) -> str | None:
        from napari_landmarker.engine.errors import TrainingError
        from napari_landmarker.engine.train.fit import free_name, train_project
        from napari_landmarker.engine.train.trainer import Machines
        from napari_landmarker.engine.train.word import started_apart, told

        machines, word = Machines(devices, num_nodes), told()
        if settings.config is None and (num_nodes > 1 or (devices > 1 and started_apart())):
            raise TrainingError(
                "Several machines, or processes that another program starts, train from one configuration: write it "
                "with 'napari-landmarker plan' and give it to each with --config."
            )
        if run is not None and word is None:
            free_name(project, run)  # before the time that planning takes
        config = settings.configuration(project, processes=devices) if word is None else word.config
        folder = None if base is None else project.find_model(base)
        return train_project(project, config, listener, control, machines=machines, base=folder, name=run)

    return work


def _resuming(project: Project, run: str | None, devices: int, num_nodes: int) -> Work:
    def work(listener: Listener, control: Control) -> str | None:
        from napari_landmarker.engine.train.fit import resume_project, unfinished_runs
        from napari_landmarker.engine.train.folds import kept_at, resume_folds, unfinished_folds
        from napari_landmarker.engine.train.trainer import Machines
        from napari_landmarker.engine.train.word import told

        folds = unfinished_folds(project, run) if told() is None else None
        runs = unfinished_runs(project, run)
        if folds is not None and (not runs or kept_at(project.runs_dir / folds) >= runs[-1].kept_at):
            _refuse("A cross-validation trains each fold alone", Settings(), several=devices * num_nodes > 1)
            return _said(resume_folds(project, folds, listener, control))
        return resume_project(project, listener, control, name=run, machines=Machines(devices, num_nodes))

    return work


def _folding(project: Project, settings: Settings, run: str | None, count: int) -> Work:
    def work(listener: Listener, control: Control) -> str | None:
        config = settings.configuration(project, folds=count)
        from napari_landmarker.engine.train.folds import train_folds

        return _said(train_folds(project, config, count, listener, control, name=run))

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
