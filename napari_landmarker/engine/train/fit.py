"""Train a model on the annotated cases of a project, and go on with a run that was cut off."""

from __future__ import annotations

import json
import os
from pathlib import Path

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.io.atomic import require_writable
from napari_landmarker.engine.predict.bundle import ModelInfo
from napari_landmarker.engine.project import Case, Project
from napari_landmarker.engine.train.adopt import base_model
from napari_landmarker.engine.train.choice import Choice, choose_cases
from napari_landmarker.engine.train.config import FrameConfig, TrainConfig
from napari_landmarker.engine.train.events import Control, Listener
from napari_landmarker.engine.train.folder import RunFolder, RunRecord
from napari_landmarker.engine.train.frame import plan_frame
from napari_landmarker.engine.train.run import Run
from napari_landmarker.engine.train.trainer import Machines

#: Tells the other processes of a machine what to train; the first one sets it before it starts them.
RUN_VARIABLE = "NAPARI_LANDMARKER_RUN"


def train_project(
    project: Project,
    config: TrainConfig,
    listener: Listener,
    control: Control | None = None,
    *,
    machines: Machines | None = None,
    base: Path | None = None,
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

    Returns:
        The model's name; None if the run was cancelled, and in all processes but the first.

    Raises:
        TrainingError: if there is nothing to learn from, the loss is no longer a number, or memory runs out.
        ImageError: if an image cannot be read.
        ModelError: if ``base`` is no model.
        ProjectError: if the folders cannot be written.
    """
    machines = machines or Machines()
    if RUN_VARIABLE in os.environ and int(os.environ.get("LOCAL_RANK", 0)) > 0:
        folder, record, config = _told()
    else:
        require_writable(project.models_dir)
        name = project.new_model_name(config.preset)
        folder = RunFolder(project.runs_dir / name)
        if base is not None:
            config = _begun_with(config, _base_of(project, base))
        train, validation = choose_cases(project)
        record = record_of(project, config, train, validation, name)
        if machines.world > 1:
            _tell_others(folder, record, config)
    run = Run(
        project,
        config,
        record,
        folder,
        project.model_path(record.model),
        listener,
        control or Control(),
        machines,
        base,
    )
    return run.target.name if run.fit() else None


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
    folder = unfinished_run(project, name)
    record, config = folder.read()
    known = {case.id for case in project.cases}
    gone = next((case for case in (*record.train, *record.validation) if case not in known), None)
    if gone is not None:
        raise TrainingError(
            f"The run {folder.path.name} learns from '{gone}', which the project has no more: train anew."
        )
    target = project.model_path(record.model)
    run = Run(project, config, record, folder, target, listener, control or Control(), machines, resumes=True)
    return run.target.name if run.fit() else None


def unfinished_run(project: Project, name: str | None = None) -> RunFolder:
    """The folder of a run that can be gone on with.

    Raises:
        TrainingError: if there is none.
    """
    unfinished = [run for run in unfinished_runs(project) if name in (None, run.path.name)]
    if not unfinished:
        which = "no unfinished run" if name is None else f"no unfinished run '{name}'"
        raise TrainingError(f"{project.root.name} has {which}: train anew, without --resume.")
    return unfinished[-1]


def unfinished_runs(project: Project) -> list[RunFolder]:
    """The folders of runs that can be gone on with, the last one last."""
    runs = [RunFolder(path) for path in project.runs_dir.glob("*")]
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


def _tell_others(folder: RunFolder, record: RunRecord, config: TrainConfig) -> None:
    """Leave word for the processes that this one will start on its machine."""
    said = {
        "folder": str(folder.path),
        "record": record.model_dump(mode="json"),
        "config": config.model_dump(mode="json"),
    }
    os.environ[RUN_VARIABLE] = json.dumps(said)


def _told() -> tuple[RunFolder, RunRecord, TrainConfig]:
    """What the first process of this machine left word of."""
    said = json.loads(os.environ[RUN_VARIABLE])
    record, config = RunRecord.model_validate(said["record"]), TrainConfig.model_validate(said["config"])
    return RunFolder(Path(said["folder"])), record, config
