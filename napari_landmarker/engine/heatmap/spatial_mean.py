"""Weighted mean position over the whole map, soft-argmax among them.

Source: Kumar et al., UGLLI face alignment, ICCV workshops 2019 (weighted spatial mean); Luvizon et al., Human pose
regression by combining indirect part detection and contextual information, 2019 (soft-argmax).
"""

from __future__ import annotations

from torch import Tensor

from napari_landmarker.engine.heatmap.activation import check_activation, spatial_ndim
from napari_landmarker.engine.heatmap.moments import map_means
from napari_landmarker.engine.heatmap.precision import in_full_precision


@in_full_precision
def coord_weighted_spatial_mean(
    heatmap: Tensor,
    spatial_dims: int | None = None,
    activation: str | None = None,
    require_grad: bool = False,
    t: float = 1.0,
) -> Tensor:
    """Mean position of all pixels, weighted by the map.

    The mean is over the whole map, so everything in it counts: the softmax of a map of peak 1 is nearly flat, and its
    mean lies near the middle of the map. Raise `t`, train for it, or take a local decoder.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        spatial_dims: ``D``, if it is to be checked.
        activation: ``"softmax"``, ``"sigmoid"``, ``"ReLU"``, or None for the values themselves.
        require_grad: as in the paper's listings; the answer has a gradient whenever `heatmap` asks for one.
        t: inverse temperature of the softmax.

    Returns:
        ``(B, L, D)`` in heatmap index coordinates, differentiable. The middle for a flat map that has weight (training
        may begin with one; `heatmap_to_coord` says NaN there); NaN for a map without weight, or with a NaN or plus
        infinity in it, and without activation also for one with minus infinity.

    Example:
        >>> import torch
        >>> heatmap = torch.zeros(1, 1, 4, 6)
        >>> heatmap[0, 0, 1, 2] = 3.0
        >>> heatmap[0, 0, 1, 4] = 1.0
        >>> coord_weighted_spatial_mean(heatmap)
        tensor([[[1.0000, 2.5000]]])
    """
    spatial_ndim(heatmap, spatial_dims)
    return map_means(heatmap, check_activation(activation, t), t)


def coord_soft_argmax(
    heatmap: Tensor, spatial_dims: int | None = None, require_grad: bool = False, t: float = 1.0
) -> Tensor:
    """Mean position of the softmax over the whole map; see `coord_weighted_spatial_mean`."""
    return coord_weighted_spatial_mean(heatmap, spatial_dims, "softmax", require_grad, t)


def coord_soft_argmax_2d(heatmap: Tensor, logit_scale: bool = False, require_grad: bool = False) -> Tensor:
    """Mean position of a single map.

    Args:
        heatmap: ``(*space)``; in spite of the name in any number of dimensions.
        logit_scale: whether the map is a distribution already, so that no softmax is to be taken.
        require_grad: see `coord_weighted_spatial_mean`.

    Returns:
        ``(D,)`` in heatmap index coordinates.
    """
    activation = None if logit_scale else "softmax"
    return coord_weighted_spatial_mean(heatmap[None, None], None, activation, require_grad)[0, 0]
