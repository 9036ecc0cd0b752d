"""Which landmarks are there, and sums and means over those alone.

A landmark of an image is missing if any number of its target is NaN or infinite, or if the caller says so. What is
predicted for it may be anything: it is replaced before anything is computed, so neither a value nor a gradient sees it.
A *prediction* that is no number where there is a target is another matter, and makes the loss NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_landmarker.engine.losses.base import Reduction


def where_present(target: Tensor, present: Tensor | None = None) -> Tensor:
    """Which landmarks count.

    Args:
        target: points ``(B, L, D)`` or heatmaps ``(B, C, *space)``.
        present: bool, or 0 and 1, ``(B, L)``: False for a landmark that is missing though its target is finite, as
            where a missing landmark is drawn as zeros. Heatmaps may have one channel more than it, in front, such as a
            background: that one counts always.

    Returns:
        Bool ``(B, C)``.

    Raises:
        ValueError: if the shape of `present` does not fit.
    """
    there = torch.isfinite(torch.linalg.vector_norm(target.detach().flatten(2), ord=1, dim=-1))
    if present is None:
        return there
    batch, channels = there.shape
    extra = channels - present.shape[-1]
    if present.ndim != 2 or present.shape[0] != batch or extra not in ((0,) if target.ndim == 3 else (0, 1)):
        raise ValueError(f"present must be {(batch, channels)}, not {tuple(present.shape)}.")
    given = present.bool()
    if extra:
        given = torch.cat((torch.ones_like(there[:, :1]), given), dim=1)
    return there & given


def keep(values: Tensor, there: Tensor) -> Tensor:
    """`values` ``(B, C, ...)`` with zeros for what is missing; no gradient, and no NaN of one, goes back to those.

    Where it costs nothing to ask, and nothing is missing, they are not copied.
    """
    if there.device.type == "cpu" and not torch.compiler.is_compiling() and bool(there.all()):
        return values
    return torch.where(there.view(*there.shape, *[1] * (values.ndim - 2)), values, 0.0)


def reduced(values: Tensor, there: Tensor, reduction: Reduction) -> Tensor:
    """Terms in one number: their sum, or their mean over landmarks that are there.

    Args:
        values: ``(B, C, ...)``, 0 for what is missing.
        there: bool ``(B, C)``.
        reduction: ``"none"`` leaves `values` as they are.

    Returns:
        0, with zero gradients, if every landmark is missing.
    """
    if reduction == "none":
        return values
    if reduction == "sum":
        return values.sum()
    per_landmark = values[0, 0].numel() if values.ndim > 2 else 1
    return values.sum() / (there.sum() * per_landmark).clamp(min=1)


def reduced_per_map(values: Tensor, there: Tensor, reduction: Reduction) -> Tensor:
    """Terms of heatmaps with learnt widths in one number, in which each landmark weighs the same however rare it is.

    Args:
        values: ``(B, C)``, 0 for what is missing.
        there: bool ``(B, C)``.
        reduction: ``"mean"``: for each landmark the mean over the images that show it, and of those the sum over
            landmarks, as in the papers.
    """
    if reduction == "mean":
        return (values.sum(dim=0) / there.sum(dim=0).clamp(min=1)).sum()
    return reduced(values, there, reduction)
