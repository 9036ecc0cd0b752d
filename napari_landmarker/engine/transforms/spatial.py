"""Random maps: affine, elastic, and on a grid of control points."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from pydantic import Field

from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.transforms.base import SpatialTransform
from napari_landmarker.engine.transforms.deform import Deformation
from napari_landmarker.engine.transforms.warp import Warp

#: Mean square of a cubic B-spline of independent control points of unit variance, per axis.
_MEAN_SQUARE = 151 / 315


class RandomAffine(SpatialTransform):
    """Rotation, scale, shear and shift about the image's centre, in pixels of the image."""

    rotation_deg: float = Field(15.0, ge=0, le=180, title="Rotation", description="Up to so many degrees, each axis.")
    log_scale: float = Field(0.2, ge=0, le=1, title="Scale", description="Natural logarithm of the largest zoom.")
    log_aspect: float = Field(0.08, ge=0, le=1, title="Aspect", description="The same, each axis on its own.")
    shear: float = Field(0.1, ge=0, le=1, title="Shear")
    shift: float = Field(0.08, ge=0, le=0.5, title="Shift", description="Share of the image's size.")

    def draw(self, space: tuple[int, ...], points: FloatArray, rng: np.random.Generator) -> Warp:
        """See `SpatialTransform`."""
        return Warp.of(self.draw_map(space, rng))

    def draw_map(self, space: tuple[int, ...], rng: np.random.Generator) -> AffineMap:
        """A random affine map about the centre of a frame."""
        ndim = len(space)
        linear: npt.NDArray[np.float64] = np.eye(ndim)
        for first in range(ndim):
            for second in range(first + 1, ndim):
                angle = np.deg2rad(rng.uniform(-self.rotation_deg, self.rotation_deg))
                turn = np.eye(ndim)
                turn[[first, second], [first, second]] = np.cos(angle)
                turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
                linear = linear @ turn
        shear = rng.uniform(-self.shear, self.shear, (ndim, ndim))
        np.fill_diagonal(shear, 0)
        scale = np.exp(
            rng.uniform(-self.log_scale, self.log_scale) + rng.uniform(-self.log_aspect, self.log_aspect, ndim)
        )
        shift = rng.uniform(-self.shift, self.shift, ndim) * np.asarray(space)
        return AffineMap.about_centre(space, linear @ (np.eye(ndim) + shear) @ np.diag(scale), shift)


class RandomElastic(SpatialTransform):
    """Elastic deformation: a smooth random displacement (Simard et al., ICDAR 2003).

    Noise that is smoothed by a Gaussian of standard deviation ``s`` is all but the same as a cubic B-spline of
    independent control points ``sqrt(3) s`` apart, which is drawn much faster and known at any sub-pixel position. A
    draw that would come near to folding the image is weakened as a whole; see `Deformation.bounded`.
    """

    displacement: float = Field(
        0.01,
        ge=0,
        le=0.2,
        title="Displacement",
        description="Standard deviation along each axis, share of the image's size along that axis.",
    )
    smoothness: float = Field(
        0.1,
        gt=0,
        le=1,
        title="Smoothness",
        description="Standard deviation of the smoothing Gaussian, share of the image's longest side.",
    )

    def draw(self, space: tuple[int, ...], points: FloatArray, rng: np.random.Generator) -> Warp:
        """See `SpatialTransform`."""
        cells = _cells(space, math.sqrt(3) * self.smoothness * max(space))
        spread_px = self.displacement * np.asarray(space) / _MEAN_SQUARE ** (len(space) / 2)
        noise = rng.standard_normal((len(space), *(n + 3 for n in cells)))
        return Warp.of(Deformation.bounded((noise.T * spread_px).T, space))


class RandomGridDeformation(SpatialTransform):
    """Free-form deformation: the nodes of a regular grid are displaced (Rueckert et al., IEEE TMI 1999).

    The displacement between the nodes is a cubic B-spline. A draw that would come near to folding the image is
    weakened as a whole; see `Deformation.bounded`.
    """

    cells: int = Field(4, ge=1, le=64, title="Cells", description="Along the image's longest side; cells are square.")
    limit: float = Field(
        0.25, ge=0, le=1, title="Limit", description="Farthest a node moves along each axis, share of a cell."
    )

    def draw(self, space: tuple[int, ...], points: FloatArray, rng: np.random.Generator) -> Warp:
        """See `SpatialTransform`."""
        cells = _cells(space, max(space) / self.cells)
        limit_px = self.limit * np.asarray(space) / np.asarray(cells)
        moves = rng.uniform(-1, 1, (len(space), *(n + 3 for n in cells)))
        return Warp.of(Deformation.bounded((moves.T * limit_px).T, space))


def _cells(space: tuple[int, ...], side_px: float) -> tuple[int, ...]:
    """How many cells of at least about this side fit along each axis."""
    return tuple(max(1, round(n / max(side_px, 1.0))) for n in space)
