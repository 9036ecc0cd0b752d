"""Covariances of maps by weighted moments, whole and windowed, and from learnt factors; always positive definite.

Source: https://en.wikipedia.org/wiki/Weighted_arithmetic_mean#Weighted_sample_covariance, and for learnt factors Kumar
et al., LUVLi face alignment, CVPR 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.activation import check_activation, spatial_ndim, wide_dtype, working_dtype
from napari_landmarker.engine.heatmap.moments import Moments, map_moments, per_landmark
from napari_landmarker.engine.heatmap.precision import in_full_precision

#: Smallest variance in any direction, in square pixels: that of a point somewhere in a pixel.
PIXEL_VARIANCE = 1 / 12


def at_least_a_pixel(covariance: Tensor) -> Tensor:
    """Raise the smallest principal variances to that of a pixel, 1/12 px²; in other directions nothing changes.

    The gradient is that of the covariance as it came in, and finite also for equal principal variances. A matrix with
    a NaN in it stays as it is.

    Args:
        covariance: symmetric, ``(..., D, D)``.

    Returns:
        ``(..., D, D)``, positive definite.
    """
    known = covariance.detach()
    finite = torch.isfinite(known).all(dim=-1).all(dim=-1)[..., None, None]
    size = known.shape[-1]
    unit = torch.eye(size, dtype=known.dtype, device=known.device)
    variances, axes = torch.linalg.eigh(torch.where(finite, known, unit))
    rounding = 8 * torch.finfo(torch.float32).eps * variances.abs().amax(dim=-1, keepdim=True)
    floor = rounding.clamp(min=PIXEL_VARIANCE)
    missing = (axes * (floor - variances).clamp(min=0)[..., None, :]) @ axes.mT
    return covariance + torch.where(finite, missing, torch.zeros_like(missing))


def sample_covariance(moments: Moments) -> Tensor:
    """Unbiased covariance for weights that say how reliable each pixel is, ``(N, D, D)``, and at least a pixel.

    Where all weight is in one pixel nothing can be said of the bias, and it is not corrected.
    """
    left = 1 - moments.concentration
    single = left.abs() < 64 * torch.finfo(torch.float32).eps
    left = torch.where(single, torch.ones_like(left), left)
    return at_least_a_pixel(moments.second / left[:, None, None])


@in_full_precision
def coord_weighted_spatial_mean_cov(
    heatmap: Tensor,
    spatial_dims: int | None = None,
    require_grad: bool = False,
    activation: str | None = None,
    t: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Mean position and covariance of all pixels, weighted by the map.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        spatial_dims: ``D``, if it is to be checked.
        require_grad: as in the paper's listings; the answers have a gradient whenever `heatmap` asks for one.
        activation: ``"softmax"``, ``"sigmoid"``, ``"ReLU"``, or None for the values themselves.
        t: inverse temperature of the softmax.

    Returns:
        Points ``(B, L, D)`` as `coord_weighted_spatial_mean` gives them, and covariances ``(B, L, D, D)`` in square
        pixels: the unbiased sample covariance, with principal variances of at least 1/12 px². Both differentiable; NaN
        for a map without weight, or with a NaN or plus infinity in it.
    """
    spatial_ndim(heatmap, spatial_dims)
    found = map_moments(heatmap, check_activation(activation, t), t)
    return per_landmark(found.mean, heatmap), per_landmark(sample_covariance(found), heatmap)


def coord_soft_argmax_cov(
    heatmap: Tensor, spatial_dims: int | None = None, require_grad: bool = False, t: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Mean position and covariance of the softmax over the map; see `coord_weighted_spatial_mean_cov`."""
    return coord_weighted_spatial_mean_cov(heatmap, spatial_dims, require_grad, "softmax", t)


def heatmap_to_coord_cov(
    heatmap: Tensor,
    method: str = "soft_argmax",
    require_grad: bool = True,
    spatial_dims: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Mean position and covariance by the name of a method.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        method: ``"soft_argmax"``, ``"weighted_spatial_mean"``, ``"weighted_spatial_mean_relu"`` or
            ``"weighted_spatial_mean_sigmoid"``.
        require_grad: see `coord_weighted_spatial_mean_cov`.
        spatial_dims: ``D``, if it is to be checked.

    Returns:
        As `coord_weighted_spatial_mean_cov`.

    Raises:
        ValueError: for another method.
    """
    if method not in MEAN_METHODS:
        raise ValueError(f"method must be one of {', '.join(MEAN_METHODS)}, not {method!r}.")
    return coord_weighted_spatial_mean_cov(heatmap, spatial_dims, require_grad, MEAN_METHODS[method])


#: Decoders by weighted means over the whole map, and the activation of each.
MEAN_METHODS: dict[str, str | None] = {
    "soft_argmax": "softmax",
    "weighted_spatial_mean": None,
    "weighted_spatial_mean_relu": "ReLU",
    "weighted_spatial_mean_sigmoid": "sigmoid",
}


def check_points(heatmap: Tensor, coords: Tensor) -> Tensor:
    """Points one per map, flattened to ``(B * L, D)`` in a wide type.

    Raises:
        ValueError: if their shape does not fit.
    """
    expected = (*heatmap.shape[:2], heatmap.ndim - 2)
    if coords.shape != expected:
        raise ValueError(f"coords must be {expected}, not {tuple(coords.shape)}.")
    return coords.flatten(0, 1).to(heatmap.device, wide_dtype(heatmap))


@in_full_precision
def weighted_sample_cov(
    heatmap: Tensor, coords: Tensor, spatial_dims: int | None = None, activation: str | None = None, t: float = 1.0
) -> Tensor:
    """Covariance of all pixels about given points, weighted by the map.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        coords: points in heatmap index coordinates, ``(B, L, D)``.
        spatial_dims: ``D``, if it is to be checked.
        activation: ``"softmax"``, ``"sigmoid"``, ``"ReLU"``, or None for the values themselves.
        t: inverse temperature of the softmax.

    Returns:
        ``(B, L, D, D)`` in square pixels, see `coord_weighted_spatial_mean_cov`; NaN for a point that is NaN, too.
    """
    spatial_ndim(heatmap, spatial_dims)
    found = map_moments(heatmap, check_activation(activation, t), t, check_points(heatmap, coords))
    return per_landmark(sample_covariance(found), heatmap)


@in_full_precision
def windowed_weighted_sample_cov(
    heatmap: Tensor, coords: Tensor, spatial_dims: int | None = None, activation: str | None = None, t: float = 1.0
) -> Tensor:
    """Covariance about given points over the largest window around each that lies in the map.

    The window has the same width along all axes and its middle at the pixel nearest to the point: a window that the
    border cuts on one side would lean to the other.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        coords: points in heatmap index coordinates, ``(B, L, D)``.
        spatial_dims: ``D``, if it is to be checked.
        activation: ``"softmax"``, ``"sigmoid"``, ``"ReLU"``, or None for the values themselves.
        t: inverse temperature of the softmax.

    Returns:
        ``(B, L, D, D)`` in square pixels, see `weighted_sample_cov`; 1/12 px² on the diagonal for a point on the
        border, whose window is a single pixel.
    """
    spatial_ndim(heatmap, spatial_dims)
    points = check_points(heatmap, coords)
    last = torch.tensor(heatmap.shape[2:], device=points.device) - 1
    centre = torch.minimum(torch.nan_to_num(points).round().clamp(min=0), last.to(points))
    room = torch.minimum(centre, last - centre).amin(dim=-1, keepdim=True)
    inside = [
        (torch.arange(size, device=points.device) - centre[:, axis, None]).abs() <= room
        for axis, size in enumerate(heatmap.shape[2:])
    ]
    found = map_moments(heatmap, check_activation(activation, t), t, points, inside)
    return per_landmark(sample_covariance(found), heatmap)


#: The name in the paper's listings.
windowed_weigthed_sample_cov = windowed_weighted_sample_cov


@in_full_precision
def cov_from_cholesky(factors: Tensor) -> Tensor:
    """Covariance out of the free numbers that a network learns: ``C = L L.T`` with a lower triangular ``L``.

    Args:
        factors: the entries of ``L`` row by row, ``(..., D (D + 1) / 2)``: in 2D ``L00, L10, L11``. On the diagonal
            ``1 + elu(entry)`` is taken, which is positive.

    Returns:
        ``(..., D, D)`` in square pixels, differentiable, with principal variances of at least 1/12 px².

    Raises:
        ValueError: if the number of entries is not that of a triangle.
    """
    entries = factors.shape[-1]
    size = int((2 * entries) ** 0.5)
    if entries == 0 or size * (size + 1) // 2 != entries:
        raise ValueError(f"The last axis must have 1, 3, 6, ... entries of a triangle, not {entries}.")
    values = factors.to(working_dtype(factors.dtype))
    rows, columns = torch.tril_indices(size, size, device=factors.device)
    values = torch.where(rows == columns, 1 + torch.nn.functional.elu(values), values)
    lower = torch.zeros(*values.shape[:-1], size, size, dtype=values.dtype, device=values.device)
    lower[..., rows, columns] = values
    return at_least_a_pixel(lower @ lower.mT)
