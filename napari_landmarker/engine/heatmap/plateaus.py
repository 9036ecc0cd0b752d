"""Local maxima of several equal pixels: each plateau is one peak, and a shoulder of a larger peak is none."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from napari_landmarker.engine.heatmap.sites import Sites, box

Integers = npt.NDArray[np.int64]
Values = npt.NDArray[np.floating]


class Plateaus(NamedTuple):
    """Peaks among candidates, ``K`` of them, in the order of the candidates.

    Attributes:
        chosen: which candidate stands for each peak, ``(K,)``: of a plateau the pixel nearest to its middle.
        middle: index coordinates of the middle of each peak, ``(K, D)``.
        several: whether the peak is a plateau of more than one pixel, ``(K,)``.
    """

    chosen: Integers
    middle: npt.NDArray[np.float64]
    several: npt.NDArray[np.bool_]


def places(candidates: Sites, apart: int) -> Integers:
    """Positions ``(K, 1 + D)`` in which different maps are more than `apart` from each other."""
    owner = candidates.owner.cpu().numpy()
    number = owner[:, 0] * candidates.maps.shape[1] + owner[:, 1]
    return np.concatenate([number[:, None] * (apart + 1), candidates.pixel.cpu().numpy()], axis=1)


def groups(position: Integers, values: Values) -> Integers:
    """Number of the plateau of each candidate, ``(K,)``: equal ones that touch, also at corners, belong together."""
    pairs = KDTree(position).query_pairs(1, p=np.inf, output_type="ndarray")
    pairs = pairs[values[pairs[:, 0]] == values[pairs[:, 1]]]
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(position),) * 2)
    number: Integers = connected_components(links, directed=False)[1].astype(np.int64)
    return number


def on_shoulder(candidates: Sites, position: Integers) -> npt.NDArray[np.bool_]:
    """Whether a candidate touches an equal pixel that is no candidate, as a larger one is near, ``(K,)``."""
    last = candidates.space_tensor() - 1
    offsets = box([1] * len(candidates.space), candidates.pixel.device)
    offsets = offsets[(offsets != 0).any(dim=-1)]
    around = torch.minimum((candidates.pixel[:, None, :] + offsets).clamp(min=0), last)
    equal = candidates.values(around) == candidates.values(candidates.pixel[:, None, :])
    row, column = equal.nonzero(as_tuple=True)
    neighbours = np.concatenate([position[row.cpu().numpy(), :1], around[row, column].cpu().numpy()], axis=1)
    extent = np.vstack([position, neighbours]).max(axis=0) + 1
    known = np.ravel_multi_index(tuple(position.T), tuple(extent))
    asked = np.ravel_multi_index(tuple(neighbours.T), tuple(extent))
    missing = known[np.searchsorted(known, asked).clip(max=len(known) - 1)] != asked
    out = np.zeros(len(position), bool)
    out[row.cpu().numpy()[missing]] = True
    return out


def tied(position: Integers, values: Values) -> npt.NDArray[np.bool_]:
    """Which candidates are equal to another one of their map, ``(K,)``."""
    order = np.lexsort((values, position[:, 0]))
    same = (np.diff(values[order]) == 0) & (np.diff(position[order, 0]) == 0)
    out = np.zeros(len(position), bool)
    out[order[1:]] = same
    out[order[:-1]] |= same
    return out


def suppressed(position: Integers, half: int) -> npt.NDArray[np.bool_]:
    """Which peaks lie in the window of an earlier one that is kept, ``(K,)``; only equal ones can."""
    out = np.zeros(len(position), bool)
    pairs = KDTree(position).query_pairs(half, p=np.inf, output_type="ndarray")
    for first, second in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].tolist():
        if not out[first]:
            out[second] = True
    return out


def merge_equal(position: Integers, values: Values, shoulder: npt.NDArray[np.bool_], half: int) -> Plateaus:
    """As `merge_plateaus`, for candidates by `places` of which some are equal."""
    group = groups(position, values)
    size = np.bincount(group)
    members = position[:, 1:].astype(np.float64)
    middle = np.stack([np.bincount(group, axis) / size for axis in members.T], axis=1)
    distance = np.square(members - middle[group]).sum(axis=1)
    order = np.lexsort((distance, group))
    nearest = order[np.searchsorted(group[order], np.arange(len(size)))]
    kept = np.flatnonzero(np.bincount(group, shoulder) == 0)
    kept = kept[np.argsort(nearest[kept], kind="stable")]
    kept = kept[~suppressed(position[nearest[kept]], half)]
    return Plateaus(nearest[kept], middle[kept], size[kept] > 1)


def merge_plateaus(candidates: Sites, half: int) -> Plateaus:
    """One peak per plateau, and one per window among equal ones.

    Args:
        candidates: all pixels that are as large as any other in their window, by map and in the order of the array.
        half: half width of the window in pixels.
    """
    position = places(candidates, max(half, 1))
    values = candidates.values(candidates.pixel[:, None, :])[:, 0].cpu().numpy()
    shoulder = on_shoulder(candidates, position) if len(position) else np.zeros(0, bool)
    equal = tied(position, values)
    single = np.flatnonzero(~equal & ~shoulder)
    peaks = Plateaus(single, position[single, 1:].astype(np.float64), np.zeros(len(single), bool))
    if not equal.any():
        return peaks
    merged = merge_equal(position[equal], values[equal], shoulder[equal], half)
    chosen = np.concatenate([single, np.flatnonzero(equal)[merged.chosen]])
    order = np.argsort(chosen)
    return Plateaus(
        chosen[order],
        np.concatenate([peaks.middle, merged.middle])[order],
        np.concatenate([peaks.several, merged.several])[order],
    )
