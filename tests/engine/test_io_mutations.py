"""Annotation files in which something is broken are read or refused in one sentence: nothing else happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io import read_landmarks, write_landmarks
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

MANY = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
GRIDS = {"scan.json": Grid((20, 30)), "scan.mrk.json": Grid((20, 30, 40), (3.0, 1.5, 0.5))}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


def landmarks_of(grid: Grid) -> LandmarkSet:
    out = LandmarkSet.empty(["a", "b", "c"], grid)
    out = out.with_point("a", np.arange(grid.ndim), LandmarkStatus.PREDICTED, 0.5)
    return out.without_point("b", LandmarkStatus.ABSENT).with_point("c", np.ones(grid.ndim))


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a parsed JSON file."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for key, inner in items for place in places(inner, (*way, key)))]


def complaint(action: Any) -> str:
    """The sentence with which an action is refused, or nothing."""
    try:
        action()
    except LandmarkerError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", GRIDS)
@MANY
@given(data=st.data(), value=VALUES, removed=st.booleans())
def test_one_wrong_value(tmp_path: Path, name: str, data: st.DataObject, value: Any, removed: bool) -> None:
    path, grid = tmp_path / name, GRIDS[name]
    landmarks = landmarks_of(grid)
    path.unlink(missing_ok=True)
    write_landmarks(landmarks, path, "scan.png")
    content = json.loads(path.read_text(encoding="utf-8"))
    *way, last = data.draw(st.sampled_from(places(content)[1:]))
    inner = content
    for key in way:
        inner = inner[key]
    if removed:
        del inner[last]
    else:
        inner[last] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    for action in (
        lambda: read_landmarks(path, grid, landmarks.names, "scan.png"),
        lambda: write_landmarks(landmarks, path, "scan.png"),
    ):
        before = path.read_bytes()
        said = complaint(action)
        assert not said or (str(path) in said and path.read_bytes() == before)


@pytest.mark.parametrize("name", GRIDS)
@MANY
@given(text=st.text(max_size=40))
def test_any_text(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert str(path) in complaint(lambda: read_landmarks(path, GRIDS[name]))


def test_endless_nesting(tmp_path: Path) -> None:
    for name, grid in GRIDS.items():
        path = tmp_path / name
        path.write_text('{"shapes": ' + "[" * 100_000 + "]" * 100_000 + "}", encoding="utf-8")
        assert str(path) in complaint(lambda path=path, grid=grid: read_landmarks(path, grid))
