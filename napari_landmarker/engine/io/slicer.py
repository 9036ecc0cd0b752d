"""3D Slicer's Markups JSON files (``.mrk.json``): a list of points in a volume.

Positions are millimetres, LPS or RAS, or, in a file of ours for a volume without spacing, pixels (``x, y, z``
index). ``positionStatus`` says which points are placed: *undefined* is a landmark that is not placed yet,
*missing* one that is absent. Our status, score, covariance (of the position, in its unit squared) and number of the
instance stand in keys of their own. Format: Markups schema 1.0.3 of 3D Slicer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.annotation_format import (
    AnnotationFormat,
    Capabilities,
    GeometryOf,
    ImageAnnotations,
)
from napari_landmarker.engine.io.atomic import has_key, read_json
from napari_landmarker.engine.io.covariance import COVARIANCE, as_covariance, covariance_rows
from napari_landmarker.engine.io.fields import (
    Entry,
    as_instance,
    as_name,
    as_numbers,
    as_score,
    as_status,
    entries_of,
    only_image,
    other_keys,
    require_world,
    save_json,
    with_gaps,
)
from napari_landmarker.engine.io.slicer_list import name_key, point_list
from napari_landmarker.engine.io.units import mm_per_unit
from napari_landmarker.engine.io.world_frame import WorldFrame, is_ras, require_volume
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
_WHAT = "a 3D Slicer markups file"
_PIXELS = "px"
_INSTANCE = "instance"
_UNPLACED = {
    "undefined": LandmarkStatus.UNPLACED,
    "preview": LandmarkStatus.UNPLACED,
    "missing": LandmarkStatus.ABSENT,
}

#: Keys of a file, of a list and of a control point that are read or say nothing of the points themselves.
_KEYS = ("@schema", "markups")
_LIST_KEYS = (
    "type", "coordinateSystem", "coordinateUnits", "locked", "fixedNumberOfControlPoints", "labelFormat",
    "lastUsedControlPointNumber", "controlPoints",
)  # fmt: skip
_POINT_KEYS = (
    "id", "label", "description", "associatedNodeID", "position", "orientation", "selected", "locked", "visibility",
    "positionStatus", "status", "score", COVARIANCE, _INSTANCE,
)  # fmt: skip

#: The control points of a list: by landmark, then by the number of the instance.
_Points = dict[str, dict[int, dict[str, Any]]]


def read_slicer(
    path: Path | str, grid: Grid | None = None, names: Sequence[str] | None = None, instances: int | None = None
) -> LandmarkSet:
    """Read the point list of a Markups file.

    Args:
        path: the file.
        grid: geometry of the volume the points lie in; None for the world itself.
        names: the landmarks there may be, in the order of the result; None takes those of the file. A point's
            label is its landmark; where no label is one of ``names`` but every description is, the
            description.
        instances: how many points a landmark may have; where it is more than one, points of one label need no number.

    Raises:
        AnnotationError: if the file is damaged, names an unknown landmark or one twice, or is in millimetres
            while the volume states no spacing, or the other way round.
    """
    path = Path(path)
    repeats = instances is not None and instances > 1
    return _annotations(path, grid, names, repeats).landmarks(names, instances, path)


def write_slicer(landmarks: LandmarkSet, path: Path | str) -> None:
    """Write the landmarks of a volume as a point list; what else is in the file already stays.

    A new file is in LPS millimetres, or in pixels where the volume states no spacing. A file that is there
    keeps its own coordinate system, and points whose landmark is not in the set.

    Raises:
        AnnotationError: if the file is there and is damaged, or holds other points in another unit, or the
            landmarks are not 3D, or are pixels of an image that is not known.
        ProjectError: if the file cannot be written.
    """
    _save(Path(path), entries_of(landmarks), landmarks.grid, landmarks.status.ndim == 2)


def _read(
    path: Path, geometry_of: GeometryOf, names: Sequence[str] | None, repeats: bool = False
) -> list[ImageAnnotations]:
    geometry = geometry_of(None)
    one = _annotations(path, None if geometry is None else geometry.grid, names, repeats)
    return [replace(one, geometry=geometry)]


def _write(path: Path, annotations: Sequence[ImageAnnotations]) -> None:
    only_image(len(annotations), path)
    (one,) = annotations
    _save(path, one.entries, one.grid, any(len(given) > 1 for given in one.entries.values()))


SLICER = AnnotationFormat(
    name="3D Slicer markups",
    read_by="3D Slicer 4.11 and newer; one point list for each volume.",
    suffixes=(".mrk.json", ".json"),
    capabilities=Capabilities(
        dimensions=(3,),
        coordinates=("mm", "px"),
        unplaced=True,
        absent=True,
        status=True,
        score=True,
        instances=True,
        description=True,
        locked=True,
        covariance=True,
    ),
    recognises=partial(has_key, key="markups"),
    read=_read,
    write=_write,
    read_repeats=partial(_read, repeats=True),
)


def _annotations(path: Path, grid: Grid | None, names: Sequence[str] | None, repeats: bool) -> ImageAnnotations:
    if grid is not None:
        require_volume(grid, path)
    content = read_json(path, _WHAT, AnnotationError)
    markup = point_list(content, path)
    frame = _frame(markup, path)
    others = len(content["markups"]) - 1
    if grid is None:
        grid = Grid.without_image(3, world=frame.scale is not None)
    if frame.scale is not None and grid.spacing is None:
        raise AnnotationError(
            f"{path} is in millimetres, but its image states no spacing: set the image's spacing first."
        )
    if frame.scale is None and grid.spacing is not None:
        raise AnnotationError(
            f"{path} is in pixels of an image without spacing, but this image has one: open it with that image."
        )
    points = markup["controlPoints"]
    key, locked = name_key(points, names), markup.get("locked") is True
    entries = {
        name: with_gaps({i: _entry(point, key, name, frame, grid, locked, path) for i, point in given.items()})
        for name, given in _by_name(points, key, path, repeats).items()
    }
    unread = (f"{others} markup{'s' * (others != 1)} of other kinds",) if others else ()
    keys = other_keys((content, _KEYS), (markup, _LIST_KEYS), *((point, _POINT_KEYS) for point in points))
    return ImageAnnotations(None, grid, entries, unread=(*unread, *keys))


def _save(path: Path, entries: Mapping[str, Sequence[Entry]], grid: Grid, repeats: bool) -> None:
    """Write a file, or change the one that is there."""
    require_volume(grid, path)
    if not grid.has_image:
        require_world(grid, path)
    content = read_json(path, _WHAT, AnnotationError) if path.exists() else _blank(grid)
    markup = point_list(content, path)
    points = markup["controlPoints"]
    key = name_key(points, tuple(entries))
    known = _by_name(points, key, path, repeats)
    frame = _frame(markup, path)
    if (frame.scale is None) != (grid.spacing is None):
        if set(known) - set(entries):
            raise AnnotationError(
                f"{path} holds other points in {'pixels' if frame.scale is None else 'millimetres'}, "
                "which do not fit the spacing of this image: save under another name."
            )
        markup |= _units(grid)
        frame = _frame(markup, path)
    if markup.get("locked") is True and any(entry.locked is False for given in entries.values() for entry in given):
        markup["locked"] = False  # from now on each point says it of itself
        for point in points:
            point["locked"] = True
    gone: set[int] = set()
    for name, given in entries.items():
        of_name = known.get(name, {})
        gone |= {id(point) for i, point in of_name.items() if i >= len(given)}
        for i, entry in enumerate(given):
            point = of_name.get(i)
            if point is None:
                if i > 0 and entry.status is LandmarkStatus.UNPLACED:
                    continue  # only the numbers of the other instances tell
                point = _new_point(points)
                point[key] = as_name(name, path)
                points.append(point)
            point |= {_INSTANCE: i + 1} if len(given) > 1 else {}
            _fill(point, entry, key, frame, grid)
    markup["controlPoints"] = points = [point for point in points if id(point) not in gone]
    last = markup.get("lastUsedControlPointNumber")
    markup["lastUsedControlPointNumber"] = max(len(points), last if isinstance(last, int) else 0)
    save_json(path, content)


def _frame(markup: dict[str, Any], path: Path) -> WorldFrame:
    """The unit and the coordinate system of a list; where they are not stated, the schema says mm and LPS."""
    unit = markup.get("coordinateUnits", "mm")
    if isinstance(unit, list) and unit:  # a code with its scheme and meaning
        unit = unit[0]
    scale = mm_per_unit(unit) if isinstance(unit, str) else None
    if scale is None and unit != _PIXELS:
        raise AnnotationError(f"{path} is in the unit '{unit}', which is not known here: save it in millimetres.")
    system = markup.get("coordinateSystem", "LPS")
    return WorldFrame(scale, is_ras(system, path))


def _by_name(points: Sequence[dict[str, Any]], key: str, path: Path, repeats: bool) -> _Points:
    """The control points by landmark and instance; with ``repeats`` those of one number count in their order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for point in points:
        found.setdefault(as_name(point.get(key), path), []).append(point)
    out: _Points = {}
    for name, given in found.items():
        numbers = [as_instance(point.get(_INSTANCE), name, path) for point in given]
        if len(set(numbers)) < len(numbers):
            if not repeats:
                raise AnnotationError(f"{path} has '{name}' twice: keep one point for each landmark, or allow several.")
            numbers = list(range(len(given)))
        out[name] = dict(zip(numbers, given, strict=True))
    return out


def _entry(
    point: dict[str, Any], key: str, name: str, frame: WorldFrame, grid: Grid, locked: bool, path: Path
) -> Entry:
    """What a control point says; ``locked``: whether the whole list is."""
    placed, text = point.get("positionStatus", "defined"), point.get("description")
    text = text if isinstance(text, str) and key == "label" else ""
    locked = locked or point.get("locked") is True
    if placed == "defined":
        position = as_numbers(point.get("position"), 3, name, path)
        status = as_status(point.get("status"), LandmarkStatus.CONFIRMED, name, path)
        score = as_score(point.get("score"), name, path)
        given = as_covariance(point.get(COVARIANCE), 3, name, path)
        covariance = None if given is None else frame.covariance_to_index(given, grid)
        return Entry(frame.to_index(position, grid), status, score, text, locked, covariance)
    if not isinstance(placed, str) or placed not in _UNPLACED:
        raise AnnotationError(
            f"{path} gives '{name}' the position status '{placed}', which is not known: place it again."
        )
    return Entry(None, _UNPLACED[placed], description=text, locked=locked)


def _fill(point: dict[str, Any], entry: Entry, key: str, frame: WorldFrame, grid: Grid) -> None:
    """Set position, status, score, covariance, description and lock of a control point."""
    if entry.point is not None:
        point["position"] = [float(value) for value in frame.from_index(entry.point, grid)]
        point["positionStatus"] = "defined"
    else:
        point.pop("position", None)  # 3D Slicer takes a point without this key, but not one with null
        point["positionStatus"] = "missing" if entry.status is LandmarkStatus.ABSENT else "undefined"
    if entry.description and key == "label":
        point["description"] = entry.description
    if entry.locked is not None:
        point["locked"] = entry.locked
    plain = entry.point is None or entry.status is LandmarkStatus.CONFIRMED
    covariance = None if entry.point is None else entry.covariance
    extra = {
        "status": None if plain else entry.status.value,
        "score": None if entry.point is None or math.isnan(entry.score) else entry.score,
        COVARIANCE: None if covariance is None else covariance_rows(frame.covariance_from_index(covariance, grid)),
    }
    for field, value in extra.items():
        if value is None:
            point.pop(field, None)
        else:
            point[field] = value


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
