"""Landmarks of every kind, and broken files, for the tests of annotation formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.io.annotation_format import AnnotationFormat, ImageAnnotations
from napari_landmarker.engine.io.fields import Entry, with_gaps
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.landmarks import LandmarkStatus

SHARED = Path(__file__).parents[2] / "../shared/data"
FAST = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = ("a", "b c", 'd"e', "f,g", "ü;", "=1+1", "-x", "'@quoted", "p_x", "q_y_mm", "tab-", "sella/left")


def flat(shape: tuple[int, ...] = (20, 30), spacing: tuple[float, ...] | None = None) -> ImageGeometry:
    """A 2D image, shown as it is stored."""
    return ImageGeometry(Grid(shape, spacing), AffineMap.identity(shape))


def turned(spacing: tuple[float, ...] | None = None) -> ImageGeometry:
    """A volume stored as (k, j, i) that is shown with all axes reversed and two of them flipped."""
    permuted = AffineMap.permute((4, 5, 6), (2, 1, 0))
    to_shown = permuted.then(AffineMap.flip(permuted.target_shape, (0, 2)))
    return ImageGeometry(to_shown.map_grid(Grid((4, 5, 6), spacing)), to_shown.inverse)


def save(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write a file with its line ends as they are."""
    path.write_text(text, encoding=encoding, newline="")
    return path


@st.composite
def spreads(draw: st.DrawFn, ndim: int) -> np.ndarray | None:
    """A covariance in px², or none."""
    if draw(st.booleans()):
        return None
    root = np.array([[draw(st.floats(-5, 5)) for _ in range(ndim)] for _ in range(ndim)])
    return np.asarray(root @ root.T)


@st.composite
def annotations(
    draw: st.DrawFn,
    fmt: AnnotationFormat,
    geometry: ImageGeometry | None,
    grid: Grid,
    image: str | None = "folder/image, 1.png",
    names: Sequence[str] = NAMES,
    complete: bool = False,
) -> ImageAnnotations:
    """All that a format can carry of one image; ``complete`` for all names, each with a point on the image."""
    can = fmt.capabilities
    statuses = [
        status
        for status in LandmarkStatus
        if (can.status or status in (LandmarkStatus.CONFIRMED, LandmarkStatus.ABSENT, LandmarkStatus.UNPLACED))
        and (can.absent or status is not LandmarkStatus.ABSENT)
        and (can.unplaced or status is not LandmarkStatus.UNPLACED)
    ]
    chosen = list(names) if complete else draw(st.lists(st.sampled_from(names), min_size=1, unique=True, max_size=5))
    upper = grid.shape if grid.has_image else (200,) * grid.ndim

    def entry() -> Entry:
        status = draw(st.sampled_from(statuses))
        if not status.has_point:
            return Entry(None, status)
        point = np.array([draw(st.floats(-0.5, n - 0.5)) for n in upper])
        score = draw(st.one_of(st.just(np.nan), st.floats(0, 1))) if can.score else np.nan
        text = draw(st.sampled_from(["", "a note", "=note, with 'marks'", "occluded"])) if can.description else ""
        covariance = draw(spreads(grid.ndim)) if can.covariance else None
        return Entry(point, status, score, text, covariance=covariance)

    count = draw(st.integers(1, 3)) if can.instances else 1
    entries = {name: with_gaps({i: entry() for i in range(count)}) for name in chosen}
    return ImageAnnotations(image, grid, entries, geometry)


def assert_same(back: ImageAnnotations, given: ImageAnnotations, atol: float = 1e-9) -> None:
    """What is said of each landmark is the same; points to ``atol`` px."""
    assert back.image == given.image
    assert back.grid == given.grid
    assert set(back.entries) == set(given.entries)
    for name, entries in given.entries.items():
        assert [e.status for e in back.entries[name]] == [e.status for e in entries]
        for here, there in zip(back.entries[name], entries, strict=True):
            assert here.description == there.description
            np.testing.assert_array_equal(here.score, there.score)
            assert (here.covariance is None) == (there.covariance is None)
            if here.covariance is not None and there.covariance is not None:
                np.testing.assert_allclose(here.covariance, there.covariance, rtol=0, atol=1e-9)
            if there.point is not None:
                np.testing.assert_allclose(here.point, there.point, rtol=0, atol=atol)


def mutated(data: st.DataObject, text: str) -> bytes:
    """A text with a piece replaced by junk, cut off, or with bytes that are no text."""
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 5)))
    pieces = ["", "9" * 400, "1e999", "nan", "-1", "\0", '"', "{", "[", "]", ",", ";", "=", "\n", "null", "true", "ÿ"]
    junk = data.draw(st.one_of(st.sampled_from(pieces), st.text(max_size=5)))
    tail = "" if data.draw(st.booleans()) else text[stop:]
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "latin-1"]))
    return (text[:start] + junk + tail).encode(encoding, errors="replace")


def assert_reads_or_refuses(path: Path, read: Callable[[], list[ImageAnnotations]], fmt: AnnotationFormat) -> None:
    """A file is read to valid landmarks, or refused in one sentence that names it; recognising never raises."""
    assert fmt.recognises(path) in (True, False)
    try:
        for image in read():
            image.landmarks()
    except AnnotationError as error:
        message = str(error)
        assert str(path) in message
        assert message.endswith(".")
