"""Errors that weigh less in the directions in which a heatmap is wide."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_landmarker.engine.losses.distances import DIFFERENCES, named_distance
from napari_landmarker.engine.losses.principal import Principal, principal, quadratic
from napari_landmarker.engine.losses.uncertain_points import UncertainPointLoss, check_epsilon

#: Principal variances count as equal where they differ by much less than this share of their mean.
SAME = 1e-3


class StarLoss(UncertainPointLoss):
    """Self-adaptive ambiguity reduction, for each landmark by itself; missing landmarks contribute nothing.

    ``sum_k (1 / sqrt(v_k) + epsilon) * distance(a_k . pred, a_k . target) + omega / 2 * sum_k v_k``, with the principal
    variances ``v_k`` and axes ``a_k`` of the covariance of a heatmap. The last part, the paper's restriction of values,
    keeps the network from making heatmaps wide so that errors weigh less: it is what is left for a perfect point, and
    0 with an `omega` of 0. Differentiable once.
    Source: Zhou et al., STAR loss: reducing semantic ambiguity in facial landmark detection, CVPR 2023.

    Args:
        omega: weight of the last part.
        distance: ``"l2"`` (the square), ``"l1"`` or ``"smooth-l1"`` along each axis.
        epsilon: smallest principal variance in square pixels, and a weight that is left where variances are endless.
        reduction: ``"mean"`` over the landmarks that are there, ``"sum"``, or ``"none"``.
        spatial_dims: ``D``, if it is to be checked.
        beta: where ``"smooth-l1"`` goes over from a parabola to a line, in pixels.

    Raises:
        ValueError: for another distance, or if `epsilon` or `beta` is not positive.
    """

    def __init__(
        self,
        omega: float = 1.0,
        distance: str = "l2",
        epsilon: float = 1e-5,
        reduction: str = "mean",
        spatial_dims: int | None = None,
        beta: float = 1.0,
    ) -> None:
        super().__init__(reduction, spatial_dims)
        self.omega, self.distance, self.epsilon = omega, distance, check_epsilon(epsilon)
        self._distance = named_distance(distance, DIFFERENCES, beta)

    def per_landmark(self, error: Tensor, cov: Tensor) -> Tensor:
        """Weighted distances along the axes, and the restriction."""
        found = principal(cov, self.epsilon)
        roots = found.variances.sqrt()
        weights = 1 / roots + self.epsilon
        away = error.to(found.axes)
        if self.distance == "l2":
            along = (found.axes.mT @ away[..., None]).squeeze(-1)
            one, other = roots[..., None], roots[..., None, :]
            distances = quadratic(weights, -found.change / (one * other * (one + other)), along)
        else:
            along = (turned_axes(found).mT @ away[..., None]).squeeze(-1)
            distances = (weights * self._distance(along, torch.zeros_like(along))).sum(dim=-1)
        return distances + 0.5 * self.omega * found.variances.sum(dim=-1)


def turned_axes(found: Principal) -> Tensor:
    """The axes ``(..., D, D)`` with their own gradient, which fades away where two variances are the same.

    There an absolute difference along an axis has no derivative, as the axes may be any.
    """
    known = found.variances.detach()
    gap = known[..., None, :] - known[..., None]
    least = SAME * known.mean(dim=-1)[..., None, None]
    return found.axes + found.axes @ (found.change * gap / (gap.square() + least.square()))
