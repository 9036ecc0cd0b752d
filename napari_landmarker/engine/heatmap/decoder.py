"""From heatmaps to sub-pixel coordinates, in any number of dimensions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class DecodedPoints(NamedTuple):
    """What a decoder found.

    Attributes:
        points: heatmap index coordinates in array order, ``(B, L, D)``; NaN where the map says nothing.
        score: in [0, 1], ``(B, L)``; 0 where the map says nothing.
    """

    points: Tensor
    score: Tensor


def _maxima(heatmap: Tensor) -> tuple[Tensor, Tensor]:
    """Index of each map's maximum, ``(B, L, D)``, and which maps say anything: all finite and not flat ``(B, L)``."""
    flat = heatmap.flatten(2)
    valid = torch.isfinite(flat).all(dim=-1) & (flat.amax(dim=-1) > flat.amin(dim=-1))
    best = torch.where(torch.isfinite(flat), flat, -torch.inf).argmax(dim=-1)
    index = torch.stack(torch.unravel_index(best, heatmap.shape[2:]), dim=-1)
    return index, valid


def coord_argmax(heatmap: Tensor) -> Tensor:
    """The pixel of each map's maximum.

    Args:
        heatmap: ``(B, L, *space)``.

    Returns:
        ``(B, L, D)`` in heatmap index coordinates; NaN for a map that is flat or not finite.
    """
    index, valid = _maxima(heatmap)
    points = index.to(torch.float32 if heatmap.dtype in (torch.float16, torch.bfloat16) else heatmap.dtype)
    return torch.where(valid[..., None], points, torch.nan)


def coord_local_soft_argmax(logits: Tensor, window: int = 3) -> DecodedPoints:
    """Mean position of the softmax over a window around the maximum.

    The window is made smaller near the border, alike on both sides, so that the border does not pull the answer
    inwards. The softmax is taken relative to the maximum, so that any finite input gives a finite answer.

    Args:
        logits: ``(B, L, *space)``, any float type.
        window: half width in pixels: ``2 * window + 1`` pixels per axis.

    Returns:
        The points, and as score the share of the whole map's probability that lies in the window.
    """
    values = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    centre, valid = _maxima(values)
    space = torch.tensor(values.shape[2:], device=values.device)
    room = torch.minimum(centre, space - 1 - centre).clamp(max=window)
    ranges = [torch.arange(-window, window + 1, device=values.device)] * len(space)
    offsets = torch.cartesian_prod(*ranges)
    inside = (offsets.abs() <= room[:, :, None, :]).all(dim=-1)
    index = torch.minimum((centre[:, :, None, :] + offsets).clamp(min=0), space - 1)
    strides = torch.tensor([int(space[i + 1 :].prod()) for i in range(len(space))], device=values.device)
    flat = values.flatten(2)
    flat = torch.where(valid[..., None], flat, torch.zeros_like(flat))
    picked = flat.gather(2, (index * strides).sum(dim=-1))
    logsumexp = torch.logsumexp(flat, dim=-1, keepdim=True)
    peak = picked.amax(dim=-1, keepdim=True)
    weights = torch.where(inside, torch.exp(picked - peak), torch.zeros_like(picked))
    points = (weights[..., None] * index).sum(dim=2) / weights.sum(dim=-1, keepdim=True)
    score = torch.where(inside, torch.exp(picked - logsumexp), torch.zeros_like(picked)).sum(dim=-1)
    return DecodedPoints(
        torch.where(valid[..., None], points, torch.nan),
        torch.where(valid, score.clamp(0, 1), torch.zeros_like(score)),
    )
