"""What is lost where landmarks go into a format that cannot carry all that is known of them, in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from napari_landmarker.engine.io.annotation_format import AnnotationFormat, Capabilities, ImageAnnotations
from napari_landmarker.engine.io.fields import Entry
from napari_landmarker.engine.io.isbi import ISBI, ISBI_NAMES
from napari_landmarker.engine.io.paths import file_name
from napari_landmarker.engine.landmarks import LandmarkStatus


def losses(annotations: Sequence[ImageAnnotations], fmt: AnnotationFormat) -> tuple[str, ...]:
    """What a format does not carry of these landmarks: one sentence for each kind of thing that is really there.

    Args:
        annotations: the images.
        fmt: the format they are to be written in.
    """
    can = fmt.capabilities
    named = [
        (name, entries, entry) for one in annotations for name, entries in one.entries.items() for entry in entries
    ]
    found = [_names(annotations, fmt), _nowhere(annotations, can)]
    more = sum(max(sum(e.point is not None for e in es) - 1, 0) for one in annotations for es in one.entries.values())
    if more and not can.instances:
        found.append(f"{_points(more)} of landmarks with several in an image: only the first of each is kept.")

    def count(asked: Callable[[Entry], bool]) -> int:
        return sum(asked(entry) for _, _, entry in named)

    by_model = count(lambda e: e.status in (LandmarkStatus.PREDICTED, LandmarkStatus.EDITED))
    if by_model and not can.status:
        found.append(f"That {_points(by_model)} came from a model: all points count as placed by a person.")
    scored = count(lambda e: not math.isnan(e.score))
    if scored and not can.score:
        found.append(f"The scores of {_points(scored)}.")
    spread = count(lambda e: e.covariance is not None)
    if spread and not can.covariance:
        found.append(f"The covariances of {_points(spread)}.")
    described = count(lambda e: bool(e.description))
    if described and not can.description:
        found.append(f"The descriptions of {_points(described)}.")
    locked = count(lambda e: bool(e.locked))
    if locked and not can.locked:
        found.append(f"The locks of {_points(locked)}.")
    sizes = sum(one.grid.has_image and one.geometry is None for one in annotations)
    if sizes and not can.states_size:
        found.append(f"The size of {sizes} image{'s' * (sizes != 1)}.")
    found += [f"{text[:1].upper()}{text[1:]}." for text in dict.fromkeys(t for one in annotations for t in one.unread)]
    return tuple(sentence for sentence in found if sentence)


def doubts(annotations: Sequence[ImageAnnotations]) -> tuple[str, ...]:
    """What looks wrong in annotations, in plain sentences: points that do not lie on their image."""
    placed = [
        (one, entry.point)
        for one in annotations
        if one.grid.has_image
        for entries in one.entries.values()
        for entry in entries
        if entry.point is not None
    ]
    off = [one for one, point in placed if not one.grid.contains(point)]
    if not off:
        return ()
    some = "" if len(annotations) == 1 else f" (such as in {file_name(off[0].image or '')})"
    lie = "lies outside its image" if len(off) == 1 else "lie outside their image"
    return (f"{_points(len(off))} of {len(placed)} {lie}{some}: check that image and annotations belong together.",)


def _names(annotations: Sequence[ImageAnnotations], fmt: AnnotationFormat) -> str:
    """The loss of the landmarks' names, where a reader of the file would not give the same ones."""
    names = list(dict.fromkeys(name for one in annotations for name in one.entries))
    numbers = [str(number) for number in range(1, len(names) + 1)]
    if fmt.capabilities.names or names == numbers or (fmt is ISBI and set(names) == set(ISBI_NAMES)):
        return ""
    return f"The names of the landmarks, which are told apart by their order in the file: {', '.join(names)}."


def _nowhere(annotations: Sequence[ImageAnnotations], can: Capabilities) -> str:
    """The loss of landmarks without a point, or of why they have none."""
    empty = [
        entries[0].status if entries else LandmarkStatus.UNPLACED
        for one in annotations
        for entries in one.entries.values()
        if not any(entry.point is not None for entry in entries)
    ]
    absent, unplaced = empty.count(LandmarkStatus.ABSENT), empty.count(LandmarkStatus.UNPLACED)
    if absent and not can.absent and can.unplaced:
        return f"That {_landmarks(absent)} absent: absent and not yet placed look the same."
    gone = [
        f"{_landmarks(number)} {words}"
        for number, words, kept in ((absent, "absent", can.absent), (unplaced, "not placed", can.unplaced))
        if number and not kept
    ]
    return f"{' and '.join(gone)}: the file does not list them." if gone else ""


def _points(count: int) -> str:
    return f"{count} point{'s' * (count != 1)}"


def _landmarks(count: int) -> str:
    return f"{count} landmark{'s are' if count != 1 else ' is'}"
