"""What the annotation formats share: checking the fields of a file, and making a `LandmarkSet` of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.io.atomic import write_json
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

#: A coordinate of more pixels or millimetres is a mistake.
FARTHEST = 1e9

#: So many points of one landmark a file may have by their numbers; what says more is damaged.
MAX_INSTANCES = 1000


@dataclass(frozen=True, eq=False)
class Entry:
    """What is said of one landmark in one image.

    Attributes:
        point: index coordinates in array order, ``(D,)``, or None where it has no place.
        status: its status, which has a point exactly where ``point`` is given.
        score: confidence, NaN where unknown.
        covariance: of a prediction, in px² of index coordinates, ``(D, D)``, or None where unknown.
        description: free text a person wrote to it; where it is empty, a file that is written keeps its own.
        locked: whether programs shall not let it be moved; where None, a file that is written keeps its own.
    """

    point: FloatArray | None
    status: LandmarkStatus
    score: float = math.nan
    description: str = ""
    locked: bool | None = None
    covariance: FloatArray | None = None


def landmark_set(
    entries: Mapping[str, Sequence[Entry]],
    grid: Grid,
    names: Sequence[str] | None,
    source: Path | str,
    instances: int | None = None,
) -> LandmarkSet:
    """A set of ``names``, in their order, or of what there is where ``names`` is None.

    Args:
        entries: by landmark, what is said of each of its instances.
        grid: geometry of the image.
        names: the landmarks there may be.
        source: the file, for messages.
        instances: how many points a landmark may have, ``M``; None takes as many as there are.

    Returns:
        Points of shape ``(L, D)`` where ``M`` is 1, else ``(L, M, D)``.

    Raises:
        AnnotationError: if ``source`` names a landmark that is not in ``names``, or gives one more points than it
            may have.
    """
    for name, given in entries.items():
        if names is not None and name not in names:
            raise AnnotationError(
                f"{source} has a landmark '{name}', which is none of {', '.join(names)}: "
                "rename it there, or add it to the landmarks."
            )
        if instances is not None and len(given) > instances:
            raise AnnotationError(
                f"{source} has {len(given)} points of '{name}', which may have {instances} in an image: "
                "remove the others, or allow more."
            )
    count = max((len(given) for given in entries.values()), default=1) if instances is None else instances
    names = tuple(entries) if names is None else tuple(names)
    out = LandmarkSet.empty(names, grid, max(count, 1))
    points, status, score, locked = out.points.copy(), out.status.copy(), out.score.copy(), out.locked.copy()
    covariance = np.full((*points.shape, grid.ndim), np.nan)
    for row, name in enumerate(names):
        for instance, entry in enumerate(entries.get(name, ())):
            at = row if status.ndim == 1 else (row, instance)
            status[at], locked[at] = entry.status.value, bool(entry.locked)
            if entry.point is not None:
                points[at], score[at] = entry.point, entry.score
                covariance[at] = np.nan if entry.covariance is None else entry.covariance
    known = bool(np.isfinite(covariance).any())
    return LandmarkSet(names, points, status, grid, score, covariance if known else None, locked)


def entries_of(landmarks: LandmarkSet) -> dict[str, tuple[Entry, ...]]:
    """What a set says of each landmark: one entry for each instance up to the last that is not unplaced, at least one.

    Descriptions are not in a set; where an entry has none, what a file says of it stays.
    """
    count = 1 if landmarks.status.ndim == 1 else landmarks.status.shape[1]
    return {name: with_gaps({i: _entry_of(landmarks, name, i) for i in range(count)}) for name in landmarks.names}


def _entry_of(landmarks: LandmarkSet, name: str, instance: int) -> Entry:
    status = landmarks.status_of(name, instance)
    point = landmarks.point(name, instance) if status.has_point else None
    covariance = landmarks.covariance_of(name, instance) if status.has_point else None
    locked = landmarks.locked_of(name, instance)
    return Entry(point, status, landmarks.score_of(name, instance), locked=locked, covariance=covariance)


def with_gaps(by_instance: Mapping[int, Entry]) -> tuple[Entry, ...]:
    """Entries by the number of their instance, from 0, as a tuple: unplaced where one is missing, none at the end."""
    said = [i for i, entry in by_instance.items() if entry.status is not LandmarkStatus.UNPLACED]
    unplaced = Entry(None, LandmarkStatus.UNPLACED)
    return tuple(by_instance.get(i, unplaced) for i in range(max(said, default=0) + 1))


def single_entries(entries: Mapping[str, Sequence[Entry]], target: Path | str) -> dict[str, Entry]:
    """The one entry of each landmark.

    Raises:
        AnnotationError: if a landmark has several points, which ``target``, the file to be written, cannot hold.
    """
    for name, given in entries.items():
        if len(given) > 1:
            raise AnnotationError(
                f"{target} cannot hold several points of one landmark, and '{name}' has {len(given)}: "
                "write another format, or one point for each."
            )
    return {name: given[0] for name, given in entries.items() if given}


def require_pixels(grid: Grid, target: Path | str) -> None:
    """Make sure that points can be written in pixels.

    Raises:
        AnnotationError: if they are world coordinates of an image that is not at hand.
    """
    if not grid.has_image and grid.spacing is not None:
        raise AnnotationError(
            f"{target} holds pixels of an image, but these points are in millimetres: give the image they belong to."
        )


def require_world(grid: Grid, target: Path | str) -> None:
    """Make sure that points can be written in millimetres.

    Raises:
        AnnotationError: if they are pixels of an image that is not at hand, or that states no spacing.
    """
    if grid.spacing is None:
        cure = "set the image's spacing first" if grid.has_image else "give the image they belong to"
        raise AnnotationError(f"{target} holds millimetres, but these points are in pixels: {cure}.")


def only_image(count: int, target: Path | str) -> None:
    """Make sure that a file which holds one image is given one; AnnotationError otherwise."""
    if count != 1:
        raise AnnotationError(
            f"{target} holds the landmarks of one image, not of {count}: write one file for each image, or a table."
        )


def names_in_descriptions(labels: Sequence[str], descriptions: Sequence[str], names: Collection[str] | None) -> bool:
    """Whether points carry their landmark's name in the description, as some protocols of 3D Slicer do.

    That is so where no label is one of ``names``, but every description is.
    """
    if not labels or names is None or any(label in names for label in labels):
        return False
    return all(text in names for text in descriptions)


def other_keys(*parts: tuple[Mapping[str, object], Collection[str]]) -> tuple[str, ...]:
    """What keys of other programs are called in `ImageAnnotations.unread`; keys without a value are left out.

    Args:
        parts: objects of a JSON file, each with the keys that are known.
    """
    found = {key: None for part, known in parts for key, value in part.items() if key not in known and _says(value)}
    names = ", ".join(f"'{key}'" for key in found)
    return (f"the key{'s' * (len(found) != 1)} {names} of other programs",) if found else ()


def read_text(path: Path | str, what: str, cure: str = "save it as UTF-8 text") -> str:
    """The text of a file, without a byte order mark.

    Args:
        path: the file.
        what: what it should be, for the message, such as ``"a CSV file"``.
        cure: what else to do if it is in another encoding.

    Raises:
        AnnotationError: if the file is missing, cannot be read or is no UTF-8 text.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise AnnotationError(f"{path} does not exist: choose {what}.") from error
    except IsADirectoryError as error:
        raise AnnotationError(f"{path} is a folder: choose {what} in it.") from error
    except OSError as error:
        raise AnnotationError(f"{path} could not be read ({error.strerror}): check its permissions.") from error
    except ValueError as error:
        raise AnnotationError(f"{path} is no text in UTF-8: choose {what}, or {cure}.") from error
    if "\0" in text:
        raise AnnotationError(f"{path} is no text: choose {what}.")
    return text


def as_name(value: object, source: Path | str) -> str:
    """A landmark's name, trimmed; AnnotationError where it is no text on one line."""
    name = value.strip() if isinstance(value, str) else ""
    if not name or any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in name):
        raise AnnotationError(f"{source} has a point without a usable label: give each point its landmark's name.")
    return name


def as_numbers(value: object, count: int, name: str, source: Path | str) -> FloatArray:
    """``count`` finite numbers of a list, or AnnotationError that names the landmark."""
    if isinstance(value, list) and len(value) == count and all(_is_number(item) for item in value):
        if max(abs(item) for item in value) > FARTHEST:
            raise AnnotationError(f"{source} gives '{name}' a position that no image reaches: place it again.")
        return np.array([float(item) for item in value])
    raise AnnotationError(f"{source} gives '{name}' a position that is not {count} numbers: place it again.")


def as_score(value: object, name: str, source: Path | str) -> float:
    """A score, NaN for None; AnnotationError where it is no number."""
    if value is None:
        return math.nan
    if not _is_number(value):
        raise AnnotationError(f"{source} gives '{name}' a score that is no number: correct or remove it.")
    return float(value)  # type: ignore[arg-type]


def as_instance(value: object, name: str, source: Path | str) -> int:
    """The number of an instance, from 0, of what a file says, from 1; 0 for None.

    Raises:
        AnnotationError: where it is no number of a point.
    """
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_INSTANCES:
        raise AnnotationError(f"{source} gives '{name}' the instance '{value}': number its points from 1.")
    return value - 1


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


def _says(value: object) -> bool:
    return value is not None and value not in ("", [], {})


def _is_number(value: object) -> bool:
    """Whether a value of a JSON file is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer too large for a float
        return False
