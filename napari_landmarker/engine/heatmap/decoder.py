"""From heatmaps to sub-pixel coordinates by the name of a method, in any number of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.activation import check_activation, spatial_ndim, weights, working_dtype
from napari_landmarker.engine.heatmap.argmax import Maxima, find_maxima
from napari_landmarker.engine.heatmap.local import half_width, local_points, window_values
from napari_landmarker.engine.heatmap.moments import map_means, weight_chunks
from napari_landmarker.engine.heatmap.precision import in_full_precision
from napari_landmarker.engine.heatmap.refine import dark_points
from napari_landmarker.engine.heatmap.sites import sites_of
from napari_landmarker.engine.heatmap.spread import MEAN_METHODS

#: Decoders by weighted means over a window, and the activation of each.
LOCAL_METHODS: dict[str, str | None] = {
    "local_soft_argmax": "softmax",
    "local_weighted_spatial_mean": None,
    "local_weighted_spatial_mean_relu": "ReLU",
    "local_weighted_spatial_mean_sigmoid": "sigmoid",
}
METHODS = ("dark", "argmax", *LOCAL_METHODS, *MEAN_METHODS)


class DecodedPoints(NamedTuple):
    """What a decoder found.

    Attributes:
        points: heatmap index coordinates in array order, ``(B, L, D)``; NaN where the map says nothing.
        score: in [0, 1], ``(B, L)``; 0 where the map says nothing.
    """

    points: Tensor
    score: Tensor


def check_method(method: str, t: float | None) -> float:
    """The temperature, or the method's own: 10 for the local soft-argmax (for maps of peak 1), 1 for the others.

    Raises:
        ValueError: if there is no such method, or for a temperature that is not positive and finite.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}.")
    if t is None:
        return 10.0 if method == "local_soft_argmax" else 1.0
    check_activation(None, t)
    return t


def without_front(heatmap: Tensor, offset_coords: int) -> Tensor:
    """The landmarks' channels.

    Raises:
        ValueError: if none is left.
    """
    if not 0 <= offset_coords < heatmap.shape[1]:
        raise ValueError(f"offset_coords must leave a channel of {heatmap.shape[1]}, and does not: {offset_coords}.")
    return heatmap[:, offset_coords:]


def points_of(heatmap: Tensor, found: Maxima, method: str, window: int, t: float) -> Tensor:
    """Points by a method, ``(B, L, D)``; NaN where the map says nothing."""
    if method == "dark":
        return dark_points(heatmap, found)
    if method in LOCAL_METHODS:
        return local_points(heatmap, found, window, check_activation(LOCAL_METHODS[method], t), t)
    if method in MEAN_METHODS:
        points = map_means(heatmap, check_activation(MEAN_METHODS[method], t), t)
    else:
        points = found.pixel.to(working_dtype(heatmap.dtype))
    return torch.where(found.valid[..., None], points, torch.nan)


def share_in_window(heatmap: Tensor, found: Maxima, window: int, activation: str | None, t: float) -> Tensor:
    """Share of a map's weight that lies in the window about its maximum, ``(B, L)``; negative values have none."""
    kind = check_activation(activation or "ReLU", t)
    values, _, inside = window_values(sites_of(heatmap, found.pixel), window)
    near = (weights(values, kind, t) * inside).sum(dim=-1)
    total = torch.cat([weight.flatten(1).sum(dim=-1) for _, weight in weight_chunks(heatmap, kind, t)])
    return (near / total).view(heatmap.shape[:2])


@in_full_precision
def decode_heatmap(
    heatmap: Tensor,
    method: str = "dark",
    *,
    window: int = 5,
    t: float | None = None,
    offset_coords: int = 0,
    spatial_dims: int | None = None,
) -> DecodedPoints:
    """Points and how sure the maps are of them.

    The score of ``"dark"`` and ``"argmax"`` is the largest value of the map, which is to be trained towards a peak
    of 1, cut to [0, 1]. For all other methods it is the share of the whole map's weight, under the method's activation,
    that lies in the window about the maximum; for a distribution over the pixels it is the probability of that window.

    Args:
        heatmap: ``(B, C, *space)``, any float type.
        method: see `heatmap_to_coord`.
        window: full width in pixels of the window of the local methods, and of all scores by shares.
        t: inverse temperature of the softmax; see `check_method` if None.
        offset_coords: channels in front to leave out, ``L = C - offset_coords``.
        spatial_dims: ``D``, if it is to be checked.

    Returns:
        The points ``(B, L, D)`` and their scores ``(B, L)``; NaN and 0 for a map that is flat, has a NaN or plus
        infinity in it, or has no weight.

    Raises:
        ValueError: for another method, a window below 1 or a temperature that is not positive.
    """
    spatial_ndim(heatmap, spatial_dims)
    temperature = check_method(method, t)
    half_width(window)
    heatmap = without_front(heatmap, offset_coords)
    found = find_maxima(heatmap)
    points = points_of(heatmap, found, method, window, temperature)
    with torch.no_grad():
        if method in ("dark", "argmax"):
            score = found.value.to(working_dtype(heatmap.dtype))
        else:
            activation = {**LOCAL_METHODS, **MEAN_METHODS}[method]
            score = share_in_window(heatmap, found, window, activation, temperature)
        says = found.valid & torch.isfinite(points).all(dim=-1) & torch.isfinite(score)
        score = torch.where(says, score.clamp(0, 1), torch.zeros_like(score))
    return DecodedPoints(torch.where(says[..., None], points, torch.nan), score)


@in_full_precision
def heatmap_to_coord(
    heatmap: Tensor,
    offset_coords: int = 0,
    method: str = "dark",
    spatial_dims: int | None = None,
    require_grad: bool = False,
) -> Tensor:
    """Points by the name of a method, with the method's own window and temperature.

    Args:
        heatmap: ``(B, C, *space)``, any float type.
        offset_coords: channels in front to leave out (the background), ``L = C - offset_coords``.
        method: ``"dark"`` (`coord_dark`), ``"argmax"`` (`coord_argmax`); ``"local_soft_argmax"``,
            ``"local_weighted_spatial_mean"``, with ``_relu`` or ``_sigmoid`` (`coord_local_weighted`); or
            ``"soft_argmax"``, ``"weighted_spatial_mean"``, with ``_relu`` or ``_sigmoid``
            (`coord_weighted_spatial_mean`).
        spatial_dims: ``D``, if it is to be checked.
        require_grad: as in the paper's listings; the answer has a gradient whenever `heatmap` asks for one.

    Returns:
        ``(B, L, D)`` in heatmap index coordinates; NaN for a map that is flat or has a NaN or plus infinity in it.

    Raises:
        ValueError: for another method.
    """
    spatial_ndim(heatmap, spatial_dims)
    temperature = check_method(method, None)
    heatmap = without_front(heatmap, offset_coords)
    window = 5 if method == "local_soft_argmax" else 9
    return points_of(heatmap, find_maxima(heatmap), method, window, temperature)


def heatmap_to_coord_enlarge(
    heatmap: Tensor,
    offset_coords: int = 0,
    method: str = "argmax",
    enlarge_factor: float = 1,
    enlarge_dim: Sequence[int] | None = None,
    enlarge_mode: str = "bilinear",
    spatial_dims: int | None = None,
) -> Tensor:
    """Points by the name of a method from enlarged maps, one map at a time.

    Args:
        heatmap: ``(B, C, *space)`` in 1D, 2D or 3D, any float type.
        offset_coords: channels in front to leave out, ``L = C - offset_coords``.
        method: see `heatmap_to_coord`.
        enlarge_factor: how many times larger; unused if `enlarge_dim` is given.
        enlarge_dim: shape of the enlarged map, ``D`` numbers.
        enlarge_mode: ``"bilinear"`` (linear in any number of dimensions), ``"bicubic"`` (2D), ``"nearest-exact"``, or
            another mode of `torch.nn.functional.interpolate`.
        spatial_dims: ``D``, if it is to be checked.

    Returns:
        ``(B, L, D)`` in index coordinates of `heatmap`, pixel centres at whole numbers: ``(i + 0.5) / s - 0.5`` for an
        axis that became ``s`` times longer.

    Raises:
        ValueError: if `enlarge_dim` has not ``D`` positive numbers, `enlarge_factor` is not positive, or there is no
            such mode in ``D`` dimensions.
    """
    ndim = spatial_ndim(heatmap, spatial_dims)
    heatmap = without_front(heatmap, offset_coords)
    space = heatmap.shape[2:]
    size = tuple(enlarge_dim) if enlarge_dim is not None else tuple(int(n * enlarge_factor) for n in space)
    if len(size) != ndim or min(size) < 1:
        raise ValueError(f"The enlarged size must be {ndim} positive numbers, not {size}.")
    linear = {1: "linear", 2: "bilinear", 3: "trilinear"}
    mode = linear.get(ndim, enlarge_mode) if enlarge_mode in linear.values() else enlarge_mode
    smooth = False if mode in (*linear.values(), "bicubic") else None
    valid = find_maxima(heatmap).valid
    points = torch.full((*valid.shape, ndim), torch.nan, dtype=working_dtype(heatmap.dtype), device=heatmap.device)
    for batch, landmark in valid.nonzero().tolist():
        one = heatmap[batch, landmark][None, None].to(points.dtype)
        one = one.clamp(min=one.detach()[torch.isfinite(one)].amin())  # no infinity, which would spread
        try:
            enlarged = torch.nn.functional.interpolate(one, size=size, mode=mode, align_corners=smooth)
        except NotImplementedError as error:
            raise ValueError(f"There is no enlarge_mode {enlarge_mode!r} in {ndim} dimensions.") from error
        points[batch, landmark] = heatmap_to_coord(enlarged, method=method)[0, 0]
    scale = points.new_tensor([new / old for new, old in zip(size, space, strict=True)])
    return (points + 0.5) / scale - 0.5
