"""Differences of heatmaps whose whole covariance is learnt, and whose profile may be another than a Gaussian's."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_landmarker.engine.losses.base import LandmarkLoss, full_precision
from napari_landmarker.engine.losses.distances import HEATMAP_DISTANCES, named_distance
from napari_landmarker.engine.losses.gaussian_heatmap_l2 import of_channels
from napari_landmarker.engine.losses.presence import keep, reduced_per_map, where_present
from napari_landmarker.engine.losses.principal import principal

#: Smallest principal variance that counts, in square pixels.
SMALLEST = 1e-12


class GeneralizedNormalHeatmapLoss(LandmarkLoss):
    """Distance to heatmaps of learnt covariances, and a price on those; missing landmarks contribute nothing.

    For each landmark ``sum(distance(heatmap, heatmap_target)) + alpha * sqrt(det(cov))``: the price is the product of
    the principal standard deviations, as in `GaussianHeatmapL2Loss`. It is never below 0, whatever the covariance is,
    and a landmark that no image of the batch shows adds none. Differentiable once.
    Source: Thaler et al., Modeling annotation uncertainty with Gaussian heatmaps in landmark localization, MELBA 2021,
    extended to other distances.

    Args:
        alpha: weight of the price.
        distance: ``"l2"`` (the square), ``"l1"``, ``"smooth-l1"``, ``"bce-with-logits"`` or ``"bce"``, of each pixel.
            Cross-entropies want targets between 0 and 1.
        reduction: ``"mean"``: the sum over landmarks of the mean over the images that show them, as in the paper.
            ``"sum"``: over both. ``"none"``.
        beta: where ``"smooth-l1"`` goes over from a parabola to a line.

    Raises:
        ValueError: for another distance, or if `beta` is not positive.
    """

    def __init__(self, alpha: float = 5.0, distance: str = "l2", reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.alpha, self.distance = alpha, distance
        self._distance = named_distance(distance, HEATMAP_DISTANCES, beta)

    @full_precision
    def forward(self, heatmap: Tensor, cov: Tensor, heatmap_target: Tensor, present: Tensor | None = None) -> Tensor:
        """The loss of the landmarks that are there.

        Args:
            heatmap: predicted, ``(B, L, *space)``, or ``(B, 1 + L, *space)`` with a channel in front, such as a
                background, which has no covariance. Logits or probabilities where the distance is of those.
            cov: covariances in square pixels, ``(L, D, D)`` as of ``HeatmapGenerator.get_covariance_matrix``, or one
                for each image, ``(B, L, D, D)``.
            heatmap_target: of the shape of `heatmap`; NaN where a landmark is missing.
            present: bool ``(B, L)``, see `where_present`.

        Returns:
            A scalar, 0 if every landmark is missing; for ``"none"`` ``(B, L)`` or ``(B, 1 + L)``, with 0 for what is
            missing. In float32 for half types.

        Raises:
            ValueError: if shapes do not fit.
        """
        self.check(heatmap, heatmap_target)
        ndim = heatmap.ndim - 2
        if cov.ndim not in (3, 4) or cov.shape[-2:] != (ndim, ndim):
            raise ValueError(f"cov must be (L, {ndim}, {ndim}) or (B, L, {ndim}, {ndim}), not {tuple(cov.shape)}.")
        there = where_present(heatmap_target, present)
        values = self._distance(keep(heatmap, there), keep(heatmap_target, there)).flatten(2).sum(dim=-1)
        if cov.ndim == 4:
            unit = torch.eye(ndim, dtype=cov.dtype, device=cov.device)
            own = there[:, there.shape[1] - cov.shape[1] :]
            cov = torch.where(own[..., None, None], cov, unit)
        price = self.alpha * principal(cov, SMALLEST).variances.sqrt().prod(dim=-1).to(heatmap.dtype)
        return reduced_per_map(keep(values + of_channels(price, values), there), there, self.reduction)
