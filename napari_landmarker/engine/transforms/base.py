"""What every transform of an image with landmarks is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.transforms.resample import FloatImage, resample
from napari_landmarker.engine.transforms.warp import Warp

#: A random change of an image ``(C, *space)`` and its points ``(L, D)`` or ``(L, M, D)``, in index coordinates.
SampleTransform = Callable[[FloatImage, FloatArray, np.random.Generator], tuple[FloatImage, FloatArray]]


class Moved(NamedTuple):
    """What a transform made of a sample.

    Attributes:
        image: ``(C, *space)``.
        points: ``(L, D)`` or ``(L, M, D)``; NaN where missing.
        warp: how the old frame's index coordinates became the new frame's, or None where that is not known.
    """

    image: FloatImage
    points: FloatArray
    warp: Warp | None


class LandmarkTransform(ABC):
    """A `SampleTransform` that also says how places moved. Its inputs are never changed."""

    @abstractmethod
    def trace(self, image: FloatImage, points: FloatArray, rng: np.random.Generator) -> Moved:
        """Change an image ``(C, *space)`` and its points ``(L, D)`` or ``(L, M, D)``.

        A landmark that leaves the image becomes missing (NaN); a missing one stays missing.

        Args:
            image: float32.
            points: index coordinates.
            rng: where all chance comes from: the same state gives the same result.
        """

    def __call__(
        self, image: FloatImage, points: FloatArray, rng: np.random.Generator
    ) -> tuple[FloatImage, FloatArray]:
        """As `trace`, without the warp."""
        return self.trace(image, points, rng)[:2]


class SpatialTransform(BaseModel, LandmarkTransform):
    """A transform that moves pixels; neighbouring ones of a `Pipeline` draw the image once, together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probability: float = Field(1.0, ge=0, le=1, title="Probability", description="Share of images that are changed.")

    @abstractmethod
    def draw(self, space: tuple[int, ...], points: FloatArray, rng: np.random.Generator) -> Warp:
        """A map of a frame of this shape with these points."""

    def maybe(self, space: tuple[int, ...], points: FloatArray, rng: np.random.Generator) -> Warp:
        """As `draw`, or no change, as `probability` has it."""
        if self.probability < 1 and rng.random() >= self.probability:
            return Warp.identity(space)
        return self.draw(space, points, rng)

    def trace(self, image: FloatImage, points: FloatArray, rng: np.random.Generator) -> Moved:
        """See `LandmarkTransform`."""
        warp = self.maybe(image.shape[1:], np.asarray(points, dtype=np.float64), rng)
        return Moved(resample(image, warp), warp.landmarks(points), warp)


class IntensityTransform(BaseModel, LandmarkTransform):
    """A transform that changes grey values and moves nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @abstractmethod
    def recolour(self, image: FloatImage, rng: np.random.Generator) -> FloatImage:
        """New grey values of an image ``(C, *space)``."""

    def trace(self, image: FloatImage, points: FloatArray, rng: np.random.Generator) -> Moved:
        """See `LandmarkTransform`."""
        return Moved(self.recolour(image, rng), np.array(points, dtype=np.float64), Warp.identity(image.shape[1:]))
