"""Absolute differences of coordinates or heatmaps."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from napari_landmarker.engine.losses.elementwise import ElementwiseLoss


class L1Loss(ElementwiseLoss):
    """Mean absolute difference, ``|pred - target|``, of points or heatmaps; missing landmarks contribute nothing.

    In the unit of the points, or of the heatmaps' values.

    Args:
        reduction: ``"mean"`` over all numbers of the landmarks that are there, ``"sum"``, or ``"none"``.
        spatial_dims: ``D``, if it is to be checked.
    """

    def penalty(self, pred: Tensor, target: Tensor) -> Tensor:
        """The absolute difference."""
        return functional.l1_loss(pred, target, reduction="none")
