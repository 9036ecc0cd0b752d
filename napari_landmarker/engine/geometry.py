"""Where pixels are: `Grid` (index and world coordinates) and `AffineMap` (one frame to another).

Index coordinates are in array order, ``(y, x)`` or ``(z, y, x)``, and the centre of a pixel has an integer index.
World coordinates are millimetres in the order ``(x, y[, z])``; in 3D they are LPS, as in DICOM: x grows to the
patient's left, y to the back, z to the head. In 2D, x grows to the right of the image and y downwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError

FloatArray = npt.NDArray[np.float64]


def _frozen(array: npt.ArrayLike) -> FloatArray:
    out = np.array(array, dtype=np.float64)
    out.setflags(write=False)
    return out


def reversed_axes(ndim: int) -> FloatArray:
    """The direction matrix of an image whose array axes ``(z, y, x)`` run along world ``z, y, x``: shape ``(D, D)``."""
    return np.fliplr(np.eye(ndim))


@dataclass(frozen=True, eq=False)
class Grid:
    """The geometry of one image.

    Attributes:
        shape: number of pixels per array axis, ``(Y, X)`` or ``(Z, Y, X)``; all ones in a frame without an image
            (see `without_image`).
        spacing: millimetres between pixel centres per array axis, or None where the file does not state it.
        origin: world coordinates (mm, order ``x, y[, z]``) of the centre of pixel 0; ``(D,)``.
        direction: ``(D, D)``, orthonormal; column ``a`` is the world direction of array axis ``a``.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    origin: FloatArray = None  # type: ignore[assignment]
    direction: FloatArray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        ndim = len(self.shape)
        shape = tuple(int(n) for n in self.shape)
        if ndim not in (2, 3) or min(shape) < 1:
            raise GeometryError(f"An image has two or three dimensions of at least one pixel; this one is {shape}.")
        object.__setattr__(self, "shape", shape)
        if self.spacing is not None:
            spacing = tuple(float(s) for s in self.spacing)
            if len(spacing) != ndim or not all(np.isfinite(s) and s > 0 for s in spacing):
                raise GeometryError(f"Spacing must be {ndim} positive numbers of millimetres, not {spacing}.")
            object.__setattr__(self, "spacing", spacing)
        origin = np.zeros(ndim) if self.origin is None else self.origin
        direction = reversed_axes(ndim) if self.direction is None else self.direction
        origin, direction = _frozen(origin), _frozen(direction)
        if origin.shape != (ndim,) or direction.shape != (ndim, ndim):
            raise GeometryError(f"Origin and direction do not fit an image of {ndim} dimensions.")
        if not np.isfinite(origin).all():
            raise GeometryError("The origin of an image must be finite numbers of millimetres.")
        if not np.allclose(direction.T @ direction, np.eye(ndim), atol=1e-3):
            raise GeometryError(
                "The image axes are not at right angles (sheared): resample it to a regular grid first."
            )
        object.__setattr__(self, "origin", origin)
        object.__setattr__(self, "direction", direction)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grid):
            return NotImplemented
        if self.shape != other.shape or (self.spacing is None) != (other.spacing is None):
            return False
        return (
            (self.spacing is None or np.allclose(self.spacing, other.spacing or ()))
            and np.allclose(self.origin, other.origin)
            and np.allclose(self.direction, other.direction)
        )

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def without_image(cls, ndim: int, *, world: bool = False) -> Grid:
        """The frame of points whose image is not at hand, so that its size is not known.

        Args:
            ndim: ``D``.
            world: whether the points are world coordinates in mm (index order reversed: ``z, y, x``), or pixels of
                an image whose spacing is not known.
        """
        return cls((1,) * ndim, (1.0,) * ndim if world else None)

    @property
    def has_image(self) -> bool:
        """Whether the size of the image is known; see `without_image`."""
        return any(n > 1 for n in self.shape)

    @property
    def ndim(self) -> int:
        """Number of spatial dimensions ``D``."""
        return len(self.shape)

    @property
    def unit(self) -> str:
        """``"mm"`` where the spacing is known, else ``"px"``."""
        return "px" if self.spacing is None else "mm"

    @cached_property
    def matrix(self) -> FloatArray:
        """``(D+1, D+1)`` homogeneous matrix from index (array order) to world (x, y[, z]) coordinates in mm.

        Raises:
            GeometryError: if the spacing is not known.
        """
        if self.spacing is None:
            raise GeometryError("This image states no spacing, so nothing in it has a place in millimetres.")
        matrix = np.eye(self.ndim + 1)
        matrix[:-1, :-1] = self.direction * np.asarray(self.spacing)
        matrix[:-1, -1] = self.origin
        return _frozen(matrix)

    def index_to_world(self, points: npt.ArrayLike) -> FloatArray:
        """Index coordinates ``(..., D)`` to world mm ``(..., D)``; GeometryError without spacing."""
        return apply_matrix(self.matrix, points)

    def world_to_index(self, points: npt.ArrayLike) -> FloatArray:
        """World mm ``(..., D)`` to index coordinates ``(..., D)``; GeometryError without spacing."""
        return apply_matrix(_frozen(np.linalg.inv(self.matrix)), points)

    def distance(self, a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
        """Euclidean distance between index coordinates ``(..., D)``, in `unit`; NaN where either is NaN."""
        difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
        scale = np.ones(self.ndim) if self.spacing is None else np.asarray(self.spacing)
        return np.asarray(np.linalg.norm(difference * scale, axis=-1))

    def contains(self, points: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether index coordinates ``(..., D)`` lie on the image, pixel borders included; False for NaN.

        Every point lies in a frame without an image.
        """
        points = np.asarray(points, dtype=np.float64)
        if not self.has_image:
            return np.asarray(np.isfinite(points).all(axis=-1))
        upper = np.asarray(self.shape) - 0.5
        return np.asarray(np.all((points >= -0.5) & (points <= upper), axis=-1))

    def with_spacing(self, spacing: Sequence[float] | None) -> Grid:
        """The same grid with another spacing (mm per array axis)."""
        return replace(self, spacing=None if spacing is None else tuple(spacing))


def apply_matrix(matrix: FloatArray, points: npt.ArrayLike) -> FloatArray:
    """Apply a homogeneous ``(D+1, D+1)`` matrix to points ``(..., D)``."""
    points = np.asarray(points, dtype=np.float64)
    return np.asarray(points @ matrix[:-1, :-1].T + matrix[:-1, -1])


@dataclass(frozen=True, eq=False)
class AffineMap:
    """An invertible map between the index coordinates of two frames.

    Resize, pad, crop, flip, axis permutation, rotation and every affine are this one object, so a chain of them is
    again one (`then`) and has one inverse. It links the image on disk, the image in memory and the network's input.

    Attributes:
        matrix: ``(D+1, D+1)`` homogeneous, source index to target index.
        source_shape: shape of the frame that is mapped.
        target_shape: shape of the frame that results.
    """

    matrix: FloatArray
    source_shape: tuple[int, ...]
    target_shape: tuple[int, ...]

    def __post_init__(self) -> None:
        ndim = len(self.source_shape)
        matrix = _frozen(self.matrix)
        if len(self.target_shape) != ndim or matrix.shape != (ndim + 1, ndim + 1):
            raise GeometryError("The two frames of a map must have the same number of dimensions.")
        if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:-1, :-1])) < 1e-12:
            raise GeometryError("This transform cannot be undone: it flattens the image.")
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "source_shape", tuple(int(n) for n in self.source_shape))
        object.__setattr__(self, "target_shape", tuple(int(n) for n in self.target_shape))

    @property
    def ndim(self) -> int:
        """Number of spatial dimensions ``D``."""
        return len(self.source_shape)

    @cached_property
    def inverse(self) -> AffineMap:
        """The map back."""
        return AffineMap(_frozen(np.linalg.inv(self.matrix)), self.target_shape, self.source_shape)

    def apply(self, points: npt.ArrayLike) -> FloatArray:
        """Source index coordinates ``(..., D)`` to target index coordinates; NaN stays NaN."""
        return apply_matrix(self.matrix, points)

    def then(self, following: AffineMap) -> AffineMap:
        """This map followed by another, as one map."""
        if following.source_shape != self.target_shape:
            raise GeometryError(f"A map from {following.source_shape} cannot follow one to {self.target_shape}.")
        return AffineMap(following.matrix @ self.matrix, self.source_shape, following.target_shape)

    def map_grid(self, grid: Grid) -> Grid:
        """The grid of the target frame, for an image on ``grid``; the map may scale, shift, flip, permute and rotate.

        Raises:
            GeometryError: if the map shears, or ``grid`` is not on the source frame.
        """
        if grid.shape != self.source_shape:
            raise GeometryError(f"An image of {grid.shape} does not fit a map from {self.source_shape}.")
        linear = self.inverse.matrix[:-1, :-1]
        known = np.ones(grid.ndim) if grid.spacing is None else np.asarray(grid.spacing)
        axes = grid.direction * known @ linear
        spacing = np.linalg.norm(axes, axis=0)
        if grid.spacing is None:
            return Grid(self.target_shape, None, grid.origin, axes / spacing)
        origin = grid.index_to_world(self.inverse.matrix[:-1, -1])
        return Grid(self.target_shape, tuple(spacing), origin, axes / spacing)

    @classmethod
    def identity(cls, shape: Sequence[int]) -> AffineMap:
        """The map that changes nothing."""
        return cls(np.eye(len(shape) + 1), tuple(shape), tuple(shape))

    @classmethod
    def scaling(
        cls,
        shape: Sequence[int],
        scale: Sequence[float],
        target_shape: Sequence[int],
        *,
        centred: bool = True,
    ) -> AffineMap:
        """Scale per axis about pixel borders, ``i -> (i + 0.5) * s - 0.5``, onto a frame of ``target_shape``.

        With ``centred`` the scaled image is centred in the target, so padding or cropping is the same on both sides;
        else both frames share their first border.
        """
        size, factor, target = (np.asarray(v, dtype=np.float64) for v in (shape, scale, target_shape))
        shift = (target - size * factor) / 2 if centred else np.zeros(len(size))
        matrix = np.eye(len(size) + 1)
        matrix[:-1, :-1] = np.diag(factor)
        matrix[:-1, -1] = 0.5 * factor - 0.5 + shift
        return cls(matrix, tuple(shape), tuple(target_shape))

    @classmethod
    def resize(cls, shape: Sequence[int], target_shape: Sequence[int]) -> AffineMap:
        """Stretch an image onto another shape, borders onto borders."""
        scale = [t / s for s, t in zip(shape, target_shape, strict=True)]
        return cls.scaling(shape, scale, target_shape, centred=False)

    @classmethod
    def fit(cls, shape: Sequence[int], target_shape: Sequence[int]) -> AffineMap:
        """The largest scaling that keeps the aspect and fits inside ``target_shape``, padded alike on both sides."""
        scale = min(t / s for s, t in zip(shape, target_shape, strict=True))
        return cls.scaling(shape, [scale] * len(shape), target_shape)

    @classmethod
    def crop(cls, shape: Sequence[int], start: Sequence[int], target_shape: Sequence[int]) -> AffineMap:
        """Cut out (or, with negative ``start``, pad) so that source index ``start`` becomes index 0."""
        matrix = np.eye(len(shape) + 1)
        matrix[:-1, -1] = -np.asarray(start, dtype=np.float64)
        return cls(matrix, tuple(shape), tuple(target_shape))

    @classmethod
    def flip(cls, shape: Sequence[int], axes: Sequence[int]) -> AffineMap:
        """Mirror along array axes."""
        matrix = np.eye(len(shape) + 1)
        for axis in axes:
            matrix[axis, axis] = -1
            matrix[axis, -1] = shape[axis] - 1
        return cls(matrix, tuple(shape), tuple(shape))

    @classmethod
    def permute(cls, shape: Sequence[int], axes: Sequence[int]) -> AffineMap:
        """Reorder axes as `numpy.transpose`: target axis ``a`` is source axis ``axes[a]``."""
        matrix = np.eye(len(shape) + 1)
        matrix[:-1, :-1] = np.eye(len(shape))[list(axes)]
        return cls(matrix, tuple(shape), tuple(shape[a] for a in axes))

    @classmethod
    def about_centre(cls, shape: Sequence[int], linear: npt.ArrayLike, shift: npt.ArrayLike = 0.0) -> AffineMap:
        """A linear map ``(D, D)`` in index units about the image's centre, then a shift ``(D,)`` in pixels."""
        centre = (np.asarray(shape, dtype=np.float64) - 1) / 2
        matrix = np.eye(len(shape) + 1)
        matrix[:-1, :-1] = np.asarray(linear, dtype=np.float64)
        matrix[:-1, -1] = centre - matrix[:-1, :-1] @ centre + np.asarray(shift, dtype=np.float64)
        return cls(matrix, tuple(shape), tuple(shape))
