"""Covariances out of the neck of an hourglass.

Source: Kumar et al., UGLLI face alignment, ICCV workshops 2019, and LUVLi face alignment, CVPR 2020.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from napari_landmarker.engine.models.attention import LandmarkAttention

#: Smallest entry on the diagonal of a factor, in pixels: the standard deviation of a point somewhere in a pixel.
SMALLEST = math.sqrt(1 / 12)
#: Largest entry left of the diagonal, in entries of the diagonal: no two axes are so alike that float32 loses them.
LEAN = 10.0


class CholeskyEstimator(nn.Module):
    """The Cholesky factor of each landmark's covariance, positive on its diagonal whatever the weights.

    Where the paper flattens the neck, which fixes the size of the image, the neck is averaged here by what each
    landmark looks at. At the start the factors are near the unit matrix.

    Args:
        spatial_dims: ``D``.
        in_channels: of the neck.
        landmarks: ``L``.
        hidden: width of the layer between.
    """

    basis: Tensor

    def __init__(self, spatial_dims: int, in_channels: int, landmarks: int, hidden: int = 128) -> None:
        super().__init__()
        rows, columns = torch.tril_indices(spatial_dims, spatial_dims)
        entries = len(rows)
        self.attention = LandmarkAttention(spatial_dims, in_channels, landmarks)
        self.hidden = nn.Sequential(nn.Linear(in_channels, hidden), nn.ReLU())
        self.weight = nn.Parameter(torch.randn(landmarks, hidden, entries) * 0.1 / math.sqrt(hidden))
        start = torch.where(rows == columns, math.log(math.expm1(1 - SMALLEST)), 0.0)
        self.bias = nn.Parameter(start.repeat(landmarks, 1))
        basis = torch.zeros(entries, spatial_dims, spatial_dims)
        basis[torch.arange(entries), rows, columns] = 1
        self.register_buffer("basis", basis, persistent=False)

    def forward(self, neck: Tensor) -> Tensor:
        """Lower triangular factors ``(B, L, D, D)`` in heatmap pixels, for a neck ``(B, F, *grid)``."""
        hidden = self.hidden(self.attention(neck)[1])
        # Sums by hand: a product of matrices would be taken in half precision.
        raw = (hidden.to(self.weight.dtype)[..., None] * self.weight).sum(dim=-2) + self.bias
        matrix = (raw[..., None, None] * self.basis).sum(dim=-3)
        diagonal = nn.functional.softplus(matrix.diagonal(dim1=-2, dim2=-1)) + SMALLEST
        lean = matrix.tril(-1)
        factor: Tensor = diagonal[..., None] * lean * torch.rsqrt(1 + (lean / LEAN) ** 2) + torch.diag_embed(diagonal)
        return factor


def covariance_of(factor: Tensor) -> Tensor:
    """``L L.T`` of factors ``(..., D, D)``; by hand, so that no half precision takes its positive definiteness."""
    return (factor[..., :, None, :] * factor[..., None, :, :]).sum(dim=-1)
