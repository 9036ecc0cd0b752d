"""Landmarks renamed, taken out or put back in annotation files as they stand: all else in the files stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.io.atomic import json_bytes, read_json
from napari_landmarker.engine.io.fields import as_name
from napari_landmarker.engine.io.slicer_list import name_key, point_list
from napari_landmarker.engine.landmarks import LandmarkStatus

#: The new name of a landmark, or None where it is to go.
NewName = Mapping[str, str | None]


#: What is said of a landmark in a file, and its place in the list in which it stood.
Placed = tuple[int, Any]


@dataclass(frozen=True)
class Taken:
    """What was taken out of an annotation file, so that it can be put back.

    Attributes:
        points: points, as the file had them.
        absent: what it said of landmarks that cannot be seen, outside its list of points.
        key: under which the points carry the names of their landmarks.
    """

    points: tuple[Placed, ...] = ()
    absent: tuple[Placed, ...] = ()
    key: str = "label"

    def __bool__(self) -> bool:
        return bool(self.points or self.absent)


def renamed_file(
    path: Path, changes: NewName, names: Collection[str], back: Taken | None = None
) -> tuple[bytes | None, Taken]:
    """An annotation file with some landmarks renamed, taken out or put back.

    Args:
        path: a labelme or Slicer file.
        changes: what becomes of which landmarks; names may change places.
        names: the landmarks there may be, before the change.
        back: what an earlier change took out, and is put back; a landmark the file speaks of anyway stays as it is.

    Returns:
        The new file, or None if nothing changes in it, and what was taken out. Put back by the inverse change, that
        makes the file what it was.

    Raises:
        AnnotationError: if the file is damaged or of another kind, or holds what no JSON file may hold.
    """
    content = _content(path)
    try:
        before = json_bytes(content)
        if "markups" in content:
            taken = _in_slicer(content, changes, names, path, back or Taken())
        else:
            taken = _in_labelme(content, changes, path, back or Taken())
        after = json_bytes(content)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{path} holds values that no JSON file may hold: correct or remove it.") from error
    return None if after == before else after, taken


def done_in_file(path: Path, names: Collection[str]) -> frozenset[str]:
    """The landmarks that a person placed or said to be absent in a labelme or Slicer file.

    Args:
        path: the file.
        names: the landmarks there may be.

    Raises:
        AnnotationError: if the file is damaged or of another kind.
    """
    content = _content(path)
    if "markups" not in content:
        placed = (as_name(s.get("label"), path) for s in _points(content) if _by_person(s))
        return frozenset((*placed, *(_absent_name(item, path) for item in _absent(content))))
    points = point_list(content, path)["controlPoints"]
    key = name_key(points, names)

    def done(point: dict[str, Any]) -> bool:
        state = point.get("positionStatus", "defined")
        return state == "missing" or (state == "defined" and _by_person(point))

    return frozenset(as_name(point.get(key), path) for point in points if done(point))


def _content(path: Path) -> dict[str, Any]:
    content = read_json(path, "an annotation file", AnnotationError)
    shapes = content.get("shapes")
    if "markups" in content or (isinstance(shapes, list) and all(isinstance(s, dict) for s in shapes)):
        return content
    raise AnnotationError(f"{path} is no labelme or Slicer file: take it out of the project's folder.")


def _in_labelme(content: dict[str, Any], changes: NewName, path: Path, back: Taken) -> Taken:
    def point_name(shape: dict[str, Any]) -> str | None:
        return as_name(shape.get("label"), path) if shape.get("shape_type") == "point" else None

    def absent_name(item: object) -> str:
        return _absent_name(item, path)

    def renamed(item: object, name: str) -> object:
        return item | {"label": name} if isinstance(item, dict) else name

    shapes, absent = content["shapes"], _absent(content)
    said = {*filter(None, map(point_name, shapes)), *map(absent_name, absent)}
    there = {changes.get(name, name) for name in said}
    content["shapes"], points = _changed(shapes, changes, point_name, renamed)
    kept, gone = _changed(absent, changes, absent_name, renamed)
    _put_back(content["shapes"], [one for one in back.points if point_name(one[1]) not in there])
    _put_back(kept, [one for one in back.absent if absent_name(one[1]) not in there])
    if kept or "absent_landmarks" in content:
        content["absent_landmarks"] = kept
    return Taken(points, gone)


def _in_slicer(content: dict[str, Any], changes: NewName, names: Collection[str], path: Path, back: Taken) -> Taken:
    markup = point_list(content, path)
    points = markup["controlPoints"]
    key = name_key(points, names) if points else back.key

    def name_of(point: dict[str, Any]) -> str:
        return as_name(point.get(key), path)

    there = {changes.get(name, name) for name in map(name_of, points)}
    markup["controlPoints"], taken = _changed(points, changes, name_of, lambda point, name: point | {key: name})
    returned = [(at, point | {key: point[back.key]}) for at, point in back.points]
    _put_back(markup["controlPoints"], [one for one in returned if name_of(one[1]) not in there])
    return Taken(taken, key=key)


def _changed(
    items: Iterable[Any],
    changes: NewName,
    name_of: Callable[[Any], str | None],
    renamed: Callable[[Any, str], Any],
) -> tuple[list[Any], tuple[Placed, ...]]:
    """The items under their new names, and those that go; what is not a landmark stays."""
    out, gone = [], []
    for at, item in enumerate(items):
        name = name_of(item)
        new = None if name is None else changes.get(name, name)
        if name is not None and new is None:
            gone.append((at, item))
        else:
            out.append(item if new is None or new == name else renamed(item, new))
    return out, tuple(gone)


def _put_back(items: list[Any], back: Sequence[Placed]) -> None:
    """Each to its old place, the first ones first: what followed it then makes room."""
    for at, item in back:
        items.insert(at, item)


def _points(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [shape for shape in content["shapes"] if shape.get("shape_type") == "point"]


def _absent(content: dict[str, Any]) -> list[Any]:
    value = content.get("absent_landmarks")
    return value if isinstance(value, list) else []


def _absent_name(item: object, path: Path) -> str:
    return as_name(item.get("label") if isinstance(item, dict) else item, path)


def _by_person(point: dict[str, Any]) -> bool:
    return point.get("status") != LandmarkStatus.PREDICTED.value
