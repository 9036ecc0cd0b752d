"""The wing loss of coordinates, which cares more for small and middle errors than absolute differences do."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_landmarker.engine.losses.elementwise import ElementwiseLoss


class WingLoss(ElementwiseLoss):
    """Wing loss of points; missing landmarks contribute nothing.

    With ``d`` the absolute difference of a coordinate: ``omega * log(1 + d / epsilon)`` below `omega`, and
    ``d - C`` from there on, with ``C = omega - omega * log(1 + omega / epsilon)``, so that it is continuous. Its
    slope is at most ``omega / epsilon``, and 1 for large errors.
    Source: Feng et al., Wing loss for robust facial landmark localisation with convolutional neural networks, CVPR
    2018.

    Args:
        omega: where the logarithm ends, in the unit of the points.
        epsilon: how sharply it bends near zero, in the same unit.
        reduction: ``"mean"`` over all coordinates of the landmarks that are there, ``"sum"``, or ``"none"``.
        spatial_dims: ``D``, if it is to be checked.

    Raises:
        ValueError: if `omega` or `epsilon` is not positive.
    """

    def __init__(
        self, omega: float = 5.0, epsilon: float = 0.5, reduction: str = "mean", spatial_dims: int | None = None
    ) -> None:
        super().__init__(reduction, spatial_dims)
        if not (omega > 0 and epsilon > 0):
            raise ValueError(f"omega and epsilon must be positive, not {omega} and {epsilon}.")
        self.omega, self.epsilon = omega, epsilon
        self.c = omega * (1 - math.log1p(omega / epsilon))

    def penalty(self, pred: Tensor, target: Tensor) -> Tensor:
        """The wing of the difference."""
        away = (pred - target).abs()
        return torch.where(away < self.omega, self.omega * torch.log1p(away / self.epsilon), away - self.c)
