"""Transforms one after the other."""

from __future__ import annotations

import numpy as np

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.transforms.base import LandmarkTransform, Moved, SampleTransform, SpatialTransform
from napari_landmarker.engine.transforms.resample import FloatImage, resample
from napari_landmarker.engine.transforms.warp import Warp


class Pipeline(LandmarkTransform):
    """Transforms one after the other; those that move pixels and stand side by side draw the image once.

    So put what moves pixels first and what changes grey values last. Only the frame at the end of such a group cuts:
    a landmark that leaves a frame on the way and comes back is kept, and so are the pixels around it.

    Args:
        transforms: any `SampleTransform`; of plain functions it is not known how they move places.
    """

    def __init__(self, *transforms: SampleTransform) -> None:
        self.transforms = transforms

    def trace(self, image: FloatImage, points: FloatArray, rng: np.random.Generator) -> Moved:
        """See `LandmarkTransform`."""
        points = np.array(points, dtype=np.float64)
        waiting = Warp.identity(image.shape[1:])
        total: Warp | None = waiting
        for transform in self.transforms:
            if isinstance(transform, SpatialTransform):
                waiting = waiting.then(transform.maybe(waiting.target_shape, waiting.apply(points), rng))
                continue
            image, points, total = _drawn(image, points, total, waiting)
            if isinstance(transform, LandmarkTransform):
                image, points, warp = transform.trace(image, points, rng)
                total = None if total is None or warp is None else total.then(warp)
            else:
                image, points = transform(image.copy(), points.copy(), rng)
                total = None
            waiting = Warp.identity(image.shape[1:])
        return _drawn(image, points, total, waiting)


def _drawn(image: FloatImage, points: FloatArray, total: Warp | None, waiting: Warp) -> Moved:
    """The sample after the maps that were put off."""
    if not waiting.steps and not waiting.swaps:
        return Moved(image.copy(), points, total)
    return Moved(resample(image, waiting), waiting.landmarks(points), None if total is None else total.then(waiting))
