"""From the network's frame to the image on disk, for arrays of landmarks of many images at once.

The arguments ``dim``, ``dim_orig``, ``pixel_spacing`` and ``padding`` are those of the toolkit's paper (Jonkers et al.,
SoftwareX 30, 2025). Each is one row ``(D,)`` for all images or one row an image ``(B, D)``, in array order. They become
an `AffineMap` here, and nothing else is computed with them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, FloatArray


def as_array(values: Any) -> FloatArray:
    """Values as float64; a tensor is taken off its graph and its device, and lists of tensors are stacked."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().double()  # numpy knows no bfloat16
    elif isinstance(values, list | tuple) and any(hasattr(value, "detach") for value in values):
        values = [as_array(value) for value in values]
    return np.asarray(values, dtype=np.float64)


def has_point(points: FloatArray) -> npt.NDArray[np.bool_]:
    """Which of points ``(..., D)`` are there: all of their coordinates are finite."""
    return np.asarray(np.isfinite(points).all(axis=-1))


def frame_map(dim: npt.ArrayLike, dim_orig: npt.ArrayLike, padding: npt.ArrayLike | None = None) -> AffineMap:
    """The map of one image from its pixels on disk to those of the network's frame.

    Args:
        dim: shape of the network's frame, ``(D,)``.
        dim_orig: shape of the image on disk, ``(D,)``.
        padding: pixels of the network's frame that lie before the image along each axis, ``(D,)``; as many lie behind
            it. They need not be whole. None or zeros where the image was stretched onto the whole frame.

    Returns:
        The map; pixel centres are integers in both frames, so that ``i`` becomes ``(i + 0.5) * s - 0.5 + padding``.

    Raises:
        GeometryError: if a shape is not made of positive whole numbers, or the padding leaves no room for the image.
    """
    frame, size = as_array(dim), as_array(dim_orig)
    added = np.zeros_like(frame) if padding is None else as_array(padding)
    for name, shape in (("dim", frame), ("dim_orig", size)):
        if not (np.isfinite(shape).all() and (shape >= 1).all() and (shape == np.round(shape)).all()):
            raise GeometryError(f"{name} must be a shape in whole pixels, such as (512, 512), not {shape.tolist()}.")
    scale = (frame - 2 * added) / size
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise GeometryError(f"A padding of {added.tolist()} leaves no room for an image in {frame.tolist()} pixels.")
    return AffineMap.scaling([int(n) for n in size], scale.tolist(), [int(n) for n in frame])


def to_image(
    points: FloatArray,
    dim: npt.ArrayLike | None,
    dim_orig: npt.ArrayLike | None,
    padding: npt.ArrayLike | None,
) -> FloatArray:
    """Points of the network's frame in index coordinates of the image on disk.

    Args:
        points: ``(..., D)``; the first axis is that of the images where ``dim``, ``dim_orig`` or ``padding`` have a row
            for each.
        dim: shape of the network's frame; None, together with ``dim_orig``, if the points are in the image already.
        dim_orig: shape of each image on disk.
        padding: see `frame_map`.

    Raises:
        GeometryError: if only one of ``dim`` and ``dim_orig`` is given, or their shapes do not fit the points.
    """
    if dim is None and dim_orig is None:
        if padding is not None and as_array(padding).any():
            raise GeometryError("Padding can only be undone with dim and dim_orig: give both shapes.")
        return points
    if dim is None or dim_orig is None:
        raise GeometryError("dim and dim_orig belong together: give both shapes, or neither.")
    count, ndim = points.shape[0], points.shape[-1]
    given = {"dim": dim, "dim_orig": dim_orig, "padding": np.zeros(ndim) if padding is None else padding}
    rows = np.hstack([np.broadcast_to(_rows(name, v, points.shape), (count, ndim)) for name, v in given.items()])
    kinds, kind_of = np.unique(rows, axis=0, return_inverse=True)
    out = np.empty_like(points)
    for number, kind in enumerate(kinds):
        of_kind = kind_of.reshape(-1) == number
        to_network = frame_map(kind[:ndim], kind[ndim : 2 * ndim], kind[2 * ndim :])
        out[of_kind] = to_network.inverse.apply(points[of_kind])
    return out


def spacing_of(pixel_spacing: npt.ArrayLike | None, shape: tuple[int, ...]) -> FloatArray | None:
    """Spacing (mm) that broadcasts against points of ``shape`` ``(..., D)``, None where it is not known.

    Args:
        pixel_spacing: mm per array axis of the image on disk: one number, ``(D,)`` or ``(B, D)``. None, or NaN
            throughout as the datasets give it, where it is not known.
        shape: shape of the points; its first axis is that of the images.

    Raises:
        GeometryError: if the spacing is not positive, is known of some images only, or does not fit.
    """
    if pixel_spacing is None:
        return None
    spacing = as_array(pixel_spacing)
    if spacing.size and np.isnan(spacing).all():
        return None
    if np.isnan(spacing).any():
        raise GeometryError(
            "Some images state no pixel spacing: give the spacing of all, or None to compare in pixels."
        )
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise GeometryError("Pixel spacing must be positive numbers of millimetres.")
    if spacing.ndim == 0:
        spacing = np.full(shape[-1], float(spacing))
    rows = _rows("pixel_spacing", spacing, shape)
    return rows.reshape(len(rows), *(1,) * (len(shape) - 2), shape[-1])


def _rows(name: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """An argument as ``(1, D)`` or ``(B, D)``."""
    rows = np.atleast_2d(as_array(values))
    if rows.shape not in ((1, shape[-1]), (shape[0], shape[-1])):
        raise GeometryError(
            f"{name} of shape {rows.shape} does not fit landmarks of shape {shape}: give ({shape[-1]},), or a row for "
            "each image."
        )
    return rows
