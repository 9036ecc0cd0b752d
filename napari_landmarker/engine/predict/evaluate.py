"""Judge a model on the annotated cases of a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_landmarker.engine.errors import LandmarkerError, ModelError
from napari_landmarker.engine.io.atomic import write_json
from napari_landmarker.engine.metrics import CaseResult, Evaluation, evaluate
from napari_landmarker.engine.predict.predictor import Predictor
from napari_landmarker.engine.project import Project, Split


def evaluate_model(
    project: Project,
    model: str | Path,
    split: Split,
    *,
    radii: Sequence[float] | None = None,
    views: int = 1,
    device: str = "auto",
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
        progress: called with cases done and cases in all; may raise to end the work.

    Raises:
        LandmarkerError: if no case of the split is annotated.
        ModelError: if the model cannot be loaded or does not fit.
    """
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
    results = []
    for done, case in enumerate(cases):
        if progress is not None:
            progress(done, len(cases))
        landmarks = predictor.landmarks(project.image(case.id), project.image_path(case.id))
        if is_own or name not in project.models:
            project.save_predictions(case.id, name, landmarks.reordered(project.schema.names))
        results.append(CaseResult(case.id, project.annotations(case.id), landmarks))
    if progress is not None:
        progress(len(cases), len(cases))
    evaluation = evaluate(results, model=name, split=split.value, radii=radii, measurements=project.schema.measurements)
    if is_own and views == 1:
        figures = {key: value for key, value in evaluation.to_dict().items() if key != "cases"}
        write_json(folder / "evaluations" / f"{split.value}.json", figures)
    return evaluation
