"""What is wrong with a draft of landmarks: one clear sentence for each mistake, and the field that it belongs to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError
from qtpy.QtGui import QImageReader

from napari_landmarker.engine.schema import Measurement
from napari_landmarker.gui.schema_draft import (
    Item,
    LandmarkDraft,
    LineDraft,
    MeasurementDraft,
    SchemaDraft,
    number_in,
)


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Attributes:
        item: what it is in, None for the list of landmarks as a whole.
        field: which field of it: an attribute of the draft.
        sentence: what is wrong and what to do.
    """

    item: Item | None
    field: str
    sentence: str


def problems(draft: SchemaDraft) -> list[Problem]:
    """All mistakes, those of landmarks first."""
    found = [] if draft.landmarks else [Problem(None, "name", "A project needs at least one landmark: add one.")]
    names = [landmark.name.strip() for landmark in draft.landmarks]
    for landmark in draft.landmarks:
        found += _of_landmark(landmark, names)
    for number, line in enumerate(draft.lines):
        found += _of_line(line, draft.lines[:number])
    titles = [measurement.name.strip() for measurement in draft.measurements]
    for measurement in draft.measurements:
        found += _of_measurement(measurement, titles)
    return found


def _of_landmark(landmark: LandmarkDraft, names: list[str]) -> Iterator[Problem]:
    name = landmark.name.strip()
    if not name:
        yield Problem(landmark, "name", "A landmark needs a name: type one.")
    elif any(ord(sign) < 32 for sign in name):
        yield Problem(landmark, "name", "A name must be text on one line.")
    elif names.count(name) > 1:
        yield Problem(landmark, "name", f"Another landmark is called “{name}” too: give one of them another name.")
    if landmark.picture is not None and not QImageReader(str(landmark.picture)).canRead():
        yield Problem(
            landmark, "example", f"“{landmark.picture.name}” is no picture that can be shown: choose a PNG or JPEG."
        )


def _of_line(line: LineDraft, before: list[LineDraft]) -> Iterator[Problem]:
    if None in line.ends:
        yield Problem(line, "ends", "A line needs two landmarks: choose both.")
    elif line.ends[0] is line.ends[1]:
        yield Problem(line, "ends", "A line needs two different landmarks: choose another one for one of its ends.")
    elif any(set(map(id, other.ends)) == set(map(id, line.ends)) for other in before):
        yield Problem(line, "ends", "This line is in the list already: remove one of the two.")


def _of_measurement(measurement: MeasurementDraft, titles: list[str]) -> Iterator[Problem]:
    name = measurement.name.strip()
    if not name:
        yield Problem(measurement, "name", "A measurement needs a name: type one.")
    elif titles.count(name) > 1:
        yield Problem(
            measurement, "name", f"Another measurement is called “{name}” too: give one of them another name."
        )
    if None in measurement.landmarks:
        yield Problem(measurement, "landmarks", "Choose a landmark in each of these fields.")
    elif not _landmarks_differ(measurement):
        yield Problem(
            measurement, "landmarks", "The same landmark stands twice where two different ones are needed: change one."
        )
    norm, deviation = _typed(measurement.norm), _typed(measurement.deviation)
    if norm is not None and not math.isfinite(norm):
        yield Problem(measurement, "norm", "The norm must be a number, such as 82.5: correct it, or leave it empty.")
    if deviation is not None and not (math.isfinite(deviation) and deviation > 0):
        yield Problem(
            measurement,
            "deviation",
            "The deviation must be a number above 0, such as 3.5: correct it, or leave it empty.",
        )
    elif deviation is not None and norm is None:
        yield Problem(measurement, "norm", "A deviation needs a norm that it is from: type it, or leave both empty.")


def _landmarks_differ(measurement: MeasurementDraft) -> bool:
    """Whether the schema would take these landmarks."""
    try:
        Measurement(
            name="m", kind=measurement.kind, landmarks=tuple(str(id(landmark)) for landmark in measurement.landmarks)
        )
    except ValidationError:
        return False
    return True


def _typed(text: str) -> float | None:
    """The number that was typed, None for nothing, NaN for anything else."""
    try:
        return number_in(text)
    except ValueError:
        return math.nan
