"""3D Slicer's older point lists (``.fcsv``): a table of points in a volume, in millimetres.

Three comments stand above the points: the version, the coordinate system (RAS or 0, LPS or 1) and the columns. Versions
from 4.11 may add two cells to each row, of which the first is the position status. Such a file has no place for scores,
for the difference between a prediction and a person's point, or for landmarks that are not placed. Format:
https://slicer.readthedocs.io/en/latest/developer_guide/modules/markups.html.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.annotation_format import (
    AnnotationFormat,
    Capabilities,
    GeometryOf,
    ImageAnnotations,
)
from napari_landmarker.engine.io.atomic import write_text
from napari_landmarker.engine.io.fields import (
    Entry,
    as_name,
    as_numbers,
    names_in_descriptions,
    only_image,
    read_text,
    require_world,
    single_entries,
)
from napari_landmarker.engine.io.table_text import other_columns
from napari_landmarker.engine.io.world_frame import WorldFrame, is_ras, require_volume
from napari_landmarker.engine.landmarks import LandmarkStatus

_WHAT = "a .fcsv file of 3D Slicer"
_COLUMNS = ("id", "x", "y", "z", "ow", "ox", "oy", "oz", "vis", "sel", "lock", "label", "desc", "associatedNodeID")
_NEW = {"oz": "1", "vis": "1", "sel": "1", "lock": "0", "ow": "0", "ox": "0", "oy": "0"}
_VERSION, _SYSTEM, _HEADER = "Markups fiducial file version", "CoordinateSystem", "columns"
#: The codes of 3D Slicer for undefined, preview, defined and missing.
_STATUS = {
    "0": LandmarkStatus.UNPLACED,
    "1": LandmarkStatus.UNPLACED,
    "2": LandmarkStatus.CONFIRMED,
    "3": LandmarkStatus.ABSENT,
}


@dataclass
class _PointList:
    """A file: the comments above the points, what they say, and the cells of each row with its line."""

    comments: list[str]
    columns: list[str]
    frame: WorldFrame
    rows: list[_Row] = field(default_factory=list)


@dataclass
class _Row:
    """One point: its place for messages, its cells by column, and those behind, the first of them the status."""

    place: str
    cells: dict[str, str]
    more: list[str]

    @property
    def status(self) -> LandmarkStatus:
        """What the row says of its landmark."""
        return _STATUS.get(self.more[0].strip() if self.more else "2", LandmarkStatus.CONFIRMED)

    def say_unplaced(self, absent: bool) -> None:
        """Say that the landmark has no place; only in a row that has a position status."""
        self.more[0] = "3" if absent else "0"


def _read(
    path: Path, geometry_of: GeometryOf, names: Sequence[str] | None, repeats: bool = False
) -> list[ImageAnnotations]:
    geometry = geometry_of(None)
    grid = Grid.without_image(3, world=True) if geometry is None else geometry.grid
    require_volume(grid, path)
    content = _content(path)
    if grid.spacing is None:
        raise AnnotationError(
            f"{path} is in millimetres, but its image states no spacing: set the image's spacing first."
        )
    key = _name_key(content.rows, names)
    entries: dict[str, tuple[Entry, ...]] = {}
    for name, rows in _by_name(content.rows, key, repeats).items():
        entries[name] = tuple(_entry(row, name, key, content.frame, grid) for row in rows)
    others = [c for c in content.columns if c not in _COLUMNS and any(row.cells[c].strip() for row in content.rows)]
    return [ImageAnnotations(None, grid, entries, geometry, other_columns(others))]


def _write(path: Path, annotations: Sequence[ImageAnnotations]) -> None:
    only_image(len(annotations), path)
    (one,) = annotations
    grid, entries = one.grid, single_entries(one.entries, path)
    require_volume(grid, path)
    require_world(grid, path)
    content = _content(path) if path.exists() else _blank()
    key = _name_key(content.rows, tuple(entries))
    known = {name: rows[0] for name, rows in _by_name(content.rows, key, repeats=False).items()}
    for name, entry in entries.items():
        row = known.get(name)
        if entry.point is None:
            if row is not None and row.more:
                row.say_unplaced(entry.status is LandmarkStatus.ABSENT)
            elif row is not None:
                content.rows.remove(row)
            continue
        if row is None:
            number = str(len(content.rows) + 1)
            row = _Row("", dict.fromkeys(content.columns, "") | _NEW | {"id": number, "label": number}, [])
            row.cells[key] = as_name(name, path)
            content.rows.append(row)
        _fill(row, entry, key, content.frame, grid)
    _save(path, content)


def _recognises(path: Path) -> bool:
    try:
        _content(path)
    except AnnotationError:
        return False
    return True


def _blank() -> _PointList:
    """A new list, in RAS: every version of 3D Slicer reads that rightly, LPS only those from 4.11."""
    header = {_VERSION: "5.6", _SYSTEM: "RAS", _HEADER: ",".join(_COLUMNS)}
    return _PointList([f"# {key} = {value}" for key, value in header.items()], list(_COLUMNS), WorldFrame(1.0, True))


def _content(path: Path) -> _PointList:
    """The file, as far as it can be understood without its landmarks' names."""
    comments, said, lines = [], {}, []
    for number, line in enumerate(io.StringIO(read_text(path, _WHAT), newline=None), start=1):
        line = line.rstrip("\n")
        if line.startswith("#"):
            comments.append(line)
            key, _, value = line[1:].partition("=")
            said[key.strip()] = value.strip()
        elif line.strip():
            lines.append((number, line))
    if _VERSION not in said and _HEADER not in said:
        raise AnnotationError(f"{path} is not {_WHAT}: it has no header; save the points again with 3D Slicer.")
    columns = [name.strip() for name in said.get(_HEADER, ",".join(_COLUMNS)).split(",")]
    missing = [name for name in ("x", "y", "z", "label") if columns.count(name) != 1]
    if missing:
        raise AnnotationError(f"{path} does not have the column '{missing[0]}' once: correct the line '# columns = '.")
    content = _PointList(comments, columns, WorldFrame(1.0, is_ras(said.get(_SYSTEM, "RAS"), path)))
    for number, line in lines:
        place = f"{path}, line {number},"
        try:
            cells = next(csv.reader([line]))
        except csv.Error as error:
            raise AnnotationError(f"{place} cannot be split at its commas: correct its quotes.") from error
        if len(cells) <= max(columns.index(name) for name in ("x", "y", "z", "label")):
            raise AnnotationError(f"{place} has only {len(cells)} of {len(columns)} values: complete or remove it.")
        cells += [""] * (len(columns) - len(cells))
        content.rows.append(_Row(place, dict(zip(columns, cells, strict=False)), cells[len(columns) :]))
    return content


def _name_key(rows: Sequence[_Row], names: Sequence[str] | None) -> str:
    """Whether points carry their landmark's name as label or, as in some protocols, as description."""
    labels = [row.cells["label"].strip() for row in rows]
    texts = [row.cells.get("desc", "").strip() for row in rows]
    only_texts = bool(rows) and not any(labels) and all(texts)
    return "desc" if only_texts or names_in_descriptions(labels, texts, names) else "label"


def _by_name(rows: Sequence[_Row], key: str, repeats: bool) -> dict[str, list[_Row]]:
    found: dict[str, list[_Row]] = {}
    for row in rows:
        name = as_name(row.cells.get(key), row.place)
        if name in found and not repeats:
            raise AnnotationError(
                f"{row.place} has '{name}' a second time: keep one point for each landmark, or allow several."
            )
        found.setdefault(name, []).append(row)
    return found


def _entry(row: _Row, name: str, key: str, frame: WorldFrame, grid: Grid) -> Entry:
    text = row.cells.get("desc", "").strip() if key == "label" else ""
    locked = row.cells.get("lock", "").strip() == "1"
    if not row.status.has_point:
        return Entry(None, row.status, description=text, locked=locked)
    position = as_numbers([_number(row.cells[axis]) for axis in "xyz"], 3, name, row.place)
    return Entry(frame.to_index(position, grid), row.status, description=text, locked=locked)


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _fill(row: _Row, entry: Entry, key: str, frame: WorldFrame, grid: Grid) -> None:
    """Set position, status, description and lock of a row."""
    assert entry.point is not None
    position = frame.from_index(entry.point, grid)
    row.cells |= {axis: repr(float(value) + 0.0) for axis, value in zip("xyz", position, strict=True)}
    if row.more and not row.status.has_point:
        row.more[0] = "2"
    if entry.description and key == "label" and "desc" in row.cells:
        row.cells["desc"] = " ".join(entry.description.split())
    if entry.locked and "lock" in row.cells:
        row.cells["lock"] = "1"


def _save(path: Path, content: _PointList) -> None:
    text = io.StringIO()
    text.write("".join(f"{line}\n" for line in content.comments))
    writer = csv.writer(text, lineterminator="\n")
    for row in content.rows:
        writer.writerow([*(row.cells[name] for name in content.columns), *row.more])
    write_text(path, text.getvalue())


#: 3D Slicer's older point lists.
FCSV = AnnotationFormat(
    name="3D Slicer .fcsv",
    read_by="Older 3D Slicer and programs made for it; one list for each volume.",
    suffixes=(".fcsv",),
    capabilities=Capabilities(dimensions=(3,), coordinates=("mm",), description=True, locked=True, needs_spacing=(3,)),
    recognises=_recognises,
    read=_read,
    write=_write,
    read_repeats=partial(_read, repeats=True),
)
