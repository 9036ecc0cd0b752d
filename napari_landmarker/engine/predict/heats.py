"""The average of heat that was seen in different frames."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.transforms import resample


class HeatAverage:
    """Averages heat in image space: on the grid of what comes first, onto which all others are drawn.

    Each map has one vote: of logits, all are brought to the same sum, as linear interpolation and what falls off the
    grid change it a little. Maps with a value that is no number have none.

    Args:
        landmarks: ``L``.
        normalise: whether maps are to have the same sum.
    """

    def __init__(self, landmarks: int, *, normalise: bool) -> None:
        self._landmarks, self._normalise = landmarks, normalise
        self._to: AffineMap | None = None
        self._sum: Tensor | None = None
        self._alone: Tensor | None = None
        self._votes = torch.zeros(landmarks)

    @property
    def to_heatmap(self) -> AffineMap:
        """Image to heatmap index coordinates of the average."""
        assert self._to is not None
        return self._to

    def add(self, heat: Tensor, to_heatmap: AffineMap, rows: Sequence[int]) -> None:
        """Add heat.

        Args:
            heat: ``(N, *grid)``, not negative.
            to_heatmap: image to heatmap index coordinates.
            rows: for each of the ``N`` maps its row in the average.
        """
        if self._to is None:
            self._to = to_heatmap
            if list(rows) == list(range(self._landmarks)):
                self._alone = heat
                return
        elif self._alone is not None:
            self._vote(self._alone, range(self._landmarks))
            self._alone = None
        if to_heatmap is not self._to:
            moved = resample(heat.cpu().numpy(), to_heatmap.inverse.then(self._to), fill=0.0)
            heat = torch.from_numpy(moved)
        self._vote(heat, rows)

    def heat(self) -> Tensor:
        """The average ``(L, *grid)``; what was added where that is all. Maps without a vote are 0."""
        if self._alone is not None:
            return self._alone
        assert self._sum is not None
        return self._sum / self._votes.clamp(min=1).view(-1, *[1] * (self._sum.ndim - 1))

    def _vote(self, heat: Tensor, rows: Sequence[int]) -> None:
        heat = heat.cpu()
        if self._sum is None:
            self._sum = torch.zeros(self._landmarks, *self.to_heatmap.target_shape)
        for row, one in zip(rows, heat, strict=True):
            total = one.sum()
            if not torch.isfinite(total):
                continue
            if self._normalise and total > 0:
                one = one / total
            self._sum[row] += one
            self._votes[row] += 1
