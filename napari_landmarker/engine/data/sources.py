"""What datasets are made from: images in files or memory, and points as people hand them over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_landmarker.engine.errors import GeometryError, ImageError
from napari_landmarker.engine.geometry import AffineMap, FloatArray, Grid
from napari_landmarker.engine.io import Image, ImageGeometry, read_geometry, read_image

ImageSource = str | Path | npt.NDArray[Any] | Tensor | Image
#: Millimetres per pixel and axis, or None for what the file states.
Spacing = tuple[float, ...] | None
#: An array with more numbers along its first axis, and no more along its last, has its channels there.
_MOST_CHANNELS = 4


def as_sources(imgs: Sequence[ImageSource] | npt.NDArray[Any] | Tensor, name: str = "imgs") -> list[ImageSource]:
    """The images as a list of its own; GeometryError, with the argument's name, where there is none."""
    if isinstance(imgs, str | Path | Image) or not isinstance(imgs, Iterable) or getattr(imgs, "ndim", 1) == 0:
        raise GeometryError(f"{name} must be a list of images, even of a single one.")
    sources: list[ImageSource] = list(imgs)
    if not sources:
        raise GeometryError(f"{name} is empty: give at least one image.")
    return sources


def as_size(given: Any, name: str, ndim: int) -> tuple[int, ...]:
    """A shape ``(D,)``; GeometryError, with the argument's name, unless it is of positive whole numbers."""
    try:
        size = tuple(int(n) for n in given)
        fits = len(size) == ndim and min(size) > 0 and all(n == m for n, m in zip(size, given, strict=True))
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise GeometryError(f"{name} must be {ndim} positive whole numbers of pixels, not {given}.")
    return size


def as_points(landmarks: Any, count: int, ndim: int) -> FloatArray:
    """Points as ``(N, L, D)`` or ``(N, L, M, D)``, in memory of their own, which cannot be changed.

    Args:
        landmarks: an array or tensor of either shape, or ``(N, D)`` for one landmark; or a list with, for each image,
            ``(L, D)`` or ``(L, M, D)``, where M may differ between images (fewer are filled up with NaN).
        count: number of images ``N``.
        ndim: ``D``.

    Raises:
        GeometryError: if the shape does not fit, naming the first image where it does not, or a number is infinite.
    """
    if not isinstance(landmarks, Iterable):
        raise GeometryError("landmarks must be an array, or a list with the landmarks of each image.")
    if isinstance(landmarks, np.ndarray | Tensor):
        points = _numbers(landmarks)
        if points.ndim == 2:
            points = points[:, None]
        if points.ndim not in (3, 4) or points.shape[0] != count or points.shape[-1] != ndim:
            raise GeometryError(
                f"landmarks of shape {points.shape} do not fit {count} images in {ndim} dimensions: "
                "they must be (images, landmarks, [instances,] dimensions)."
            )
    else:
        points = _stacked([_numbers(rows) for rows in landmarks], count, ndim)
    if np.isinf(points).any():
        number = int(np.argwhere(np.isinf(points))[0, 0]) + 1
        raise GeometryError(f"The landmarks of image {number} hold an infinite number: use NaN for what is missing.")
    points.setflags(write=False)
    return points


def as_spacings(given: Any, count: int, ndim: int) -> list[Spacing]:
    """Spacing of each image: from one for all ``(D,)``, one an image ``(N, D)``, or one number an image ``(N,)``.

    Raises:
        GeometryError: if the shape does not fit, or a spacing is not positive.
    """
    if given is None:
        return [None] * count
    rows = _numbers(given)
    if rows.shape == (count,) and rows.shape != (ndim,):
        rows = np.repeat(rows[:, None], ndim, axis=1)
    if rows.shape not in ((), (ndim,), (count, ndim)):
        raise GeometryError(f"pixel_spacing must have shape ({ndim},) or ({count}, {ndim}), not {rows.shape}.")
    if not (np.isfinite(rows).all() and (rows > 0).all()):
        raise GeometryError("pixel_spacing must be positive numbers of millimetres; leave it out where it is unknown.")
    return [tuple(row.tolist()) for row in np.broadcast_to(rows, (count, ndim))]


def load(source: ImageSource, ndim: int, spacing: Spacing) -> Image:
    """An image in memory; arrays and tensors are ``(*space)`` or ``(C, *space)``.

    Raises:
        ImageError: if it cannot be read, or has another number of dimensions.
    """
    if isinstance(source, Image):
        image = source
    elif isinstance(source, str | Path):
        image = read_image(source)
    else:
        array = _pixels(source)
        color = array.ndim == ndim + 1
        if array.ndim not in (ndim, ndim + 1):
            raise ImageError(
                f"An image of shape {array.shape} does not have {ndim} dimensions, with or without channels."
            )
        if color and array.shape[0] > _MOST_CHANNELS >= array.shape[-1]:
            raise ImageError(
                f"An image of shape {array.shape} seems to have its channels last: they must come first, "
                "as numpy.moveaxis(image, -1, 0) puts them."
            )
        image = Image.from_array(np.moveaxis(array, 0, -1) if color else array, color=color)
    _require_dimensions(image.grid, ndim, source)
    return image if spacing is None else replace(image, grid=image.grid.with_spacing(spacing))


def _pixels(source: npt.NDArray[Any] | Tensor) -> npt.NDArray[Any]:
    """The numbers of an array or a tensor; ImageError where they are not real."""
    if isinstance(source, Tensor):
        source = source.detach().cpu()
        source = (source.float() if source.dtype == torch.bfloat16 else source).numpy()  # numpy knows no bfloat16
    array = np.asarray(source)
    if array.dtype.kind not in "buif":
        raise ImageError(f"{name_of(array)} holds no real numbers ({array.dtype}): give them as float32.")
    return array


def geometry_of(source: ImageSource, ndim: int) -> ImageGeometry:
    """Where the pixels of an image are, of a file by its header alone; raises as `load`."""
    if isinstance(source, str | Path):
        geometry = read_geometry(source)
    elif isinstance(source, Image):
        geometry = source.geometry
    else:
        grid = Grid(np.shape(source)[-ndim:])
        geometry = ImageGeometry(grid, AffineMap.identity(grid.shape))
    _require_dimensions(geometry.grid, ndim, source)
    return geometry


def _require_dimensions(grid: Grid, ndim: int, source: ImageSource) -> None:
    if grid.ndim != ndim:
        raise ImageError(
            f"{name_of(source)} has {grid.ndim} dimensions, but spatial_dims is {ndim}: choose images of one kind."
        )


def name_of(source: ImageSource) -> str:
    """What a source is called in messages."""
    if isinstance(source, str | Path):
        return str(source)
    return f"An image of shape {tuple(np.shape(source.array if isinstance(source, Image) else source))}"


def _numbers(values: Any) -> FloatArray:
    if isinstance(values, Tensor):
        values = values.detach().cpu().to(torch.float64).numpy()
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GeometryError(
            "landmarks and spacings must be numbers in rows of the same length: use NaN for what is missing."
        ) from error


def _stacked(rows: list[FloatArray], count: int, ndim: int) -> FloatArray:
    """The points of each image as one array."""
    if len(rows) != count:
        raise GeometryError(f"There are {count} images but landmarks for {len(rows)}: give one row an image.")
    first = rows[0]
    for number, row in enumerate(rows):
        fits = row.ndim == first.ndim and row.shape[0] == first.shape[0] and row.shape[-1] == ndim
        if not fits or row.ndim not in (1, 2, 3):
            raise GeometryError(
                f"The landmarks of image {number + 1} have the shape {row.shape}, which does not fit {first.shape} "
                f"of the first image in {ndim} dimensions."
            )
    if first.ndim == 1:
        return np.stack(rows)[:, None]
    if first.ndim == 2:
        return np.stack(rows)
    out = np.full((count, first.shape[0], max(row.shape[1] for row in rows), ndim), np.nan)
    for number, row in enumerate(rows):
        out[number, :, : row.shape[1]] = row
    return out
