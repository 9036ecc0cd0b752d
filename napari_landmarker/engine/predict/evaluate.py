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
from napari_landmarker.engine.predict.predictor import Predictor
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.uncertainty.quantile import checked_confidence

if TYPE_CHECKING:
    from napari_landmarker.engine.landmarks import LandmarkSet
    from napari_landmarker.engine.predict.prediction import Prediction
    from napari_landmarker.engine.uncertainty import CoverageReport


def evaluate_model(
    project: Project,
    model: str | Path,
    split: Split,
    *,
    radii: Sequence[float] | None = None,
    views: int = 1,
    device: str = "auto",
    confidence: float = 0.95,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Predict every annotated case of a split and compare; predictions are saved in the project.

    A model of the project keeps the figures without the names of the cases, as it may be given away; those of several
    views it does not keep. What a model from elsewhere predicts is not saved where the project has a model of the same
    name, which it is not to be taken for.

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
        LandmarkerError: if no case of the split is annotated.
        ModelError: if the model cannot be loaded or does not fit.
        CalibrationError: if the confidence is not between 0 and 1.
    """
    checked_confidence(confidence)
    cases = project.annotated_cases(split)
    if not cases:
        raise LandmarkerError(
            f"No case in the {split.value} split has a landmark placed by a person: "
            "annotate some, or choose another split."
        )
    folder = project.find_model(model)
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

    def predictions() -> Iterator[tuple[Prediction, LandmarkSet]]:
        for done, case in enumerate(cases):
            say(done, len(cases))
            check = partial(say, done, len(cases))
            found = predictor.predict_source(project.image(case.id), project.image_path(case.id), check=check)
            if is_own or name not in project.models:
                project.save_predictions(case.id, name, found.landmarks.reordered(project.schema.names))
            truth = project.annotations(case.id)
            results.append(CaseResult(case.id, truth, found.landmarks))
            yield found, truth
        say(len(cases), len(cases))

    coverage, uncovered = _judge_regions(predictor, split, predictions(), confidence)
    evaluation = evaluate(results, model=name, split=split.value, radii=radii, measurements=project.schema.measurements)
    evaluation = replace(evaluation, coverage=coverage, uncovered=uncovered)
    if is_own and views == 1:
        figures = {key: value for key, value in evaluation.to_dict().items() if key != "cases"}
        write_json(folder / "evaluations" / f"{split.value}.json", figures)
    return evaluation


def _judge_regions(
    predictor: Predictor, split: Split, items: Iterator[tuple[Prediction, LandmarkSet]], confidence: float
) -> tuple[CoverageReport | None, str]:
    """How often the model's regions cover, or None and why that is not known; all items are gone through."""
    from napari_landmarker.engine.uncertainty import evaluate_regions

    stored, report = predictor.stored_calibration, None
    reason = stored.reason
    if stored.split == split.value:
        reason = f"The regions were learnt from the {split.value} split, so they are not judged on it."
    elif stored.calibration is not None:
        try:
            report = evaluate_regions(stored.calibration, items, confidence=confidence)
        except CalibrationError as error:  # such as images with a spacing and others without
            reason = str(error)
    for _ in items:
        continue
    return report, reason


def _unheard(done: int, total: int) -> None:
    """Nobody wants to know."""
