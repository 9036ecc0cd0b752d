"""How unlikely the true point is under the Gaussian that was predicted."""

from __future__ import annotations

from torch import Tensor

from napari_landmarker.engine.losses.principal import principal, quadratic
from napari_landmarker.engine.losses.uncertain_points import UncertainPointLoss, check_epsilon


class MultivariateGaussianNLLLoss(UncertainPointLoss):
    """``(log(det(cov)) + (pred - target).T inverse(cov) (pred - target)) / 2``; missing landmarks contribute nothing.

    In nats, but for the constant ``D / 2 * log(2 pi)``. Bounded below, as no principal variance counts as less than
    `eps`; a covariance need not be positive definite. Differentiable once.
    Source: Kumar et al., UGLLI face alignment: estimating uncertainty with Gaussian log-likelihood loss, ICCV workshops
    2019.

    Args:
        reduction: ``"mean"`` over the landmarks that are there, ``"sum"``, or ``"none"``.
        eps: smallest principal variance, in square pixels.
        spatial_dims: ``D``, if it is to be checked.

    Raises:
        ValueError: if `eps` is not positive.
    """

    def __init__(self, reduction: str = "mean", eps: float = 1e-6, spatial_dims: int | None = None) -> None:
        super().__init__(reduction, spatial_dims)
        self.eps = check_epsilon(eps)

    def per_landmark(self, error: Tensor, cov: Tensor) -> Tensor:
        """Half of the logarithm of the determinant and of the squared Mahalanobis distance."""
        variances, axes, change = principal(cov, self.eps)
        along = (axes.mT @ error.to(axes)[..., None]).squeeze(-1)
        precision = 1 / variances
        beside = -change * precision[..., None] * precision[..., None, :]
        return 0.5 * (variances.log().sum(dim=-1) + quadratic(precision, beside, along))
