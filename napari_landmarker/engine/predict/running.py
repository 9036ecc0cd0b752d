"""Mean and second moments of maps that are seen a few planes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.moments import moments_of


class RunningMoments:
    """Of the heat of one map: the exponentials of logits, or values where they are positive.

    Args:
        ndim: ``D``.
        logits: whether the map's values are logits.
    """

    def __init__(self, ndim: int, *, logits: bool) -> None:
        self._logits = logits
        self._level = -torch.inf
        self._total = 0.0
        self._mean = torch.zeros(ndim, dtype=torch.float64)
        self._second = torch.zeros(ndim, ndim, dtype=torch.float64)

    def add(self, planes: Tensor, begin: int) -> None:
        """Add planes ``(N, *rest)`` of the map, the first of which has the index ``begin``."""
        level = float(planes.amax()) if self._logits else 0.0
        weight = (planes - level).exp_() if self._logits else planes.clamp(min=0)
        total = float(weight.sum(dtype=torch.float64))
        if total == 0:
            return
        moments = moments_of(weight[None])
        mean, second = moments.mean[0].double().cpu(), moments.second[0].double().cpu()
        mean[0] += begin
        top = max(level, self._level)
        old = self._total * float(torch.tensor(self._level - top).double().exp()) if self._total else 0.0
        new = total * float(torch.tensor(level - top).double().exp())
        share = new / (old + new)
        apart = mean - self._mean
        self._second = (1 - share) * self._second + share * second
        self._second += share * (1 - share) * torch.outer(apart, apart)
        self._mean = self._mean + share * apart
        self._level, self._total = top, old + new

    def turned(self, order: Sequence[int]) -> RunningMoments:
        """With the axes in another order: axis ``n`` is the one that is ``order[n]`` here."""
        out, axes = copy(self), list(order)
        out._mean, out._second = self._mean[axes], self._second[axes][:, axes]
        return out

    @property
    def mean(self) -> Tensor:
        """Index coordinates ``(D,)`` in double precision; NaN without any heat."""
        return self._mean if self._total > 0 else torch.full_like(self._mean, torch.nan)

    @property
    def covariance(self) -> Tensor:
        """Of all pixels, ``(D, D)`` in double precision."""
        return self._second
