"""The maximum of each map, in one pass over the maps."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.activation import spatial_ndim, working_dtype


class Maxima(NamedTuple):
    """The largest pixel of each map.

    Attributes:
        pixel: index coordinates, int64 ``(B, L, D)``; the first in the order of the array where several are largest.
        value: ``(B, L)``.
        valid: whether the map says anything: its maximum is a finite number, and it is not flat, ``(B, L)``.
    """

    pixel: Tensor
    value: Tensor
    valid: Tensor


def find_maxima(heatmap: Tensor) -> Maxima:
    """Where each map is largest.

    A NaN anywhere in a map becomes its maximum, so that one pass finds the maximum and what is not a number; whether
    a map is flat is asked only of those whose slices all have the same maximum.

    Args:
        heatmap: ``(B, L, *space)``.
    """
    heatmap = heatmap.detach()
    space = heatmap.shape[2:]
    slices = heatmap.reshape(*heatmap.shape[:2], space[0], space[1:].numel())
    per_slice = slices.amax(dim=-1)
    value = per_slice.amax(dim=-1)
    first = per_slice.argmax(dim=-1)
    chosen = first[..., None, None].expand(*first.shape, 1, slices.shape[-1])
    within = slices.gather(2, chosen).squeeze(2).argmax(dim=-1)
    rest = torch.unravel_index(within, space[1:]) if len(space) > 1 else ()
    flat = (per_slice == value[..., None]).all(dim=-1)
    if torch.compiler.is_exporting():  # what is written down cannot depend on what a map holds
        flat = slices.flatten(2).amin(dim=-1) == value
    elif bool(flat.any()):
        flat[flat.clone()] = slices[flat].flatten(1).amin(dim=-1) == value[flat]
    return Maxima(torch.stack((first, *rest), dim=-1), value, torch.isfinite(value) & ~flat)


def coord_argmax(heatmap: Tensor, spatial_dims: int | None = None) -> Tensor:
    """The pixel of each map's maximum.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        spatial_dims: ``D``, if it is to be checked.

    Returns:
        ``(B, L, D)`` in heatmap index coordinates, whole numbers in a float type (so that they can be NaN); NaN for a
        map that is flat or has a NaN or plus infinity in it.

    Example:
        >>> heatmap = torch.zeros(1, 1, 4, 5)
        >>> heatmap[0, 0, 2, 3] = 1
        >>> coord_argmax(heatmap)
        tensor([[[2., 3.]]])
    """
    spatial_ndim(heatmap, spatial_dims)
    found = find_maxima(heatmap)
    points = found.pixel.to(working_dtype(heatmap.dtype))
    return torch.where(found.valid[..., None], points, torch.nan)
