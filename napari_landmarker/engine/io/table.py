"""Tables of landmarks: CSV files with the columns ``image, landmark, x, y[, z][, score][, status]``.

One row is one landmark in one image. Coordinates are pixels of the image as stored on disk: ``x`` to the
right (first stored axis), pixel centres at integers. Empty coordinates mean that the landmark is not placed.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.io.atomic import write_text
from napari_landmarker.engine.io.fields import Entry, as_name, as_status, entries_of, landmark_set
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

_REQUIRED = ("image", "landmark", "x", "y")
_COLUMNS = (*_REQUIRED, "z", "score", "status")
_NUMBERS = ("x", "y", "z", "score")
_DELIMITERS = ",;\t"
_EMPTY = ("", "nan")


@dataclass(frozen=True, eq=False)
class TableRow:
    """What a table says of one landmark in one image.

    Attributes:
        place: the file and the line, for messages.
        landmark: the landmark's name.
        point: index coordinates in array order of the image **as stored**, ``(D,)``, or None where it is not
            placed.
        status: as stated; else *confirmed*, or *predicted* for a point with a score; without a point
            *unplaced*.
        score: confidence, NaN where unknown.
    """

    place: str
    landmark: str
    point: FloatArray | None
    status: LandmarkStatus
    score: float = math.nan


#: The rows of a table: by image as it is named there, then by landmark.
Table = dict[str, dict[str, TableRow]]


def read_table(path: Path | str) -> Table:
    """Read a CSV file of landmarks; columns are split at commas, semicolons or tabs, in any order.

    In a file split at semicolons or tabs, a decimal comma is understood. Other columns are ignored.

    Raises:
        AnnotationError: if the file or a column is missing, a cell is no number, or an image and landmark
            stand twice.
    """
    path = Path(path)
    table: Table = {}
    for line, cells in _lines(path):
        place = f"{path}, line {line},"
        image = cells["image"]
        if not image:
            raise AnnotationError(f"{place} names no image: fill in the column 'image'.")
        row = _row(cells, place)
        rows = table.setdefault(image, {})
        if row.landmark in rows:
            raise AnnotationError(f"{place} gives '{row.landmark}' in image '{image}' a second time: keep one of them.")
        rows[row.landmark] = row
    if not table:
        raise AnnotationError(f"{path} holds no landmarks: it needs one row for each landmark in an image.")
    return table


def table_landmarks(
    rows: Mapping[str, TableRow], geometry: ImageGeometry, names: Sequence[str] | None = None
) -> LandmarkSet:
    """The landmarks of one image, in the frame in which it is shown and annotated.

    Args:
        rows: one image's rows of a `Table`.
        geometry: the image's geometry.
        names: the landmarks there may be, in the order of the result; None takes those of the rows.

    Raises:
        AnnotationError: if a row names an unknown landmark, or has z for a 2D image or none for a volume.
    """
    ndim = geometry.grid.ndim
    entries = {}
    for name, row in rows.items():
        point = row.point
        if point is not None:
            if len(point) != ndim:
                cure = "leave the column 'z' empty" if ndim == 2 else "fill in the column 'z'"
                raise AnnotationError(f"{row.place} gives {len(point)} coordinates for an image in {ndim}D: {cure}.")
            point = geometry.stored.inverse.apply(point)
        entries[name] = Entry(point, row.status, row.score)
    unknown = [row.place for name, row in rows.items() if names is not None and name not in names]
    return landmark_set(entries, geometry.grid, names, unknown[0] if unknown else "The table")


def write_table(
    path: Path | str,
    rows: Iterable[tuple[str, LandmarkSet, AffineMap]],
    score: bool = False,
    status: bool = False,
) -> None:
    """Write a CSV file of landmarks, atomically; the numbers read back are the very same.

    Args:
        path: the file.
        rows: for each image its name, its landmarks and the map to the image as stored
            (`ImageGeometry.stored`).
        score: whether to write the column ``score``.
        status: whether to write the column ``status``, which alone tells *absent* from *not placed yet*.

    Raises:
        AnnotationError: if a landmark has several points.
        ProjectError: if the file cannot be written.
    """
    path = Path(path)
    images = [(name, entries_of(landmarks, path), stored) for name, landmarks, stored in rows]
    ndim = max((stored.ndim for _, _, stored in images), default=2)
    extra = (["score"] if score else []) + (["status"] if status else [])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "landmark", *"xyz"[:ndim], *extra])
    for image, entries, stored in images:
        for name, entry in entries.items():
            cells = [] if entry.point is None else [_text(v) for v in stored.apply(entry.point)[::-1]]
            cells += [""] * (ndim - len(cells))
            cells += [_text(entry.score)] if score else []
            cells += [entry.status.value] if status else []
            writer.writerow([image, name, *cells])
    write_text(path, text.getvalue())


def _text(value: float) -> str:
    """The shortest text that reads back as the same number; empty for NaN."""
    return "" if math.isnan(value) else repr(float(value) + 0.0)


def _lines(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    """The rows below the header with their line numbers, as trimmed text by column."""
    text = _content(path)
    header = text.splitlines()[0] if text.strip() else ""
    delimiter = max(_DELIMITERS, key=lambda d: (len(set(_REQUIRED) & set(_split(header, d))), header.count(d)))
    columns = _split(header, delimiter)
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        raise AnnotationError(f"{path} has no column '{missing[0]}': its first line must name {', '.join(_REQUIRED)}.")
    twice = [name for name in _COLUMNS if columns.count(name) > 1]
    if twice:
        raise AnnotationError(f"{path} has the column '{twice[0]}' twice: keep one of them.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        next(reader)
        for row in reader:
            row = [cell.strip() for cell in row]
            if not any(row):
                continue
            if any(row[len(columns) :]):
                raise AnnotationError(f"{path}, line {reader.line_num}, has more cells than columns: check its commas.")
            cells = dict(zip(columns, [*row, *[""] * len(columns)], strict=False))
            if delimiter != ",":
                cells |= {key: cells[key].replace(",", ".") for key in _NUMBERS if key in cells}
            yield reader.line_num, cells
    except csv.Error as error:
        raise AnnotationError(
            f"{path}, line {reader.line_num}, is not valid CSV: save the table as CSV again."
        ) from error


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise AnnotationError(f"{path} does not exist: choose a CSV file.") from error
    except OSError as error:
        raise AnnotationError(f"{path} could not be read ({error.strerror}): check its permissions.") from error
    except ValueError as error:
        raise AnnotationError(f"{path} is not UTF-8 text: save the table as 'CSV UTF-8'.") from error


def _split(header: str, delimiter: str) -> list[str]:
    try:
        return [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _row(cells: Mapping[str, str], place: str) -> TableRow:
    """One row, checked."""
    name = as_name(cells["landmark"], place)
    x, y, z = (_number(cells.get(axis, ""), axis, place) for axis in "xyz")
    score = _number(cells.get("score", ""), "score", place)
    stated = cells.get("status", "").lower() or None
    if math.isnan(x) != math.isnan(y) or (math.isnan(x) and not math.isnan(z)):
        raise AnnotationError(f"{place} gives '{name}' only some of its coordinates: fill in all of them or none.")
    if math.isnan(x):
        return TableRow(place, name, None, as_status(stated, LandmarkStatus.UNPLACED, name, place))
    point = np.array([y, x] if math.isnan(z) else [z, y, x])
    usual = LandmarkStatus.CONFIRMED if math.isnan(score) else LandmarkStatus.PREDICTED
    return TableRow(place, name, point, as_status(stated, usual, name, place), score)


def _number(text: str, column: str, place: str) -> float:
    """A finite number, or NaN for an empty cell."""
    if text.lower() in _EMPTY:
        return math.nan
    try:
        value = float(text) if "_" not in text else math.inf
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise AnnotationError(f"{place} has '{text}' in the column '{column}', which is no number: correct it.")
    return value
