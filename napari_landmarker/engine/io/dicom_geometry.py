"""Where DICOM slices lie, and how they make one volume.

A stack is accepted as a regular grid where every slice lies within a tolerance of its even place: 2 % of the distance
between slices or 0.1 mm (some headers round positions to that), whichever is more, and never more than a tenth of that
distance. The distance is measured from the positions; SliceThickness is not used.

Source: DICOM PS3.3 C.7.6.2 (image plane), C.7.6.16.2 (functional groups).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.io.dicom_header import functional_group, numbers

_SAME_PLACE_MM = 1e-3
_SAME_DIRECTION = 1e-3
_TILT = 9e-4
_EVEN_PART, _EVEN_MM, _EVEN_PART_AT_MOST = 0.02, 0.1, 0.1


@dataclass(frozen=True)
class Plane:
    """One slice.

    Attributes:
        name: what to call it in messages, such as its file's name.
        shape: rows and columns.
        spacing: mm between rows and between columns, where valid.
        position: world coordinates (LPS, mm) of the centre of its first pixel, where stated.
        orientation: unit vectors along a row (to the next column) and along a column (to the next row), where valid.
    """

    name: str
    shape: tuple[int, int]
    spacing: tuple[float, float] | None
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None

    @property
    def is_placed(self) -> bool:
        """Whether it has all that a slice of a volume needs."""
        return None not in (self.spacing, self.position, self.orientation)

    def is_parallel(self, other: Plane) -> bool:
        """Whether both state the same orientation."""
        if self.orientation is None or other.orientation is None:
            return self.orientation is other.orientation
        return bool(np.allclose(self.orientation, other.orientation, rtol=0, atol=_SAME_DIRECTION))

    def is_alike(self, other: Plane) -> bool:
        """Whether both have the same size and spacing."""
        if self.shape != other.shape:
            return False
        return self.spacing == other.spacing or bool(
            self.spacing and other.spacing and np.allclose(self.spacing, other.spacing, rtol=1e-3, atol=0)
        )


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices in order.

    Attributes:
        order: ``order[k]`` is the number, as given, of the slice at array index ``k``.
        grid: of the array ``(slice, row, column)``.
    """

    order: tuple[int, ...]
    grid: Grid


def plane_of(dataset: Any, name: str, frame: int = 0) -> Plane:
    """The place of a frame, from its functional groups or from the top of the data set."""
    return Plane(
        name,
        (int(dataset.Rows), int(dataset.Columns)),
        pixel_spacing(functional_group(dataset, "PixelMeasuresSequence", frame), "PixelSpacing"),
        numbers(functional_group(dataset, "PlanePositionSequence", frame), "ImagePositionPatient", 3),
        _orientation(functional_group(dataset, "PlaneOrientationSequence", frame)),
    )


def pixel_spacing(dataset: Any, keyword: str) -> tuple[float, float] | None:
    """Millimetres between rows and between columns; None where not stated or not positive."""
    sizes = numbers(dataset, keyword, 2)
    return (sizes[0], sizes[1]) if sizes is not None and min(sizes) > 0 else None


def _orientation(dataset: Any) -> tuple[float, ...] | None:
    """Unit vectors of a row and a column, or None where they are not stated, of no length or not at right angles."""
    stated = numbers(dataset, "ImageOrientationPatient", 6)
    if stated is None:
        return None
    row, column = np.reshape(stated, (2, 3))
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not np.allclose(lengths, 1, atol=0.01):
        return None
    row, column = row / lengths[0], column / lengths[1]
    if abs(float(row @ column)) > _TILT:
        return None
    return (*row.tolist(), *column.tolist())


def stacked(planes: Sequence[Plane], subject: str) -> Stack:
    """Put slices in order of their positions along their normal.

    Args:
        planes: two or more.
        subject: the file or folder, for messages.

    Raises:
        ImageError: if a slice has no place, they differ in size, spacing or orientation, two lie at one place, one is
            missing, or they are uneven or shifted sideways.
    """
    first = planes[0]
    for plane in planes:
        if not plane.is_placed:
            raise ImageError(
                f"{subject} cannot be put together, for {plane.name} states no valid position, orientation or pixel "
                "spacing: export the series again with them, or open a copy of one file that lies in a folder alone."
            )
        if not plane.is_parallel(first):
            raise ImageError(
                f"{subject} is no volume, for {first.name} and {plane.name} are not parallel: "
                "export the parallel slices alone."
            )
        if not plane.is_alike(first):
            raise ImageError(
                f"{subject} is no volume, for {first.name} and {plane.name} differ in size or pixel spacing: "
                "keep only the slices that belong together in the folder."
            )
    row, column = np.reshape(np.asarray(first.orientation), (2, 3))
    normal = np.cross(row, column)
    positions = np.asarray([plane.position for plane in planes], dtype=np.float64)
    order = np.argsort(positions @ normal, kind="stable")
    names = [planes[i].name for i in order]
    step = _step(positions[order], normal / np.linalg.norm(normal), names, subject)
    distance = float(np.linalg.norm(step))
    spacing = (distance, *(first.spacing or ()))
    direction = np.stack([step / distance, column, row], axis=1)
    grid = Grid((len(planes), *first.shape), spacing, positions[order[0]], direction)
    return Stack(tuple(int(i) for i in order), grid)


def _step(positions: FloatArray, normal: FloatArray, names: Sequence[str], subject: str) -> FloatArray:
    """The vector from one slice to the next, ``(3,)`` in mm, of positions ``(N, 3)`` in order along ``normal``."""
    gaps = np.diff(positions @ normal)
    _require_distinct(gaps, names, subject)
    usual = float(np.median(gaps))
    widest = int(np.argmax(gaps))
    if gaps[widest] > 1.5 * usual:
        raise ImageError(
            f"{subject} lacks slices between {names[widest]} and {names[widest + 1]} ({gaps[widest]:.4g} mm instead "
            f"of {usual:.4g} mm): export the whole series again."
        )
    step = np.asarray((positions[-1] - positions[0]) / (len(positions) - 1))
    distance = float(np.linalg.norm(step))
    if float(np.linalg.norm(step - (step @ normal) * normal)) > _TILT * distance:
        raise ImageError(
            f"{subject} has slices that are shifted sideways (a tilted gantry): resample it to a regular grid, "
            "for example in 3D Slicer, and choose the result."
        )
    tolerance = min(max(_EVEN_PART * distance, _EVEN_MM), _EVEN_PART_AT_MOST * distance)
    even = positions[0] + np.arange(len(positions))[:, None] * step
    if float(np.linalg.norm(positions - even, axis=1).max()) > tolerance:
        raise ImageError(
            f"{subject} has slices at uneven distances ({gaps.min():.4g} to {gaps.max():.4g} mm): resample it to a "
            "regular grid, for example in 3D Slicer, and choose the result."
        )
    return step


def _require_distinct(gaps: FloatArray, names: Sequence[str], subject: str) -> None:
    """ImageError where two slices lie at one place."""
    repeated = gaps < _SAME_PLACE_MM
    if not repeated.any():
        return
    places = np.concatenate([[0], np.cumsum(~repeated)])
    counts = np.bincount(places)
    if counts.min() == counts.max() and len(names) > 2:
        raise ImageError(
            f"{subject} has {counts.max()} images at every place (such as time points, echoes or phases): "
            "export one of them as a series of its own and choose that."
        )
    at = int(np.argmax(repeated))
    raise ImageError(
        f"{subject} has two slices at one place, {names[at]} and {names[at + 1]}: "
        "keep one of them in the folder and remove the other."
    )
