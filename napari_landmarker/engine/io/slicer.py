"""3D Slicer's Markups JSON files (``.mrk.json``): a list of points in a volume.

Positions are millimetres, LPS or RAS, or, in a file of ours for a volume without spacing, pixels (``x, y, z``
index). ``positionStatus`` says which points are placed: *undefined* is a landmark that is not placed yet,
*missing* one that is absent. Our status and score stand in keys of their own. Format: Markups schema 1.0.3 of
3D Slicer.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.io.atomic import read_json
from napari_landmarker.engine.io.fields import (
    Entry,
    as_name,
    as_numbers,
    as_score,
    as_status,
    entries_of,
    landmark_set,
    save_json,
)
from napari_landmarker.engine.io.units import mm_per_unit
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
_SYSTEMS = {"LPS": "LPS", "1": "LPS", "RAS": "RAS", "0": "RAS"}
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])
_PIXELS = "px"
_UNPLACED = {
    "undefined": LandmarkStatus.UNPLACED,
    "preview": LandmarkStatus.UNPLACED,
    "missing": LandmarkStatus.ABSENT,
}


@dataclass(frozen=True)
class _Frame:
    """What the positions of a list mean: millimetres per unit (None: pixels), and whether x and y are RAS."""

    scale: float | None
    is_ras: bool

    def to_index(self, position: FloatArray, grid: Grid) -> FloatArray:
        if self.scale is None:
            return position[::-1]
        return grid.world_to_index(position * self.scale * (_RAS_TO_LPS if self.is_ras else 1.0))

    def from_index(self, index: FloatArray, grid: Grid) -> FloatArray:
        if self.scale is None:
            return index[::-1]
        return grid.index_to_world(index) * (_RAS_TO_LPS if self.is_ras else 1.0) / self.scale


def read_slicer(path: Path | str, grid: Grid, names: Sequence[str] | None = None) -> LandmarkSet:
    """Read the point list of a Markups file.

    Args:
        path: the file.
        grid: geometry of the volume the points lie in.
        names: the landmarks there may be, in the order of the result; None takes those of the file. A point's
            label is its landmark; where no label is one of ``names`` but every description is, the
            description.

    Raises:
        AnnotationError: if the file is damaged, names an unknown landmark or one twice, or is in millimetres
            while the volume states no spacing, or the other way round.
    """
    path = Path(path)
    _require_volume(grid, path)
    markup = _point_list(read_json(path, "a 3D Slicer markups file", AnnotationError), path)
    frame = _frame(markup, path)
    if frame.scale is not None and grid.spacing is None:
        raise AnnotationError(
            f"{path} is in millimetres, but its image states no spacing: set the image's spacing first."
        )
    if frame.scale is None and grid.spacing is not None:
        raise AnnotationError(
            f"{path} is in pixels of an image without spacing, but this image has one: open it with that image."
        )
    points = markup["controlPoints"]
    entries = {}
    for name, point in _by_name(points, _name_key(points, names), path).items():
        entries[name] = _entry(point, name, frame, grid, path)
    return landmark_set(entries, grid, names, path)


def write_slicer(landmarks: LandmarkSet, path: Path | str) -> None:
    """Write the landmarks of a volume as a point list; what else is in the file already stays.

    A new file is in LPS millimetres, or in pixels where the volume states no spacing. A file that is there
    keeps its own coordinate system, and points whose landmark is not in the set.

    Raises:
        AnnotationError: if the file is there and is damaged, or holds other points in another unit, or the
            landmarks are not 3D.
        ProjectError: if the file cannot be written.
    """
    path = Path(path)
    grid = landmarks.grid
    _require_volume(grid, path)
    entries = entries_of(landmarks, path)
    content = read_json(path, "a 3D Slicer markups file", AnnotationError) if path.exists() else _blank(grid)
    markup = _point_list(content, path)
    points = markup["controlPoints"]
    key = _name_key(points, landmarks.names)
    known = _by_name(points, key, path)
    frame = _frame(markup, path)
    if (frame.scale is None) != (grid.spacing is None):
        if set(known) - set(entries):
            raise AnnotationError(
                f"{path} holds other points in {'pixels' if frame.scale is None else 'millimetres'}, "
                "which do not fit the spacing of this image: save under another name."
            )
        markup |= _units(grid)
        frame = _frame(markup, path)
    for name, entry in entries.items():
        point = known.get(name)
        if point is None:
            point = _new_point(points)
            point["label" if key == "label" else "description"] = name
            points.append(point)
        _fill(point, entry, frame, grid)
    last = markup.get("lastUsedControlPointNumber")
    markup["lastUsedControlPointNumber"] = max(len(points), last if isinstance(last, int) else 0)
    save_json(path, content)


def _require_volume(grid: Grid, path: Path) -> None:
    if grid.ndim != 3:
        raise AnnotationError(f"{path} is a 3D Slicer file, which holds 3D points: use a labelme .json file in 2D.")


def _point_list(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """The one point list of a file; other markups (lines, curves, boxes) are left alone."""
    markups = content.get("markups")
    if not isinstance(markups, list) or not all(isinstance(markup, dict) for markup in markups):
        raise AnnotationError(f"{path} is not a 3D Slicer markups file: it has no list of markups.")
    lists: list[dict[str, Any]] = [markup for markup in markups if markup.get("type") == "Fiducial"]
    if len(lists) != 1:
        raise AnnotationError(f"{path} holds {len(lists)} point lists: save exactly one point list in a file.")
    points = lists[0].setdefault("controlPoints", [])
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise AnnotationError(f"{path} is not a 3D Slicer markups file: its control points are no list.")
    return lists[0]


def _frame(markup: dict[str, Any], path: Path) -> _Frame:
    """The unit and the coordinate system of a list; where they are not stated, the schema says mm and LPS."""
    unit = markup.get("coordinateUnits", "mm")
    if isinstance(unit, list) and unit:  # a code with its scheme and meaning
        unit = unit[0]
    scale = mm_per_unit(unit) if isinstance(unit, str) else None
    if scale is None and unit != _PIXELS:
        raise AnnotationError(f"{path} is in the unit '{unit}', which is not known here: save it in millimetres.")
    system = _SYSTEMS.get(str(markup.get("coordinateSystem", "LPS")).upper())
    if system is None:
        raise AnnotationError(f"{path} is in a coordinate system that is neither LPS nor RAS: save it in LPS.")
    return _Frame(scale, system == "RAS")


def _name_key(points: Sequence[dict[str, Any]], names: Collection[str] | None) -> str:
    """Whether the points carry their landmark's name as label or, as some protocols do, as description."""

    def given(key: str) -> list[str]:
        return [value.strip() if isinstance(value := point.get(key), str) else "" for point in points]

    if not points or names is None or any(label in names for label in given("label")):
        return "label"
    return "description" if all(text in names for text in given("description")) else "label"


def _by_name(points: Sequence[dict[str, Any]], key: str, path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for point in points:
        name = as_name(point.get(key), path)
        if name in found:
            raise AnnotationError(f"{path} has '{name}' twice: keep one point for each landmark.")
        found[name] = point
    return found


def _entry(point: dict[str, Any], name: str, frame: _Frame, grid: Grid, path: Path) -> Entry:
    placed = point.get("positionStatus", "defined")
    if placed == "defined":
        position = as_numbers(point.get("position"), 3, name, path)
        status = as_status(point.get("status"), LandmarkStatus.CONFIRMED, name, path)
        return Entry(frame.to_index(position, grid), status, as_score(point.get("score"), name, path))
    if not isinstance(placed, str) or placed not in _UNPLACED:
        raise AnnotationError(
            f"{path} gives '{name}' the position status '{placed}', which is not known: place it again."
        )
    return Entry(None, _UNPLACED[placed])


def _fill(point: dict[str, Any], entry: Entry, frame: _Frame, grid: Grid) -> None:
    """Set position, status and score of a control point."""
    if entry.point is not None:
        point["position"] = [float(value) for value in frame.from_index(entry.point, grid)]
        point["positionStatus"] = "defined"
    else:
        point.pop("position", None)  # 3D Slicer takes a point without this key, but not one with null
        point["positionStatus"] = "missing" if entry.status is LandmarkStatus.ABSENT else "undefined"
    plain = entry.point is None or entry.status is LandmarkStatus.CONFIRMED
    extra = {
        "status": None if plain else entry.status.value,
        "score": None if entry.point is None or math.isnan(entry.score) else entry.score,
    }
    for key, value in extra.items():
        if value is None:
            point.pop(key, None)
        else:
            point[key] = value


def _new_point(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A control point as 3D Slicer makes it, with an id of its own."""
    ids = {str(point.get("id")) for point in points}
    number = next(n for n in range(len(points) + 1, 2 * len(points) + 2) if str(n) not in ids)
    return {
        "id": str(number),
        "label": str(number),
        "description": "",
        "associatedNodeID": "",
        "position": [0.0, 0.0, 0.0],
        "orientation": [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0],
        "selected": True,
        "locked": False,
        "visibility": True,
        "positionStatus": "undefined",
    }


def _units(grid: Grid) -> dict[str, Any]:
    return {"coordinateSystem": "LPS", "coordinateUnits": _PIXELS if grid.spacing is None else "mm"}


def _blank(grid: Grid) -> dict[str, Any]:
    markup = {
        "type": "Fiducial",
        **_units(grid),
        "locked": False,
        "fixedNumberOfControlPoints": False,
        "labelFormat": "%N-%d",
        "lastUsedControlPointNumber": 0,
        "controlPoints": [],
        "measurements": [],
    }
    return {"@schema": _SCHEMA, "markups": [markup]}
