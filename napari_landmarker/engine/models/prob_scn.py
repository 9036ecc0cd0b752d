"""The probabilistic spatial configuration network.

Source: after Payer et al., Medical Image Analysis 54, 2019, and Thaler et al., Modeling annotation uncertainty with
Gaussian heatmaps in landmark localization, Machine Learning for Biomedical Imaging, 2021.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from napari_landmarker.engine.models.scn import SpatialConfigurationNet


class ProbSpatialConfigurationNet(SpatialConfigurationNet):
    """Local appearance plus spatial configuration: logits, to be trained on a cross-entropy over the map.

    A product of two probabilities is a sum of logits, so that a softmax over each map gives the probability of each
    pixel. 7.72 M parameters in 2D with 1 channel and 19 landmarks. The arguments are those of
    `SpatialConfigurationNet`.
    """

    rectifier = nn.PReLU
    bounded = False

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        out_channels: int = 4,
        la_channels: Sequence[int] = (128, 128, 128, 128, 128),
        la_kernel_size: int | Sequence[int] = 3,
        la_strides: Sequence[int] = (2, 2, 2, 2),
        la_num_res_units: int = 2,
        la_norm: str = "INSTANCE",
        la_activation: str = "PRELU",
        la_adn_ordering: str = "NDA",
        la_dropout: float = 0.0,
        sp_channels: int = 128,
        sp_kernel_size: int = 11,
        sp_downsample: int = 16,
        sp_image_input: bool = True,
        stride: int = 1,
    ) -> None:
        super().__init__(
            spatial_dims,
            in_channels,
            out_channels,
            la_channels,
            la_kernel_size,
            la_strides,
            la_num_res_units,
            la_norm,
            la_activation,
            la_adn_ordering,
            la_dropout,
            sp_channels,
            sp_kernel_size,
            sp_downsample,
            sp_image_input,
            stride,
        )

    def together(self, local: Tensor, configuration: Tensor) -> Tensor:
        """Logits out of both halves, ``(B, L, *grid)`` each."""
        return local + configuration
