"""Least-squares fits of a Gaussian to maps, for the point and its covariance; a few maps at a time, none by itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.activation import spatial_ndim, wide_dtype, working_dtype
from napari_landmarker.engine.heatmap.argmax import find_maxima
from napari_landmarker.engine.heatmap.least_squares import Gaussian, Model, minimise, select
from napari_landmarker.engine.heatmap.moments import moments_of, per_landmark
from napari_landmarker.engine.heatmap.precision import in_full_precision
from napari_landmarker.engine.heatmap.refine import dark_points
from napari_landmarker.engine.heatmap.sites import Sites
from napari_landmarker.engine.heatmap.spread import at_least_a_pixel, check_points

# How many standard deviations about the centre are looked at: what lies beyond is the same for all Gaussians near.
REACH = 5.0
ROUNDS = 3
# Pixels times parameters that are worked on at a time.
CHUNK = 1 << 23
LIBRARIES = ("scipy", "pytorch")


def rough_covariance(maps: Tensor, centre: Tensor) -> Tensor:
    """Covariance of Gaussians by the shape of what is above half their peak, ``(N, D, D)``.

    Args:
        maps: ``(N, *space)``.
        centre: ``(N, D)``.
    """
    ndim = maps.ndim - 1
    parts = []
    for number in range(len(maps)):
        one = maps[number : number + 1]
        above = (one > one.amax() / 2).to(working_dtype(maps.dtype))
        parts.append(moments_of(above, centre[number : number + 1]).second)
    return at_least_a_pixel(torch.cat(parts) * (ndim + 2) / (2 * math.log(2)))


def covariance_of(gaussian: Gaussian) -> Tensor:
    """``(N, D, D)``."""
    diagonal = gaussian.factor.diagonal(dim1=-2, dim2=-1)
    smallest = torch.where(diagonal.abs() < 1e-6, 1e-6, diagonal)
    factor = gaussian.factor + torch.diag_embed(smallest - diagonal)
    unit = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device).expand_as(factor)
    inverse = torch.linalg.solve_triangular(factor, unit, upper=False)
    covariance: Tensor = inverse.mT @ inverse
    return covariance


def window_index(sites: Sites, halves: list[int]) -> Tensor:
    """Index coordinates of windows ``2 * half + 1`` wide about the sites; all of an axis that is no longer than that.

    Returns:
        int64 ``(K, P, D)``; some may lie outside of the map.
    """
    count, ndim, device = len(sites.pixel), len(halves), sites.pixel.device
    axes = []
    for axis, (half, size) in enumerate(zip(halves, sites.space, strict=True)):
        along = sites.pixel[:, axis, None] + torch.arange(-half, half + 1, device=device)
        if along.shape[-1] >= size:
            along = torch.arange(size, device=device).expand(count, size)
        axes.append(along.view(count, *[1] * axis, -1, *[1] * (ndim - axis - 1)))
    whole = torch.Size([count, *(along.numel() // count for along in axes)])
    return torch.stack([along.expand(whole) for along in axes], dim=-1).flatten(1, -2)


def fit_windows(sites: Sites, start: Gaussian, model: Model) -> Gaussian:
    """Fit in windows about the sites that reach far enough; they are made larger if the Gaussians turn out wider."""
    last = sites.space_tensor() - 1
    best, halves = start, [0] * len(sites.space)
    for _ in range(ROUNDS):
        widths = covariance_of(best).diagonal(dim1=-2, dim2=-1).sqrt().nan_to_num().clamp(max=1e6).amax(dim=0)
        needed = [
            min(size - 1, math.ceil(REACH * width) + 2)
            for width, size in zip(widths.tolist(), sites.space, strict=True)
        ]
        if all(have >= need for have, need in zip(halves, needed, strict=True)):
            break
        halves = [max(pair) for pair in zip(halves, needed, strict=True)]
        index = window_index(sites, halves)
        inside = ((index >= 0) & (index <= last)).all(dim=-1)
        values = sites.values(torch.minimum(index.clamp(min=0), last))
        values = torch.where(torch.isfinite(values), values, torch.zeros_like(values))
        best = minimise(index.to(best.centre), values.to(best.centre), inside.to(best.centre), best, model)
    return best


def fit_maps(
    heatmap: Tensor, centre: Tensor, gamma: float | None, moving: bool, fit_amplitude: bool
) -> tuple[Tensor, Tensor]:
    """Centres ``(B * L, D)`` and covariances ``(B * L, D, D)``, in a wide type; NaN where `centre` is.

    Args:
        heatmap: ``(B, L, *space)``.
        centre: where to begin, ``(B * L, D)``.
        gamma: see `coord_cov_from_gaussian_ls`.
        moving: whether the centre is fitted.
        fit_amplitude: see `coord_cov_from_gaussian_ls`.

    Raises:
        ValueError: if `gamma` is not positive and finite.
    """
    if gamma is not None and not 0 < gamma < math.inf:
        raise ValueError(f"gamma must be positive and finite, not {gamma}.")
    model = Model(moving, fit_amplitude, gamma is not None and not fit_amplitude)
    ndim = heatmap.ndim - 2
    points = centre.clone()
    covariances = torch.full((len(centre), ndim, ndim), torch.nan, dtype=centre.dtype, device=centre.device)
    known = torch.isfinite(centre).all(dim=-1).nonzero().squeeze(-1)
    last = torch.tensor(heatmap.shape[2:], device=centre.device) - 1
    pixels = heatmap[0, 0].numel() if len(centre) else 1
    step = max(1, CHUNK // (pixels * (ndim + 1) ** 2))
    for begin in range(0, len(known), step):
        part = known[begin : begin + step]
        owner = torch.stack((part // heatmap.shape[1], part % heatmap.shape[1]), dim=-1)
        maps = heatmap[owner[:, 0], owner[:, 1]]
        rough = rough_covariance(maps, centre[part])
        factor = torch.linalg.cholesky(torch.linalg.inv(rough))
        peak = maps.flatten(1).amax(dim=-1).to(centre).clamp(min=torch.finfo(torch.float32).tiny)
        fixed = torch.full_like(peak, 0.0 if gamma is None else math.log(gamma))
        start = Gaussian(centre[part], factor, peak.log() if fit_amplitude else fixed)
        index = torch.minimum(centre[part].round().clamp(min=0), last.to(centre)).long()
        fitted = fit_windows(Sites(heatmap, owner, index), start, model)
        covariance = covariance_of(fitted)
        near = (fitted.centre - start.centre).abs().amax(dim=-1) <= max(heatmap.shape[2:])
        sound = near & torch.isfinite(covariance).all(dim=-1).all(dim=-1)
        points[part] = select(sound, fitted.centre, start.centre)
        covariances[part] = at_least_a_pixel(select(sound, covariance, rough))
    return points, covariances


def check_library(ls_library: str) -> None:
    """Raise a ValueError for a library that the paper's listings do not know."""
    if ls_library not in LIBRARIES:
        raise ValueError(f"ls_library must be one of {', '.join(LIBRARIES)}, not {ls_library!r}.")


@in_full_precision
@torch.no_grad()
def coord_cov_from_gaussian_ls(
    heatmap: Tensor,
    gamma: float | None = None,
    ls_library: str = "scipy",
    spatial_dims: int | None = None,
    fit_amplitude: bool = False,
) -> tuple[Tensor, Tensor]:
    """Point and covariance of the Gaussian that is nearest to each map by least squares.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        gamma: the integral of the Gaussian, as in `GaussianHeatmapGenerator`; None for a peak of 1.
        ls_library: ``"scipy"`` or ``"pytorch"``, as in the paper's listings; either runs the one solver there is.
        spatial_dims: ``D``, if it is to be checked.
        fit_amplitude: fit the peak too, whatever `gamma` says: for maps that do not reach the height they were trained
            for, which a fixed height would make too narrow.

    Returns:
        Points ``(B, L, D)`` in heatmap index coordinates and covariances ``(B, L, D, D)`` in square pixels, with
        principal variances of at least 1/12 px². Without gradient. NaN for a map that is flat or has a NaN or plus
        infinity in it.
    """
    spatial_ndim(heatmap, spatial_dims)
    check_library(ls_library)
    start = dark_points(heatmap, find_maxima(heatmap)).flatten(0, 1).to(wide_dtype(heatmap))
    points, covariances = fit_maps(heatmap, start, gamma, True, fit_amplitude)
    return per_landmark(points, heatmap), per_landmark(covariances, heatmap)


@in_full_precision
@torch.no_grad()
def cov_from_gaussian_ls(
    heatmap: Tensor,
    coords: Tensor,
    gamma: float | None = None,
    ls_library: str = "scipy",
    spatial_dims: int | None = None,
    fit_amplitude: bool = False,
) -> Tensor:
    """Covariance of the Gaussian about given points that is nearest to each map by least squares.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        coords: points in heatmap index coordinates, ``(B, L, D)``.
        gamma: see `coord_cov_from_gaussian_ls`.
        ls_library: see `coord_cov_from_gaussian_ls`.
        spatial_dims: ``D``, if it is to be checked.
        fit_amplitude: see `coord_cov_from_gaussian_ls`.

    Returns:
        ``(B, L, D, D)`` as `coord_cov_from_gaussian_ls`; NaN for a point that is NaN, too.
    """
    spatial_ndim(heatmap, spatial_dims)
    check_library(ls_library)
    valid = find_maxima(heatmap).valid.flatten(0, 1)
    start = torch.where(valid[:, None], check_points(heatmap, coords), torch.nan)
    _, covariances = fit_maps(heatmap, start, gamma, False, fit_amplitude)
    return per_landmark(covariances, heatmap)
