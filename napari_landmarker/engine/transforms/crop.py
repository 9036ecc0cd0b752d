"""Other frames: cut out a part of the image, or draw it in another size."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.transforms.base import SpatialTransform
from napari_landmarker.engine.transforms.warp import Warp


class _Framed(SpatialTransform):
    """A transform whose result always has the same size."""

    size: tuple[PositiveInt, ...] = Field(min_length=2, max_length=3, title="Size", description="Pixels per axis.")

    def draw(self, space: tuple[int, ...], points: FloatArray, rng: np.random.Generator) -> Warp:
        """See `SpatialTransform`."""
        if len(self.size) != len(space):
            raise GeometryError(f"A size of {self.size} does not fit an image of {space}.")
        return Warp.of(self._map(space, points, rng))

    @abstractmethod
    def _map(self, space: tuple[int, ...], points: FloatArray, rng: np.random.Generator) -> AffineMap: ...


class Resize(_Framed):
    """Draw the image in another size: padded, so that its aspect stays, or stretched."""

    pad: bool = Field(True, title="Keep the aspect", description="Pad both sides alike instead of stretching.")

    def _map(self, space: tuple[int, ...], points: FloatArray, rng: np.random.Generator) -> AffineMap:
        return (AffineMap.fit if self.pad else AffineMap.resize)(space, self.size)


class CentreCrop(_Framed):
    """The middle of the image. Where the image is smaller, its border is continued."""

    def _map(self, space: tuple[int, ...], points: FloatArray, rng: np.random.Generator) -> AffineMap:
        return AffineMap.crop(space, _centred(space, self.size), self.size)


class RandomCrop(_Framed):
    """A part of the image anywhere in it. Where the image is smaller, it is centred and its border is continued."""

    def _map(self, space: tuple[int, ...], points: FloatArray, rng: np.random.Generator) -> AffineMap:
        start = [
            int(rng.integers(0, n - size + 1)) if n > size else centred
            for n, size, centred in zip(space, self.size, _centred(space, self.size), strict=True)
        ]
        return AffineMap.crop(space, start, self.size)


class CropAround(_Framed):
    """A part of the image around a landmark, cut at whole pixels; beyond the image its border is continued.

    Where the landmark is missing, or all are, the middle of the image is cut out.
    """

    landmark: str = Field("", title="Landmark", description="Its name; empty: one that is there, by chance.")
    names: tuple[str, ...] = Field((), title="Landmarks", description="The names of all landmarks, in order.")
    jitter_px: float = Field(0.0, ge=0, title="Jitter", description="Farthest the crop is shifted, each axis.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.landmark and self.landmark not in self.names:
            raise GeometryError(f"There is no landmark '{self.landmark}' to crop around among {list(self.names)}.")
        return self

    def _map(self, space: tuple[int, ...], points: FloatArray, rng: np.random.Generator) -> AffineMap:
        if self.names and len(points) != len(self.names):
            raise GeometryError(f"A crop for {len(self.names)} landmarks was given {len(points)}.")
        rows = points[self.names.index(self.landmark)] if self.landmark else points
        there = rows.reshape(-1, len(space))
        there = there[np.isfinite(there).all(axis=1)]
        if len(there) == 0:
            return AffineMap.crop(space, _centred(space, self.size), self.size)
        middle = there[rng.integers(len(there))] + rng.uniform(-self.jitter_px, self.jitter_px, len(space))
        start = np.rint(middle - (np.asarray(self.size) - 1) / 2).astype(int)
        return AffineMap.crop(space, start.tolist(), self.size)


def _centred(space: tuple[int, ...], size: tuple[int, ...]) -> list[int]:
    return [(n - wanted) // 2 for n, wanted in zip(space, size, strict=True)]
