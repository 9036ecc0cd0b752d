"""Euclidean distance, and variances held near a chosen one."""

from __future__ import annotations

from torch import Tensor

from napari_landmarker.engine.losses.principal import diagonal
from napari_landmarker.engine.losses.uncertain_points import UncertainPointLoss, check_epsilon


class EuclideanDistanceVarianceReg(UncertainPointLoss):
    """``|pred - target| + alpha * sum((cov_dd - var_t) ** 2)`` over the axes; missing landmarks contribute nothing.

    The second part keeps the heatmap that a point was decoded from about as wide along each axis as wanted, and says
    nothing of its shape.
    Source: Nibali et al., Numerical coordinate regression with convolutional neural networks, 2018.

    Args:
        alpha: weight of the second part.
        var_t: the variance that is wanted, in square pixels.
        reduction: ``"mean"`` over the landmarks that are there, ``"sum"``, or ``"none"``.
        eps: distances well below this, in pixels, count as their squares, so that there is a gradient at zero error; at
            most so much is lost of any distance.
        spatial_dims: ``D``, if it is to be checked.

    Raises:
        ValueError: if `eps` is not positive.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        var_t: float = 1.0,
        reduction: str = "mean",
        eps: float = 1e-6,
        spatial_dims: int | None = None,
    ) -> None:
        super().__init__(reduction, spatial_dims)
        self.alpha, self.var_t, self.eps = alpha, var_t, check_epsilon(eps)

    def per_landmark(self, error: Tensor, cov: Tensor) -> Tensor:
        """Distance and regularisation."""
        distance = (error.square().sum(dim=-1) + self.eps**2).sqrt() - self.eps
        return distance + self.alpha * (diagonal(cov) - self.var_t).square().sum(dim=-1)
