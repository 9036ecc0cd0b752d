"""Gaussian target heatmaps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.generator import HeatmapGenerator


class GaussianHeatmapGenerator(HeatmapGenerator):
    """Gaussian maps: ``exp(-d^2 / 2)`` at Mahalanobis distance ``d``.

    Along the axes of the map a Gaussian is the product of its profiles, which costs no more than writing the result; a
    rotated one is drawn where it is not zero. Arguments and errors as for `HeatmapGenerator`.

    Example:
        >>> generator = GaussianHeatmapGenerator(1, sigmas=2.0, heatmap_size=(5, 7))
        >>> generator(torch.tensor([[[2.0, 4.0]]]))[0, 0, 2, 4].item()
        1.0
    """

    separable = True

    def profile(self, squared_distance: Tensor) -> Tensor:
        """``exp(-d^2 / 2)``."""
        return torch.exp(-0.5 * squared_distance)

    def reach(self, smallest: float) -> float:
        """13.2 standard deviations in float32, where the smallest normal number is 1.2e-38."""
        return math.sqrt(-2 * math.log(smallest))

    def mass(self) -> float:
        """``(2 pi)^(D/2)``."""
        return float((2 * math.pi) ** (self.spatial_dims / 2))
