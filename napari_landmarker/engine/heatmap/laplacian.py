"""Laplacian target heatmaps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.generator import HeatmapGenerator, sphere_area


class LaplacianHeatmapGenerator(HeatmapGenerator):
    """Laplacian maps: ``exp(-sqrt(D + 1) d)`` at Mahalanobis distance ``d``; a sharp peak and long tails.

    With the factor ``sqrt(D + 1)``, which is the usual ``sqrt(3)`` in 2D and 2 in 3D, `sigmas` are the true standard
    deviations along the principal axes. At the very tip, where there is none, the gradient is taken as 0.
    Arguments and errors as for `HeatmapGenerator`.

    Example:
        >>> generator = LaplacianHeatmapGenerator(1, sigmas=2.0, heatmap_size=(5, 7, 6))
        >>> generator(torch.tensor([[[2.0, 4.0, 3.0]]]))[0, 0, 2, 4, 3].item()
        1.0
    """

    @property
    def _slope(self) -> float:
        """By how much the logarithm falls per standard deviation."""
        return math.sqrt(self.spatial_dims + 1)

    def profile(self, squared_distance: Tensor) -> Tensor:
        """``exp(-sqrt(D + 1) d)``."""
        if not squared_distance.requires_grad:
            return squared_distance.sqrt().mul_(-self._slope).exp_()
        away = squared_distance > 0
        distance = torch.where(away, torch.where(away, squared_distance, 1.0).sqrt(), 0.0)
        return torch.exp(-self._slope * distance)

    def reach(self, smallest: float) -> float:
        """Where the logarithm has fallen to that of `smallest`."""
        return -math.log(smallest) / self._slope

    def mass(self) -> float:
        """The integral in polar coordinates: ``2 pi / 3`` in 2D and ``pi`` in 3D."""
        return sphere_area(self.spatial_dims) * math.gamma(self.spatial_dims) / self._slope**self.spatial_dims
