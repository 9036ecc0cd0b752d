"""Heat for points that come without any: a Gaussian about each, so that there is something to show."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.predict.found import Found

#: The maps have about so many pixels each.
PIXELS = 2**15
#: Narrowest standard deviation of a Gaussian, pixels of its map.
NARROWEST_PX = 1.5


def bells(found: Found, to_frame: AffineMap) -> tuple[Tensor, AffineMap]:
    """A Gaussian of each point's covariance; a narrow one where that is not known or narrower than can be seen.

    Args:
        found: points, one a landmark.
        to_frame: image to frame index coordinates.

    Returns:
        Maps ``(L, *grid)`` of a grid that covers the frame, and image to map index coordinates.
    """
    shape, ndim = to_frame.target_shape, to_frame.ndim
    step = max(1.0, (math.prod(shape) / PIXELS) ** (1 / ndim))
    grid = tuple(math.ceil(size / step) for size in shape)
    to_map = to_frame.then(AffineMap.scaling(shape, [1 / step] * ndim, grid, centred=False))
    linear = to_map.matrix[:-1, :-1]
    points = to_map.apply(found.points[:, 0])
    index = np.moveaxis(np.indices(grid, dtype=np.float64), 0, -1)
    maps = np.zeros((len(points), *grid), np.float32)
    for row, point in enumerate(points):
        if not np.isfinite(point).all():
            continue
        covariance = linear @ found.covariance[row, 0] @ linear.T
        if not np.isfinite(covariance).all():
            covariance = np.zeros((ndim, ndim))
        variances, axes = np.linalg.eigh(covariance)
        along = (index - point) @ axes
        maps[row] = np.exp(-0.5 * (along**2 / np.maximum(variances, NARROWEST_PX**2)).sum(axis=-1))
    return torch.from_numpy(maps), to_map
