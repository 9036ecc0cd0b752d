"""The point list of a Markups file of 3D Slicer, and where its points carry their landmarks' names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.io.fields import names_in_descriptions


def point_list(content: dict[str, Any], path: Path) -> dict[str, Any]:
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


def name_key(points: Sequence[dict[str, Any]], names: Collection[str] | None) -> str:
    """Whether the points carry their landmark's name as label or, as some protocols do, as description."""

    def given(key: str) -> list[str]:
        return [value.strip() if isinstance(value := point.get(key), str) else "" for point in points]

    return "description" if names_in_descriptions(given("label"), given("description"), names) else "label"
