"""What a format has no place for, known before anything is written, in plain words for who has to choose one."""

from __future__ import annotations

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.annotation_format import AnnotationFormat


def why_not(fmt: AnnotationFormat, grid: Grid, n_landmarks: int) -> str:
    """Why a format cannot hold the landmarks of an image, in one sentence; empty where it can.

    Args:
        fmt: the format.
        grid: geometry of the image.
        n_landmarks: how many landmarks there are, ``L``.
    """
    can = fmt.capabilities
    if grid.ndim not in can.dimensions:
        which = " or ".join(f"{n}D" for n in can.dimensions)
        return f"Only for {which} images; this one is {grid.ndim}D."
    if can.landmarks not in (None, n_landmarks):
        return f"Only for exactly {can.landmarks} landmarks; there are {n_landmarks}."
    if grid.ndim in can.needs_spacing and grid.spacing is None:
        return "Only in millimetres; the pixel size of this image is not known."
    return ""


def unit_written(fmt: AnnotationFormat, grid: Grid) -> str:
    """``"px"`` or ``"mm"``: what the coordinates of an image are written in; never mm where the spacing is unknown."""
    return "px" if grid.ndim == 2 or fmt.capabilities.as_stored or grid.spacing is None else "mm"


def left_out(fmt: AnnotationFormat) -> tuple[str, ...]:
    """What such a file has no place for, in a few words each."""
    can = fmt.capabilities
    hidden = "which landmarks are not visible"
    return tuple(
        words
        for kept, words in (
            (can.names, "the names of the landmarks (their order tells which is which)"),
            (can.absent, f"{hidden} (they look like not placed yet)" if can.unplaced else hidden),
            (can.locked, "locks"),
            (can.status, "which points came from a model"),
            (can.score, "how sure the model was"),
        )
        if not kept
    )
