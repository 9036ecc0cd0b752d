"""Hourglasses that also say how sure they are.

Source: Kumar et al., UGLLI face alignment, ICCV workshops 2019, and LUVLi face alignment, CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from napari_landmarker.engine.models.cholesky_estimator import CholeskyEstimator, covariance_of
from napari_landmarker.engine.models.hourglass_stage import (
    HOURGLASS_CHANNELS,
    BlockMaker,
    HourglassStack,
)


class CholeskyStack(HourglassStack):
    """Hourglasses one after the other, each with the covariance of every landmark beside its maps.

    Args:
        nb_stacks: how many.
        img_size: of the images, ``D`` numbers; only how many there are counts, images of any size are welcome.
        in_channels: ``C`` of the image; this and the other arguments as for `HourglassStack`.
    """

    def __init__(
        self,
        nb_stacks: int,
        img_size: Sequence[int],
        in_channels: int,
        out_channels: int,
        channels: Sequence[int] = HOURGLASS_CHANNELS,
        conv_block: BlockMaker | None = None,
        up_sample_mode: str = "nearest",
        pooling: Callable[[int], nn.Module] | None = None,
        stride: int = 1,
    ) -> None:
        super().__init__(
            nb_stacks, len(img_size), in_channels, out_channels, channels, conv_block, pooling, up_sample_mode, stride
        )
        self.estimators = nn.ModuleList(
            CholeskyEstimator(len(img_size), channels[-1], out_channels) for _ in range(nb_stacks)
        )

    def maps_and_factors(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Maps ``(B, L, *ceil(space / stride))`` and lower triangular Cholesky factors ``(B, L, D, D)`` of each stack.

        The factors are in heatmap pixels and array order, and positive on the diagonal.
        """
        answers = self.stack_answers(image)
        factors = [estimate(answer.neck) for estimate, answer in zip(self.estimators, answers, strict=True)]
        return [answer.maps for answer in answers], factors


class CholeskyHourglass(CholeskyStack):
    """One hourglass with a covariance per landmark; 28.0 M parameters in 2D with 1 channel and 19 landmarks.

    Args:
        img_size: of the images, ``D`` numbers; this and the other arguments as for `CholeskyStack`.
    """

    def __init__(
        self,
        img_size: Sequence[int],
        in_channels: int,
        out_channels: int,
        channels: Sequence[int] = HOURGLASS_CHANNELS,
        conv_block: BlockMaker | None = None,
        up_sample_mode: str = "nearest",
        pooling: Callable[[int], nn.Module] | None = None,
        stride: int = 1,
    ) -> None:
        super().__init__(1, img_size, in_channels, out_channels, channels, conv_block, up_sample_mode, pooling, stride)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Maps ``(B, L, *ceil(space / stride))`` and covariances ``(B, L, D, D)`` in square heatmap pixels.

        The covariances are positive definite; `maps_and_factors` gives their Cholesky factors.
        """
        maps, factors = self.maps_and_factors(image)
        return maps[-1], covariance_of(factors[-1])
