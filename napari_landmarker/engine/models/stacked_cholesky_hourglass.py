"""Stacked hourglasses that also say how sure they are.

Source: Kumar et al., UGLLI face alignment, ICCV workshops 2019, and LUVLi face alignment, CVPR 2020.
"""

from __future__ import annotations

from torch import Tensor

from napari_landmarker.engine.models.cholesky_estimator import covariance_of
from napari_landmarker.engine.models.cholesky_hourglass import CholeskyStack


class StackedCholeskyHourglass(CholeskyStack):
    """Hourglasses one after the other, each of which is judged, with a covariance per landmark beside its maps.

    Two have 55.9 M parameters in 2D with 1 channel and 19 landmarks. The arguments are those of `CholeskyStack`.
    """

    def forward(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Maps ``(B, L, *ceil(space / stride))`` and covariances ``(B, L, D, D)`` of each stack.

        The last ones are the answer, in training and after. The covariances are positive definite, in square heatmap
        pixels; `maps_and_factors` gives their Cholesky factors.
        """
        maps, factors = self.maps_and_factors(image)
        return maps, [covariance_of(factor) for factor in factors]
