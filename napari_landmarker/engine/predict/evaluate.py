"""Judge a model on the annotated cases of a split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_landmarker.engine.errors import CalibrationError, LandmarkerError, ModelError
from napari_landmarker.engine.io.atomic import write_json
from napari_landmarker.engine.metrics import CaseResult, Evaluation, evaluate
from napari_landmarker.engine.predict.held_out import HeldOut, calibrated_cases, held_out
from napari_landmarker.engine.predict.predictor import Predictor
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import Case, Project, Split
from napari_landmarker.engine.uncertainty.quantile import checked_confidence

if TYPE_CHECKING:
    from napari_landmarker.engine.landmarks import LandmarkSet
    from napari_landmarker.engine.predict.prediction import Prediction
    from napari_landmarker.engine.uncertainty import CoverageReport

    _Item = tuple[str, Prediction, LandmarkSet]


def evaluate_model(
    project: Project,
    model: str | Path,
    split: Split,
    *,
    radii: Sequence[float] | None = None,
    views: int = 1,
    device: str = "auto",
    confidence: float = 0.95,
    progress: Progress | None = None,
) -> Evaluation:
    """Predict every annotated case of a split and compare; predictions are saved in the project.

    Cases of the test or the calibration split that the model, or the one that it began with, has met in its training
    are left out, and the evaluation says so; coverage is not counted in cases that its regions were learnt from.

    A model of the project keeps the figures without the names of cases and raters, as it may be given away; those of
    several views it does not keep. What a model from elsewhere predicts is not saved where the project has a model of
    the same name, which it is not to be taken for.

    Args:
        project: the project.
        model: name of one of its models, or the folder of any.
        split: which cases.
        radii: success radii in the evaluation's unit.
        views: see `Predictor.load`.
        device: see `Predictor.load`.
        confidence: what the regions of a calibrated model promise, between 0 and 1.
        progress: called with cases done and cases in all, also within a large image; may raise to end the work.

    Raises:
        LandmarkerError: if no case of the split is annotated, or the model has met all of them.
        ModelError: if the model cannot be loaded or does not fit.
        CalibrationError: if the confidence is not between 0 and 1.
    """
    checked_confidence(confidence)
    folder = project.find_model(model)
    apart = _apart(project, folder, split)
    cases = apart.cases
    predictor = Predictor.load(folder, device, views=views)
    name, known = predictor.info.name, predictor.info.names
    if not set(known) & set(project.schema.names):
        raise ModelError(
            f"The model '{name}' finds {', '.join(known)}, none of which is a landmark of this project: choose another "
            "model."
        )
    is_own = folder.resolve().parent == project.models_dir.resolve()
    say = progress or _unheard
    results: list[CaseResult] = []

    def predictions() -> Iterator[_Item]:
        for done, case in enumerate(cases):
            say(done, len(cases))
            check = partial(say, done, len(cases))
            found = predictor.predict_source(project.image(case.id), project.image_path(case.id), check=check)
            if is_own or name not in project.models:
                project.save_predictions(case.id, name, found.landmarks.reordered(project.schema.names))
            truth = project.annotations(case.id)
            results.append(CaseResult(case.id, truth, found.landmarks))
            yield case.id, found, truth
        say(len(cases), len(cases))

    learnt = _learnt_from(project, predictor, folder, split)
    coverage, uncovered = _judge_regions(predictor, predictions(), confidence, learnt, split)
    evaluation = evaluate(results, model=name, split=split.value, radii=radii, measurements=project.schema.measurements)
    said = " ".join(filter(None, (apart.sentence(split.value), _not_counted(coverage, cases, learnt))))
    rater = project.rater if len(project.raters) > 1 else ""
    evaluation = replace(evaluation, coverage=coverage, uncovered=uncovered, left_out=said, rater=rater)
    if is_own and views == 1:
        write_json(folder / "evaluations" / f"{split.value}.json", evaluation.figures())
    return evaluation


def _apart(project: Project, folder: Path, split: Split) -> HeldOut:
    """The annotated cases to judge on: all of a split that is known to have been learnt from, else those not met."""
    cases = project.annotated_cases(split)
    if not cases:
        raise LandmarkerError(
            f"No case in the {split.value} split has a landmark placed by a person: "
            "annotate some, or choose another split."
        )
    if split in (Split.TRAIN, Split.VALIDATION):
        return HeldOut(cases, (), "")
    apart = held_out(project, folder, cases)
    if not apart.cases:
        raise LandmarkerError(
            f"The model '{folder.name}', or the one it began with, learnt from or was chosen on every annotated case "
            f"of the {split.value} split: put other cases there, or judge it on its train split."
        )
    return apart


def _learnt_from(project: Project, predictor: Predictor, folder: Path, split: Split) -> Callable[[str], bool]:
    """Tells whether a case is one that the model's regions were learnt from."""
    known, own = calibrated_cases(project, folder), predictor.stored_calibration.split == split.value
    return lambda case_id: own if known is None else case_id in known


def _judge_regions(
    predictor: Predictor, items: Iterator[_Item], confidence: float, learnt: Callable[[str], bool], split: Split
) -> tuple[CoverageReport | None, str]:
    """How often the model's regions cover, or None and why that is not known; all items are gone through."""
    from napari_landmarker.engine.uncertainty import evaluate_regions

    stored, report, judged = predictor.stored_calibration, None, 0
    reason = stored.reason

    def others() -> Iterator[tuple[Prediction, LandmarkSet]]:
        nonlocal judged
        for case_id, found, truth in items:
            if not learnt(case_id):
                judged += 1
                yield found, truth

    if stored.calibration is not None:
        try:
            report = evaluate_regions(stored.calibration, others(), confidence=confidence)
        except CalibrationError as error:  # such as images with a spacing and others without
            reason = str(error)
        if report is not None and not judged:
            report = None
            reason = f"The regions were learnt from the {split.value} split, so they are not judged on it."
    for _ in items:
        continue
    return report, reason


def _not_counted(coverage: CoverageReport | None, cases: Sequence[Case], learnt: Callable[[str], bool]) -> str:
    """A sentence on the cases that the coverage leaves out; empty where there are none, or no coverage."""
    count = sum(learnt(case.id) for case in cases)
    if coverage is None or not count:
        return ""
    what = "An image that the regions were learnt from is" if count == 1 else f"{count} images that the regions were"
    return f"{what}{'' if count == 1 else ' learnt from are'} not counted in their coverage."


def _unheard(done: int, total: int) -> None:
    """Nobody wants to know."""
