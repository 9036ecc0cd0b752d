"""Smooth displacement on a grid of control points (Rueckert et al., IEEE Transactions on Medical Imaging 1999)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import FloatArray

Real = TypeVar("Real", np.float32, np.float64)

#: Largest gradient of a displacement, in pixels per pixel (Frobenius norm). Anything below 1 cannot fold the image.
MAX_GRADIENT = 0.6

#: Cubic B-spline on one cell: row ``j`` holds the polynomial (constant first) of the ``j``-th of four control points.
_CUBIC = np.array([[1, -3, 3, -1], [4, 0, -6, 3], [1, 3, 3, -3], [0, 0, 0, 1]]) / 6


@dataclass(frozen=True, eq=False)
class Deformation:
    """A displacement ``u`` of a frame: the pixel at ``x`` takes its value from ``x + u(x)``.

    ``u`` is a cubic B-spline on a regular grid of control points, so it and the places of landmarks are exact at
    any sub-pixel position. Its gradient stays below 1, by which ``x + u(x)`` is one-to-one and the iteration
    ``x <- p - u(x)``, which finds the new place of a landmark at ``p``, closes in on the one solution from anywhere
    (Banach). Beyond the outer pixel borders the displacement of the border goes on.

    Attributes:
        coefficients: displacement of the control points in pixels, ``(D, *cells + 3)``.
        shape: of the frame, ``D`` numbers of pixels.

    Raises:
        GeometryError: if shapes do not fit, or the displacement might fold the image.
    """

    coefficients: FloatArray
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        coefficients = np.array(self.coefficients, dtype=np.float64)
        coefficients.setflags(write=False)
        object.__setattr__(self, "coefficients", coefficients)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        if coefficients.shape[:1] != (self.ndim,) or coefficients.ndim != self.ndim + 1 or min(self.cells) < 1:
            raise GeometryError(f"Control points of {coefficients.shape} do not fit an image of {self.shape}.")
        if not self.gradient < MAX_GRADIENT * 1.01:
            raise GeometryError("This deformation is so strong that it might fold the image: make it weaker.")

    @property
    def ndim(self) -> int:
        """Number of spatial dimensions ``D``."""
        return len(self.shape)

    @property
    def cells(self) -> tuple[int, ...]:
        """Cells of the control grid along each axis."""
        return tuple(n - 3 for n in self.coefficients.shape[1:])

    @classmethod
    def bounded(cls, coefficients: npt.ArrayLike, shape: Sequence[int]) -> Deformation:
        """A deformation of these control points, weakened as a whole where its gradient would be too large."""
        coefficients = np.asarray(coefficients, dtype=np.float64)
        gradient = _gradient(coefficients, tuple(shape))
        return cls(coefficients * min(1.0, MAX_GRADIENT / max(gradient, MAX_GRADIENT)), tuple(shape))

    @cached_property
    def gradient(self) -> float:
        """The largest gradient (Frobenius norm, pixels per pixel), looked up three times per cell."""
        return _gradient(self.coefficients, self.shape)

    def displacement(self, points: npt.ArrayLike) -> FloatArray:
        """``u`` at index coordinates ``(..., D)``, in pixels; NaN at NaN."""
        points = np.asarray(points, dtype=np.float64)
        known = np.isfinite(points).all(axis=-1)
        out = np.full(points.shape, np.nan)
        places = points[known]
        if len(places):
            starts, weights = zip(*(self._taps(places[:, a], a) for a in range(self.ndim)), strict=True)
            lines = [
                (start[:, None] + np.arange(4)).reshape(-1, *(4 if b == a else 1 for b in range(self.ndim)))
                for a, start in enumerate(starts)
            ]
            values = self.coefficients[(slice(None), *lines)]
            for weight in reversed(weights):
                values = np.einsum("dp...j,pj->dp...", values, weight)
            out[known] = values.T
        return out

    def sampled(self, positions: Sequence[FloatArray], mix: FloatArray | None = None) -> npt.NDArray[np.float32]:
        """``u`` at every combination of index coordinates of the axes, times a matrix: ``(D, *n)``.

        Args:
            positions: index coordinates along each axis, ``D`` arrays of ``(n_a,)``.
            mix: what every displacement is multiplied with, ``(D, D)``.
        """
        values = self.coefficients if mix is None else np.tensordot(mix, self.coefficients, axes=1)
        bases = [_basis(p, n, k) for p, n, k in zip(positions, self.shape, self.cells, strict=True)]
        return _tensor_product(values.astype(np.float32), [basis.astype(np.float32) for basis in bases])

    def pull(self, points: npt.ArrayLike) -> FloatArray:
        """Where the pixels at ``(..., D)`` take their value from."""
        return np.asarray(points, dtype=np.float64) + self.displacement(points)

    def apply(self, points: npt.ArrayLike) -> FloatArray:
        """Where landmarks at ``(..., D)`` lie after the deformation, to 1e-6 px; NaN stays NaN."""
        points = np.asarray(points, dtype=np.float64)
        moved = points
        for _ in range(100):
            before, moved = moved, points - self.displacement(moved)
            if not np.any(np.abs(moved - before) > 1e-7):
                return moved
        raise GeometryError("This deformation cannot be undone: make it weaker.")

    def _taps(self, positions: FloatArray, axis: int) -> tuple[npt.NDArray[np.intp], FloatArray]:
        return _taps(positions, self.shape[axis], self.cells[axis])


def _taps(
    positions: FloatArray, pixels: int, cells: int, *, derivative: bool = False
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """The first of the four control points that act at each index ``(n,)`` of an axis, and their weights ``(n, 4)``."""
    place = np.clip((positions + 0.5) * (cells / pixels), 0, cells)
    start = np.minimum(place.astype(np.intp), cells - 1)
    inner = place - start
    one = np.ones_like(inner)
    if derivative:
        powers = np.stack([0 * one, one, 2 * inner, 3 * inner**2], axis=-1) * (cells / pixels)
    else:
        powers = np.stack([one, inner, inner**2, inner**3], axis=-1)
    return start, powers @ _CUBIC.T


def _basis(positions: FloatArray, pixels: int, cells: int, *, derivative: bool = False) -> FloatArray:
    """Weights of all control points of an axis, ``(n, cells + 3)``."""
    start, weights = _taps(np.asarray(positions, dtype=np.float64), pixels, cells, derivative=derivative)
    basis = np.zeros((len(start), cells + 3))
    np.put_along_axis(basis, start[:, None] + np.arange(4), weights, axis=1)
    return basis


def _tensor_product(values: npt.NDArray[Real], bases: Sequence[npt.NDArray[Real]]) -> npt.NDArray[Real]:
    """Control points ``(D, *K)`` times a basis ``(n_a, K_a)`` along each axis: ``(D, *n)``.

    By torch, whose threads sleep where those of numpy's would fight them for the processor.
    """
    import torch

    out = torch.from_numpy(np.require(values, requirements=["C", "W"]))
    for basis in bases:  # the first axis of space is used up and comes back as the last
        out = torch.tensordot(out, torch.from_numpy(basis), dims=([1], [1]))
    return out.numpy()


def _gradient(coefficients: FloatArray, shape: tuple[int, ...]) -> float:
    cells = [n - 3 for n in coefficients.shape[1:]]
    places = [(np.arange(3 * k + 1) / 3) * (n / k) - 0.5 for n, k in zip(shape, cells, strict=True)]
    squared = 0.0
    for axis in range(len(shape)):
        bases = [
            _basis(place, n, k, derivative=a == axis)
            for a, (place, n, k) in enumerate(zip(places, shape, cells, strict=True))
        ]
        squared = squared + np.square(_tensor_product(coefficients, bases)).sum(axis=0)
    return float(np.sqrt(np.max(squared)))
