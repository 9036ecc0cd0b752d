"""Where texts are written around their points, so that they cover each other and the points as little as possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.geometry import FloatArray

IntArray = npt.NDArray[np.int_]
BoolArray = npt.NDArray[np.bool_]

#: Where a name may stand about its point, the best place first: steps across and down.
SIDES = ((1, 0), (1, -1), (1, 1), (0, -1), (0, 1), (-1, 0), (-1, -1), (-1, 1))
#: Where a value may stand about the place that is meant for it: steps of more than half its width, and of its height.
SHIFTS = (
    (0, 0), (0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1), (0, -2), (0, 2),
    (1, -2), (-1, -2), (1, 2), (-1, 2),
)  # fmt: skip
#: Room between a point and its name, in screen pixels.
_ROOM_PX = 3.0
#: How much worse each place is than the one before it, and how much better the place that a text has already. All are
#: shares of a text that is covered; a point that covers it counts more than another text, and so does to be cut off.
_LATER, _STAY, _POINT, _CUT = 0.01, 0.12, 4.0, 0.35
#: A text of which more than this share is covered by others is not written.
_COVERED = 0.3


@dataclass(frozen=True)
class Surroundings:
    """What texts are to leave free.

    Attributes:
        taken: left, top, right and bottom of what else is drawn, in screen pixels, ``(M, 4)``.
        planes: the slice of each text, ``(N,)``; texts of different slices are never seen together.
        taken_planes: the slice of each of ``taken``, ``(M,)``.
        bounds: left, top, right and bottom of what is seen, ``(4,)``.
    """

    taken: FloatArray
    planes: IntArray
    taken_planes: IntArray
    bounds: FloatArray


def beside_points(sizes: FloatArray, radius_px: float) -> FloatArray:
    """From points of a radius to the middles of their names on each side, ``(N, K, 2)`` for sizes ``(N, 2)``."""
    sides = np.array(SIDES, dtype=np.float64)
    slanted = (np.abs(sides).sum(axis=1) == 2)[:, None]
    away = np.where(slanted, 0.6 * radius_px, radius_px + _ROOM_PX)
    return np.asarray(sides * (away + sizes[:, None] / 2))


def about_places(sizes: FloatArray) -> FloatArray:
    """From the places that are meant for values to where they may stand instead, ``(N, K, 2)``."""
    return np.asarray(np.array(SHIFTS) * (sizes * (0.6, 1.0))[:, None])


def boxes_of(middles: FloatArray, sizes: FloatArray | float) -> FloatArray:
    """Left, top, right and bottom ``(..., 4)`` of boxes about middles ``(..., 2)``."""
    half = np.broadcast_to(np.asarray(sizes) / 2, middles.shape)
    return np.concatenate([middles - half, middles + half], axis=-1)


def choose(
    middles: FloatArray, sizes: FloatArray, around: Surroundings, before: IntArray, always: int = -1
) -> tuple[IntArray, BoolArray]:
    """The place of each text that is covered least, and whether the text can be read there.

    Texts with many neighbours choose first; whoever is covered then looks once more. A text leaves the place it has
    only for one that is clearly better.

    Args:
        middles: where the middle of each text may be, in screen pixels, ``(N, K, 2)``.
        sizes: width and height of each, ``(N, 2)``.
        around: what else is there.
        before: the place that each has now, ``(N,)``; -1 for none.
        always: a text that is written in any case.

    Returns:
        Places ``(N,)``, of ``K``, and whether each text is written, ``(N,)``.
    """
    count, options = middles.shape[:2]
    if count == 0:
        return np.empty(0, dtype=int), np.empty(0, dtype=bool)
    boxes = boxes_of(middles, sizes[:, None])
    reach = np.concatenate([boxes[..., :2].min(axis=1), boxes[..., 2:].max(axis=1)], axis=1)
    area = np.prod(sizes, axis=1)
    cost = _outside(boxes, around.bounds) + _LATER * np.arange(options)
    own, other = np.nonzero((around.planes[:, None] == around.taken_planes) & _meet(reach, around.taken))
    np.add.at(cost, own, _POINT * _shared(boxes[own], around.taken[other, None]) / area[own, None])
    cost[before >= 0, before[before >= 0]] -= _STAY
    near = _meet(reach, reach) & (around.planes[:, None] == around.planes)
    np.fill_diagonal(near, False)
    places = cost.argmin(axis=1)
    crowded = [int(row) for row in np.argsort(-near.sum(axis=1), kind="stable") if near[row].any()]
    if always in crowded:
        crowded.remove(always)
        crowded.insert(0, always)
    taken, rows = np.full((count, 4), np.inf), np.arange(count)
    for again in (False, True):
        for row in crowded:
            others = taken[near[row]]
            if again and not _shared(taken[row], others).any():
                continue
            covered = _shared(boxes[row][:, None], others).sum(axis=1)
            places[row] = (cost[row] + covered / area[row]).argmin()
            taken[row] = boxes[row, places[row]]
    return places, _readable(boxes[rows, places], area, near, crowded)


def _readable(boxes: FloatArray, area: FloatArray, near: BoolArray, order: list[int]) -> BoolArray:
    """Which texts can be read: of those that cover each other, the first."""
    written = np.ones(len(boxes), dtype=bool)
    if order:
        written[order] = False
        shared = np.where(near, _shared(boxes[:, None], boxes), 0)
        covers = shared > _COVERED * np.minimum(area[:, None], area)
        for row in order:
            written[row] = not (covers[row] & written).any()
    return written


def _shared(boxes: FloatArray, others: FloatArray) -> FloatArray:
    """The areas that boxes have in common; none with a box at infinity."""
    size = np.minimum(boxes[..., 2:], others[..., 2:]) - np.maximum(boxes[..., :2], others[..., :2])
    size = np.maximum(size, 0)
    return np.asarray(size[..., 0] * size[..., 1])


def _meet(boxes: FloatArray, others: FloatArray) -> BoolArray:
    """Whether boxes ``(N, 4)`` meet others ``(M, 4)``, ``(N, M)``."""
    low, high = boxes[:, None], others[None]
    return np.asarray(((low[..., :2] < high[..., 2:]) & (high[..., :2] < low[..., 2:])).all(axis=-1))


def _outside(boxes: FloatArray, bounds: FloatArray) -> FloatArray:
    """What it costs boxes ``(N, K, 4)`` that a part of them is not seen; nothing where they are not seen anywhere."""
    area = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    share = np.maximum(1 - _shared(boxes, bounds) / area, 0)
    share[share < 1e-9] = 0
    cost = share + _CUT * (share > 0)
    return np.asarray(np.where((share >= 1).all(axis=-1, keepdims=True), 0.0, cost))
