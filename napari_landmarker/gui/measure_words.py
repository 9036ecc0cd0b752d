"""The words for measurements: what each kind is called, and how a value and its norm are read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from napari_landmarker.engine.metrics import Measured
from napari_landmarker.engine.schema import Measurement, MeasurementKind

#: Up to one deviation a value counts as usual; beyond two it is far off.
USUAL, FAR = 1.0, 2.0
_DECIMALS = {"°": 1, "mm": 1, "px": 1, "": 3}


@dataclass(frozen=True)
class Form:
    """A kind of measurement as a person chooses it.

    Attributes:
        kind: what it is in the schema.
        title: what it is called.
        roles: what each of its landmarks is for.
        sentence: what is measured, with the landmarks as ``{0}``, ``{1}`` and so on.
    """

    kind: MeasurementKind
    title: str
    roles: tuple[str, ...]
    sentence: str


FORMS = (
    Form("distance", "Distance of two points", ("From", "To"), "Distance from {0} to {1}"),
    Form("angle", "Angle at a point", ("Side through", "Corner", "Side through"), "Angle at {1} between {0} and {2}"),
    Form(
        "angle",
        "Angle between two lines",
        ("First line from", "to", "Second line from", "to"),
        "Angle between the lines {0}–{1} and {2}–{3}",
    ),
    Form(
        "angle_difference",
        "Difference of two angles",
        ("Common side", "Corner", "First angle to", "Second angle to"),
        "Angle at {1} between {0} and {2}, less that between {0} and {3}",
    ),
    Form(
        "ratio",
        "Ratio of two distances",
        ("First distance from", "to", "Second distance from", "to"),
        "Distance {0}–{1} divided by distance {2}–{3}",
    ),
    Form(
        "distance_to_line",
        "Distance from a line",
        ("Point", "Line through", "and"),
        "Distance of {0} from line {1}–{2}",
    ),
    Form(
        "distance_to_line",
        "Distance from a line, with sign",
        ("Point", "Line through", "and", "Below 0 on the side of"),
        "Distance of {0} from line {1}–{2}, below 0 on the side of {3}",
    ),
)


class Verdict(Enum):
    """How a value stands to its norm."""

    UNKNOWN = "unknown"
    USUAL = "usual"
    OFF = "off"
    FAR = "far"


def form_of(kind: MeasurementKind, count: int) -> Form:
    """The form of a kind that is taken between so many landmarks."""
    return next(form for form in FORMS if form.kind == kind and len(form.roles) == count)


def sentence(measurement: Measurement) -> str:
    """What is measured, in words."""
    return form_of(measurement.kind, len(measurement.landmarks)).sentence.format(*measurement.landmarks)


def value_text(measured: Measured) -> str:
    """The value with its unit; a dash where there is none."""
    return "–" if measured.value is None else f"{_number(measured.value, measured.unit)}{_unit(measured.unit)}"


def norm_text(measurement: Measurement) -> str:
    """The norm with its deviation and unit; nothing where nobody says."""
    if measurement.norm is None:
        return ""
    unit = "mm" if measurement.is_length else "" if measurement.kind == "ratio" else "°"
    spread = "" if measurement.deviation is None else f" ± {_number(measurement.deviation, unit)}"
    return f"{_number(measurement.norm, unit)}{spread}{_unit(unit)}"


def verdict(measured: Measured) -> Verdict:
    """How a value stands to its norm."""
    if measured.deviations is None:
        return Verdict.UNKNOWN
    off = abs(measured.deviations)
    return Verdict.USUAL if off <= USUAL else Verdict.OFF if off <= FAR else Verdict.FAR


def verdict_text(measured: Measured) -> str:
    """How a value stands to its norm, in words: ``+1.4 high``, in deviations; nothing where that cannot be said."""
    if measured.deviations is None:
        return ""
    side = "high" if measured.deviations > 0 else "low"
    word = {Verdict.USUAL: "usual", Verdict.OFF: side, Verdict.FAR: f"very {side}"}[verdict(measured)]
    return f"{_signed(measured.deviations)} {word}"


def explanation(measured: Measured) -> str:
    """All there is to say of a value, for a tooltip."""
    measurement = measured.measurement
    lines = [f"{measurement.name}: {sentence(measurement)}."]
    if measured.missing:
        lines.append(
            f"No value yet: {' and '.join(measured.missing)} ha{'ve' if measured.missing[1:] else 's'} no place."
        )
    elif measured.value is None:
        lines.append("No value: two of its points lie in the same place, or on one line.")
    if measured.deviations is not None:
        side = "above" if measured.deviations > 0 else "below"
        lines.append(f"{abs(measured.deviations):.1f} deviations {side} the norm of {norm_text(measurement)}.")
    elif measurement.norm is not None and measured.unit == "px":
        lines.append(
            f"It cannot be compared with the norm of {norm_text(measurement)}: nobody knows how large a pixel is."
        )
    if measurement.source:
        lines.append(f"Norm: {measurement.source}.")
    if measured.predicted and measured.value is not None:
        lines.append("From points that a model placed and nobody has confirmed yet.")
    if measured.square_pixels and measured.value is not None:
        lines.append("Pixels were taken as square: where they are not, the value is wrong.")
    return "\n".join(lines)


def _number(value: float, unit: str) -> str:
    return (
        f"{value:.{_DECIMALS[unit]}f}".replace("-", "−")
        if round(value, _DECIMALS[unit])
        else f"{0:.{_DECIMALS[unit]}f}"
    )


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−") if round(value, 1) else "0.0"


def _unit(unit: str) -> str:
    return unit if unit in ("", "°") else f" {unit}"
