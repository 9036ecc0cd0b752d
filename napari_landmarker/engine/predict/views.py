"""Test-time augmentation: slightly turned, shifted and scaled views of an image, the same ones every time."""

from __future__ import annotations

from itertools import product

import numpy as np

from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.train.frame import up_to
from napari_landmarker.engine.transforms import AugmentationConfig, RandomAffine

#: Views are turned by at most so many degrees about each axis, and zoomed by at most so much (natural logarithm).
ROTATION_DEG = 4.0
LOG_SCALE = 0.04
#: All views of all images are those of this seed.
SEED = 20150


def view_of(
    to_frame: AffineMap, number: int, augmentation: AugmentationConfig, multiple: int, step_px: float
) -> AffineMap:
    """A view of an image: its map to a frame, turned, zoomed and shifted a little; view 0 is as it was.

    Nothing of the image leaves the frame, which grows where it must. A network sees nothing that it was not trained to
    bear: views are turned and zoomed no more than the images of its training were.

    Args:
        to_frame: image to frame index coordinates.
        number: of the view.
        augmentation: how the images of the network's training were changed.
        multiple: sizes of the frame are multiples of it.
        step_px: views are shifted by at most so much, one heatmap pixel in pixels of the frame: as a shift by whole
            heatmap pixels shows the network nothing new, a larger one gains nothing.

    Returns:
        Image to view index coordinates.
    """
    if number == 0:
        return to_frame
    ndim = to_frame.ndim
    rng = np.random.default_rng((SEED, number))
    turn = RandomAffine(
        rotation_deg=min(ROTATION_DEG, augmentation.rotation_deg),
        log_scale=min(LOG_SCALE, augmentation.log_scale),
        log_aspect=0.0,
        shear=0.0,
        shift=0.0,
    )
    linear = turn.draw_map(to_frame.target_shape, rng).matrix[:-1, :-1]
    jitter = rng.uniform(-step_px, step_px, ndim)
    return _fitted(to_frame, linear, jitter, multiple)


def mirrored(to_frame: AffineMap) -> AffineMap:
    """The view of the image from its other side: left and right, the last axis, are exchanged."""
    return to_frame.then(AffineMap.flip(to_frame.target_shape, (to_frame.ndim - 1,)))


def _fitted(to_frame: AffineMap, linear: FloatArray, jitter: FloatArray, multiple: int) -> AffineMap:
    """The frame turned by a linear map, about the middle of the image and as large as that needs."""
    ends = [(-0.5, size - 0.5) for size in to_frame.source_shape]
    corners = to_frame.apply(list(product(*ends))) @ linear.T
    low, high = corners.min(axis=0), corners.max(axis=0)
    extent = high - low + 2 * np.abs(jitter)
    sizes = zip(to_frame.target_shape, extent, strict=True)
    shape = tuple(max(size, up_to(wanted - 0.5, multiple)) for size, wanted in sizes)
    matrix = np.eye(to_frame.ndim + 1)
    matrix[:-1, :-1] = linear
    matrix[:-1, -1] = (np.asarray(shape) - 1) / 2 - (low + high) / 2 + jitter
    return to_frame.then(AffineMap(matrix, to_frame.target_shape, shape))
