"""Reading maps while they are being merged: no more than one row of windows of them is ever kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from monai.inferers.merger import Merger
from torch import Tensor

from napari_landmarker.engine.heatmap import find_peaks
from napari_landmarker.engine.heatmap.configs import DecoderConfig
from napari_landmarker.engine.predict.instances import Patch
from napari_landmarker.engine.predict.running import RunningMoments

#: A point lies at most so many pixels from its map's largest pixel, or as many as the window is wide to each side.
REACH_PX = 4


def halo_of(decoder: DecoderConfig) -> int:
    """How many planes before and after a pixel the reading of a point may reach over."""
    return max(2 * decoder.window, decoder.window + REACH_PX)


class Streamed(NamedTuple):
    """What was kept of maps that were merged of windows; values are as the network gives them.

    Attributes:
        patches: of each of the ``L`` maps those about its largest peaks, the largest first; none of a map that is flat
            or has a value that is no number.
        log_total: logarithm of the sum of the exponentials of a map, ``(L,)`` in double precision; of logits only.
        moments: of the heat of whole maps, where points are read as a mean of all pixels.
        overview: the maps, ``coarser`` times coarser: the largest value in each cell, ``(L, *cells)``.
        coarser: map pixels per cell of the overview.
    """

    patches: list[list[Patch]]
    log_total: Tensor
    moments: list[RunningMoments]
    overview: Tensor
    coarser: int

    @classmethod
    def together(cls, parts: Sequence[Streamed]) -> Streamed:
        """What was kept of groups of maps of one image, as one; at least one group."""
        return cls(
            [own for part in parts for own in part.patches],
            torch.cat([part.log_total for part in parts]),
            [own for part in parts for own in part.moments],
            torch.cat([part.overview for part in parts]),
            parts[0].coarser,
        )

    def turned(self, order: Sequence[int]) -> Streamed:
        """With the axes of the maps in another order: axis ``n`` is the one that is ``order[n]`` here."""
        axes = list(order)
        patches = [[Patch(patch.values.permute(axes), patch.corner[axes]) for patch in own] for own in self.patches]
        overview = self.overview.permute(0, *(axis + 1 for axis in axes))
        return self._replace(patches=patches, moments=[own.turned(axes) for own in self.moments], overview=overview)


class _Peak(NamedTuple):
    value: float
    patch: Patch


class Stream(Merger):
    """Merges windows that come row by row, and reads what no later window can change.

    The planes of a row of windows are kept, along the first axis, with as many planes before and after as a point's
    window may reach over, so that a peak between two rows is read as any other.

    Args:
        merged_shape: of all maps, ``(1, L, *space)``.
        cropped_shape: not used.
        shares: for each axis, by the first pixel of a window, how much of its pixels counts.
        grid: of the maps that are to be read; what was merged beyond is left out.
        decoder: how points are read.
        logits: whether the maps are logits.
        instances: how many peaks are kept of each map.
        coarser: map pixels per cell of the overview.
    """

    def __init__(
        self,
        merged_shape: Sequence[int],
        cropped_shape: Sequence[int] | None = None,
        *,
        shares: Sequence[dict[int, Tensor]],
        grid: Sequence[int],
        decoder: DecoderConfig,
        logits: bool,
        instances: int,
        coarser: int,
    ) -> None:
        super().__init__(merged_shape, cropped_shape)
        landmarks = merged_shape[1]
        self._shares, self._space, self._logits, self._count = shares, tuple(grid), logits, instances
        self._half, self._coarser = decoder.window, coarser
        self.halo = halo_of(decoder)
        deep = len(next(iter(shares[0].values()))) + 2 * self.halo
        self._planes = torch.zeros(landmarks, min(deep, self._space[0]), *self._space[1:])
        self._first = self._read = 0
        self._peaks: list[list[_Peak]] = [[] for _ in range(landmarks)]
        self._log_total = torch.full((landmarks,), -torch.inf, dtype=torch.float64)
        self._lowest = torch.full((landmarks,), torch.inf)
        self._usable = torch.ones(landmarks, dtype=torch.bool)
        self._moments = (
            [RunningMoments(len(grid), logits=logits) for _ in range(landmarks)]
            if decoder.method == "soft_argmax"
            else []
        )
        self._overview = torch.full((landmarks, *(-(-size // coarser) for size in grid)), -torch.inf)

    def aggregate(self, values: Tensor, location: Sequence[int]) -> None:
        """Add the maps ``(1, L, *window)`` of a window whose first pixel is at ``location``."""
        self._finish(location[0])
        values = values[0].to(self._planes.device, copy=True)
        box = [slice(None)]
        for axis, (own, start) in enumerate(zip(self._shares, location, strict=True)):
            share = own[start].reshape([-1 if a == axis else 1 for a in range(len(location))])
            values *= share
            size = min(values.shape[axis + 1], self._space[axis] - start)
            values = values.narrow(axis + 1, 0, size)
            at = start - (self._first if axis == 0 else 0)
            box.append(slice(at, at + size))
        self._planes[tuple(box)] += values

    def finalize(self) -> Streamed:
        """Read what is left."""
        self._finish(self._space[0], last=True)
        patches: list[list[Patch]] = []
        for own, low, usable in zip(self._peaks, self._lowest.tolist(), self._usable.tolist(), strict=True):
            says = usable and own and own[0].value > low
            patches.append([peak.patch for peak in own] if says else [])
        return Streamed(patches, self._log_total, self._moments, self._overview, self._coarser)

    def _finish(self, end: int, last: bool = False) -> None:
        """Planes before ``end`` are complete: read those whose surroundings are, and make room."""
        ready = end if last else end - self.halo
        if ready > self._read:
            for row in range(len(self._planes)):
                self._read_map(row, self._read, ready)
            self._read = ready
        keep = max(0, self._read - self.halo)
        shift = keep - self._first
        if shift > 0 and not last:
            left = self._planes.shape[1] - shift
            for planes in self._planes:  # one map at a time: what overlaps is copied
                planes[:left] = planes[shift:].clone()
                planes[left:] = 0
            self._first = keep

    def _read_map(self, row: int, begin: int, end: int) -> None:
        """Read the planes from ``begin`` to ``end`` of one map."""
        planes = self._planes[row]
        core = planes[begin - self._first : end - self._first]
        largest = core.amax()
        self._usable[row] &= bool(largest < torch.inf)  # which no NaN is
        self._lowest[row] = torch.minimum(self._lowest[row], core.amin())
        if not self._usable[row] or largest == -torch.inf:
            return
        if self._logits:
            shifted = (core - largest).exp_().sum(dtype=torch.float64).log() + largest
            self._log_total[row] = torch.logaddexp(self._log_total[row], shifted)
        if self._moments:
            self._moments[row].add(core, begin)
        self._pool(row, core, begin)
        own = self._peaks[row]
        if len(own) == self._count and float(largest) <= own[-1].value:
            return
        if self._count == 1:
            pixel = torch.unravel_index(core.argmax(), core.shape)
            self._peaks[row] = [self._peak(planes, [int(i) for i in pixel], begin, self.halo)]
            return
        self._peaks[row] = self._highest(row, planes, begin, end)

    def _highest(self, row: int, planes: Tensor, begin: int, end: int) -> list[_Peak]:
        """The largest peaks so far, with those between two planes; peaks near these ends are known by the planes."""
        low = max(begin - self._half, self._first)
        high = min(end + self._half, self._first + planes.shape[0], self._space[0])
        block = planes[low - self._first : high - self._first]
        found = find_peaks(block[None, None], 2 * self._half + 1, method="argmax")
        own = list(self._peaks[row])
        for pixel in found.points.long().tolist():
            pixel[0] += low
            if begin <= pixel[0] < end:
                own.append(self._peak(planes, [pixel[0] - begin, *pixel[1:]], begin, self._half))
            if len(own) >= 2 * self._count:
                break
        return sorted(own, key=lambda peak: -peak.value)[: self._count]

    def _peak(self, planes: Tensor, pixel: list[int], begin: int, half: int) -> _Peak:
        """A pixel of the planes that begin with ``begin``, with what lies around it."""
        at = [pixel[0] + begin - self._first, *pixel[1:]]
        known = planes[: self._space[0] - self._first]
        patch = Patch.about(known, at, half)
        patch.corner[0] += self._first
        return _Peak(float(planes[tuple(at)]), patch)

    def _pool(self, row: int, core: Tensor, begin: int) -> None:
        """Take the planes into the overview."""
        coarser, ndim = self._coarser, core.ndim
        pool: Any = torch.nn.functional.max_pool1d if ndim == 2 else torch.nn.functional.max_pool2d
        small = pool(core[:, None], coarser, ceil_mode=True)[:, 0] if coarser > 1 else core
        into = (torch.arange(len(core)) + begin) // coarser
        index = into.reshape(-1, *[1] * (ndim - 1)).expand_as(small)
        self._overview[row].scatter_reduce_(0, index, small, "amax")
