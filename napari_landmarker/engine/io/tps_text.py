"""The text of TPS files: specimens, each with landmarks, and lines of other programs that are kept as they stand.

A specimen begins with ``LM=<count>`` (``LM3=`` in 3D) and as many lines of coordinates; what follows up to the next one
belongs to it: ``IMAGE=``, ``ID=``, ``SCALE=``, ``COMMENT=``, ``CURVES=`` with ``POINTS=`` and their coordinates.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.io.fields import FARTHEST, read_text

_KEY = re.compile(r"[A-Z][A-Z0-9_ ]*")
_COUNT = re.compile(r"\d{1,6}")
_MISSING = ("na", "nan")


@dataclass
class Specimen:
    """One specimen of a TPS file.

    Attributes:
        place: the file and the line at which it begins, for messages.
        ndim: 2, or 3 for ``LM3``.
        points: as in the file, x, y[, z]; None where a landmark is missing.
        rest: the lines that follow, as they stand.
        block: the lines of ``points`` as they stand, as long as these are the ones of the file; else none.
    """

    place: str
    ndim: int
    points: list[FloatArray | None]
    rest: list[str] = field(default_factory=list)
    block: list[str] = field(default_factory=list)

    def value(self, key: str) -> str | None:
        """What the first line ``key=`` says, or None without one, or with nothing behind it."""
        return next((value for value in self.values(key) if value), None)

    @property
    def keys(self) -> set[str]:
        """The keys of its lines, in capitals."""
        return {key for key, _ in map(_key_and_value, self.rest) if key}

    def values(self, key: str) -> list[str]:
        """What all lines ``key=`` say, trimmed."""
        return [value for found, value in map(_key_and_value, self.rest) if found == key]


def read_specimens(path: Path) -> list[Specimen]:
    """The specimens of a file.

    Raises:
        AnnotationError: if the file cannot be read, or is no TPS file, with the line at which it goes wrong.
    """
    lines = read_text(path, "a TPS file").split("\n")
    out: list[Specimen] = []
    at = 0
    while at < len(lines):
        line, place = lines[at], f"{path}, line {at + 1},"
        key, value = _key_and_value(line)
        if key in ("LM", "LM3"):
            ndim = 3 if key == "LM3" else 2
            begin = at
            points, at = _points(path, lines, at, value, ndim)
            out.append(Specimen(place, ndim, points, block=lines[begin:at]))
            continue
        if line.strip() and not out:
            raise AnnotationError(f"{path} is not a TPS file: it must begin with LM= and the number of landmarks.")
        if line.strip() and not key and not out[-1].rest:
            count = len(out[-1].points)
            raise AnnotationError(f"{place} has a point more than the {count} of its LM= line: correct the number.")
        if line.strip():
            out[-1].rest.append(line)
        at += 1
    if not out:
        raise AnnotationError(f"{path} is empty: a TPS file begins with LM= and the number of landmarks.")
    return out


def specimens_text(specimens: list[Specimen]) -> str:
    """The text of a file; the numbers read back are the very same."""
    lines = []
    for specimen in specimens:
        lines += [*(specimen.block or _block(specimen)), *specimen.rest]
    return "\n".join(lines) + "\n"


def _block(specimen: Specimen) -> list[str]:
    """The lines of a specimen's points."""
    solid = specimen.ndim == 3
    missing = "NA NA NA" if solid else "-1 -1"
    points = [missing if point is None else " ".join(map(_text, point)) for point in specimen.points]
    return [f"LM{'3' if solid else ''}={len(points)}", *points]


def _key_and_value(line: str) -> tuple[str, str]:
    """The key in capitals and the trimmed value of a line ``key=value``; twice nothing for another line."""
    key, equals, value = line.partition("=")
    key = key.strip().upper()
    return (key, value.strip()) if equals and _KEY.fullmatch(key) else ("", "")


def _points(path: Path, lines: list[str], at: int, count: str, ndim: int) -> tuple[list[FloatArray | None], int]:
    """The coordinates that follow an LM line, and the line behind them."""
    if not _COUNT.fullmatch(count):
        raise AnnotationError(f"{path}, line {at + 1}, must give the number of landmarks after LM=, not '{count}'.")
    points: list[FloatArray | None] = []
    line = at + 1
    while len(points) < int(count):
        if line >= len(lines) or "=" in lines[line]:
            raise AnnotationError(
                f"{path}, line {at + 1}, says that {count} points follow, but there are {len(points)}: "
                "correct the number, or add the points."
            )
        if lines[line].strip():
            points.append(_point(lines[line], ndim, f"{path}, line {line + 1},"))
        line += 1
    return points, line


def _point(line: str, ndim: int, place: str) -> FloatArray | None:
    """x, y[, z], or None for a missing landmark: NA, or in 2D negative coordinates."""
    cells = line.split()
    if len(cells) == ndim and all(cell.lower() in _MISSING for cell in cells):
        return None
    try:
        values = [float(cell) if "_" not in cell else math.inf for cell in cells]
    except ValueError:
        values = []
    if len(values) != ndim or not all(abs(value) <= FARTHEST for value in values):
        raise AnnotationError(f"{place} must give {ndim} numbers, x y{' z' if ndim == 3 else ''}: correct it.")
    return None if ndim == 2 and max(values) < 0 else np.array(values)


def _text(value: float) -> str:
    return np.format_float_positional(value + 0.0, trim="0")
