"""Calibrate a model: learn from images that it has not met how far its points may be from the true ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from napari_landmarker.engine.errors import CalibrationError, TrainingError
from napari_landmarker.engine.io.atomic import write_json, write_text
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict.bundle import ModelInfo, read_info
from napari_landmarker.engine.predict.calibration_file import CROSS_VALIDATION, NO_CALIBRATION, write_calibration
from napari_landmarker.engine.predict.ensemble import fingerprint_of, member_folders
from napari_landmarker.engine.predict.held_out import held_out, keep_calibrated
from napari_landmarker.engine.predict.model_card import words
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.predict.predictor import Predictor
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import Case, Project, Split
from napari_landmarker.engine.train.folds_plan import FoldsPlan
from napari_landmarker.engine.uncertainty import (
    Calibration,
    CalibrationConfig,
    CoverageReport,
    EuclideanScore,
    leave_one_out,
)
from napari_landmarker.engine.uncertainty.configs import TEMPERATURE_EVERY
from napari_landmarker.engine.uncertainty.crossed import crossed

#: How the calibration did on its own cases, each judged by the others.
COVERAGE = Path("evaluations") / "regions.json"
CARD = Path("docs") / "README.md"
#: Predictions are kept to tell the sizes of their regions as long as their heatmaps take no more bytes.
KEPT_BYTES = 2**30


def calibrate_model(
    project: Project,
    model: str,
    config: CalibrationConfig | None = None,
    *,
    split: Split = Split.CALIBRATION,
    folds: bool = False,
    views: int = 1,
    flips: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> Calibration:
    """Calibrate a model of a project on the annotated cases of a split, and keep that in the model's folder.

    The folder gets the calibration, how often its regions cover (each case judged by the others), and the same in words
    in its ``docs/README.md``. The calibration holds for images that are seen as here: with as many views.
    Cases that the model has met in its training, or the model that it began with in its own, are left out.

    Args:
        project: the project.
        model: name of one of its models or ensembles.
        config: which regions; by default what the model was trained to have.
        split: which cases.
        folds: instead, all cases of a cross-validation, each answered by the one model of the ensemble that has not met
            it. That makes use of every case, but nothing is proven of it: regions keep their word as a rule, as the
            ensemble errs no more than its parts (Vovk, *Cross-conformal predictors*, Annals of Mathematics and
            Artificial Intelligence 74, 2015; Barber et al., *Predictive inference with the jackknife+*, Annals of
            Statistics 49, 2021).
        views: see `Predictor.load`.
        flips: see `Predictor.load`.
        device: see `Predictor.load`.
        progress: called with cases done and cases in all, also within a large image; may raise to end the work.

    Raises:
        CalibrationError: if no case of the split is annotated, the model has met all of them, the model is not the
            project's own, or not of a cross-validation, or its answers do not suit the choice of regions.
        ModelError: if the model cannot be loaded or does not fit an image.
        ProjectError: if the model's folder cannot be written.
    """
    folder = project.find_model(model)
    if folder.resolve().parent != project.models_dir.resolve():
        raise CalibrationError(f"The model '{model}' is not one of this project: copy its folder to its models first.")
    asked = _of_folds(project, folder) if folds else _of_split(project, folder, split)
    parts = {part for _, part in asked.cases}
    predictors = {part: Predictor.load(part, device, views=views, flips=flips) for part in sorted(parts)}
    info = read_info(folder)
    config = config or _config_of(info)
    crosses = folds and config.temperature == "scatter"
    cases = list(asked.cases) if crosses else _dealt(asked.cases, config)
    first, kept = 0 if crosses else config.for_temperature(len(cases)), _Kept()

    def predictions() -> Iterator[Prediction]:
        for done, (case, part) in enumerate(cases):
            check = partial(progress or _unheard, done, len(cases))
            check()
            image, path = project.image(case.id), project.image_path(case.id)
            prediction = predictors[part].predict_source(image, path, check=check)
            if done >= first:
                kept.add(prediction)
            yield prediction

    truths = [project.annotations(case.id) for case, _ in cases]
    if crosses:
        by_fold: dict[Path, list[tuple[Prediction, LandmarkSet]]] = {part: [] for _, part in cases}
        for (_, part), prediction, truth in zip(cases, predictions(), truths, strict=True):
            by_fold[part].append((_without_heat(prediction), truth))
        calibration = crossed(config, list(by_fold.values()), asked.made_from(config, 0))
    else:
        calibration = Calibration.fit(config, predictions(), truths, asked.made_from(config, first))
        calibration = replace(calibration, crossed=folds)
    (progress or _unheard)(len(cases), len(cases))
    report = leave_one_out(calibration, items=kept.items(truths[first:]))
    keep_calibrated(project, folder, [case for case, _ in cases])
    write_json(folder / COVERAGE, report.to_dict())
    mark = fingerprint_of([folder])
    write_calibration(folder, calibration, fingerprint=mark, views=views, flips=flips, split=asked.split)
    if (folder / CARD).exists():
        write_text(folder / CARD, words(info, promise(calibration, report)))
    return calibration


def promise(calibration: Calibration, report: CoverageReport) -> str:
    """What the regions of a model promise, and how that was kept, in a few sentences.

    Args:
        calibration: of the model.
        report: on its own images, see `leave_one_out`.
    """
    config, percent = calibration.config, f"{100 * report.confidence:g}"
    of = "all points of an image lie" if config.joint else "the true point lies"
    told = f"in {percent} of 100 such images {of} inside the region{'s' * config.joint}"
    rule = "as a rule, though cross-validation does not prove it, " if calibration.crossed else ""
    made = f"Calibrated on {calibration.made_from}: {rule}{told}."
    short = [name for name in calibration.names if not calibration.enough_for(name, report.confidence)]
    if len(short) == len(calibration.names):
        needed = calibration.cases_needed(report.confidence)
        if not (calibration.crossed and config.temperature == "scatter"):
            needed = config.images_for(needed)
        return f"{made} For that it takes {needed} images: until then the region is the whole image."
    seen = report.images if config.joint else report.points
    what = "images" if config.joint else "points"
    if any(calibration.cases_for(name) > calibration.cases_needed(report.confidence) for name in calibration.names):
        made += f" Each judged by the others, {seen.covered} of {seen.n} {what} did."
    if seen.mean_size is not None:
        made += f" The mean size of a region is {seen.mean_size:.3g} {report.unit}."
    if short:
        made += f" Of {', '.join(short)} there are too few images: there the region is the whole image."
    return made


def _without_heat(prediction: Prediction) -> Prediction:
    """A prediction without its heatmaps, which are large: a pixel of each stands for all."""
    return replace(
        prediction, heatmaps=prediction.heatmaps[(slice(None), *[slice(1)] * (prediction.heatmaps.ndim - 1))]
    )


class _Kept:
    """Predictions, as long as they are small enough to be kept together."""

    def __init__(self) -> None:
        self._predictions: list[Prediction] | None = []
        self._bytes = 0

    def add(self, prediction: Prediction) -> None:
        """Keep one more, or none at all."""
        self._bytes += prediction.heatmaps.nbytes
        if self._predictions is not None and self._bytes <= KEPT_BYTES:
            self._predictions.append(prediction)
        else:
            self._predictions = None

    def items(self, truths: list[LandmarkSet]) -> list[tuple[Prediction, LandmarkSet]] | None:
        """The predictions with their truths; None if they were too large."""
        return None if self._predictions is None else list(zip(self._predictions, truths, strict=True))


@dataclass(frozen=True)
class _Asked:
    """The cases of a calibration, each with the folder of the model that answers it, and which they are in words."""

    cases: tuple[tuple[Case, Path], ...]
    split: str
    words: str

    def made_from(self, config: CalibrationConfig, first: int) -> str:
        """What the calibration is made from, the first of the cases without thresholds."""
        count = len(self.cases)
        set_only = {"each": "temperatures", "common": "temperature", "scatter": "typical errors", "none": ""}
        told = f", {first} of which only set its {set_only[config.temperature]}" if first else ""
        return f"{count} image{'s' * (count != 1)} {self.words}{told}"


def _of_split(project: Project, folder: Path, split: Split) -> _Asked:
    """The annotated cases of a split that the model has not met."""
    cases = project.annotated_cases(split)
    if not cases:
        raise CalibrationError(NO_CALIBRATION if split is Split.CALIBRATION else _nothing_in(split))
    apart = held_out(project, folder, cases)
    if not apart.cases or split in (Split.TRAIN, Split.VALIDATION):
        more = f" and {len(cases) - 1} more" if len(cases) > 1 else ""
        raise CalibrationError(
            f"The model '{folder.name}', or the one it began with, learnt from '{cases[0].id}'{more} of the "
            f"{split.value} split, so its regions would be too small: keep other cases apart, or train again."
        )
    return _Asked(
        tuple((case, folder) for case in apart.cases), split.value, f"of the {split.value} split{apart.words}"
    )


def _of_folds(project: Project, folder: Path) -> _Asked:
    """The annotated cases of a cross-validation, each for the one model of its ensemble that has not met it."""
    run, members = project.runs_dir / folder.name, {member.name: member for member in member_folders(folder)}
    try:
        plan = FoldsPlan.read(run)
    except TrainingError:
        plan = None
    if plan is None or set(plan.members) != set(members):
        raise CalibrationError(
            f"The model '{folder.name}' is not of a cross-validation in this project (train --folds), so each of its "
            "cases was learnt from: calibrate it on cases that were kept apart."
        )
    by_id = {case.id: case for split in Split for case in project.annotated_cases(split)}
    pairs = [
        (by_id[case_id], members[name])
        for name, ids in zip(plan.members, plan.held_out, strict=True)
        for case_id in ids
        if case_id in by_id
    ]
    if not pairs:
        raise CalibrationError(f"No case of the cross-validation '{folder.name}' is annotated any more.")
    words = f"of a cross-validation, each answered by the one of {len(members)} models that had not met it"
    return _Asked(tuple(pairs), CROSS_VALIDATION, words)


def _dealt(cases: Sequence[tuple[Case, Path]], config: CalibrationConfig) -> list[tuple[Case, Path]]:
    """The cases with those first that set temperatures: one in every few, wherever in the project."""
    if config.temperature == "none":
        return list(cases)
    last = TEMPERATURE_EVERY - 1
    numbered = list(enumerate(cases))
    first = [case for number, case in numbered if number % TEMPERATURE_EVERY == last]
    return first + [case for number, case in numbered if number % TEMPERATURE_EVERY != last]


def _config_of(info: ModelInfo) -> CalibrationConfig:
    """What a model was trained to have; points that come without covariances are judged by their distance."""
    config = info.config
    if config.model.answer == "points":
        return config.calibration.model_copy(update={"score": EuclideanScore(), "temperature": "none"})
    return config.calibration


def _nothing_in(split: Split) -> str:
    return f"No case in the {split.value} split has a landmark placed by a person: annotate some, or choose another."


def _unheard(done: int, total: int) -> None:
    """Nobody wants to know."""
