"""The adaptive wing loss of heatmaps: a wing on the bells, nearly a square on the ground."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_landmarker.engine.losses.elementwise import ElementwiseLoss


class AdaptiveWingLoss(ElementwiseLoss):
    """Adaptive wing loss of heatmaps of peak 1; missing landmarks contribute nothing.

    With ``d`` the absolute difference of a pixel, ``y`` its target and ``p = alpha - y``:
    ``omega * log(1 + (d / epsilon) ** p)`` below `theta`, and from there on the straight line ``A d - C`` that goes on
    with the same value and slope. Where bells overlap and ``y`` exceeds 1, 1 is taken for it in ``p``, so that the
    gradient stays finite.
    Source: Wang et al., Adaptive wing loss for robust face alignment via heatmap regression, ICCV 2019.

    Args:
        omega: scale of the logarithm.
        epsilon: how sharply it bends near zero, in heatmap values.
        alpha: exponent on the ground; 2 or more, or the slope would be endless at the tips.
        theta: where the straight line begins, in heatmap values.
        reduction: ``"mean"`` over all pixels of the landmarks that are there, ``"sum"``, or ``"none"``.
        spatial_dims: ``D``, if it is to be checked.

    Raises:
        ValueError: if `omega`, `epsilon` or `theta` is not positive, or `alpha` below 2.
    """

    def __init__(
        self,
        omega: float = 5.0,
        epsilon: float = 0.5,
        alpha: float = 2.1,
        theta: float = 0.5,
        reduction: str = "mean",
        spatial_dims: int | None = None,
    ) -> None:
        super().__init__(reduction, spatial_dims)
        if not (omega > 0 and epsilon > 0 and theta > 0 and alpha >= 2):
            raise ValueError(
                "omega, epsilon and theta must be positive and alpha at least 2, "
                f"not {omega}, {epsilon}, {theta} and {alpha}."
            )
        self.omega, self.epsilon, self.alpha, self.theta = omega, epsilon, alpha, theta

    def penalty(self, pred: Tensor, target: Tensor) -> Tensor:
        """The adaptive wing of the difference."""
        away = (pred - target).abs()
        power = self.alpha - target.clamp(max=1.0)
        bend = (self.theta / self.epsilon) ** power
        slope = self.omega * power * bend / (1 + bend) / self.theta
        offset = self.theta * slope - self.omega * torch.log1p(bend)
        near = self.omega * torch.log1p((away.clamp(max=self.theta) / self.epsilon) ** power)
        return torch.where(away < self.theta, near, slope * away - offset)
