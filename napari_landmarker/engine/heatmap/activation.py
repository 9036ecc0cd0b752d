"""From heatmap values to weights that are not negative, for any finite input in any float type."""

from __future__ import annotations

from typing import Literal, cast, get_args

import torch
from torch import Tensor

#: How values become weights; None takes them as they are.
Activation = Literal["softmax", "sigmoid", "ReLU"]

# Below this, the sigmoid is its own exponential to nine digits.
SIGMOID_TAIL = -20.0
# Maps whose values have a root sum of squares between these need no factor.
SAFE_SIZES = (1e-12, 1e12)


def spatial_ndim(heatmap: Tensor, spatial_dims: int | None = None) -> int:
    """Number of spatial dimensions ``D`` of a heatmap ``(B, L, *space)``.

    Args:
        heatmap: the maps.
        spatial_dims: what the caller believes it is, or None.

    Raises:
        ValueError: if the heatmap has no spatial dimension, an empty one, or not `spatial_dims`; or is not of a float
            type.
    """
    ndim = heatmap.ndim - 2
    if ndim < 1 or 0 in heatmap.shape[2:]:
        raise ValueError(f"A heatmap must be (B, L, *space) with pixels in it, not {tuple(heatmap.shape)}.")
    if spatial_dims is not None and spatial_dims != ndim:
        raise ValueError(f"spatial_dims is {spatial_dims}, but a heatmap {tuple(heatmap.shape)} has {ndim}.")
    if not heatmap.is_floating_point():
        raise ValueError(f"A heatmap must be of a float type, not {heatmap.dtype}.")
    return ndim


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """The float type in which to compute and answer: half types become float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def wide_dtype(values: Tensor) -> torch.dtype:
    """The widest float type of the device of `values`, for small sums."""
    return torch.float32 if values.device.type == "mps" else torch.float64


def check_activation(activation: str | None, t: float) -> Activation | None:
    """The activation, if there is such a one.

    Raises:
        ValueError: for another name, or a temperature that is not positive and finite.
    """
    if activation is not None and activation not in get_args(Activation):
        raise ValueError(f"activation must be None, {', '.join(map(repr, get_args(Activation)))}, not {activation!r}.")
    if not 0 < t < float("inf"):
        raise ValueError(f"The temperature t must be positive and finite, not {t}.")
    return cast(Activation | None, activation)


def weights(values: Tensor, activation: Activation | None, t: float = 1.0, out: Tensor | None = None) -> Tensor:
    """Weights of pixels, up to a constant factor per map that makes the largest about 1 where it is far from that.

    With that factor no sum over a map overflows or vanishes; it cancels in every mean. It is a constant to autograd.

    Args:
        values: ``(..., N)``, the pixels of a map in the last axis, of a working float type; minus infinity where a
            pixel is to have no weight (softmax and sigmoid).
        activation: ``"softmax"``: ``exp(t * value)``. ``"sigmoid"``: ``1 / (1 + exp(-value))``. ``"ReLU"``: the
            positive part. None: the value itself, also where it is negative.
        t: inverse temperature of the softmax: the larger, the nearer to the maximum.
        out: where the weights may be written, if no gradient is asked for.

    Returns:
        ``(..., N)``. Not a number for a map that has a NaN or plus infinity; all 0 for one without any weight.
    """
    if activation is None and out is not None:
        size = torch.linalg.vector_norm(values, dim=-1)
        if bool(((size > SAFE_SIZES[0]) & (size < SAFE_SIZES[1])).all()):
            return values
    known = values.detach()
    level = known.amax(dim=-1, keepdim=True)
    if activation == "softmax":
        shifted = torch.sub(values, level, out=out)
        return (t * shifted).exp() if out is None else shifted.mul_(t).exp_()
    if activation == "sigmoid":
        shift = (level - SIGMOID_TAIL).clamp(max=0)
        shift = torch.where(level == torch.inf, torch.nan, shift)
        shifted = torch.sub(values, shift, out=out)
        return shifted.sigmoid() if out is None else shifted.sigmoid_()
    lowest = torch.zeros_like(level) if activation == "ReLU" else known.amin(dim=-1, keepdim=True)
    level = torch.maximum(level, -lowest)
    level = torch.where(level == 0, torch.ones_like(level), level)
    scaled = torch.div(values, level, out=out)
    if activation is None:
        return scaled
    return scaled.relu() if out is None else scaled.relu_()


def softmax_2d(heatmap: Tensor, t: float = 1.0, spatial_dims: int | None = None) -> Tensor:
    """Softmax over all pixels of each map; in 3D, over all voxels.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        t: inverse temperature.
        spatial_dims: ``D``, if it is to be checked.

    Returns:
        ``(B, L, *space)`` in the type of `heatmap` (computed in float32 for half types); each map sums to 1.
    """
    spatial_ndim(heatmap, spatial_dims)
    check_activation("softmax", t)
    flat = heatmap.flatten(2).to(working_dtype(heatmap.dtype))
    return torch.softmax(t * (flat - flat.detach().amax(dim=-1, keepdim=True)), dim=-1).view_as(heatmap).to(heatmap)


def ratio(part: Tensor, total: Tensor) -> Tensor:
    """``part / total``; NaN where the total is 0 or no number, with a gradient of 0 there."""
    usable = total.abs() > 0
    return torch.where(usable, part / torch.where(usable, total, torch.ones_like(total)), torch.nan)
