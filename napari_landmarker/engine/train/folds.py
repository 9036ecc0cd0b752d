"""Cross-validation: a model for every fold, judged on the cases it never saw, and all of them as one ensemble."""

from __future__ import annotations

import shutil

from napari_landmarker.engine.io.atomic import require_writable, write_json
from napari_landmarker.engine.metrics import CaseResult, Evaluation, evaluate
from napari_landmarker.engine.predict import Predictor, read_info
from napari_landmarker.engine.predict.ensemble import save_ensemble
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.train.choice import choose_folds
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.events import Control, Ending, Event, Finished, Listener
from napari_landmarker.engine.train.fit import record_of
from napari_landmarker.engine.train.folder import RunFolder
from napari_landmarker.engine.train.run import Run
from napari_landmarker.engine.train.trainer import Machines

SPLIT = "cross-validation"


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
    configuration are for all folds together. A fold that was done, or begun, by a run of the same name is not begun
    again.

    Args:
        project: the project.
        config: the run of each fold.
        count: number of folds.
        listener: takes the events of all folds.
        control: asks for the end: a stop keeps the folds that are done, to go on with later, a cancel keeps nothing.
        name: of the ensemble; that of an unfinished one to go on with it.

    Returns:
        The ensemble's name and the evaluation of the held-out cases; None if it was ended by a person.

    Raises:
        TrainingError: for folds that are not possible; and as `train_project`.
    """
    control = control or Control()
    require_writable(project.models_dir)
    name = name or project.new_model_name(f"{config.preset}-folds")
    share = config.changed(max_minutes=config.max_minutes / count, patience=None)
    if config.max_steps is not None:
        share = share.changed(max_steps=-(-config.max_steps // count))
    members, results = [], []
    for number, (train, held_out) in enumerate(choose_folds(project, count, config.seed), start=1):
        target = project.runs_dir / name / f"fold-{number}"
        folder = RunFolder(project.runs_dir / name / f"fold-{number}-run")
        if not target.exists():
            begun = folder.is_unfinished
            record = folder.read()[0] if begun else record_of(project, share, train, held_out, target.name, best=False)
            own = folder.read()[1] if begun else share
            listen = _without_end(listener)
            run = Run(project, own, record, folder, target, listen, control, Machines(), resumes=begun)
            run.fit()
            if control.ending is not None:
                shutil.rmtree(target if control.ending is Ending.STOP else project.runs_dir / name, ignore_errors=True)
                return None
        members.append(target)
        predictor = Predictor.load(target)
        for case in held_out:
            landmarks = predictor.landmarks(project.image(case.id), project.image_path(case.id))
            results.append(CaseResult(case.id, project.annotations(case.id), landmarks))
    evaluation = evaluate(results, model=name, split=SPLIT, measurements=project.schema.measurements)
    info = read_info(members[0])
    mean = evaluation.overall.mean
    info = info.model_copy(
        update={
            "name": name,
            "validation_error": mean,
            "n_train": len(results),
            "n_validation": len(results),
            "minutes": sum(read_info(member).minutes for member in members),
        }
    )
    save_ensemble(project.model_path(name), members, info)
    figures = {key: value for key, value in evaluation.to_dict().items() if key != "cases"}
    write_json(project.model_path(name) / "evaluations" / f"{SPLIT}.json", figures)
    elapsed = info.minutes * 60
    listener(Finished(name, float("nan") if mean is None else mean, evaluation.unit, False, elapsed))
    return name, evaluation


def _without_end(listener: Listener) -> Listener:
    """A fold's end is not the end."""

    def listen(event: Event) -> None:
        if not isinstance(event, Finished):
            listener(event)

    return listen
