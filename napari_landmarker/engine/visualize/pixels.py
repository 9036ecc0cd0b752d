"""The pixels of a slice as they are drawn: cut, thinned out where they are too many, scaled to [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.io.image import Image

#: A drawn slice has at most about this many pixels along an axis.
_MOST_PX = 1600
#: Grey values are judged on at most about this many pixels.
_SAMPLE = 200_000


def value_range(image: Image) -> tuple[float, float]:
    """The values drawn black and white: the full range of 8-bit colour, else the 0.5 and 99.5 percentiles."""
    if image.is_color and image.array.dtype == np.uint8:
        return 0.0, 255.0
    step = math.ceil((image.array.size / _SAMPLE) ** (1 / image.grid.ndim))  # a volume as stored may be a turned view
    values = np.asarray(image.array[(slice(None, None, step),) * image.grid.ndim], dtype=np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, [0.5, 99.5]))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low, low + 1.0)


def plane_pixels(
    image: Image,
    rows: int,
    columns: int,
    fixed: int | None,
    at_px: int,
    ranges: Sequence[tuple[int, int]],
    limits: tuple[float, float],
) -> tuple[npt.NDArray[np.float32], tuple[tuple[float, float], tuple[float, float]]]:
    """Cut a rectangle out of a plane of an image.

    Args:
        image: the image, 2D or 3D.
        rows: array axis that becomes axis 0 of the result.
        columns: array axis that becomes axis 1; it lies behind ``rows``.
        fixed: the array axis that is cut, None in 2D.
        at_px: index along ``fixed``.
        ranges: first index and end along rows and columns.
        limits: values that become 0 and 1.

    Returns:
        Pixels ``(R, C)`` or ``(R, C, 3)`` in [0, 1], and for rows and columns the index coordinates of the
        borders of what they cover.
    """
    index: list[Any] = [slice(None)] * image.array.ndim
    spans: list[tuple[float, float]] = []
    for axis, (first, end) in zip((rows, columns), ranges, strict=True):
        step = -(-(end - first) // _MOST_PX)
        count = (end - first) // step
        start = first + (step - 1) // 2
        index[axis] = slice(start, start + (count - 1) * step + 1, step)
        spans.append((first - 0.5, first + count * step - 0.5))
    if fixed is not None:
        index[fixed] = at_px
    pixels = np.asarray(image.array[tuple(index)], dtype=np.float32)
    low, high = limits
    pixels = np.clip((np.nan_to_num(pixels, nan=low) - low) / (high - low), 0, 1)
    return pixels, (spans[0], spans[1])
