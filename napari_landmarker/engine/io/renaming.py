"""Landmarks renamed or taken out in annotation files as they stand: all else in the files stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.io.atomic import json_bytes, read_json
from napari_landmarker.engine.io.fields import as_name
from napari_landmarker.engine.io.slicer_list import name_key, point_list
from napari_landmarker.engine.landmarks import LandmarkStatus

#: The new name of a landmark, or None where it is to go.
NewName = Mapping[str, str | None]


def renamed_file(path: Path, changes: NewName, names: Collection[str]) -> bytes | None:
    """An annotation file with some landmarks renamed or taken out.

    Args:
        path: a labelme or Slicer file.
        changes: what becomes of which landmarks; names may change places.
        names: the landmarks there may be, before the change.

    Returns:
        The new file, or None if it says nothing of these landmarks.

    Raises:
        AnnotationError: if the file is damaged or of another kind, or holds what no JSON file may hold.
    """
    content = _content(path)
    try:
        before = json_bytes(content)
        if "markups" in content:
            _in_slicer(content, changes, names, path)
        else:
            _in_labelme(content, changes, path)
        after = json_bytes(content)
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{path} holds values that no JSON file may hold: correct or remove it.") from error
    return None if after == before else after


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


def _in_labelme(content: dict[str, Any], changes: NewName, path: Path) -> None:
    def name_of(shape: dict[str, Any]) -> str | None:
        return as_name(shape.get("label"), path) if shape.get("shape_type") == "point" else None

    content["shapes"] = _changed(content["shapes"], changes, name_of, "label")
    absent = []
    for item in _absent(content):
        name = _absent_name(item, path)
        new = changes.get(name, name)
        if new is not None:
            absent.append(item | {"label": new} if isinstance(item, dict) else new)
    if absent or "absent_landmarks" in content:
        content["absent_landmarks"] = absent


def _in_slicer(content: dict[str, Any], changes: NewName, names: Collection[str], path: Path) -> None:
    markup = point_list(content, path)
    points = markup["controlPoints"]
    key = name_key(points, names)
    markup["controlPoints"] = _changed(points, changes, lambda point: as_name(point.get(key), path), key)


def _changed(
    items: Iterable[dict[str, Any]], changes: NewName, name_of: Callable[[dict[str, Any]], str | None], key: str
) -> list[dict[str, Any]]:
    """The items under their new names, without those that go; what is not a landmark stays."""
    out = []
    for item in items:
        name = name_of(item)
        new = None if name is None else changes.get(name, name)
        if name is not None and new is None:
            continue
        out.append(item if new in (None, name) else item | {key: new})
    return out


def _points(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [shape for shape in content["shapes"] if shape.get("shape_type") == "point"]


def _absent(content: dict[str, Any]) -> list[Any]:
    value = content.get("absent_landmarks")
    return value if isinstance(value, list) else []


def _absent_name(item: object, path: Path) -> str:
    return as_name(item.get("label") if isinstance(item, dict) else item, path)


def _by_person(point: dict[str, Any]) -> bool:
    return point.get("status") != LandmarkStatus.PREDICTED.value
