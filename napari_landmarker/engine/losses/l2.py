"""Squared differences of coordinates or heatmaps."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from napari_landmarker.engine.losses.elementwise import ElementwiseLoss


class L2Loss(ElementwiseLoss):
    """Mean squared difference, ``(pred - target) ** 2``, of points or heatmaps; missing landmarks contribute nothing.

    In the squared unit of the points, or of the heatmaps' values.

    Args:
        reduction: ``"mean"`` over all numbers of the landmarks that are there, ``"sum"``, or ``"none"``.
        spatial_dims: ``D``, if it is to be checked.
    """

    def penalty(self, pred: Tensor, target: Tensor) -> Tensor:
        """The squared difference."""
        return functional.mse_loss(pred, target, reduction="none")
