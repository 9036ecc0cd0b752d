"""Wide tables: CSV files with one row for each image, and columns for each landmark.

Two layouts are read; the first is written.

- ``image, <name>_x, <name>_y[, <name>_z], ...``: pixels of the image as stored, x to the right, y down, pixel centres
  at integers. World millimetres (LPS) of a volume whose image is not at hand stand in ``<name>_x_mm`` and so on.
- ``id, X1, Y1, X2, Y2, ...``: the layout of ml-morph's training tables, which takes its coordinates from tpsDig: y
  runs **upwards**, so the image is needed (see `tps`). Only a table without other columns is taken for one. Landmarks
  are called 1, 2, ... as in the columns, or by the names that are given, in the columns' order.

Empty cells mean that a landmark is not placed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.io.annotation_format import (
    AnnotationFormat,
    Capabilities,
    GeometryOf,
    ImageAnnotations,
)
from napari_landmarker.engine.io.fields import Entry, as_name, single_entries
from napari_landmarker.engine.io.image_names import as_image_name, portable_name
from napari_landmarker.engine.io.table_points import Position, coordinates, in_mm, to_frame
from napari_landmarker.engine.io.table_text import (
    IMAGE_COLUMNS,
    LANDMARK_COLUMNS,
    Sheet,
    key_of,
    number_text,
    other_columns,
    plain_text,
    read_sheet,
    safe_text,
    write_sheet,
)
from napari_landmarker.engine.io.tps import from_bottom, given_names
from napari_landmarker.engine.landmarks import LandmarkStatus

_COORDINATE = re.compile(r"(?P<name>.*\S)\s*[_ .-](?P<axis>[xyz])(?:[_ ]?\(?(?P<unit>mm|px)\)?)?", re.IGNORECASE)
_NUMBERED = re.compile(r"(?P<axis>[xy])_?(?P<number>\d{1,6})", re.IGNORECASE)
_NUMBERED_IMAGE = ("id", *IMAGE_COLUMNS)
_UNITS = (("", False), ("_mm", True))


@dataclass
class _Columns:
    """Of one landmark: where its coordinates are, by axis."""

    px: dict[str, int]
    mm: dict[str, int]


def read_wide_table(path: Path | str, geometry_of: GeometryOf, names: Sequence[str] | None) -> list[ImageAnnotations]:
    """Read a wide table; without a column of images it has one row.

    Args:
        path: the file.
        geometry_of: the images' geometry, as far as they are at hand.
        names: the landmarks in order, for a table whose columns number them.

    Raises:
        AnnotationError: if the file or a column is missing, a cell is no number, an image stands twice, a position does
            not fit its image, or an image is needed that is not at hand.
    """
    sheet = read_sheet(Path(path), _is_known)
    from_below = _is_numbered(sheet)
    landmarks = _numbered(sheet, names) if from_below else _named(sheet)
    image_at = _image_column(sheet, _NUMBERED_IMAGE if from_below else IMAGE_COLUMNS)
    last = max(at for columns in landmarks.values() for at in (*columns.px.values(), *columns.mm.values()))
    ndim = 3 if any("z" in columns.px or "z" in columns.mm for columns in landmarks.values()) else 2
    read = {at for columns in landmarks.values() for at in (*columns.px.values(), *columns.mm.values())} | {image_at}
    unread = other_columns(title for at, title in enumerate(sheet.header) if at not in read)
    found: dict[str | None, ImageAnnotations] = {}
    for place, cells in sheet.places():
        if len(cells) <= last:
            raise AnnotationError(
                f"{place} has {len(cells)} cells for {last + 1} columns: fill in the row, or remove it."
            )
        image = None if image_at is None else as_image_name(plain_text(cells[image_at]), place)
        if image in found:
            raise AnnotationError(f"{place} is a second row of {image or 'the image'}: keep one row for each image.")
        geometry = geometry_of(image)
        positions = []
        for name, columns in landmarks.items():
            px, mm = (_point(sheet, axes, cells, name, place) for axes in (columns.px, columns.mm))
            if from_below and px is not None:
                px = from_bottom(px, geometry, image, place)[::-1]
            positions.append(Position(place, px, mm))
        grid, points = to_frame(positions, geometry, ndim)
        entries = {name: (_entry(point),) for name, point in zip(landmarks, points, strict=True)}
        found[image] = ImageAnnotations(image, grid, entries, geometry, unread)
    if not found:
        raise AnnotationError(f"{path} holds no landmarks: it needs one row for each image.")
    return list(found.values())


def write_wide_table(path: Path | str, images: Iterable[ImageAnnotations]) -> None:
    """Write a wide table, atomically; a table that is there is replaced, and the numbers read back are the very same.

    Raises:
        AnnotationError: if a landmark has several points, or one of several images has no name.
        ProjectError: if the file cannot be written.
    """
    images, path = list(images), Path(path)
    with_names = any(image.image is not None for image in images) or len(images) != 1
    names = list(dict.fromkeys(name for image in images for name in image.entries))
    if not names:
        raise AnnotationError(f"{path} would hold no landmarks: place some first.")
    units = {unit: max((i.grid.ndim for i in images if in_mm(i) == mm), default=0) for unit, mm in _UNITS}
    columns = [f"{n}_{axis}{unit}" for n in names for unit, ndim in units.items() for axis in "xyz"[:ndim]]
    rows = []
    for image in images:
        if with_names and image.image is None:
            raise AnnotationError(f"{path} cannot hold several images of which one has no name: name it.")
        cells: dict[str, str] = {}
        for name, entry in single_entries(image.entries, path).items():
            if entry.point is not None:
                values = zip("xyz", coordinates(image, entry.point, path), strict=False)
                cells |= {f"{name}_{axis}{'_mm' if in_mm(image) else ''}": number_text(v) for axis, v in values}
        first = [safe_text(portable_name(image.image or ""))] if with_names else []
        rows.append([*first, *(cells.get(column, "") for column in columns)])
    write_sheet(path, [*(["image"] if with_names else []), *map(safe_text, columns)], rows)


def _entry(point: FloatArray | None) -> Entry:
    return Entry(point, LandmarkStatus.UNPLACED if point is None else LandmarkStatus.CONFIRMED)


def _is_known(column: str) -> bool:
    return key_of(column) in _NUMBERED_IMAGE or bool(_COORDINATE.fullmatch(column) or _NUMBERED.fullmatch(column))


def _is_numbered(sheet: Sheet) -> bool:
    """Whether this is a table of tpsDig's coordinates: an id or image, then pairs X and Y with numbers, no more."""
    pairs = [match for name in sheet.header[1:] if (match := _NUMBERED.fullmatch(name))]
    return len(pairs) > 1 and len(pairs) == len(sheet.header) - 1 and key_of(sheet.header[0]) in _NUMBERED_IMAGE


def _image_column(sheet: Sheet, options: Sequence[str]) -> int | None:
    """Where the images' names stand; None in a table of one row without.

    Raises:
        AnnotationError: if there are several rows, and no such column.
    """
    at = next((sheet.keys.index(key) for key in options if key in sheet.keys), None)
    if at is None and len(sheet.rows) > 1:
        raise AnnotationError(f"{sheet.path} has several rows but no column 'image': add the images' file names.")
    return at


def _named(sheet: Sheet) -> dict[str, _Columns]:
    """The columns of each landmark by name, in the order of the table."""
    found: dict[str, _Columns] = {}
    for at, title in enumerate(sheet.header):
        match = _COORDINATE.fullmatch(plain_text(title))
        if match is None:
            continue
        name, axis = as_name(match["name"], sheet.path), match["axis"].lower()
        columns = found.setdefault(name, _Columns({}, {}))
        axes = columns.mm if (match["unit"] or "").lower() == "mm" else columns.px
        if axis in axes:
            raise AnnotationError(f"{sheet.path} has the column '{title}' twice: keep one of them.")
        axes[axis] = at
    for name, columns in found.items():
        for axes in (columns.px, columns.mm):
            missing = next((axis for axis in "xy" if axes and axis not in axes), None)
            if missing is not None:
                raise AnnotationError(f"{sheet.path} has no column '{name}_{missing}': each landmark needs x and y.")
    if not found:
        raise AnnotationError(
            f"{sheet.path} has no columns of landmarks: its first line must be image, <name>_x, <name>_y and so on."
        )
    return found


def _numbered(sheet: Sheet, names: Sequence[str] | None) -> dict[str, _Columns]:
    """The columns of each landmark by number, or by the names that are given, in the order of the table."""
    found: dict[str, _Columns] = {}
    for at, title in enumerate(sheet.header):
        match = _NUMBERED.fullmatch(title)
        if match is not None:
            axes = found.setdefault(str(int(match["number"])), _Columns({}, {})).px
            if match["axis"].lower() in axes:
                raise AnnotationError(f"{sheet.path} has the column '{title}' twice: keep one of them.")
            axes[match["axis"].lower()] = at
    for number, columns in found.items():
        if len(columns.px) != 2:
            raise AnnotationError(
                f"{sheet.path} has only one of the columns 'X{number}' and 'Y{number}': add the other."
            )
    return dict(zip(given_names(names, list(found), sheet.path), found.values(), strict=True))


def _point(sheet: Sheet, axes: dict[str, int], cells: Sequence[str], name: str, place: str) -> FloatArray | None:
    """x, y[, z] of a landmark, None where all are empty."""
    values = [sheet.number(cells[axes[axis]], sheet.header[axes[axis]], place) for axis in "xyz" if axis in axes]
    given = [not math.isnan(value) for value in values]
    if not any(given):
        return None
    if not all(given[:2]):
        raise AnnotationError(f"{place} gives '{name}' only some of its coordinates: fill in all of them or none.")
    return np.array([value for value, here in zip(values, given, strict=True) if here])


def _recognises(path: Path) -> bool:
    try:
        sheet = read_sheet(path, _is_known)
    except AnnotationError:
        return False
    if _is_numbered(sheet):
        return True
    if set(sheet.keys) & set(LANDMARK_COLUMNS):
        return False
    of_landmarks = [bool(_COORDINATE.fullmatch(plain_text(title))) for title in sheet.header]
    if set(sheet.keys) & set(IMAGE_COLUMNS):
        return any(of_landmarks)
    return all(of_landmarks) and len(sheet.rows) == 1  # as it is written for an image without a name


#: One row for each image.
CSV_WIDE = AnnotationFormat(
    name="CSV table, one row an image",
    read_by="Spreadsheets, with the landmarks side by side; one table for all.",
    suffixes=(".csv", ".tsv"),
    capabilities=Capabilities(
        dimensions=(2, 3),
        coordinates=("px", "mm"),
        unplaced=True,
        several_images=True,
        as_stored=True,
    ),
    recognises=_recognises,
    read=read_wide_table,
    write=write_wide_table,
)
