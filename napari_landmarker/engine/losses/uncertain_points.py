"""Losses of points that come with a covariance."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from napari_landmarker.engine.losses.base import LandmarkLoss, full_precision
from napari_landmarker.engine.losses.presence import keep, reduced, where_present


class UncertainPointLoss(LandmarkLoss, ABC):
    """The base of losses of a point and its covariance.

    Args:
        reduction: ``"mean"`` over the landmarks that are there, ``"sum"``, or ``"none"``.
        spatial_dims: ``D``, if it is to be checked.
    """

    @abstractmethod
    def per_landmark(self, error: Tensor, cov: Tensor) -> Tensor:
        """The loss of each landmark.

        Args:
            error: prediction minus target, ``(B, L, D)``; 0 for what is missing.
            cov: ``(B, L, D, D)``; the unit matrix for what is missing.

        Returns:
            ``(B, L)``.
        """

    @full_precision
    def forward(self, pred: Tensor, cov: Tensor, target: Tensor, present: Tensor | None = None) -> Tensor:
        """The loss of the landmarks that are there.

        Args:
            pred: points ``(B, L, D)``, in pixels or any other unit.
            cov: their covariances, ``(B, L, D, D)``, in that unit squared.
            target: ``(B, L, D)``; NaN where a landmark is missing.
            present: bool ``(B, L)``, see `where_present`.

        Returns:
            A scalar, 0 if every landmark is missing; for ``"none"`` ``(B, L)``, with 0 for what is missing. In float32
            for half types.

        Raises:
            ValueError: if shapes do not fit.
        """
        if pred.ndim != 3 or cov.shape != (*pred.shape, pred.shape[-1]):
            raise ValueError(
                "Points must be (B, L, D) and their covariances (B, L, D, D), "
                f"not {tuple(pred.shape)} and {tuple(cov.shape)}."
            )
        self.check(pred, target)
        there = where_present(target, present)
        unit = torch.eye(pred.shape[-1], dtype=cov.dtype, device=cov.device)
        values = self.per_landmark(
            keep(pred, there) - keep(target, there), torch.where(there[..., None, None], cov, unit)
        )
        return reduced(keep(values, there).to(pred.dtype), there, self.reduction)


def check_epsilon(eps: float) -> float:
    """`eps`, which is positive.

    Raises:
        ValueError: if it is not.
    """
    if not eps > 0:
        raise ValueError(f"The smallest number that counts must be positive, not {eps}.")
    return eps
