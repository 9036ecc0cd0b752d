"""How unlikely the true pixels are under a heatmap read as a distribution."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_landmarker.engine.losses.base import LandmarkLoss, full_precision
from napari_landmarker.engine.losses.presence import keep, reduced, where_present

#: Probabilities below this count as this.
SMALLEST = 1e-12


class NLLLoss(LandmarkLoss):
    """``-sum(target * log(probability))`` over the pixels of each landmark's map; missing landmarks contribute nothing.

    In nats for targets that sum to 1, such as one-hot masks. A landmark whose target is all 0 is missing, as it says
    nothing of where. `HeatmapCrossEntropyLoss` is the same for targets of any sum, less the entropy of the target.
    Source: McCouat and Voiculescu, Contour-hugging heatmaps for landmark detection, CVPR 2022.

    Args:
        spatial_dims: ``D``, if it is to be checked.
        apply_softmax: whether maps are logits, over which a softmax of all pixels is to be taken; else they are
            probabilities, and what is below 1e-12 counts as that.
        reduction: ``"mean"`` over the landmarks that are there, ``"sum"``, or ``"none"``.
    """

    def __init__(self, spatial_dims: int | None = None, apply_softmax: bool = True, reduction: str = "mean") -> None:
        super().__init__(reduction, spatial_dims)
        self.apply_softmax = apply_softmax

    @full_precision
    def forward(self, output: Tensor, target: Tensor, present: Tensor | None = None) -> Tensor:
        """The loss of the landmarks that are there.

        Args:
            output: logits or probabilities, ``(B, L, *space)``, with or without a channel in front, which is read as a
                distribution of its own.
            target: of the same shape, not negative; NaN or all 0 where a landmark is missing.
            present: bool ``(B, L)``, see `where_present`.

        Returns:
            A scalar, 0 if every landmark is missing; for ``"none"`` ``(B, L)``, with 0 for what is missing. In float32
            for half types.

        Raises:
            ValueError: if shapes do not fit.
        """
        self.check(output, target)
        there = where_present(target, present)
        weight = keep(target, there).flatten(2)
        there = there & (weight.detach() != 0).any(dim=-1)
        values = keep(output, there).flatten(2)
        if self.apply_softmax:
            logarithm = torch.log_softmax(values, dim=-1)
        else:
            lifted = values + (SMALLEST - values.detach()).clamp(min=0)
            logarithm = lifted.log()
        return reduced(keep(-(weight * logarithm).sum(dim=-1), there), there, self.reduction)
