"""What the annotation formats share: checking the fields of a file, and making a `LandmarkSet` of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.io.atomic import write_json
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus


@dataclass(frozen=True, eq=False)
class Entry:
    """What is said of one landmark in one image.

    Attributes:
        point: index coordinates in array order, ``(D,)``, or None where it has no place.
        status: its status, which has a point exactly where ``point`` is given.
        score: confidence, NaN where unknown.
    """

    point: FloatArray | None
    status: LandmarkStatus
    score: float = math.nan


def landmark_set(
    entries: Mapping[str, Entry], grid: Grid, names: Sequence[str] | None, source: Path | str
) -> LandmarkSet:
    """A set of ``names``, in their order, or of what there is where ``names`` is None.

    Raises:
        AnnotationError: if ``source``, the file, names a landmark that is not in ``names``.
    """
    for name in entries:
        if names is not None and name not in names:
            raise AnnotationError(
                f"{source} has a landmark '{name}', which is none of {', '.join(names)}: "
                "rename it there, or add it to the landmarks."
            )
    names = tuple(entries) if names is None else tuple(names)
    out = LandmarkSet.empty(names, grid)
    points, status, score = out.points.copy(), out.status.copy(), out.score.copy()
    for row, name in enumerate(names):
        entry = entries.get(name)
        if entry is not None:
            status[row] = entry.status.value
            if entry.point is not None:
                points[row], score[row] = entry.point, entry.score
    return LandmarkSet(names, points, status, grid, score)


def entries_of(landmarks: LandmarkSet, target: Path) -> dict[str, Entry]:
    """What a set says of each landmark.

    Raises:
        AnnotationError: if a landmark has several points, which ``target``, the file to be written, cannot
            hold.
    """
    if landmarks.status.ndim == 2 and landmarks.status.shape[1] > 1:
        raise AnnotationError(f"{target} cannot hold several points of one landmark: write one point for each.")
    out = {}
    for name in landmarks.names:
        status = landmarks.status_of(name)
        point = landmarks.point(name) if status.has_point else None
        out[name] = Entry(point, status, landmarks.score_of(name))
    return out


def as_name(value: object, source: Path | str) -> str:
    """A landmark's name, trimmed; AnnotationError where it is no text on one line."""
    name = value.strip() if isinstance(value, str) else ""
    if not name or any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in name):
        raise AnnotationError(f"{source} has a point without a usable label: give each point its landmark's name.")
    return name


def as_numbers(value: object, count: int, name: str, source: Path | str) -> FloatArray:
    """``count`` finite numbers of a list, or AnnotationError that names the landmark."""
    if isinstance(value, list) and len(value) == count and all(_is_number(item) for item in value):
        return np.array([float(item) for item in value])
    raise AnnotationError(f"{source} gives '{name}' a position that is not {count} numbers: place it again.")


def as_score(value: object, name: str, source: Path | str) -> float:
    """A score, NaN for None; AnnotationError where it is no number."""
    if value is None:
        return math.nan
    if not _is_number(value):
        raise AnnotationError(f"{source} gives '{name}' a score that is no number: correct or remove it.")
    return float(value)  # type: ignore[arg-type]


def as_status(value: object, default: LandmarkStatus, name: str, source: Path | str) -> LandmarkStatus:
    """A status that agrees with ``default`` on whether there is a point; ``default`` for None."""
    if value is None:
        return default
    known = [status.value for status in LandmarkStatus if status.has_point == default.has_point]
    if not isinstance(value, str) or value not in known:
        raise AnnotationError(
            f"{source} gives '{name}' the status '{value}', which cannot be: "
            f"{'with' if default.has_point else 'without'} a position it is {' or '.join(known)}."
        )
    return LandmarkStatus(value)


def save_json(path: Path, content: dict[str, object]) -> None:
    """Write an annotation file atomically.

    Raises:
        AnnotationError: if what was in the file before cannot be kept (NaN, broken text, endless nesting).
        ProjectError: if the file cannot be written.
    """
    try:
        write_json(path, content)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(
            f"{path} holds values that no JSON file may hold, so it was left as it is: save under another name."
        ) from error


def _is_number(value: object) -> bool:
    """Whether a value of a JSON file is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False
