"""Sub-pixel maxima from the shape of the map about its largest pixel.

Source: Zhang et al., Distribution-aware coordinate representation for human pose estimation (DARK), CVPR 2020, with two
changes. The quadratic is laid through pixels of the map also at the border, where the paper gives up: the stencil moves
inwards by one, and being exact it extrapolates. And the paper's smoothing of the map beforehand is left out, as it
would move maxima near the border.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.activation import spatial_ndim, wide_dtype, working_dtype
from napari_landmarker.engine.heatmap.argmax import Maxima, find_maxima
from napari_landmarker.engine.heatmap.precision import in_full_precision
from napari_landmarker.engine.heatmap.sites import Sites, box, sites_of

# Along each axis a maximum is at most so far from the largest pixel: by the full quadratic; by one that goes through
# all pixels of the stencil, as in a slanting narrow Gaussian; and axis by axis.
REACH_PX = 1.0
REACH_EXACT_PX = 3.0
REACH_ALONE_PX = 0.5
# Largest difference that is still none, as a share of the differences between the pixels' logarithms.
EXACT = 0.01


def derivatives(values: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient and Hessian at the middle of a stencil; exact for a quadratic.

    Args:
        values: ``(K, 3, ..., 3)`` with ``D`` axes of 3.

    Returns:
        ``(K, D)`` and ``(K, D, D)``.
    """
    ndim = values.ndim - 1

    def at(moved: dict[int, int]) -> Tensor:
        place: list[slice | int] = [slice(None), *(1 + moved.get(axis, 0) for axis in range(ndim))]
        return values[tuple(place)]

    def entry(i: int, j: int) -> Tensor:
        if i == j:
            return at({i: 1}) - 2 * at({}) + at({i: -1})
        return (at({i: 1, j: 1}) + at({i: -1, j: -1}) - at({i: 1, j: -1}) - at({i: -1, j: 1})) / 4

    gradient = torch.stack([(at({i: 1}) - at({i: -1})) / 2 for i in range(ndim)], dim=-1)
    hessian = torch.stack([torch.stack([entry(i, j) for j in range(ndim)], dim=-1) for i in range(ndim)], dim=-2)
    return gradient, hessian


def misfit(logarithm: Tensor, offsets: Tensor, gradient: Tensor, hessian: Tensor) -> Tensor:
    """Largest difference of a stencil from its quadratic, as a share of its own differences, ``(K,)``.

    Args:
        logarithm: ``(K, P)``.
        offsets: ``(P, D)``.
        gradient: ``(K, D)``.
        hessian: ``(K, D, D)``.
    """
    place = offsets.to(gradient)
    rise = gradient @ place.T + 0.5 * ((place @ hessian) * place).sum(dim=-1)
    away = logarithm - logarithm[:, len(offsets) // 2, None]
    return (away - rise).abs().amax(dim=-1) / away.abs().amax(dim=-1).clamp(min=torch.finfo(away.dtype).tiny)


def safe_log(values: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithm, 0 where it is not defined, and whether all values of a row ``(K, P)`` have one ``(K,)``."""
    positive = values > 0
    return torch.where(positive, values, torch.ones_like(values)).log(), positive.all(dim=-1)


def newton_step(sites: Sites, axes: list[int]) -> tuple[Tensor, Tensor]:
    """From the site to the maximum of the Gaussian through the pixels about it.

    Args:
        sites: ``K`` of them.
        axes: those of at least three pixels.

    Returns:
        The step ``(K, len(axes))``, and whether it is to be trusted ``(K,)``: the logarithm is defined, it has a
        maximum, and that is near.
    """
    last = sites.space_tensor() - 1
    middle = sites.pixel.clone()
    middle[:, axes] = torch.minimum(middle.clamp(min=1), last - 1)[:, axes]
    offsets = box([int(axis in axes) for axis in range(len(sites.space))], middle.device)
    values = sites.values(middle[:, None, :] + offsets)
    logarithm, defined = safe_log(values.to(wide_dtype(values)))
    gradient, hessian = derivatives(logarithm.view(-1, *[3] * len(axes)))
    curvature = torch.where(defined[:, None, None], -hessian, torch.eye(len(axes)).to(hessian))
    concave = torch.linalg.cholesky_ex(curvature.detach())[1] == 0
    curvature = torch.where(concave[:, None, None], curvature, torch.eye(len(axes)).to(hessian))
    step = torch.linalg.solve_ex(curvature, gradient[..., None])[0].squeeze(-1) + (middle - sites.pixel)[:, axes]
    exact = (len(axes) > 1) & (misfit(logarithm, offsets[:, axes], gradient, hessian) <= EXACT)
    reach = torch.where(exact, REACH_EXACT_PX, REACH_PX)
    return step, defined & concave & (step.abs() <= reach[:, None]).all(dim=-1)


def step_along(sites: Sites, axis: int) -> Tensor:
    """Step along one axis, ``(K,)``: by the logarithm if it is defined, else by the values; 0 without a maximum."""
    last = sites.space[axis] - 1
    middle = sites.pixel[:, axis].clamp(1, last - 1)
    index = sites.pixel[:, None, :].repeat(1, 3, 1)
    index[:, :, axis] = middle[:, None] + torch.arange(-1, 2, device=index.device)
    values = sites.values(index)
    values = torch.nan_to_num(values.to(wide_dtype(values)))
    size = values.detach().abs().amax(dim=-1, keepdim=True)
    logarithm, defined = safe_log(values)
    line = torch.where(defined[:, None], logarithm, values / torch.where(size == 0, torch.ones_like(size), size))
    gradient, hessian = derivatives(line)
    slope, bend = gradient[:, 0], hessian[:, 0, 0]
    concave = bend < 0
    step = middle - sites.pixel[:, axis] - slope / torch.where(concave, bend, -torch.ones_like(bend))
    return torch.where(concave, step.clamp(-REACH_ALONE_PX, REACH_ALONE_PX), torch.zeros_like(step))


def refined(sites: Sites) -> Tensor:
    """Sub-pixel maxima near the sites, which are local maxima.

    The Gaussian through the ``3 ** D`` pixels about each, all its covariance included; where that is not defined, is
    no maximum, or leads far away (noise), a parabola along each axis by itself; and the pixel where that has no
    maximum either. An axis of one or two pixels is not refined.

    Returns:
        ``(K, D)`` in index coordinates, in a wide type.
    """
    axes = [axis for axis, size in enumerate(sites.space) if size >= 3]
    points = sites.pixel.to(wide_dtype(sites.pixel))
    if not axes or not len(points):
        return points
    step, trusted = newton_step(sites, axes)
    alone = torch.stack([step_along(sites, axis) for axis in axes], dim=-1)
    chosen = torch.where(trusted[:, None], step, alone)
    return points + torch.zeros_like(points).index_add(1, torch.tensor(axes, device=points.device), chosen)


def dark_points(heatmap: Tensor, found: Maxima) -> Tensor:
    """`refined` maxima of the maps, ``(B, L, D)``; NaN for a map that says nothing."""
    points = refined(sites_of(heatmap, found.pixel)).view(found.pixel.shape).to(working_dtype(heatmap.dtype))
    return torch.where(found.valid[..., None], points, torch.nan)


@in_full_precision
def coord_dark(heatmap: Tensor, spatial_dims: int | None = None) -> Tensor:
    """Sub-pixel maximum by a Gaussian through the pixels about the largest one (DARK; see this module).

    Exact for a Gaussian of any amplitude, width and covariance, up to the rounding of the map, also at the border and
    for a centre somewhat outside. At most a pixel from the largest pixel along each axis; three if the pixels about it
    are those of a Gaussian to a hundredth.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        spatial_dims: ``D``, if it is to be checked.

    Returns:
        ``(B, L, D)`` in heatmap index coordinates, differentiable in the pixels of the stencil; NaN for a map that is
        flat or has a NaN or plus infinity in it.

    Example:
        >>> y, x = torch.meshgrid(torch.arange(8), torch.arange(9), indexing="ij")
        >>> coord_dark(torch.exp(-((y - 0.3) ** 2 + (x - 8.2) ** 2) / 8)[None, None])
        tensor([[[0.3000, 8.2000]]])
    """
    spatial_ndim(heatmap, spatial_dims)
    return dark_points(heatmap, find_maxima(heatmap))
