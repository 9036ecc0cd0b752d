"""Cross-entropy between a heatmap read as a distribution over all pixels and its target."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class HeatmapCrossEntropyLoss(nn.Module):
    """Softmax cross-entropy over the whole map, per landmark; the entropy of the target is taken off.

    The result is a Kullback-Leibler divergence in nats: 0 for a perfect map. A landmark whose target is all zero is
    missing: it contributes nothing, and the mean over the rest is what it would be without it.
    Source: the one-hot and soft targets of McCouat and Voiculescu (CVPR workshops 2022) in the Gaussian form.
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The mean over the landmarks that are there.

        Args:
            logits: ``(B, L, *space)``.
            target: not negative, ``(B, L, *space)``; normalised here.

        Returns:
            A scalar; 0, with zero gradients, if every landmark is missing.
        """
        log_probability = torch.log_softmax(logits.float().flatten(2), dim=-1)
        weight = target.float().flatten(2)
        total = weight.sum(dim=-1)
        there = total > 0
        probability = weight / torch.where(there, total, torch.ones_like(total))[..., None]
        per_landmark = (torch.special.xlogy(probability, probability) - probability * log_probability).sum(dim=-1)
        per_landmark = torch.where(there, per_landmark, torch.zeros_like(per_landmark))
        return per_landmark.sum() / there.sum().clamp(min=1)
