"""What each landmark looks at, on a coarse grid of features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_landmarker.engine.models.layers import convolution

#: Factor of the logits: with it the shares leave their even start several times sooner.
SHARPNESS = 4.0


class LandmarkAttention(nn.Module):
    """For each landmark a share of every grid cell, and the mean of the features by these shares.

    Args:
        spatial_dims: ``D``.
        channels: ``F`` of the features.
        landmarks: ``L``.
    """

    def __init__(self, spatial_dims: int, channels: int, landmarks: int) -> None:
        super().__init__()
        self.looks = convolution(spatial_dims, channels, landmarks, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Shares and means for ``(B, F, *grid)``.

        Returns:
            Shares ``(B, L, N)`` of the ``N`` cells in array order, float32 at least, that sum to 1; and means
            ``(B, L, F)``.
        """
        logits = self.looks(features).flatten(2)
        logits = logits if logits.dtype == torch.float64 else logits.float()
        shares = torch.softmax(SHARPNESS * logits, dim=-1)
        values = features.flatten(2)
        return shares, shares.to(values.dtype) @ values.mT
