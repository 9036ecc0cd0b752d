"""Simulated collimation: parts of the image at its edges that show nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.transforms.base import LandmarkTransform, Moved
from napari_landmarker.engine.transforms.resample import FloatImage
from napari_landmarker.engine.transforms.warp import Warp


class Shutter(NamedTuple):
    """All that lies beyond a plane near one face of the image.

    Attributes:
        axis: array axis that the face stands on.
        far: whether it is the face at the axis' end.
        depth_px: how deep it reaches, from the outer pixel border, in the middle of the face.
        slopes: how much deeper it reaches per pixel along each axis, ``(D,)``; 0 along its own.
    """

    axis: int
    far: bool
    depth_px: float
    slopes: FloatArray

    def depths(self, places: FloatArray, space: tuple[int, ...]) -> FloatArray:
        """How deep it reaches at index coordinates ``(..., D)``, pixels."""
        return np.asarray(self.depth_px + (places - (np.asarray(space) - 1) / 2) @ self.slopes)

    def covers(self, places: FloatArray, space: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Whether index coordinates ``(..., D)`` lie behind it; False for NaN."""
        place = places[..., self.axis]
        from_face = space[self.axis] - 0.5 - place if self.far else place + 0.5
        return np.asarray(from_face < self.depths(places, space))


class RandomCollimation(BaseModel, LandmarkTransform):
    """Cover edges of some images, as the shutters of an X-ray tube do, or a scan that ends early.

    In 2D, strips along one to four edges, at a small angle, take one dark value. In 3D the field of view is cut at one
    to six faces; beyond, it is as dark, or the last plane goes on, as where an image is smaller than the network's
    frame.

    Nothing moves, but a landmark that is covered becomes missing (NaN): a person could not place it there, and a
    network must not learn to guess. An image of which all landmarks would be covered is left as it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    probability: float = Field(0.15, ge=0, le=1, title="Collimation", description="Share of images that are covered.")
    depth: float = Field(0.15, ge=0, le=0.5, title="Depth", description="Deepest a shutter reaches, share of the size.")
    tilt_deg: float = Field(6.0, ge=0, le=30, title="Tilt", description="Of the shutters, up to so many degrees; 2D.")

    def trace(self, image: FloatImage, points: FloatArray, rng: np.random.Generator) -> Moved:
        """See `LandmarkTransform`; the map that changes nothing does not know which landmarks are covered."""
        image, points = image.copy(), np.array(points, dtype=np.float64)
        points = self.cover(image, points, rng)
        return Moved(image, points, Warp.identity(image.shape[1:]))

    def cover(self, image: FloatImage, points: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Cover an image ``(C, *space)`` in its place; the points ``(..., D)``, NaN where covered now."""
        if self.probability == 0 or rng.random() >= self.probability:
            return points
        space = image.shape[1:]
        shutters = self.draw(space, rng)
        hidden = np.zeros(points.shape[:-1], dtype=bool)
        for shutter in shutters:
            hidden |= shutter.covers(points, space)
        flat = len(space) == 2 or rng.random() < 0.5
        darkness = max(0.0, rng.uniform(-1, 1))
        present = np.isfinite(points).all(axis=-1)
        if present.any() and not (present & ~hidden).any():
            return points
        low = float(image.min())
        value = np.float32(low + (float(image.mean()) - low) * darkness) if flat else None
        for shutter in shutters:
            _paint(image, shutter, value)
        return np.where(hidden[..., None], np.nan, points)

    def draw(self, space: tuple[int, ...], rng: np.random.Generator) -> list[Shutter]:
        """Shutters at some of the faces of an image, at least one."""
        ndim = len(space)
        chosen = rng.random(2 * ndim) < 0.4
        chosen[rng.integers(2 * ndim)] = True
        shutters = []
        for face in np.flatnonzero(chosen):
            axis, far = int(face) // 2, bool(face % 2)
            slopes = np.zeros(ndim)
            if ndim == 2:
                slopes[1 - axis] = np.tan(np.deg2rad(rng.uniform(-self.tilt_deg, self.tilt_deg)))
            depth_px = rng.uniform(0, self.depth) * space[axis]
            if ndim == 3:
                depth_px = float(round(depth_px))
            shutters.append(Shutter(axis, far, depth_px, slopes))
        return shutters


def _paint(image: FloatImage, shutter: Shutter, value: np.float32 | None) -> None:
    """One value, or the last plane that is seen, wherever a shutter covers an image ``(C, *space)``."""
    space, axis = image.shape[1:], shutter.axis
    others = [np.arange(n) if a != axis else np.zeros(1) for a, n in enumerate(space)]
    depths = shutter.depths(np.stack(np.meshgrid(*others, indexing="ij"), axis=-1), space)
    deepest = min(int(np.ceil(depths.max())), space[axis] - 1)
    if deepest < 1:
        return
    facing = np.flip(image, axis + 1) if shutter.far else image
    strip: tuple[slice, ...] = (slice(None),) * (axis + 1)
    behind = facing[(*strip, slice(0, deepest))]
    if value is None:
        behind[...] = facing[(*strip, slice(deepest, deepest + 1))]
        return
    from_face = (np.arange(deepest) + 0.5).reshape(*(deepest if a == axis else 1 for a in range(len(space))))
    np.copyto(behind, value, where=from_face < depths)
