"""Train a model on the annotated cases of a project, and go on with a run that was cut off."""

from __future__ import annotations

import re
from pathlib import Path

from napari_landmarker.engine.cases import FILE_NAME
from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.io.atomic import require_writable
from napari_landmarker.engine.predict.bundle import ModelInfo
from napari_landmarker.engine.predict.held_out import history_of_model
from napari_landmarker.engine.project import Case, Project
from napari_landmarker.engine.train.adopt import base_model
from napari_landmarker.engine.train.choice import Choice, choose_cases
from napari_landmarker.engine.train.config import FrameConfig, TrainConfig
from napari_landmarker.engine.train.events import Control, Listener
from napari_landmarker.engine.train.folder import RunFolder, RunRecord
from napari_landmarker.engine.train.frame import plan_frame
from napari_landmarker.engine.train.run import Run
from napari_landmarker.engine.train.trainer import Machines
from napari_landmarker.engine.train.word import Word, agreed


def train_project(
    project: Project,
    config: TrainConfig,
    listener: Listener,
    control: Control | None = None,
    *,
    machines: Machines | None = None,
    base: Path | None = None,
    name: str | None = None,
) -> str | None:
    """Train on the train split, judge on the validation split, save the best model in the project.

    Only what persons annotated is learnt from; missing landmarks do not count. A landmark that no training case shows
    is left out of the model. Without annotated validation cases, some training cases are held out for it.

    Args:
        project: the project; the model is saved in its ``models`` folder, the run's logs in its ``runs`` folder.
        config: the run.
        listener: takes events as they happen.
        control: asks the run to stop or to be cancelled.
        machines: how many processes train together; one by default.
        base: folder of a model to begin with, whose network is then the run's; it may know other landmarks.
        name: of the run and its model; by default the preset's, with a number.

    Returns:
        The model's name; None if the run was cancelled, and in all processes but the first.

    Raises:
        TrainingError: if there is nothing to learn from, the name is taken, the loss is no longer a number, or memory
            runs out.
        ImageError: if an image cannot be read.
        ModelError: if ``base`` is no model.
        ProjectError: if the folders cannot be written.
    """
    machines = machines or Machines()

    def choose() -> Word:
        require_writable(project.models_dir)
        own = project.new_model_name(config.preset) if name is None else free_name(project, name)
        wanted = config if base is None else _begun_with(config, _base_of(project, base))
        record = record_of(project, wanted, *choose_cases(project), own)
        if base is not None:
            before = history_of_model(project, base)
            stranger = before.stranger or ("" if before.cases else base.resolve().name)
            record = record.model_copy(update={"met": tuple(sorted(before.cases)), "stranger": stranger})
        return Word(folder=project.runs_dir / own, record=record, config=wanted)

    return _done(project, agreed(choose, machines.world), listener, control, machines, base)


def resume_project(
    project: Project,
    listener: Listener,
    control: Control | None = None,
    *,
    name: str | None = None,
    machines: Machines | None = None,
) -> str | None:
    """Go on with a run that was cut off, from its last judgement.

    Args:
        project: the project.
        listener: takes events as they happen.
        control: asks the run to stop or to be cancelled.
        name: of the run; the last unfinished one by default.
        machines: how many processes train together; one by default.

    Returns:
        As `train_project`.

    Raises:
        TrainingError: if there is no unfinished run, or its files are damaged or of another network.
    """
    machines = machines or Machines()

    def choose() -> Word:
        folder = unfinished_run(project, name)
        record, config = folder.read()
        known = {case.id for case in project.cases}
        gone = next((case for case in (*record.train, *record.validation) if case not in known), None)
        if gone is not None:
            raise TrainingError(
                f"The run {folder.path.name} learns from '{gone}', which the project has no more: train anew."
            )
        return Word(folder=folder.path, record=record, config=config)

    return _done(project, agreed(choose, machines.world), listener, control, machines, resumes=True)


def _done(
    project: Project,
    word: Word,
    listener: Listener,
    control: Control | None,
    machines: Machines,
    base: Path | None = None,
    *,
    resumes: bool = False,
) -> str | None:
    """Train a run; the model's name, None if it was cancelled, and in all processes but the first."""
    folder, target = RunFolder(word.folder), project.model_path(word.record.model)
    control = control or Control()
    run = Run(project, word.config, word.record, folder, target, listener, control, machines, base, resumes)
    return run.target.name if run.fit() else None


def free_name(project: Project, name: str) -> str:
    """The name that a person wants a run and its model to have.

    Raises:
        TrainingError: if a folder cannot have it, or a run or model has it.
    """
    if not re.match(FILE_NAME, name) or name.startswith(".") or name != name.strip():
        raise TrainingError(f"A run cannot be named '{name}': choose a name that a folder can have, such as heads-1.")
    if (project.runs_dir / name).exists() or project.model_path(name).exists():
        raise TrainingError(
            f"{project.root.name} has a run or a model '{name}' already: choose another name, or go on with a run that "
            "was cut off by --resume."
        )
    return name


def unfinished_run(project: Project, name: str | None = None) -> RunFolder:
    """The folder of a run that can be gone on with.

    Raises:
        TrainingError: if there is none.
    """
    unfinished = unfinished_runs(project, name)
    if not unfinished:
        which = "no unfinished run" if name is None else f"no unfinished run '{name}'"
        raise TrainingError(f"{project.root.name} has {which}: train anew, without --resume.")
    return unfinished[-1]


def unfinished_runs(project: Project, name: str | None = None) -> list[RunFolder]:
    """The folders of runs, of all or of this name, that can be gone on with, the last one last."""
    runs = [RunFolder(path) for path in project.runs_dir.glob("*") if name in (None, path.name)]
    return sorted((run for run in runs if run.is_unfinished), key=lambda run: run.kept_at)


def record_of(
    project: Project, config: TrainConfig, train: list[Case], validation: list[Case], name: str, *, best: bool = True
) -> RunRecord:
    """What a run on these cases is about; headers of the images are read.

    Raises:
        TrainingError: if the configuration does not suit the project.
    """
    choice = Choice.of(project, train, validation)
    first = project.image(train[0].id)
    ndim = first.grid.ndim
    if project.schema.instances > 1 and config.model.answer in ("points", "cascade"):
        raise TrainingError(
            f"The landmarks of {project.root.name} may have several points each, which a network of the kind "
            f"'{config.model.kind}' cannot find: choose one that gives heatmaps, such as 'unet'."
        )
    grids = [project.geometry(case.id).grid for case in (*train, *validation)]
    budget = config.frame.budget_2d if ndim == 2 else config.frame.budget_3d
    return RunRecord(
        model=name,
        train=tuple(case.id for case in train),
        validation=tuple(case.id for case in validation),
        names=choice.names,
        ndim=ndim,
        channels=3 if first.is_color else 1,
        frame=plan_frame(grids, budget, config.model.multiple(ndim), config.frame.spacing_mm),
        chooses_best=best,
    )


def _base_of(project: Project, base: Path) -> ModelInfo:
    """What a model is, which must suit the project's images."""
    train, _ = choose_cases(project)
    image = project.image(train[0].id)
    return base_model(base, image.grid.ndim, 3 if image.is_color else 1)


def _begun_with(config: TrainConfig, base: ModelInfo) -> TrainConfig:
    """A configuration for a network that has learnt: what its maps mean, and how finely it sees, stay as they were."""
    own = base.config
    frame = config.frame if base.frame.spacing_mm is None else FrameConfig(spacing_mm=base.frame.spacing_mm)
    reason = f"It begins with the model {base.name}, whose network, maps and resolution it keeps."
    return config.changed(
        model=own.model,
        target=own.target,
        loss=own.loss,
        decoder=own.decoder,
        refine=own.refine,
        frame=frame,
        reasons=(reason,),
    )
