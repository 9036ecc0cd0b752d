"""Landmarks and images under one affine map, pixel centre to pixel centre: arrays or tensors, any number at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.transforms.resample import resample

if TYPE_CHECKING:
    from torch import Tensor

Landmarks = TypeVar("Landmarks", "Tensor", npt.NDArray[Any])


def affine_landmarks(landmarks: Landmarks, affine_matrix: npt.ArrayLike | Tensor) -> Landmarks:
    """Landmarks moved by a matrix from old to new index coordinates (the push, which is the inverse of the pull).

    Args:
        landmarks: ``(..., D)``; gradients flow through tensors.
        affine_matrix: homogeneous, ``(D+1, D+1)``, or ``(4, 4)`` also in 2D, of which the third axis is left out.

    Raises:
        GeometryError: if the matrix has another shape.
    """
    ndim = landmarks.shape[-1]
    given = np.asarray(affine_matrix, dtype=np.float64)
    if ndim not in (2, 3) or given.shape not in ((ndim + 1, ndim + 1), (4, 4)):
        raise GeometryError(f"A matrix of {given.shape} cannot move landmarks of {ndim} dimensions.")
    matrix = np.eye(ndim + 1)
    matrix[:-1, :-1], matrix[:-1, -1] = given[:ndim, :ndim], given[:ndim, -1]
    return _pushed(landmarks, matrix)


def resize_landmarks(
    landmarks: Landmarks,
    orig_dim: Sequence[int],
    new_dim: Sequence[int],
    padding: Sequence[float] | npt.ArrayLike | Tensor | None = None,
) -> Landmarks:
    """Landmarks of an image that was padded on both sides and then stretched to ``new_dim``.

    Args:
        landmarks: index coordinates, ``(..., D)``.
        orig_dim: shape of the image.
        new_dim: shape it was drawn in.
        padding: pixels of the image that were added on each side of each axis, ``(D,)``; none by default.
    """
    size, target = np.asarray(orig_dim, dtype=np.float64), np.asarray(new_dim, dtype=np.float64)
    added = np.zeros(len(size)) if padding is None else np.asarray(padding, dtype=np.float64)
    shape, result = tuple(int(n) for n in size), tuple(int(n) for n in target)
    return _pushed(landmarks, AffineMap.scaling(shape, (target / (size + 2 * added)).tolist(), result).matrix)


def crop_landmarks(landmarks: Landmarks, start: Sequence[int], dim: Sequence[int] | None = None) -> Landmarks:
    """Landmarks of an image of which a part was cut out (or, with negative ``start``, which was padded).

    Args:
        landmarks: index coordinates, ``(..., D)``.
        start: index of the image that becomes 0, ``(D,)``.
        dim: shape of the part; landmarks beyond its outer pixel borders become NaN. By default all are kept.
    """
    ndim = landmarks.shape[-1]
    shape = (1,) * ndim if dim is None else tuple(int(n) for n in dim)
    moved = _pushed(landmarks, AffineMap.crop(shape, start, shape).matrix)
    if dim is None:
        return moved
    upper = np.asarray(shape) - 0.5
    if isinstance(moved, np.ndarray):
        return np.where(((moved >= -0.5) & (moved <= upper)).all(axis=-1, keepdims=True), moved, np.nan)
    inside = ((moved >= -0.5) & (moved <= moved.new_tensor(upper))).all(dim=-1, keepdim=True)
    return moved.where(inside, moved.new_tensor(np.nan))


def resize_with_pad(images: Landmarks, dim: Sequence[int]) -> tuple[Landmarks, tuple[float, ...]]:
    """Images in another size with their aspect kept, and with zeros alike on both sides where it differs.

    Args:
        images: array or tensor ``(..., *space)``, any number of images and channels.
        dim: the new shape, ``D`` numbers.

    Returns:
        The images ``(..., *dim)`` of the same type, and the padding for `resize_landmarks`: pixels of the given
        images that were added on each side of each axis.
    """
    ndim = len(dim)
    shape, target = tuple(images.shape[-ndim:]), tuple(int(n) for n in dim)
    if ndim not in (2, 3) or images.ndim < ndim:
        raise GeometryError(f"Images of {tuple(images.shape)} cannot be drawn in {target}.")
    to = AffineMap.fit(shape, target)
    array = images if isinstance(images, np.ndarray) else images.detach().cpu().numpy()
    drawn = resample(array.reshape(-1, *shape).astype(np.float32), to, fill=0.0).reshape(*array.shape[:-ndim], *target)
    if not np.issubdtype(array.dtype, np.floating):
        drawn = drawn.round()
    scale = to.matrix[0, 0]
    padding = tuple((t / scale - n) / 2 for n, t in zip(shape, target, strict=True))
    if isinstance(images, np.ndarray):
        return drawn.astype(images.dtype), padding
    from torch import from_numpy

    return from_numpy(drawn).to(images), padding


def _pushed(landmarks: Landmarks, matrix: FloatArray) -> Landmarks:
    """Points ``(..., D)`` times a homogeneous matrix, in their own type."""
    if isinstance(landmarks, np.ndarray):
        moved = landmarks @ matrix[:-1, :-1].T + matrix[:-1, -1]
        return moved.astype(landmarks.dtype) if np.issubdtype(landmarks.dtype, np.floating) else moved
    points = landmarks if landmarks.is_floating_point() else landmarks.float()
    return points @ points.new_tensor(matrix[:-1, :-1].T.copy()) + points.new_tensor(matrix[:-1, -1])
