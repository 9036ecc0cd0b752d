"""Which shapes of a labelme file are which points: landmarks, their instances, and landmarks that are absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.io.fields import Entry, as_instance, as_name
from napari_landmarker.engine.landmarks import LandmarkStatus

Shape = dict[str, Any]


def point_shapes(shapes: Sequence[Shape], path: Path) -> dict[str, list[Shape]]:
    """The point shapes by landmark; each is sure to have one position.

    Raises:
        AnnotationError: for a point without a label or a position.
    """
    found: dict[str, list[Shape]] = {}
    for shape in shapes:
        if shape.get("shape_type") != "point":
            continue
        name = as_name(shape.get("label"), path)
        positions = shape.get("points")
        if not isinstance(positions, list) or len(positions) != 1:
            raise AnnotationError(f"{path} gives '{name}' no position: place it again.")
        found.setdefault(name, []).append(shape)
    return found


def instances_of(points: Mapping[str, Sequence[Shape]], path: Path, repeats: bool) -> dict[str, dict[int, Shape]]:
    """The points of each landmark by the number of their instance, from 0.

    Several points of one label are in the order of their group ids. Where some labels have more points than others,
    those of one group have the same number, so that what belongs together stays together.

    Args:
        points: the point shapes by landmark.
        path: the file, for messages.
        repeats: whether points of one label may have the same or no group; they then are in the order of the file.

    Raises:
        AnnotationError: if a label has several points in one group, or without one, and that is not allowed.
    """
    groups = {name: [_group(shape) for shape in shapes] for name, shapes in points.items()}
    for name, ids in groups.items():
        if not repeats and len(ids) > 1 and (None in ids or len(set(ids)) < len(ids)):
            raise AnnotationError(
                f"{path} has '{name}' twice: keep one point for each landmark, or give each its own group id."
            )
    common = sorted({g for g in max(groups.values(), key=len, default=[]) if g is not None})
    found = {}
    for name, shapes in points.items():
        ids = groups[name]
        if len(set(ids)) == len(ids) and set(ids) <= set(common):
            found[name] = {common.index(g): shape for g, shape in zip(ids, shapes, strict=True) if g is not None}
        else:
            order = sorted(range(len(shapes)), key=lambda i: (ids[i] is None, ids[i] or 0))
            found[name] = {rank: shapes[i] for rank, i in enumerate(order)}
    return {name: dict(sorted(shapes.items())) for name, shapes in found.items()}


def match(
    known: Mapping[int, Shape], placed: Mapping[int, tuple[float, float]]
) -> tuple[dict[int, Shape], dict[int, int]]:
    """Which shape of a file stands for which instance, and the group ids that tell the instances apart.

    A point that did not move keeps its shape, and a shape its group id as far as these grow with the instances.

    Args:
        known: the landmark's shapes in the file, by instance.
        placed: its points as they are to be, ``(x, y)`` by instance.
    """
    free, shapes = dict(known), {}
    for i, corner in placed.items():
        same = next((k for k, shape in free.items() if _is_at(shape, corner)), None)
        if same is not None:
            shapes[i] = free.pop(same)
    for i in placed:
        if i not in shapes and free:
            shapes[i] = free.pop(i if i in free else next(iter(free)))
    return shapes, _groups(placed, shapes)


def _groups(placed: Mapping[int, object], shapes: Mapping[int, Shape]) -> dict[int, int]:
    """A group id for each instance: that of its shape, or one behind the ids before it and before those behind it."""
    groups: dict[int, int] = {}
    fixed = {i: _group(shape) for i, shape in shapes.items()}
    last = 0
    for i in placed:
        own = fixed.get(i)
        if own is None or (groups and own <= last):
            following = min((g for k, g in fixed.items() if k > i and g is not None and g > last), default=None)
            own = max(i, last) + 1
            if following is not None and own >= following > last + 1:
                own = last + 1
        groups[i] = last = own
    return groups


def _is_at(shape: Shape, corner: tuple[float, float]) -> bool:
    position = shape["points"][0]
    return isinstance(position, list) and len(position) == 2 and all(
        isinstance(a, int | float) and abs(a - b) < 1e-9 for a, b in zip(position, corner, strict=True)
    )  # fmt: skip


def _group(shape: Shape) -> int | None:
    value = shape.get("group_id")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def absent_landmarks(value: object, path: Path) -> list[tuple[str, int, bool]]:
    """The names of a file's list of absent landmarks, each with the number of the instance, from 0, and its lock.

    Raises:
        AnnotationError: if it is no such list.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise AnnotationError(f"{path} has 'absent_landmarks' that is no list of names: correct or remove it.")
    return [_absent(item, path) for item in value]


def absent_items(value: object, entries: Mapping[str, Sequence[Entry]], path: Path) -> list[object]:
    """The list of absent landmarks to write: what the file says of others, then those of ``entries``.

    The first instance is a name; a further one, or one that is locked, an object with the name and the number of the
    instance, from 1.
    """
    items: list[object] = value if isinstance(value, list) else []
    stated = absent_landmarks(value, path)
    locks = {(name, i) for name, i, locked in stated if locked}
    out = [item for item, (name, *_) in zip(items, stated, strict=True) if name not in entries]
    for name, given in entries.items():
        for i, entry in enumerate(given):
            if entry.status is LandmarkStatus.ABSENT:
                locked = (name, i) in locks if entry.locked is None else entry.locked
                plain = {"label": name, "instance": i + 1}
                out.append(plain | {"locked": True} if locked else plain if i > 0 else name)
    return out


def _absent(item: object, path: Path) -> tuple[str, int, bool]:
    if not isinstance(item, dict):
        return as_name(item, path), 0, False
    name = as_name(item.get("label"), path)
    return name, as_instance(item.get("instance"), name, path), item.get("locked") is True
