"""Cross-entropy between a heatmap read as a distribution over all pixels and its target."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_landmarker.engine.losses.base import LandmarkLoss, full_precision
from napari_landmarker.engine.losses.presence import keep, reduced, where_present


class HeatmapCrossEntropyLoss(LandmarkLoss):
    """Softmax cross-entropy over the whole map, per landmark; the entropy of the target is taken off.

    The result is a Kullback-Leibler divergence in nats: 0 for a perfect map. A landmark whose target is all zero is
    missing: it contributes nothing, and the mean over the rest is what it would be without it.
    Source: the one-hot and soft targets of McCouat and Voiculescu (CVPR 2022) in the Gaussian form.

    Args:
        reduction: ``"mean"`` over the landmarks that are there, ``"sum"``, or ``"none"``.
        spatial_dims: ``D``, if it is to be checked.
    """

    @full_precision
    def forward(self, logits: Tensor, target: Tensor, present: Tensor | None = None) -> Tensor:
        """The loss of the landmarks that are there.

        Args:
            logits: ``(B, L, *space)``, with or without a channel in front, which is read as a distribution of its own.
            target: not negative, ``(B, L, *space)``; normalised here. NaN or all 0 where a landmark is missing.
            present: bool ``(B, L)``, see `where_present`.

        Returns:
            A scalar; 0, with zero gradients, if every landmark is missing. For ``"none"`` ``(B, L)``, with 0 for what
            is missing. In float32 for half types.

        Raises:
            ValueError: if shapes do not fit.
        """
        self.check(logits, target)
        there = where_present(target, present)
        weight = keep(target, there).flatten(2)
        total = weight.sum(dim=-1)
        there = there & (total > 0)
        log_probability = torch.log_softmax(keep(logits, there).flatten(2), dim=-1)
        probability = weight / torch.where(there, total, torch.ones_like(total))[..., None]
        known = probability.clamp(min=torch.finfo(probability.dtype).tiny).log()
        per_landmark = (probability * (known - log_probability)).sum(dim=-1)
        return reduced(keep(per_landmark, there), there, self.reduction)
