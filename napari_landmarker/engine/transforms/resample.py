"""Draw an image in another frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.transforms.deform import Deformation
from napari_landmarker.engine.transforms.warp import Warp

if TYPE_CHECKING:
    from torch import Tensor

FloatImage = npt.NDArray[np.float32]

#: A Gaussian of fewer pixels leaves over 99 % of a pixel's weight where it is: it is not worth its time.
NARROW = 0.29


def resample(
    array: FloatImage, to: AffineMap | Warp, *, antialias: bool = True, fill: float | None = None
) -> FloatImage:
    """Draw ``array`` in the target frame of a map, by linear interpolation, once however long the chain is.

    Where the map shrinks the image, frequencies that the target cannot hold are first taken out by a Gaussian of the
    width at which neighbouring target pixels just meet. Maps that send pixels onto pixels (flips, permutations,
    crops, paddings) are exact.

    Args:
        array: ``(C, *space)`` on the map's source frame.
        to: source index to target index coordinates.
        antialias: whether to smooth before shrinking.
        fill: value beyond the image; None continues its border.

    Returns:
        ``(C, *target space)``, never the input itself.

    Raises:
        GeometryError: if ``array`` does not lie on the source frame.
    """
    if array.shape[1:] != to.source_shape:
        raise GeometryError(f"An image of {array.shape[1:]} does not fit a map from {to.source_shape}.")
    affine = to if isinstance(to, AffineMap) else to.affine
    back = affine.inverse.matrix
    bent = isinstance(to, Warp) and not to.is_affine
    if not bent and _moves_whole_pixels(back):
        return _moved(array, affine, fill)
    from torch import from_numpy
    from torch.nn import functional

    step = np.linalg.norm(back[:-1, :-1], axis=1)
    sigma = 0.4 * np.sqrt(np.maximum(step**2 - 1, 0))
    sigma[sigma < NARROW] = 0
    if antialias and sigma.any():
        from scipy import ndimage

        array = ndimage.gaussian_filter(array, (0.0, *sigma), mode="nearest", truncate=3.0)
    # torch takes no array that is read-only, as those from files are
    source = from_numpy(np.require(array, np.float32, ["C", "W"]))[None]
    grid = _bent_lattice(to) if isinstance(to, Warp) and bent else _lattice(affine)
    drawn = functional.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if fill is not None:
        drawn.masked_fill_((grid.abs() > 1).any(dim=-1)[:, None], fill)
    return np.asarray(drawn[0].numpy(), dtype=np.float32)


def _moves_whole_pixels(back: FloatArray) -> bool:
    """Whether a map sends every pixel's centre to a pixel's centre."""
    whole = back.round()
    return np.allclose(back, whole, rtol=0, atol=1e-6) and bool((np.abs(whole[:-1, :-1]).sum(axis=0) == 1).all())


def _moved(array: FloatImage, to: AffineMap, fill: float | None) -> FloatImage:
    """Reorder, mirror, cut and pad without interpolation."""
    back = to.inverse.matrix.round().astype(int)
    order = np.abs(back[:-1, :-1]).argmax(axis=0)  # target axis -> source axis
    out = array.transpose(0, *(order + 1))
    lost = []
    for axis, source in enumerate(order):
        index = back[source, axis] * np.arange(to.target_shape[axis]) + back[source, -1]
        inside = np.clip(index, 0, to.source_shape[source] - 1)
        out = out.take(inside, axis=axis + 1)
        lost.append(index != inside)
    out = np.ascontiguousarray(out, dtype=np.float32)
    if fill is not None:
        for axis, outside in enumerate(lost):
            np.moveaxis(out, axis + 1, 0)[outside] = fill
    return out


def _lattice(to: AffineMap) -> Tensor:
    """Where the target's pixels lie in the source, in torch's coordinates: ``(1, *target, D)``."""
    from torch import from_numpy

    theta, ndim = _normalised(to), to.ndim
    grid: Tensor | None = None
    for axis, size in enumerate(to.target_shape):
        unit = (2 * np.arange(size) + 1) / size - 1
        along = unit[:, None] * theta[:, ndim - 1 - axis] + (theta[:, -1] if axis == 0 else 0)
        line = from_numpy(along.astype(np.float32)).reshape(*(size if a == axis else 1 for a in range(ndim)), ndim)
        grid = line if grid is None else grid + line
    assert grid is not None
    return grid[None]


def _bent_lattice(warp: Warp) -> Tensor:
    """As `_lattice`, for a chain with deformations, which is gone through from its end."""
    from torch import addmm, from_numpy

    bends, after = warp.parts
    grid: Tensor | None = None
    for before, bend in reversed(bends):
        shift = (before.inverse.matrix[:-1, :-1] * (2 / np.asarray(before.source_shape))[:, None])[::-1]
        if grid is None:
            grid = _lattice(before.then(after)).add_(_offset(bend, shift, after))
        else:
            offset = _looked_up(bend, shift, grid)
            theta = from_numpy(_normalised(before)).float()
            grid = addmm(theta[:, -1], grid.reshape(-1, warp.ndim), theta[:, :-1].T).reshape(grid.shape).add_(offset)
    assert grid is not None
    return grid


def _offset(bend: Deformation, shift: FloatArray, after: AffineMap) -> Tensor:
    """The displacement at every pixel of the frame ``after``, times a matrix ``(D, D)``: ``(1, *target, D)``."""
    from torch import from_numpy

    back = after.inverse.matrix
    if np.count_nonzero(back[:-1, :-1]) > bend.ndim or not np.diag(back).all():
        return _looked_up(bend, shift, _lattice(after))
    positions = [back[a, a] * np.arange(n) + back[a, -1] for a, n in enumerate(after.target_shape)]
    return from_numpy(bend.sampled(positions, shift))[None].movedim(1, -1)


def _looked_up(bend: Deformation, shift: FloatArray, grid: Tensor) -> Tensor:
    """The displacement at places ``(1, *target, D)`` in torch's coordinates, times a matrix ``(D, D)``."""
    from torch import from_numpy
    from torch.nn import functional

    corners = [np.arange(n + 1, dtype=np.float64) - 0.5 for n in bend.shape]  # from outer border to outer border
    dense = from_numpy(bend.sampled(corners, shift))[None]
    drawn = functional.grid_sample(dense, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return drawn.movedim(1, -1)


def _normalised(to: AffineMap) -> FloatArray:
    """The way back in torch's coordinates: -1 and 1 at the outer borders, last axis first; ``(D, D+1)``.

    A pixel index ``i`` of ``n`` lies at ``(2 i + 1) / n - 1``.
    """
    ndim, source, target = to.ndim, to.source_shape, to.target_shape
    to_index, to_unit = np.eye(ndim + 1), np.eye(ndim + 1)
    for axis in range(ndim):
        to_index[axis, axis], to_index[axis, -1] = target[axis] / 2, (target[axis] - 1) / 2
        to_unit[axis, axis], to_unit[axis, -1] = 2 / source[axis], 1 / source[axis] - 1
    theta = (to_unit @ to.inverse.matrix @ to_index)[:-1]
    return np.concatenate([theta[::-1, -2::-1], theta[::-1, -1:]], axis=1)
