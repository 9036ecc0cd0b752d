"""Differences of coordinates or heatmaps, squared where they are small and absolute where they are large."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from napari_landmarker.engine.losses.elementwise import ElementwiseLoss


class HuberLoss(ElementwiseLoss):
    """Mean Huber loss of points or heatmaps; missing landmarks contribute nothing.

    With ``d`` the absolute difference: ``d ** 2 / 2`` up to `delta`, and ``delta * (d - delta / 2)`` beyond.
    Source: Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 35, 1964.

    Args:
        delta: where the parabola ends, in the unit of the points or of the heatmaps' values.
        reduction: ``"mean"`` over all numbers of the landmarks that are there, ``"sum"``, or ``"none"``.
        spatial_dims: ``D``, if it is to be checked.

    Raises:
        ValueError: if `delta` is not positive.
    """

    def __init__(self, delta: float = 1.0, reduction: str = "mean", spatial_dims: int | None = None) -> None:
        super().__init__(reduction, spatial_dims)
        if not delta > 0:
            raise ValueError(f"delta must be positive, not {delta}.")
        self.delta = delta

    def penalty(self, pred: Tensor, target: Tensor) -> Tensor:
        """Huber's function of the difference."""
        return functional.huber_loss(pred, target, reduction="none", delta=self.delta)
