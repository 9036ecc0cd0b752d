"""Patches of many images around many points at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def cut_patches(image: Tensor, centres: Tensor, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Boxes of whole pixels around points; beyond the image its border is continued.

    Args:
        image: ``(B, C, *space)``.
        centres: index coordinates, ``(B, L, D)``; around one that is no number lies a patch about the image's centre.
        shape: of the patches, ``D`` numbers.

    Returns:
        Patches ``(B, L, C, *shape)``, differentiable in the image; and the index of each patch's first pixel in the
        image, int64 ``(B, L, D)``: an image point is at ``point - corner`` in the patch.
    """
    space = image.shape[2:]
    corners = corners_of(centres, space, shape)
    ndim, batch, landmarks = len(shape), corners.shape[0], corners.shape[1]
    where = torch.zeros((batch, landmarks, *([1] * ndim)), dtype=torch.int64, device=image.device)
    for axis, (size, whole) in enumerate(zip(shape, space, strict=True)):
        row = corners[..., axis, None] + torch.arange(size, device=image.device)
        row = row.clamp(min=0, max=whole - 1)
        others = [1] * ndim
        others[axis] = size
        where = where * whole + row.reshape(batch, landmarks, *others)
    channels = image.shape[1]
    index = where.reshape(batch, 1, -1).expand(-1, channels, -1)
    values = image.flatten(2).gather(2, index)
    return values.reshape(batch, channels, landmarks, *shape).movedim(1, 2), corners


def corners_of(centres: Tensor, space: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Index of the first pixel of each patch, int64 ``(B, L, D)``; see `cut_patches`."""
    points = centres.detach().double() if centres.device.type != "mps" else centres.detach().float()
    whole = torch.tensor(tuple(space), dtype=points.dtype, device=points.device)
    size = torch.tensor(tuple(shape), dtype=points.dtype, device=points.device)
    known = torch.isfinite(points).all(dim=-1, keepdim=True)
    middle = torch.where(known, points, (whole - 1) / 2)
    middle = torch.minimum(torch.maximum(middle, -size), whole + size)
    return torch.floor(middle - (size - 1) / 2 + 0.5).to(torch.int64)
