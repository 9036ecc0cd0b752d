"""The text files of the ISBI 2015 challenge: one cephalogram's landmarks by their order.

Nineteen lines ``x,y`` in pixels (x to the right, y down; pixel centres at integers), and after them, in the files of
the challenge, eight lines with the classes of its second task, which are kept. The file does not name its image: it
has the image's name with another ending. Source: C.-W. Wang et al., *A benchmark for comparison of dental radiography
analysis algorithms*, Medical Image Analysis 31 (2016), 63-76.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.annotation_format import (
    AnnotationFormat,
    Capabilities,
    GeometryOf,
    ImageAnnotations,
)
from napari_landmarker.engine.io.atomic import write_text
from napari_landmarker.engine.io.fields import Entry, only_image, read_text, require_pixels, single_entries
from napari_landmarker.engine.landmarks import LandmarkStatus

#: The landmarks of the challenge, in the order of its files.
ISBI_NAMES = (
    "Sella",
    "Nasion",
    "Orbitale",
    "Porion",
    "Subspinale_A",
    "Supramentale_B",
    "Pogonion",
    "Menton",
    "Gnathion",
    "Gonion",
    "Incision_inferius",
    "Incision_superius",
    "Upper_lip",
    "Lower_lip",
    "Subnasale",
    "Soft_tissue_pogonion",
    "Posterior_nasal_spine",
    "Anterior_nasal_spine",
    "Articulare",
)
_CLASSES = 8
_POINT = re.compile(r"\s*(-?\d{1,9}(?:\.\d*)?)\s*,\s*(-?\d{1,9}(?:\.\d*)?)\s*")
_CLASS = re.compile(r"\s*\d{1,2}\s*")


def read_isbi(path: Path | str, geometry_of: GeometryOf, names: Sequence[str] | None) -> list[ImageAnnotations]:
    """Read a text file of the challenge.

    Args:
        path: the file.
        geometry_of: the image's geometry, where it is at hand.
        names: names of the landmarks in the order of the file; None takes `ISBI_NAMES`.

    Raises:
        AnnotationError: if the file is damaged, the image is a volume, or there are other than 19 names.
    """
    path = Path(path)
    names = ISBI_NAMES if names is None else tuple(names)
    if len(names) != len(ISBI_NAMES):
        raise AnnotationError(f"{path} has {len(ISBI_NAMES)} landmarks in order, but there are {len(names)} names.")
    points, classes = _content(path)
    geometry = geometry_of(None)
    if geometry is not None and geometry.grid.ndim != 2:
        raise AnnotationError(f"{path} has landmarks of a 2D image, but its image is a volume: give the right image.")
    grid = Grid.without_image(2) if geometry is None else geometry.grid
    entries = {
        name: (Entry(np.array([y, x]), LandmarkStatus.CONFIRMED),) for name, (x, y) in zip(names, points, strict=True)
    }
    unread = ("the classes of the challenge's second task",) if classes else ()
    return [ImageAnnotations(None, grid, entries, geometry, unread)]


def write_isbi(path: Path | str, images: Sequence[ImageAnnotations]) -> None:
    """Write the landmarks of one image, atomically; the classes in a file that is there stay.

    Raises:
        AnnotationError: if there are other than 19 landmarks with one point each, or the file that is there is damaged.
        ProjectError: if the file cannot be written.
    """
    path, images = Path(path), list(images)
    only_image(len(images), path)
    require_pixels(images[0].grid, path)
    entries = single_entries(images[0].entries, path)
    names = ISBI_NAMES if set(entries) == set(ISBI_NAMES) else tuple(entries)
    if images[0].grid.ndim != 2 or len(names) != len(ISBI_NAMES):
        raise AnnotationError(
            f"{path} holds exactly the {len(ISBI_NAMES)} landmarks of a cephalogram: write another format."
        )
    classes = _content(path)[1] if path.exists() else []
    lines = []
    for name in names:
        point = entries[name].point
        if point is None:
            raise AnnotationError(f"{path} must have all its landmarks, and '{name}' is not placed: place it first.")
        lines.append(",".join(_text(value) for value in point[::-1]))
    write_text(path, "\n".join([*lines, *classes]) + "\n")


def _content(path: Path) -> tuple[list[tuple[float, float]], list[str]]:
    """The points, x and y, and the lines of the classes."""
    lines = read_text(path, "a text file of the ISBI 2015 challenge").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    count = len(ISBI_NAMES)
    points = []
    for number, line in enumerate(lines[:count], start=1):
        match = _POINT.fullmatch(line)
        if match is None:
            raise AnnotationError(f"{path}, line {number}, must be a position 'x,y' in pixels: correct it.")
        points.append((float(match[1]), float(match[2])))
    if len(points) < count:
        raise AnnotationError(
            f"{path} has {len(points)} of the {count} landmarks of the ISBI 2015 challenge: complete it."
        )
    classes = lines[count:]
    wrong = next((n for n, line in enumerate(classes, start=count + 1) if not _CLASS.fullmatch(line)), None)
    if wrong is not None or len(classes) not in (0, _CLASSES):
        raise AnnotationError(
            f"{path}, line {wrong or len(lines)}, is not as in the ISBI 2015 challenge: "
            f"{_CLASSES} lines with one digit, or none, follow the landmarks."
        )
    return points, classes


def _text(value: float) -> str:
    """Whole pixels without a point, as in the challenge's own files."""
    return np.format_float_positional(value + 0.0, trim="-")


def _recognises(path: Path) -> bool:
    try:
        _content(path)
    except AnnotationError:
        return False
    return True


#: Text files of the ISBI 2015 challenge.
ISBI = AnnotationFormat(
    name="ISBI 2015 text",
    read_by="Programs for the ISBI 2015 challenge; one file for each image.",
    suffixes=(".txt",),
    capabilities=Capabilities(dimensions=(2,), coordinates=("px",), names=False, landmarks=len(ISBI_NAMES)),
    recognises=_recognises,
    read=read_isbi,
    write=write_isbi,
)
