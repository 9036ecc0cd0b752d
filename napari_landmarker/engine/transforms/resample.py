"""Draw an image in another frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap

FloatImage = npt.NDArray[np.float32]


def resample(array: FloatImage, to: AffineMap, *, antialias: bool = True) -> FloatImage:
    """Draw ``array`` in the target frame of a map, by linear interpolation.

    Beyond the image its border is continued. Where the map shrinks the image, frequencies that the target cannot
    hold are first taken out by a Gaussian of the width at which neighbouring target pixels just meet.

    Args:
        array: ``(C, *space)`` on the map's source frame.
        to: source index to target index coordinates.
        antialias: whether to smooth before shrinking.

    Returns:
        ``(C, *target space)``.

    Raises:
        GeometryError: if ``array`` does not lie on the source frame.
    """
    import torch
    from scipy import ndimage
    from torch.nn import functional

    if array.shape[1:] != to.source_shape:
        raise GeometryError(f"An image of {array.shape[1:]} does not fit a map from {to.source_shape}.")
    back = to.inverse.matrix
    if np.allclose(back, np.eye(to.ndim + 1)) and to.source_shape == to.target_shape:
        return array.copy()
    step = np.linalg.norm(back[:-1, :-1], axis=1)
    if antialias and (step > 1.01).any():
        sigma = 0.4 * np.sqrt(np.maximum(step**2 - 1, 0))
        array = ndimage.gaussian_filter(array, (0.0, *sigma), mode="nearest", truncate=3.0)
    source = torch.from_numpy(np.ascontiguousarray(array))[None]
    theta = torch.from_numpy(_normalised(back, to.source_shape, to.target_shape)).float()[None]
    grid = functional.affine_grid(theta, [1, source.shape[1], *to.target_shape], align_corners=False)
    drawn = functional.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return np.asarray(drawn[0].numpy(), dtype=np.float32)


def _normalised(
    back: npt.NDArray[np.float64], source: tuple[int, ...], target: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """The map in torch's coordinates: -1 and 1 at the outer borders, last axis first; ``(D, D+1)``.

    A pixel index ``i`` of ``n`` lies at ``(2 i + 1) / n - 1``.
    """
    ndim = len(source)
    to_index, to_unit = np.eye(ndim + 1), np.eye(ndim + 1)
    for axis in range(ndim):
        to_index[axis, axis], to_index[axis, -1] = target[axis] / 2, (target[axis] - 1) / 2
        to_unit[axis, axis], to_unit[axis, -1] = 2 / source[axis], 1 / source[axis] - 1
    theta = (to_unit @ back @ to_index)[:-1]
    return np.concatenate([theta[::-1, -2::-1], theta[::-1, -1:]], axis=1)
