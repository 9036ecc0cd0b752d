"""What is drawn on slices of a volume beside its landmarks, and where a straight line is seen on one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qtpy.QtGui import QImage

from napari_landmarker.engine.geometry import FloatArray


@dataclass(frozen=True, eq=False)
class SliceLine:
    """A line on a slice.

    Attributes:
        points: its corners in index coordinates, ``(N, 3)``.
        color: as Qt knows it.
        width_px: in screen pixels.
        strong: how strongly it is drawn, from 0 to 1.
    """

    points: FloatArray
    color: str
    width_px: float
    strong: float = 1.0


@dataclass(frozen=True, eq=False)
class SliceMark:
    """A hollow diamond on a slice.

    Attributes:
        place: index coordinates, ``(3,)``.
        color: as Qt knows it.
        strong: how strongly it is drawn, from 0 to 1.
    """

    place: FloatArray
    color: str
    strong: float = 1.0


@dataclass(frozen=True, eq=False)
class SliceText:
    """A text on a slice; it makes way for points and names.

    Attributes:
        key: what it is of, by which it is known again when it says something else.
        text: what is written.
        place: of its middle, in index coordinates, ``(3,)``.
        color: as Qt knows it.
        strong: how strongly it is written, from 0 to 1.
    """

    key: str
    text: str
    place: FloatArray
    color: str
    strong: float = 1.0


@dataclass(frozen=True, eq=False)
class SlicePicture:
    """A picture that lies as a veil on a slice, under all else.

    Attributes:
        image: its rows and columns go along the two axes of the slice, in their order.
        first: index coordinates of the outer corner of its first pixel, ``(3,)``.
        last: the same of its last pixel.
        strong: how strongly it is drawn, from 0 to 1.
    """

    image: QImage
    first: FloatArray
    last: FloatArray
    strong: float = 1.0


Drawn = SliceLine | SliceMark | SliceText | SlicePicture
#: Tells what it draws on the slice at an index of an axis.
Guest = Callable[[int, int], Sequence[Drawn]]


def laid_flat(segments: FloatArray, axes: Sequence[int], at: FloatArray | float) -> FloatArray:
    """Straight lines ``(N, 2, D)`` that reach the slice at ``at`` of some axes, as they fall on it; the others not."""
    low, high = segments[:, :, axes].min(axis=1), segments[:, :, axes].max(axis=1)
    flat = segments[((low <= at + 0.5) & (high >= at - 0.5)).all(axis=1)].copy()
    flat[:, :, axes] = at
    return flat
