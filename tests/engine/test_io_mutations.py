"""Annotation files of every format in which something is broken are read or refused in one sentence, never more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotation_cases import mutated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_landmarker.engine.errors import AnnotationError, LandmarkerError
from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.io import (
    ANNOTATION_FORMATS,
    ImageAnnotations,
    ImageGeometry,
    find_format,
    read_annotation_file,
    read_landmarks,
    write_landmarks,
)
from napari_landmarker.engine.io.fields import Entry
from napari_landmarker.engine.io.isbi import ISBI_NAMES
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

MANY = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
GRIDS = {2: Grid((20, 30)), 3: Grid((20, 30, 40), (3.0, 1.5, 0.5))}
FILES = [(key, ndim) for key, fmt in ANNOTATION_FORMATS.items() for ndim in fmt.capabilities.dimensions]
JSON_FILES = [(key, ndim) for key, ndim in FILES if ANNOTATION_FORMATS[key].suffixes[0].endswith(".json")]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


def sample(key: str, ndim: int, folder: Path) -> Path:
    """A file of a format with all kinds of landmarks that it can carry."""
    fmt, grid = ANNOTATION_FORMATS[key], GRIDS[ndim]
    points = [np.arange(ndim) + 1.25 + i for i in range(19)]
    names = ISBI_NAMES if key == "isbi" else ("a", "b", "c")
    entries = {n: (Entry(p, LandmarkStatus.CONFIRMED),) for n, p in zip(names, points, strict=False)}
    if fmt.capabilities.score:
        entries["a"] = (Entry(points[0], LandmarkStatus.PREDICTED, 0.5, "tip"),)
    if fmt.capabilities.absent:
        entries["b"] = (Entry(None, LandmarkStatus.ABSENT),)
    if fmt.capabilities.instances:
        entries["c"] = (*entries["c"], Entry(points[3], LandmarkStatus.EDITED))
    path = folder / f"scan{fmt.suffixes[0]}"
    path.unlink(missing_ok=True)
    fmt.write(path, [ImageAnnotations("scan.png", grid, entries, ImageGeometry(grid, AffineMap.identity(grid.shape)))])
    return path


def complaint(action: Any) -> str:
    """The sentence with which an action is refused, or nothing."""
    try:
        action()
    except LandmarkerError as error:
        said = str(error)
        assert said.endswith(".")
        return said
    return ""


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a parsed JSON file."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for key, inner in items for place in places(inner, (*way, key)))]


def check(path: Path, key: str, ndim: int) -> None:
    """A file is read, or refused in a sentence that names it; so it is written, or left as it is."""
    grid, fmt = GRIDS[ndim], ANNOTATION_FORMATS[key]
    geometry = ImageGeometry(grid, AffineMap.identity(grid.shape))
    assert all(known.recognises(path) in (True, False) for known in ANNOTATION_FORMATS.values())
    landmarks = LandmarkSet.from_points({"a": np.ones(ndim)}, grid)
    for action in (
        lambda: [one.landmarks(source=path) for one in read_annotation_file(path)],
        lambda: [one.landmarks(source=path) for one in read_annotation_file(path, lambda _: geometry, repeats=True)],
        lambda: read_landmarks(path, geometry, ["a", "b", "c"], "scan.png"),
        lambda: fmt.read(path, lambda _: geometry, None),
    ):
        said = complaint(action)
        assert not said or str(path) in said
    before = path.read_bytes()
    said = complaint(lambda: write_landmarks(landmarks, path, "scan.png"))
    assert not said or (str(path) in said and path.read_bytes() == before)


@pytest.mark.parametrize(("key", "ndim"), JSON_FILES)
@MANY
@given(data=st.data(), value=VALUES, removed=st.booleans())
def test_one_wrong_value(tmp_path: Path, key: str, ndim: int, data: st.DataObject, value: Any, removed: bool) -> None:
    path = sample(key, ndim, tmp_path)
    content = json.loads(path.read_text(encoding="utf-8"))
    *way, last = data.draw(st.sampled_from(places(content)[1:]))
    inner = content
    for step in way:
        inner = inner[step]
    if removed:
        del inner[last]
    else:
        inner[last] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    check(path, key, ndim)


@pytest.mark.parametrize(("key", "ndim"), FILES)
@MANY
@given(data=st.data())
def test_a_piece_of_junk_or_a_missing_end(tmp_path: Path, key: str, ndim: int, data: st.DataObject) -> None:
    path = sample(key, ndim, tmp_path)
    path.write_bytes(mutated(data, path.read_text(encoding="utf-8")))
    check(path, key, ndim)


@pytest.mark.parametrize(("key", "ndim"), FILES)
@settings(parent=MANY, max_examples=10)
@given(text=st.one_of(st.text(max_size=40), st.binary(max_size=40)))
def test_any_text_and_any_bytes(tmp_path: Path, key: str, ndim: int, text: str | bytes) -> None:
    path = tmp_path / f"scan{ANNOTATION_FORMATS[key].suffixes[0]}"
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    check(path, key, ndim)


@pytest.mark.parametrize(("key", "ndim"), FILES)
def test_what_is_written_is_read_by_its_own_format(tmp_path: Path, key: str, ndim: int) -> None:
    path, grid = sample(key, ndim, tmp_path), GRIDS[ndim]
    assert find_format(path) is ANNOTATION_FORMATS[key]
    for known in set(ANNOTATION_FORMATS) - {key}:
        assert not (
            ANNOTATION_FORMATS[known].recognises(path) and path.name.endswith(ANNOTATION_FORMATS[known].suffixes)
        )
    (one,) = read_annotation_file(path, lambda _: ImageGeometry(grid, AffineMap.identity(grid.shape)))
    np.testing.assert_allclose(next(iter(one.entries.values()))[0].point, np.arange(ndim) + 1.25, atol=1e-9)


def test_endless_nesting(tmp_path: Path) -> None:
    for key, ndim in JSON_FILES:
        path = tmp_path / f"scan{ANNOTATION_FORMATS[key].suffixes[0]}"
        path.write_text('{"shapes": ' + "[" * 100_000 + "]" * 100_000 + "}", encoding="utf-8")
        assert str(path) in complaint(lambda path=path, ndim=ndim: read_landmarks(path, GRIDS[ndim]))


@pytest.mark.parametrize("suffix", sorted({suffix for fmt in ANNOTATION_FORMATS.values() for suffix in fmt.suffixes}))
def test_no_file_a_folder_an_empty_file_and_one_that_may_not_be_read(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"scan{suffix}"
    with pytest.raises(AnnotationError, match="does not exist: choose"):
        read_landmarks(path)
    path.mkdir()
    with pytest.raises(AnnotationError, match="is a folder"):
        read_landmarks(path)
    path.rmdir()
    path.write_text("")
    with pytest.raises(AnnotationError, match="is empty"):
        read_landmarks(path)

    def forbidden(*_args: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(AnnotationError, match=r"Permission denied.*check its permissions"):
        read_landmarks(path)
