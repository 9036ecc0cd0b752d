"""Weighted means over a window about the maximum (Bulat et al., Subpixel heatmap regression, BMVC 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.activation import (
    Activation,
    check_activation,
    ratio,
    spatial_ndim,
    weights,
)
from napari_landmarker.engine.heatmap.argmax import Maxima, find_maxima
from napari_landmarker.engine.heatmap.precision import in_full_precision
from napari_landmarker.engine.heatmap.sites import Sites, box, sites_of


def half_width(window: int) -> int:
    """Pixels of a window on either side of its centre.

    Raises:
        ValueError: if the window is smaller than a pixel.
    """
    if window < 1:
        raise ValueError(f"A window must be at least 1 pixel wide, not {window}.")
    return int(window) // 2


def window_values(sites: Sites, window: int) -> tuple[Tensor, Tensor, Tensor]:
    """What lies in the window of each site.

    Near the border a window is made smaller, alike on both sides, so that the border does not pull a mean inwards.

    Args:
        sites: ``K`` of them.
        window: full width in pixels.

    Returns:
        Values ``(K, P)``, offsets from the site ``(P, D)``, and which of them count ``(K, P)``.
    """
    half = half_width(window)
    last = sites.space_tensor() - 1
    offsets = box([min(half, (size - 1) // 2) for size in sites.space], sites.pixel.device)
    room = torch.minimum(sites.pixel, last - sites.pixel)
    inside = (offsets.abs() <= room[:, None, :]).all(dim=-1)
    index = torch.minimum((sites.pixel[:, None, :] + offsets).clamp(min=0), last)
    return sites.values(index), offsets, inside


def local_mean(sites: Sites, window: int, activation: Activation | None, t: float) -> Tensor:
    """Weighted mean position over the window of each site.

    Returns:
        ``(K, D)``, differentiable; NaN where the window has no weight.
    """
    values, offsets, inside = window_values(sites, window)
    nothing = -torch.inf if activation in ("softmax", "sigmoid") else 0.0
    weight = weights(torch.where(inside, values, nothing), activation, t)
    mean = ratio(weight @ offsets.to(weight), weight.sum(dim=-1, keepdim=True))
    return sites.pixel + mean


def local_points(heatmap: Tensor, found: Maxima, window: int, activation: Activation | None, t: float) -> Tensor:
    """`local_mean` about the maximum of each map, ``(B, L, D)``; NaN for a map that says nothing."""
    mean = local_mean(sites_of(heatmap, found.pixel), window, activation, t)
    return torch.where(found.valid[..., None], mean.view(found.pixel.shape), torch.nan)


@in_full_precision
def coord_local_weighted(
    heatmap: Tensor,
    window: int = 9,
    spatial_dims: int | None = None,
    activation: str | None = None,
    t: float = 1.0,
) -> Tensor:
    """Weighted mean position over a window around the maximum, for any activation.

    Near the border the window is made smaller, alike on both sides, so a maximum on the border pixel decodes to that
    pixel.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        window: full width of the window in pixels; an even one is taken as the next odd one.
        spatial_dims: ``D``, if it is to be checked.
        activation: ``"softmax"``, ``"sigmoid"``, ``"ReLU"``, or None for the values themselves.
        t: inverse temperature of the softmax.

    Returns:
        ``(B, L, D)`` in heatmap index coordinates, differentiable in the values inside the window; NaN for a map that
        is flat or has a NaN or plus infinity in it, or whose window has no weight.
    """
    spatial_ndim(heatmap, spatial_dims)
    half_width(window)
    return local_points(heatmap, find_maxima(heatmap), window, check_activation(activation, t), t)


def coord_local_soft_argmax(
    heatmap: Tensor, window: int = 5, t: float = 10.0, spatial_dims: int | None = None
) -> Tensor:
    """Mean position of the softmax over a window around the maximum.

    The default temperature is for maps of peak 1: a network trained with a softmax over the map gives logits, and
    ``t=1`` is theirs. The softmax is taken relative to the maximum, so that any finite input gives a finite answer.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        window: full width of the window in pixels; an even one is taken as the next odd one.
        t: inverse temperature of the softmax.
        spatial_dims: ``D``, if it is to be checked.

    Returns:
        As `coord_local_weighted`.

    Example:
        >>> heatmap = torch.zeros(1, 1, 9, 9)
        >>> heatmap[0, 0, 4, 4:6] = 1
        >>> coord_local_soft_argmax(heatmap, t=50.0)
        tensor([[[4.0000, 4.5000]]])
    """
    return coord_local_weighted(heatmap, window, spatial_dims, "softmax", t)
