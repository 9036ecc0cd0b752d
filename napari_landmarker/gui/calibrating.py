"""What worker threads do about regions: read a calibration, see whether it still holds, calibrate again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_landmarker.engine.errors import CalibrationError, LandmarkerError
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.uncertainty import Calibration, CalibrationConfig, Drift, drift, leave_one_out
from napari_landmarker.gui.preload import preload_engine
from napari_landmarker.gui.regions import USUAL_CONFIDENCE, CalibrationKey, ModelRegions, from_disk, width_mm
from napari_landmarker.gui.tasks import Job

#: In these a case takes no part in learning, nor waits for a calibration: it stays where it is.
_KEPT_APART = (Split.TEST, Split.CALIBRATION)


def read_regions(job: Job, folder: Path) -> ModelRegions:
    """The calibration of a model folder; its weights are read to see whether it is theirs."""
    from napari_landmarker.engine.predict.calibration_file import stored_calibration

    job.check()
    return ModelRegions(CalibrationKey.of(folder), stored_calibration(folder))


@dataclass(frozen=True, eq=False)
class Kept:
    """Whether the regions of a model keep their word on images that were corrected since.

    Attributes:
        drift: how they do; None where there is nothing to judge them by.
        sentence: the same in plain words.
        usable: the cases among these that could be calibrated on as well.
    """

    drift: Drift | None
    sentence: str
    usable: tuple[str, ...]


def see_whether_kept(job: Job, project: Project, model: str, regions: ModelRegions) -> Kept:
    """Compare the saved predictions of a model with what persons placed, in images it has not met.

    Args:
        job: is told of progress.
        project: the project.
        model: name of the model.
        regions: what it promises.
    """
    calibration = regions.calibration
    if calibration is None:
        return Kept(None, "", ())
    try:
        met = _met(project, regions)
        items: list[tuple[Prediction, LandmarkSet]] = []
        usable = []
        for number, case in enumerate(project.cases):
            job.progress(number, len(project.cases))
            if case.id in met or not project.prediction_path(case.id, model).exists():
                continue
            truth = project.annotations(case.id)
            predictions = project.predictions(case.id, model)
            if predictions is None or not truth.truth().placed.any():
                continue
            items.append((from_disk(calibration, predictions), truth))
            if case.split not in _KEPT_APART:
                usable.append(case.id)
        if not items:
            return Kept(None, "No other image has been predicted and corrected yet to see whether they hold.", ())
        found = drift(calibration, items, USUAL_CONFIDENCE)
    except CalibrationError:
        return Kept(None, "To see whether they still hold, judge the model on its test images (tab Report).", ())
    images = f"{found.images} corrected image{'' if found.images == 1 else 's'}"
    return Kept(found, f"At {USUAL_CONFIDENCE:.0%}, in {images}: {found.sentence}", tuple(usable))


def calibrate_again(
    job: Job, project: Project, model: str, config: CalibrationConfig | None
) -> tuple[ModelRegions, str]:
    """Calibrate a model on the calibration split, as the command ``calibrate`` does.

    Args:
        job: is told of progress.
        project: the project.
        model: one of its models.
        config: which regions; those it was trained to have if None.

    Returns:
        What the model promises now, and that in words.
    """
    preload_engine()
    from napari_landmarker.engine.predict.calibrate import calibrate_model, promise

    made = calibrate_model(project, model, config, progress=job.progress)
    return read_regions(job, project.find_model(model)), promise(made, leave_one_out(made))


def region_widths(calibration: Calibration, predictions: LandmarkSet) -> dict[str, float]:
    """How wide the region of each landmark of an image is, in mm, where that can be said (see `width_mm`)."""
    try:
        said = from_disk(calibration, predictions)
        regions = calibration.regions(said, USUAL_CONFIDENCE)
    except LandmarkerError:
        return {}
    widths = {name: width_mm(region) for name, region in regions.items() if name in calibration.names}
    return {name: width for name, width in widths.items() if width is not None}


def _met(project: Project, regions: ModelRegions) -> frozenset[str]:
    """The cases that a model learnt from, was chosen on or was calibrated on, as far as is known."""
    from napari_landmarker.engine.predict.held_out import calibrated_cases, history_of_model

    learnt = history_of_model(project, regions.key.folder).cases
    calibrated = calibrated_cases(project, regions.key.folder)
    splits = set() if learnt else {Split.TRAIN.value, Split.VALIDATION.value}
    if calibrated is None:
        splits.add(regions.stored.split)
    return learnt | (calibrated or frozenset()) | {case.id for case in project.cases if case.split.value in splits}
