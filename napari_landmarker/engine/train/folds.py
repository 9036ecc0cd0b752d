"""Cross-validation: a model for every fold, judged on the cases it never saw, and all of them as one ensemble.

A cross-validation has a folder among the project's runs: ``folds.json`` (`FoldsPlan`), ``config.yaml``, and for each
fold the folder of its run and, when that is done, its model.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.io.atomic import require_writable, write_json
from napari_landmarker.engine.metrics import CaseResult, Evaluation, evaluate
from napari_landmarker.engine.predict import Predictor, read_info
from napari_landmarker.engine.predict.calibration_file import CROSS_VALIDATION
from napari_landmarker.engine.predict.ensemble import common_info, remove_moved, save_ensemble
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.train.calibrating import calibrate_trained
from napari_landmarker.engine.train.choice import choose_folds
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.events import Control, Ending, Event, Finished, Listener
from napari_landmarker.engine.train.fit import free_name, record_of
from napari_landmarker.engine.train.folder import CHECKPOINT, CONFIG, RunFolder, RunRecord
from napari_landmarker.engine.train.folds_plan import PLAN, FoldsPlan
from napari_landmarker.engine.train.presets import read_config, write_config
from napari_landmarker.engine.train.run import Run
from napari_landmarker.engine.train.trainer import Machines


def train_folds(
    project: Project,
    config: TrainConfig,
    count: int,
    listener: Listener,
    control: Control | None = None,
    *,
    name: str | None = None,
) -> tuple[str, Evaluation] | None:
    """Train a model for every fold and save them as one ensemble, with the figures of the cross-validation.

    All annotated cases of the train and the validation split are held out once. A fold's model is the last of its run,
    not the one that did best on what is held out, so that these figures are of cases it never saw. The minutes of the
    configuration are for all folds together. Where no annotated case is in the calibration split, the ensemble is
    calibrated on what was held out (see `calibrate_model`).

    Args:
        project: the project.
        config: the run of each fold.
        count: number of folds.
        listener: takes the events of all folds.
        control: asks for the end: a stop keeps the folds that are done, to go on with later, a cancel keeps nothing.
        name: of the cross-validation and its model; by default the preset's, with a number.

    Returns:
        The ensemble's name and the evaluation of the held-out cases; None if it was ended by a person.

    Raises:
        TrainingError: for folds that are not possible; and as `train_project`.
    """
    require_writable(project.models_dir)
    own = project.new_model_name(f"{config.preset}-folds") if name is None else free_name(project, name)
    folds = choose_folds(project, count, config.seed)
    share = config.changed(max_minutes=config.max_minutes / count, patience=None)
    if config.max_steps is not None:
        share = share.changed(max_steps=-(-config.max_steps // count))
    plan = FoldsPlan(
        model=own,
        train=tuple(tuple(case.id for case in train) for train, _ in folds),
        held_out=tuple(tuple(case.id for case in out) for _, out in folds),
    )
    folder = project.runs_dir / plan.model
    write_config(folder / CONFIG, share)
    plan.write(folder)
    return _go_on(project, plan, share, listener, control or Control())


def unfinished_folds(project: Project, name: str | None = None) -> str | None:
    """The last cross-validation, of all or of this name, that was begun and not finished; None if there is none."""
    plans = [path.parent for path in project.runs_dir.glob(f"*/{PLAN}") if name in (None, path.parent.name)]
    begun = [folder for folder in plans if not figures_of(project, folder.name).exists()]
    return max(begun, key=kept_at).name if begun else None


def figures_of(project: Project, name: str) -> Path:
    """The file with the figures of a cross-validation: its last, so that where it is there, all is done."""
    return project.model_path(name) / "evaluations" / f"{CROSS_VALIDATION}.json"


def kept_at(folder: Path) -> float:
    """When the state of a cross-validation was last kept, seconds since 1970."""
    return max(path.stat().st_mtime for path in (folder / PLAN, *folder.glob(f"*/{CHECKPOINT}")))


def resume_folds(
    project: Project, name: str, listener: Listener, control: Control | None = None
) -> tuple[str, Evaluation] | None:
    """Go on with a cross-validation: with the fold that was cut off, and those after it.

    Args:
        project: the project.
        name: of the cross-validation.
        listener: takes the events of all folds that are left.
        control: as for `train_folds`.

    Returns:
        As `train_folds`.

    Raises:
        TrainingError: if its files are damaged, or a case is gone.
    """
    folder = project.runs_dir / name
    plan = FoldsPlan.read(folder)
    known = {case.id for case in project.cases}
    gone = next((case for fold in plan.held_out for case in fold if case not in known), None)
    if gone is not None:
        raise TrainingError(f"The cross-validation {name} needs '{gone}', which the project has no more: train anew.")
    return _go_on(project, plan, read_config(folder / CONFIG), listener, control or Control())


def _go_on(
    project: Project, plan: FoldsPlan, config: TrainConfig, listener: Listener, control: Control
) -> tuple[str, Evaluation] | None:
    """Train the folds that have no model yet, judge all, and save the ensemble and then its figures."""
    name, members, results = plan.model, [], []
    saved = project.model_path(name).exists()  # and cut off before its figures were
    for fold, train, held_out in zip(plan.members, plan.train, plan.held_out, strict=True):
        target = (project.model_path(name) if saved else project.runs_dir / name) / fold
        if not target.exists() and not saved:
            folder = RunFolder(project.runs_dir / name / f"{fold}-run")
            begun = folder.is_unfinished
            record = folder.read()[0] if begun else _record(project, config, train, held_out, target.name)
            listen = _without_end(listener)
            Run(project, config, record, folder, target, listen, control, Machines(), resumes=begun).fit()
            if control.ending is not None:
                shutil.rmtree(target if control.ending is Ending.STOP else project.runs_dir / name, ignore_errors=True)
                return None
        members.append(target)
        predictor = Predictor.load(target)
        for case_id in held_out:
            landmarks = predictor.landmarks(project.image(case_id), project.image_path(case_id))
            results.append(CaseResult(case_id, project.annotations(case_id), landmarks))
    evaluation = evaluate(results, model=name, split=CROSS_VALIDATION, measurements=project.schema.measurements)
    infos = [read_info(member) for member in members]
    mean = evaluation.overall.mean
    info = common_info(infos, name).model_copy(
        update={
            "validation_error": mean,
            "n_train": len(results),
            "n_validation": len(results),
            "minutes": sum(own.minutes for own in infos),
            "steps": sum(own.steps for own in infos),
        }
    )
    if saved:
        remove_moved([project.runs_dir / name / member.name for member in members])
    else:
        save_ensemble(project.model_path(name), members, info)
    write_json(figures_of(project, name), evaluation.figures())
    calibrate_trained(project, name, listener, control, folds=not project.annotated_cases(Split.CALIBRATION))
    elapsed = info.minutes * 60
    listener(Finished(name, float("nan") if mean is None else mean, evaluation.unit, False, elapsed))
    return name, evaluation


def _record(
    project: Project, config: TrainConfig, train: Sequence[str], held_out: Sequence[str], name: str
) -> RunRecord:
    learnt, judged = ([project.case(case_id) for case_id in ids] for ids in (train, held_out))
    return record_of(project, config, learnt, judged, name, best=False)


def _without_end(listener: Listener) -> Listener:
    """A fold's end is not the end."""

    def listen(event: Event) -> None:
        if not isinstance(event, Finished):
            listener(event)

    return listen
