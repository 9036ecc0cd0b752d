"""When to choose which way to train, what a run would learn from, and where it is: in words."""

from __future__ import annotations

from collections.abc import Mapping

from napari_landmarker.engine.project import Split
from napari_landmarker.engine.train.choice import ENOUGH_TO_HOLD_OUT
from napari_landmarker.state.training import TrainingRun, TrainingState, duration

#: One line for each preset that says when it is the right one.
WHEN = {
    "auto": "Choose this unless you want to compare methods.",
    "static": "Choose this for a well-tried method, and to compare with others: also with few images.",
    "adaptive": "Choose this when some landmarks are sharp corners and others lie along soft edges.",
    "adaloss": "Choose this when landmarks differ much in difficulty and a fixed width finds only the easy ones.",
    "one-hot": "Choose this when you want to see how sure the model is, and regions that follow it.",
    "soft-argmax": "Choose this when points should lie between pixels and each needs its own spread.",
    "coordinate": "Choose this when the model must be small and fast, and you have hundreds of images.",
    "cascade": "Choose this for large images and volumes, where details vanish when all is seen at once.",
}
#: What a run computes on, in words.
_DEVICES = {"cpu": "processor", "cuda": "graphics card", "mps": "graphics processor"}


def counted(counts: Mapping[Split, int]) -> str:
    """What a run would learn from, be checked on and be calibrated on, in numbers."""
    train, validation = counts[Split.TRAIN], counts[Split.VALIDATION]
    sentences = [f"Learns from {_images(train)}."]
    if validation:
        sentences.append(f"Checks itself on {_images(validation)} that it does not learn from.")
    elif train >= ENOUGH_TO_HOLD_OUT:
        sentences.append("About one in seven of them is held out, to check the model on images it does not learn from.")
    else:
        few = "That is" if train == 1 else "They are"
        sentences.append(f"{few} too few to hold some out, so the error on new images will not be known.")
    calibration, test = counts[Split.CALIBRATION], counts[Split.TEST]
    if calibration:
        tell = "tells" if calibration == 1 else "tell"
        sentences.append(f"Then {_images(calibration)} of the calibration split {tell} how large its regions must be.")
    if test:
        stay = "stays" if test == 1 else "stay"
        sentences.append(f"{_images(test)} of the test split {stay} untouched, for the report.")
    return " ".join(sentences)


def told(run: TrainingRun) -> str:
    """Where a run is, in a sentence or two."""
    if run.state is TrainingState.FAILED:
        return run.message
    if run.state is TrainingState.CANCELLED:
        return "The training was cancelled; no model was kept."
    if run.state is TrainingState.CANCELLING:
        return "Cancelling…"
    if run.state is TrainingState.STOPPING and run.calibrating is None:
        return "Stopping, and saving the best model so far…"
    if run.state is TrainingState.STARTING:
        return "Starting: reading the images…"
    if run.state is TrainingState.FINISHED:
        error = "" if run.validation_error is None else _error(run.validation_error, run.unit)
        promise = f" {run.promise}" if run.promise else ""
        return f"The model '{run.model}' is ready{' (stopped early)' if run.stopped else ''}.{error}{promise}"
    if run.calibrating is not None:
        done, total = run.calibrating
        return f"The model '{run.model}' is saved. Calibrating its regions: {done} of {total} images."
    left = "Finishing…" if run.remaining_s is None else f"{duration(run.remaining_s).capitalize()} left."
    best = "" if run.best is None or run.best.validation_error is None else _error(run.best.validation_error, run.unit)
    device = f" on the {_DEVICES.get(run.device, run.device)}" if run.device else ""
    on = f" with {_images(run.n_train)}" if run.n_train else ""
    return f"Training '{run.model}'{device}{on}. {left}{best.replace('Mean', 'Best mean')}"


def _error(error: float, unit: str) -> str:
    return f" Mean error on validation images: {error:.3g} {unit}."


def _images(count: int) -> str:
    return f"{count} annotated image" + ("" if count == 1 else "s")
