"""``docs/README.md`` of a model: what it is, how it came to be and how good it is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_landmarker.engine.predict.calibration_file import NO_CALIBRATION

if TYPE_CHECKING:
    from napari_landmarker.engine.predict.bundle import ModelInfo

_ANSWERS = {
    "maps": "one map for each landmark",
    "stacks": "one map for each landmark, from each of several networks in a row, of which the last one counts",
    "maps_and_covariances": "one map for each landmark, and how unsure it is along each direction",
    "stacks_and_covariances": "one map for each landmark, and how unsure it is along each direction, from each of "
    "several networks in a row, of which the last one counts",
    "points": "coordinates, without maps",
    "cascade": "coordinates: first with one map for each landmark of a coarse image, then with one of a fine patch "
    "around each point",
}


def words(info: ModelInfo, promise: str = NO_CALIBRATION) -> str:
    """The text of ``docs/README.md``.

    Args:
        info: the model.
        promise: what its regions promise, or why nothing, in sentences.
    """
    return "\n".join(
        [
            f"# {info.name}",
            "",
            f"Finds {', '.join(info.names)} in {info.ndim}D images ({'colour' if info.channels == 3 else 'grey'}).",
            "",
            *_needs(info),
            *_training(info),
            *_figures(info),
            "## How sure it is",
            "",
            promise,
            "How often its regions cover at other confidences is in `evaluations/regions.json`, once it is calibrated.",
            "",
        ]
    )


def _needs(info: ModelInfo) -> list[str]:
    frame, sizes = info.frame, " x ".join(map(str, info.frame.shape))
    if frame.spacing_mm is None:
        seen = f"It fits every image into {sizes} pixels; its errors are in pixels, as its images stated no spacing."
    else:
        seen = (
            f"It draws every image at {frame.spacing_mm:.4g} mm per pixel, in {sizes} pixels or, for a larger image, "
            "more. Images must state their spacing."
        )
    answers = f"A network of the kind `{info.config.model.kind}` answers with {_ANSWERS[info.config.model.answer]}."
    return ["## What it does", "", seen, answers, ""]


def _training(info: ModelInfo) -> list[str]:
    config = info.config
    lines = [
        "## How it was trained",
        "",
        f"- Preset `{config.preset}`, {info.steps} steps in {info.minutes:.1f} minutes, on {info.n_train} cases",
        f"- Loss `{config.loss.kind}`, seed {config.seed}",
        "- The whole configuration is in `configs/train.yaml`: to train like this again, type",
        "  `napari-landmarker train PROJECT --config train.yaml`",
        "- The training curve is in `docs/training.csv`",
        "",
    ]
    if config.reasons:
        lines += ["Why it was trained so:", "", *(f"- {reason}" for reason in config.reasons), ""]
    return lines


def _figures(info: ModelInfo) -> list[str]:
    if info.validation_error is None:
        known = "It was not judged while it was trained."
    else:
        known = (
            f"Mean point error on the {info.n_validation} cases of the validation split: {info.validation_error:.2f} "
            f"{info.unit}. The model was chosen on these cases, so expect more on new images."
        )
    return [
        "## How good it is",
        "",
        known,
        "What it scored on another split, once it is judged there, is in `evaluations/`, one file for each split.",
        "",
    ]
