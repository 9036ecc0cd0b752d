"""Long tables: CSV files with one row for each landmark in an image.

Columns, in any order and however capitals, spaces and units are written: ``image, landmark, x, y[, z]``, and where
there is something to say ``instance, score, status, description``. ``x, y, z`` are pixels of the image as stored:
``x`` to the right (first stored axis), pixel centres at integers. Points of a volume whose image is not at hand stand
in ``x_mm, y_mm, z_mm`` instead: world millimetres, LPS. Empty coordinates mean that the landmark is not placed. Cells
may be split at commas, semicolons or tabs; in the latter two, decimal commas are understood.

Texts that a spreadsheet would run as a formula get an apostrophe in front, which is taken away when read
(see `safe_text`).
"""

from __future__ import annotations

import math
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
from napari_landmarker.engine.io.fields import MAX_INSTANCES, Entry, as_name, as_status, with_gaps
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
from napari_landmarker.engine.landmarks import LandmarkStatus

#: By axis, the columns of pixels as stored, and of millimetres in LPS and in RAS.
_PIXELS = (("x", "x_px", "i"), ("y", "y_px", "j"), ("z", "z_px", "k"))
_LPS_MM = (("x_mm", "x_lps_mm"), ("y_mm", "y_lps_mm"), ("z_mm", "z_lps_mm"))
_RAS_MM = (("x_ras_mm",), ("y_ras_mm",), ("z_ras_mm",))
_RAS_TO_LPS = (-1.0, -1.0, 1.0)
_SINGLE = {
    "image": IMAGE_COLUMNS,
    "landmark": LANDMARK_COLUMNS,
    "instance": ("instance",),
    "score": ("score", "confidence"),
    "status": ("status",),
    "description": ("description",),
}
_KNOWN = {key for keys in (*_PIXELS, *_LPS_MM, *_RAS_MM, *_SINGLE.values()) for key in keys}


@dataclass(frozen=True, eq=False)
class _Row:
    """One row: which landmark of which image, what is said of it, and where."""

    image: str | None
    name: str
    instance: int | None
    position: Position
    status: LandmarkStatus
    score: float
    description: str


@dataclass(frozen=True)
class _Columns:
    """Where the columns of a table are; coordinates as far as there are any, in the order x, y[, z]."""

    single: dict[str, int]
    px: tuple[int, ...]
    mm: tuple[int, ...]
    ras: bool


def read_table(path: Path | str, geometry_of: GeometryOf, repeats: bool = False) -> list[ImageAnnotations]:
    """Read a long table; other columns are ignored.

    Without a column of images, all rows are of one image. A point without a status is *confirmed*, or *predicted* where
    it has a score.

    Args:
        path: the file.
        geometry_of: the images' geometry, as far as they are at hand.
        repeats: whether rows of one landmark that have no ``instance`` are its instances in their order.

    Raises:
        AnnotationError: if the file or a column is missing, a cell is no number, a landmark stands twice, or a position
            does not fit its image.
    """
    sheet = read_sheet(Path(path), lambda name: key_of(name) in _KNOWN)
    columns = _columns(sheet)
    by_image: dict[str | None, dict[str, dict[int, _Row]]] = {}
    for place, cells in sheet.places():
        row = _row(sheet, columns, cells, place)
        instances = by_image.setdefault(row.image, {}).setdefault(row.name, {})
        instance = (max(instances, default=0) + 1 if repeats else 1) if row.instance is None else row.instance
        if instance in instances:
            where = "" if row.image is None else f" in image '{row.image}'"
            raise AnnotationError(
                f"{place} gives '{row.name}'{where} a second time: keep one, or number them in a column 'instance'."
            )
        instances[instance] = row
    if not by_image:
        raise AnnotationError(f"{path} holds no landmarks: it needs one row for each landmark in an image.")
    ndim = max(len(columns.px), len(columns.mm))
    used = {*columns.single.values(), *columns.px, *columns.mm}
    unread = other_columns(title for at, title in enumerate(sheet.header) if at not in used)
    return [_annotations(image, rows, geometry_of, ndim, unread) for image, rows in by_image.items()]


def write_table(path: Path | str, images: Iterable[ImageAnnotations]) -> None:
    """Write a long table, atomically; a table that is there is replaced, and the numbers read back are the very same.

    Raises:
        AnnotationError: if one of several images has no name.
        ProjectError: if the file cannot be written.
    """
    images = list(images)
    path = Path(path)
    given = [entry for image in images for entries in image.entries.values() for entry in entries]
    described = any(entry.description for entry in given)
    scored = any(not math.isnan(entry.score) for entry in given)
    numbered = any(len(entries) > 1 for image in images for entries in image.entries.values())
    axes = [f"{axis}{unit}" for unit, ndim in _units(images) for axis in "xyz"[:ndim]]
    header = (["image"] if any(image.image is not None for image in images) or not images else []) + ["landmark"]
    header += (["instance"] if numbered else []) + axes + (["score"] if scored else []) + ["status"]
    header += ["description"] if described else []
    rows = []
    for image in images:
        if image.image is None and "image" in header:
            raise AnnotationError(f"{path} cannot hold several images of which one has no name: name it.")
        for name, entries in image.entries.items():
            for number, entry in enumerate(entries, start=1):
                cells = {
                    "image": safe_text(portable_name(image.image or "")),
                    "landmark": safe_text(name),
                    "instance": str(number),
                    "score": number_text(entry.score),
                    "status": entry.status.value,
                    "description": safe_text(" ".join(entry.description.splitlines())),
                }
                if entry.point is not None:
                    unit = "_mm" if in_mm(image) else ""
                    values = coordinates(image, entry.point, path)
                    cells |= {f"{axis}{unit}": number_text(v) for axis, v in zip("xyz", values, strict=False)}
                rows.append([cells.get(column, "") for column in header])
    write_sheet(path, header, rows)


def _units(images: Sequence[ImageAnnotations]) -> list[tuple[str, int]]:
    """The coordinates that are needed: ending of the columns' names and number of dimensions."""
    found = [
        (unit, max((image.grid.ndim for image in images if in_mm(image) == mm), default=0))
        for unit, mm in (("", False), ("_mm", True))
    ]
    return [(unit, ndim) for unit, ndim in found if ndim] or [("", 2)]


def _columns(sheet: Sheet) -> _Columns:
    """Where the columns are.

    Raises:
        AnnotationError: if one that is needed is missing, or one stands twice.
    """
    keys = sheet.keys
    twice = next((key for key in keys if key in _KNOWN and keys.count(key) > 1), None)
    if twice is not None:
        raise AnnotationError(f"{sheet.path} has the column '{twice}' twice: keep one of them.")

    def first(names: Sequence[str]) -> int | None:
        return next((keys.index(name) for name in names if name in keys), None)

    def axes(names: Sequence[Sequence[str]]) -> tuple[int, ...]:
        for options in names:
            given = [sheet.header[keys.index(name)] for name in options if name in keys]
            if len(given) > 1:
                raise AnnotationError(
                    f"{sheet.path} has both columns '{given[0]}' and '{given[1]}': keep the one that shall be read."
                )
        x, y, z = (first(axis) for axis in names)
        return () if x is None or y is None else (x, y) if z is None else (x, y, z)

    single = {name: at for name, options in _SINGLE.items() if (at := first(options)) is not None}
    px, lps, ras = axes(_PIXELS), axes(_LPS_MM), axes(_RAS_MM)
    if "landmark" not in single:
        raise AnnotationError(f"{sheet.path} has no column 'landmark': its first line must name image, landmark, x, y.")
    if not px and not lps and not ras:
        missing = "y" if first(_PIXELS[0]) is not None else "x"
        pair = next((n for n in sheet.header if key_of(n).endswith("_x") and f"{key_of(n)[:-1]}y" in keys), None)
        choice = "" if pair is None else f"; rename the columns that shall be read, such as '{pair}', to x and y"
        raise AnnotationError(
            f"{sheet.path} has no column '{missing}': its first line must name image, landmark, x, y{choice}."
        )
    return _Columns(single, px, lps or ras, not lps)


def _row(sheet: Sheet, columns: _Columns, cells: tuple[str, ...], place: str) -> _Row:
    """One row, checked."""
    if len(cells) <= max(*columns.px[:2], *columns.mm[:2], columns.single["landmark"]):
        raise AnnotationError(f"{place} ends before its coordinates: fill in the row, or remove it.")
    text = {name: cells[at] if at < len(cells) else "" for name, at in columns.single.items()}
    image = as_image_name(plain_text(text["image"]), place) if "image" in text else None
    name = as_name(plain_text(text["landmark"]), place)
    px = _point(sheet, columns.px, cells, name, place)
    mm = _point(sheet, columns.mm, cells, name, place)
    if mm is not None and columns.ras:
        mm = mm * _RAS_TO_LPS[: len(mm)]
    score = sheet.number(text.get("score", ""), "score", place)
    instance = sheet.number(text.get("instance", ""), "instance", place)
    if not math.isnan(instance) and (not 1 <= instance <= MAX_INSTANCES or instance % 1):
        raise AnnotationError(f"{place} has an 'instance' that is none of 1 to {MAX_INSTANCES}: correct it.")
    usual = LandmarkStatus.UNPLACED if px is None and mm is None else LandmarkStatus.CONFIRMED
    if usual.has_point and not math.isnan(score):
        usual = LandmarkStatus.PREDICTED
    status = as_status(text.get("status", "").lower() or None, usual, name, place)
    score = score if status.has_point else math.nan
    description = plain_text(text.get("description", ""))
    number = None if math.isnan(instance) else int(instance)
    return _Row(image, name, number, Position(place, px, mm), status, score, description)


def _point(sheet: Sheet, columns: tuple[int, ...], cells: tuple[str, ...], name: str, place: str) -> FloatArray | None:
    """x, y[, z] of a row, None where all are empty."""
    values = [sheet.number(cells[at] if at < len(cells) else "", sheet.header[at], place) for at in columns]
    given = [not math.isnan(value) for value in values]
    if not any(given):
        return None
    if not all(given[:2]):
        raise AnnotationError(f"{place} gives '{name}' only some of its coordinates: fill in all of them or none.")
    return np.array([value for value, here in zip(values, given, strict=True) if here])


def _annotations(
    image: str | None,
    rows: dict[str, dict[int, _Row]],
    geometry_of: GeometryOf,
    ndim: int,
    unread: tuple[str, ...],
) -> ImageAnnotations:
    geometry = geometry_of(image)
    flat = [(number, row) for instances in rows.values() for number, row in instances.items()]
    grid, points = to_frame([row.position for _, row in flat], geometry, ndim)
    found: dict[str, dict[int, Entry]] = {}
    for (number, row), point in zip(flat, points, strict=True):
        entry = Entry(point, row.status, row.score, row.description)
        found.setdefault(row.name, {})[number - 1] = entry
    return ImageAnnotations(image, grid, {name: with_gaps(of) for name, of in found.items()}, geometry, unread)


def _recognises(path: Path) -> bool:
    try:
        keys = set(read_sheet(path, lambda name: key_of(name) in _KNOWN).keys)
    except AnnotationError:
        return False
    others = {*IMAGE_COLUMNS, *_PIXELS[0], *_LPS_MM[0], *_RAS_MM[0]}
    return bool(keys & set(LANDMARK_COLUMNS)) and bool(keys & others)


#: One row for each landmark in an image.
CSV_LONG = AnnotationFormat(
    name="CSV table, one row a landmark",
    read_by="Spreadsheets and statistics (Excel, R, pandas); one table for all.",
    suffixes=(".csv", ".tsv"),
    capabilities=Capabilities(
        dimensions=(2, 3),
        coordinates=("px", "mm"),
        unplaced=True,
        absent=True,
        status=True,
        score=True,
        instances=True,
        several_images=True,
        description=True,
        as_stored=True,
    ),
    recognises=_recognises,
    read=lambda path, geometry_of, names: read_table(path, geometry_of),
    write=write_table,
    read_repeats=lambda path, geometry_of, names: read_table(path, geometry_of, repeats=True),
)
