"""Several instances of a landmark in one map: local maxima, suppressed near larger ones, to sub-pixel positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.activation import check_activation, spatial_ndim, working_dtype
from napari_landmarker.engine.heatmap.argmax import find_maxima
from napari_landmarker.engine.heatmap.local import half_width, local_mean
from napari_landmarker.engine.heatmap.plateaus import merge_plateaus
from napari_landmarker.engine.heatmap.precision import in_full_precision
from napari_landmarker.engine.heatmap.refine import refined
from napari_landmarker.engine.heatmap.sites import Sites

#: Points of one map, largest first, each ``(D,)``.
MapPoints = list[Tensor]
#: For each item of the batch and each landmark.
BatchPoints = list[list[MapPoints]]
BatchScores = list[list[list[float]]]

PEAK_METHODS = ("dark", "local_soft_argmax", "argmax")


class Peaks(NamedTuple):
    """Local maxima of all maps, ``K`` of them, by map and the largest of each map first.

    Attributes:
        owner: int64 ``(K, 2)``: batch and landmark.
        points: index coordinates ``(K, D)``.
        values: of the map at the peak's pixel, ``(K,)``.
    """

    owner: Tensor
    points: Tensor
    values: Tensor


def window_maximum(padded: Tensor, half: int, buffers: Sequence[Tensor]) -> Tensor:
    """Largest value in the window about each pixel, along one axis after the other, by doubling.

    Args:
        padded: ``(*space)`` with `half` pixels of minus infinity on each side of each axis; it is left as it is.
        half: half width of the window in pixels.
        buffers: two flat arrays of as many pixels, which are overwritten.

    Returns:
        ``(*space)`` without the padding, in one of the buffers or in `padded`.
    """
    current, turn = padded, 0
    for axis in range(padded.ndim):
        covered, window = 1, 2 * half + 1
        while covered < window:
            shift = min(covered, window - covered)
            left = current.shape[axis] - shift
            here, ahead = current.narrow(axis, 0, left), current.narrow(axis, shift, left)
            current = torch.maximum(here, ahead, out=buffers[turn][: here.numel()].view(here.shape))
            covered, turn = covered + shift, 1 - turn
    return current


def candidates_of(heatmap: Tensor, half: int, threshold: float | None) -> Sites:
    """All pixels as large as any other in their window, above the lowest of their map and not below the threshold.

    Args:
        heatmap: ``(B, L, *space)``.
        half: half width of the window in pixels.
        threshold: smallest value, or None.

    Returns:
        By map, and in the order of the array; none in a map that is flat or has a NaN or plus infinity in it.
    """
    found, space, device = find_maxima(heatmap), heatmap.shape[2:], heatmap.device
    floor = -torch.inf if threshold is None else threshold
    half = min(half, max(space) - 1)
    dtype = working_dtype(heatmap.dtype)
    padded = torch.full([size + 2 * half for size in space], -torch.inf, dtype=dtype, device=device)
    middle = padded[tuple(slice(half, half + size) for size in space)]
    buffers = [torch.empty(padded.numel(), dtype=dtype, device=device) for _ in range(2)]
    owners, places = [], []
    for batch, landmark in (found.valid & (found.value >= floor)).nonzero().tolist():
        values = heatmap[batch, landmark]
        middle.copy_(values)
        largest = window_maximum(padded, half, buffers)
        lowest = float(middle.amin())
        counts = values >= floor if floor > lowest else values > lowest
        index = counts.logical_and_(middle == largest).nonzero()
        places.append(index)
        owners.append(torch.tensor([[batch, landmark]], device=device).expand(len(index), 2))
    none = torch.empty(0, 2, dtype=torch.int64, device=device)
    return Sites(heatmap, torch.cat([none, *owners]), torch.cat([none.new_empty(0, len(space)), *places]))


@in_full_precision
def find_peaks(
    heatmap: Tensor,
    window: int = 5,
    threshold: float | None = None,
    method: str = "dark",
    max_count: int | None = None,
    t: float = 10.0,
) -> Peaks:
    """Local maxima of all maps.

    A peak is the largest pixel in the window about it, up to the border of the map and in its corners. Several equal
    pixels that touch are one peak, at their middle; a level part of a slope is none, and neither is a flat map.

    Args:
        heatmap: ``(B, L, *space)``, any float type.
        window: full width in pixels of the window in which a peak is the only one; an even one is taken as the next
            odd one.
        threshold: smallest value of a peak; None for no limit.
        method: ``"dark"`` (`coord_dark`) or ``"local_soft_argmax"`` (over the same window) for sub-pixel positions,
            ``"argmax"`` for whole pixels.
        max_count: at most so many peaks per map, the largest; None for no limit.
        t: inverse temperature of the local soft-argmax.

    Returns:
        The peaks; none in a map that is flat or has a NaN or plus infinity in it.

    Raises:
        ValueError: for another method, a window or a count below 1.
    """
    spatial_ndim(heatmap)
    half = half_width(window)
    if method not in PEAK_METHODS:
        raise ValueError(f"method must be one of {', '.join(PEAK_METHODS)}, not {method!r}.")
    if max_count is not None and max_count < 1:
        raise ValueError(f"max_count must be at least 1, not {max_count}.")
    check_activation("softmax", t)
    with torch.no_grad():
        candidates = candidates_of(heatmap, half, threshold)
        merged = merge_plateaus(candidates, half)
        chosen = torch.from_numpy(merged.chosen).to(heatmap.device)
        sites = Sites(heatmap, candidates.owner[chosen], candidates.pixel[chosen])
        values = sites.values(sites.pixel[:, None, :])[:, 0]
        if method == "argmax":
            points = sites.pixel.to(values)
        else:
            points = refined(sites) if method == "dark" else local_mean(sites, window, "softmax", t)
            several = torch.from_numpy(merged.several).to(heatmap.device)
            points = torch.where(several[:, None], torch.from_numpy(merged.middle).to(points), points).to(values)
        order = values.argsort(descending=True, stable=True)
        number = sites.owner[:, 0] * heatmap.shape[1] + sites.owner[:, 1]
        order = order[number[order].argsort(stable=True)]
        if max_count is not None:
            first = torch.searchsorted(number[order], number[order])
            order = order[torch.arange(len(order), device=order.device) - first < max_count]
        return Peaks(sites.owner[order], points[order], values[order])


def nested(peaks: Peaks, batch: int, landmarks: int) -> tuple[BatchPoints, BatchScores]:
    """Peaks as lists: by item of the batch, by landmark, by peak."""
    number = peaks.owner[:, 0] * landmarks + peaks.owner[:, 1]
    counts = torch.bincount(number, minlength=batch * landmarks).tolist()
    points = [list(part.unbind()) for part in torch.split(peaks.points, counts)]
    scores = [part.tolist() for part in torch.split(peaks.values, counts)]
    rows = [slice(item * landmarks, (item + 1) * landmarks) for item in range(batch)]
    return [points[row] for row in rows], [scores[row] for row in rows]


def non_maximum_suppression(
    heatmaps: Tensor, window: int, threshold: float | None = None, max_count: int | None = None
) -> tuple[BatchPoints, BatchScores]:
    """Pixels of all local maxima, the largest first; see `find_peaks`.

    Args:
        heatmaps: ``(B, L, *space)``, any float type.
        window: full width of the window in pixels.
        threshold: smallest value of a peak; None for no limit.
        max_count: at most so many peaks per map; None for no limit.

    Returns:
        For each item of the batch and each landmark a list of index coordinates, each ``(D,)``, and a list of as many
        scores, the values of the map.
    """
    peaks = find_peaks(heatmaps, window, threshold, "argmax", max_count)
    return nested(peaks, *heatmaps.shape[:2])


def non_maximum_suppression_local_soft_argmax(
    heatmaps: Tensor,
    window: int,
    threshold: float | None = None,
    max_count: int | None = None,
    t: float = 10.0,
) -> tuple[BatchPoints, BatchScores]:
    """As `non_maximum_suppression`, with sub-pixel positions by the local soft-argmax over the same window."""
    peaks = find_peaks(heatmaps, window, threshold, "local_soft_argmax", max_count, t)
    return nested(peaks, *heatmaps.shape[:2])


#: The names in the paper's listings.
non_maximum_surpression = non_maximum_suppression
non_maximum_surpression_local_soft_argmax = non_maximum_suppression_local_soft_argmax


def heatmap_to_multiple_coord(
    heatmaps: Tensor,
    window: int = 5,
    threshold: float | None = None,
    method: str = "dark",
    spatial_dims: int | None = None,
    max_count: int | None = None,
) -> tuple[BatchPoints | list[MapPoints] | MapPoints, BatchScores | list[list[float]] | list[float]]:
    """All instances of each landmark, the largest peak first; see `find_peaks`.

    Args:
        heatmaps: ``(B, L, *space)``; also ``(L, *space)`` or ``(*space)``, for which the answers lose the same lists.
        window: full width of the window in pixels.
        threshold: smallest value of a peak; None for no limit.
        method: ``"dark"``, ``"local_soft_argmax"`` or ``"argmax"``.
        spatial_dims: ``D``; if None, 3 for five dimensions and 2 for fewer.
        max_count: at most so many peaks per map; None for no limit.

    Returns:
        For each item of the batch and each landmark a list of index coordinates, each ``(D,)``, and a list of as many
        scores, the values of the map.

    Raises:
        ValueError: if `heatmaps` has too few or too many dimensions.

    Example:
        >>> heatmap = torch.zeros(16, 16)
        >>> heatmap[2, 3], heatmap[15, 15] = 1.0, 0.5
        >>> heatmap_to_multiple_coord(heatmap)
        ([tensor([2., 3.]), tensor([15., 15.])], [1.0, 0.5])
    """
    ndim = spatial_dims if spatial_dims is not None else max(2, heatmaps.ndim - 2)
    missing = ndim + 2 - heatmaps.ndim
    if not 0 <= missing <= 2:
        raise ValueError(f"heatmaps must be (B, L, *space) with {ndim} spatial axes, not {tuple(heatmaps.shape)}.")
    full = heatmaps[(None,) * missing]
    points, scores = nested(find_peaks(full, window, threshold, method, max_count), *full.shape[:2])
    if missing == 2:
        return points[0][0], scores[0][0]
    return (points[0], scores[0]) if missing == 1 else (points, scores)
