"""What a report says in words: plain English for a person who reads no code."""

from __future__ import annotations

from napari_landmarker.engine.metrics import Evaluation, Interval, MeasurementScore
from napari_landmarker.engine.metrics.bootstrap import LEVEL, MIN_IMAGES
from napari_landmarker.engine.metrics.evaluation import shapes_text

#: A number and its unit stay on one line.
SPACE = "\u00a0"
NOTHING = "\u2013"
#: Below this many points a percentage is easily 10 % off.
_FEW_POINTS = 50
_SPLITS = {
    "test": "held-out image",
    "validation": "validation image",
    "train": "training image",
}


def count(number: int, noun: str) -> str:
    """``1 image``, ``2 images``."""
    return f"{number}{SPACE}{noun}{'' if number == 1 else 's'}"


def error_text(value: float | None, unit: str = "", *, digits_of: str | None = None) -> str:
    """An error as it is printed: two decimals in mm, one in px; a dash where there is none.

    Args:
        value: the error.
        unit: written behind the number.
        digits_of: the unit that decides how many decimals there are, if none is written.
    """
    if value is None:
        return NOTHING
    digits = 1 if (digits_of or unit) == "px" else 2
    return f"{value:.{digits}f}{SPACE}{unit}" if unit else f"{value:.{digits}f}"


def percent_text(value: float | None, sign: str = f"{SPACE}%") -> str:
    """A percentage as it is printed, with one decimal."""
    return NOTHING if value is None else f"{value:.1f}{sign}"


def interval_text(interval: Interval | None, digits: int) -> str:
    """A confidence interval as it is printed, ``1.02–1.31``; nothing where there is none."""
    return "" if interval is None else f"{interval.low:.{digits}f}–{interval.high:.{digits}f}"


def measured_text(value: float | None, score: MeasurementScore, *, signed: bool = False) -> str:
    """A difference of a measurement as it is printed; its unit stands beside its name."""
    return NOTHING if value is None else f"{value:{'+' if signed else ''}.{digits_of(score)}f}"


def digits_of(score: MeasurementScore) -> int:
    """How many decimals of a measurement are printed."""
    return {"px": 1, "mm": 2, "°": 2}.get(score.unit, 3)


def images_text(evaluation: Evaluation) -> str:
    """``20 held-out images``."""
    noun = _SPLITS.get(evaluation.split)
    if noun is None:
        return f"{count(evaluation.n_images, 'image')} of the split “{evaluation.split}”"
    return count(evaluation.n_images, noun)


def headline(evaluation: Evaluation) -> str:
    """The result in one or two sentences."""
    overall, unit = evaluation.overall, evaluation.unit
    least, most = evaluation.radii[0], evaluation.radii[-1]
    within = f"{percent_text(overall.sdr[most])} of the points lie within {most:g}{SPACE}{unit} of the true point"
    if least != most:
        within += f", and {percent_text(overall.sdr[least])} within {least:g}{SPACE}{unit}"
    text = f"On {images_text(evaluation)}, {within}."
    if overall.mean is None:
        return f"{text} The model found no point at all."
    return (
        f"{text} The mean distance is {error_text(overall.mean, unit)}; "
        f"half of the points found lie within {error_text(overall.median, unit)}."
    )


def cautions(evaluation: Evaluation) -> list[str]:
    """What a reader must know before trusting the numbers."""
    overall = evaluation.overall
    out = []
    if evaluation.rater:
        out.append(f"The true points are those of the rater “{evaluation.rater}”, and of nobody else.")
    if evaluation.split == "train":
        out.append(
            "These are images the model was trained on, so the numbers are better than on new images: "
            "judge the model by its test split."
        )
    if evaluation.split == "validation":
        out.append(
            "These images helped to choose the model during training, so the numbers may be a little better "
            "than on new images."
        )
    if evaluation.left_out:
        out.append(evaluation.left_out)
    if overall.missed:
        it, they_fail = ("it", "it counts as a failure") if overall.missed == 1 else ("them", "they count as failures")
        out.append(
            f"{count(overall.missed, 'true point')} got no prediction. Without a predicted point there is no "
            f"distance, so mean, median, standard deviation and maximum leave {it} out; within every radius "
            f"{they_fail}."
        )
    if overall.missing:
        have, are = ("has", "is") if overall.missing == 1 else ("have", "are")
        out.append(
            f"{count(overall.missing, 'landmark')} of these images {have} no true point (not annotated, or "
            f"not visible) and {are} left out of every number."
        )
    if overall.n < _FEW_POINTS:
        out.append(f"The numbers rest on {count(overall.n, 'point')} only; on other images they may well differ.")
    if evaluation.n_images < MIN_IMAGES:
        out.append(
            f"With {count(evaluation.n_images, 'image')} no confidence intervals can be given: "
            f"at least {MIN_IMAGES} are needed."
        )
    squares = [score.name for score in evaluation.measurements.values() if score.square_pixels]
    if squares:
        out.append(
            f"Not every image states its spacing, so pixels were taken as square for {', '.join(squares)}: where they "
            "are not, these values are wrong."
        )
    if evaluation.unit == "px":
        out.append(
            f"Distances are in pixels of these images ({shapes_text(evaluation.image_shapes)}): without a physical "
            "scale they do not compare with millimetres, nor with images of another size."
        )
    return out


def glossary(evaluation: Evaluation) -> list[tuple[str, str]]:
    """The terms of the report, explained."""
    unit = "millimetres" if evaluation.unit == "mm" else "pixels"
    measured = [
        ("Difference of a measurement", "How far the value from predicted points is from that of true points."),
        ("Bias", "The mean of predicted less true value: above 0 where predictions are too large on the whole."),
    ]
    return [
        ("True point", "Where a person placed the landmark, or accepted or corrected a prediction."),
        ("Predicted point", "Where the model places it on its own."),
        ("Distance (point error)", f"The straight line between true and predicted point, in {unit}."),
        ("n", "The number of true points that the model was compared with."),
        ("Missing", "Images in which the landmark has no true point; they do not count."),
        ("Missed", "True points for which the model gave no point; they count as failures."),
        ("Mean, median", "The average distance; the distance that half of the points found do not exceed."),
        ("SD", "Standard deviation: how much the distances of the points found vary around their mean."),
        ("Max", "The largest distance of a point found."),
        (
            "Within a radius (SDR)",
            "Success detection rate: how many of 100 true points have a prediction at most this far away.",
        ),
        (
            f"Grey numbers ({100 * LEVEL:.0f}{SPACE}% confidence interval)",
            "The range in which the number would lie for most other samples of images of the same kind. It is computed "
            "by drawing whole images again and again, and is left out where images are too few or all agree.",
        ),
        (
            "Held-out images",
            "Images kept apart while the model was trained: they show how it does on images new to it.",
        ),
        *(measured if evaluation.measurements else []),
    ]
