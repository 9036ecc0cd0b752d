"""Means and second moments of maps, from sums over rows, columns and planes.

A map is read once or twice: the sums over all axes but two hold all means and all second moments. These sums are small,
and what follows is done with them, about the mean and in double precision, so nothing cancels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.activation import (
    Activation,
    ratio,
    weights,
    wide_dtype,
    working_dtype,
)

# Pixels that are worked on at a time where no gradient is needed: they stay in the processor's cache.
CHUNK = 1 << 20


class Moments(NamedTuple):
    """Of ``N`` maps; NaN for a map without weight.

    Attributes:
        mean: index coordinates ``(N, D)``.
        second: mean of ``(x - c) (x - c).T``, ``(N, D, D)``; ``c`` is the mean or what was asked for.
        concentration: sum of the squared shares of the pixels, ``(N,)``: 1 for a single pixel.
    """

    mean: Tensor
    second: Tensor
    concentration: Tensor


def weight_chunks(
    heatmap: Tensor, activation: Activation | None, t: float, inside: Sequence[Tensor] | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Weights of a few maps at a time; of all at once if a gradient is asked for.

    Args:
        heatmap: ``(B, L, *space)``.
        activation: see `weights`.
        t: see `weights`.
        inside: for each axis which pixels count, bool ``(B * L, n)``; None for all.

    Yields:
        Which of the ``B * L`` maps, and their weights ``(N, *space)``; those are overwritten afterwards.
    """
    dtype, space = working_dtype(heatmap.dtype), heatmap.shape[2:]
    pixels = space.numel()
    with_gradient = heatmap.requires_grad and torch.is_grad_enabled()
    step = heatmap.shape[0] * heatmap.shape[1] if with_gradient else max(1, CHUNK // pixels)
    groups = [heatmap.flatten(0, 1)] if with_gradient or heatmap.is_contiguous() else list(heatmap)
    buffer = None if with_gradient else torch.empty(step, pixels, dtype=dtype, device=heatmap.device)
    begin = 0
    for group in groups:
        for part in group.split(step):
            chosen = slice(begin, begin + len(part))
            values = part.reshape(len(part), pixels).to(dtype)
            if inside is not None:
                nothing = -torch.inf if activation in ("softmax", "sigmoid") else 0.0
                values = torch.where(outer([axis[chosen] for axis in inside]).flatten(1), values, nothing)
            weight = weights(values, activation, t, out=None if buffer is None else buffer[: len(part)])
            yield chosen, weight.view(len(part), *space)
            begin += len(part)


def outer(masks: Sequence[Tensor]) -> Tensor:
    """Which pixels are inside along all axes, bool ``(N, *space)``."""
    total = torch.ones((), dtype=torch.bool, device=masks[0].device)
    for axis, mask in enumerate(masks):
        shape = [len(mask)] + [1] * len(masks)
        shape[axis + 1] = mask.shape[-1]
        total = total & mask.view(shape)
    return total


def axis_sums(weight: Tensor) -> list[Tensor]:
    """For each axis the sum over all others, ``(N, n)``, in a wide type.

    Args:
        weight: ``(N, *space)``.
    """
    wide = wide_dtype(weight)
    sums: list[Tensor] = []
    while weight.ndim > 2:
        sums.append(weight.flatten(1, -2).sum(dim=1).to(wide))
        weight = weight.sum(dim=-1)
    return [weight.to(wide), *reversed(sums)]


def pair_sums(weight: Tensor) -> dict[tuple[int, int], Tensor]:
    """For each pair of axes the sum over all others, ``(N, n, n)``.

    Args:
        weight: ``(N, *space)``.
    """
    ndim = weight.ndim - 1
    sums = {}
    for pair in combinations(range(ndim), 2):
        others = [axis + 1 for axis in range(ndim) if axis not in pair]
        sums[pair] = weight.sum(dim=others) if others else weight
    return sums


def mean_of(sums: Sequence[Tensor]) -> Tensor:
    """Mean position ``(N, D)`` out of `axis_sums`; NaN where they are 0."""
    means = []
    for per_axis in sums:
        centre = (per_axis.shape[-1] - 1) / 2
        index = torch.arange(per_axis.shape[-1], device=per_axis.device).to(per_axis) - centre
        means.append(ratio(per_axis @ index, per_axis.sum(dim=-1)) + centre)
    return torch.stack(means, dim=-1)


def moments_of(weight: Tensor, about: Tensor | None = None) -> Moments:
    """Mean and second moments of maps of weights.

    Args:
        weight: ``(N, *space)``.
        about: positions ``(N, D)`` to take the second moments about; the means if None.
    """
    ndim, wide = weight.ndim - 1, wide_dtype(weight)
    pairs = pair_sums(weight)
    if ndim == 1:
        sums = [weight.to(wide)]
    else:
        sums = [pairs[0, 1].sum(dim=2).to(wide), *(pairs[0, axis].sum(dim=1).to(wide) for axis in range(1, ndim))]
    mean = mean_of(sums)
    centre = mean if about is None else about.to(mean)
    total = sums[0].sum(dim=-1)
    offsets = [
        torch.arange(size, device=weight.device) - centre[:, axis, None] for axis, size in enumerate(weight.shape[1:])
    ]
    entries = {(axis, axis): (sums[axis] * offsets[axis].square()).sum(dim=-1) for axis in range(ndim)}
    for (i, j), pair in pairs.items():
        along = (pair @ offsets[j].to(pair)[..., None]).squeeze(-1)
        entries[i, j] = entries[j, i] = (along.to(wide) * offsets[i]).sum(dim=-1)
    rows = [torch.stack([entries[i, j] for j in range(ndim)], dim=-1) for i in range(ndim)]
    second = ratio(torch.stack(rows, dim=-2), total[:, None, None])
    flat = weight.flatten(1)
    squared = flat.square().sum(dim=-1) if weight.requires_grad else torch.linalg.vector_norm(flat, dim=-1).square()
    return Moments(mean, second, ratio(squared.to(wide), total.square()))


def per_landmark(values: Tensor, heatmap: Tensor) -> Tensor:
    """Answers ``(B * L, ...)`` for maps ``(B, L, *space)`` as ``(B, L, ...)`` in a working float type."""
    return values.view(*heatmap.shape[:2], *values.shape[1:]).to(working_dtype(heatmap.dtype))


def map_means(heatmap: Tensor, activation: Activation | None, t: float) -> Tensor:
    """Weighted mean position of each map, ``(B, L, D)`` in a working float type; see `weights`."""
    parts = [mean_of(axis_sums(weight)) for _, weight in weight_chunks(heatmap, activation, t)]
    return per_landmark(torch.cat(parts), heatmap)


def map_moments(
    heatmap: Tensor,
    activation: Activation | None,
    t: float,
    about: Tensor | None = None,
    inside: Sequence[Tensor] | None = None,
) -> Moments:
    """Moments of all maps, ``B * L`` of them, in a wide type.

    Args:
        heatmap: ``(B, L, *space)``.
        activation: see `weights`.
        t: see `weights`.
        about: positions ``(B * L, D)`` to take the second moments about; the means if None.
        inside: see `weight_chunks`.
    """
    parts = [
        moments_of(weight, None if about is None else about[chosen])
        for chosen, weight in weight_chunks(heatmap, activation, t, inside)
    ]
    return Moments(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))
