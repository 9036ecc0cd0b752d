"""Losses that are a mean over coordinates or pixels, each by itself."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from napari_landmarker.engine.losses.base import LandmarkLoss, full_precision
from napari_landmarker.engine.losses.presence import keep, reduced, where_present


class ElementwiseLoss(LandmarkLoss, ABC):
    """The base of losses of single coordinates or pixels.

    Args:
        reduction: ``"mean"`` over all numbers of the landmarks that are there, ``"sum"``, or ``"none"``.
        spatial_dims: ``D``, if it is to be checked.
    """

    @abstractmethod
    def penalty(self, pred: Tensor, target: Tensor) -> Tensor:
        """The loss of each number, of the same shape, and 0 where both are the same."""

    @full_precision
    def forward(self, pred: Tensor, target: Tensor, present: Tensor | None = None) -> Tensor:
        """The loss of the landmarks that are there.

        Args:
            pred: points ``(B, L, D)`` or heatmaps ``(B, L, *space)``, with or without a channel in front.
            target: of the same shape; NaN where a landmark is missing.
            present: bool ``(B, L)``, see `where_present`.

        Returns:
            A scalar, 0 if every landmark is missing; for ``"none"`` the shape of `pred`, with 0 for what is missing. In
            float32 for half types.

        Raises:
            ValueError: if shapes do not fit.
        """
        self.check(pred, target)
        there = where_present(target, present)
        return reduced(self.penalty(keep(pred, there), keep(target, there)), there, self.reduction)
