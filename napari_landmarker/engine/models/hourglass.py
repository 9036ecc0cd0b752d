"""The hourglass network (Newell et al., Stacked hourglass networks for human pose estimation, ECCV 2016)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from napari_landmarker.engine.models.hourglass_stage import HOURGLASS_CHANNELS, BlockMaker, HourglassStack


class Hourglass(HourglassStack):
    """One hourglass: one map per landmark.

    Unlike the published one it has no stem that makes the image four times coarser (``stride=4`` is as much), and its
    channels grow with depth. 27.9 M parameters in 2D with 1 channel and 19 landmarks.

    Args:
        spatial_dims: ``D``, 2 or 3; this and the other arguments as for `HourglassStack`.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int] = HOURGLASS_CHANNELS,
        conv_block: BlockMaker | None = None,
        pooling: Callable[[int], nn.Module] | None = None,
        up_sample_mode: str = "nearest",
        stride: int = 1,
    ) -> None:
        super().__init__(
            1, spatial_dims, in_channels, out_channels, channels, conv_block, pooling, up_sample_mode, stride
        )

    def forward(self, image: Tensor) -> Tensor:
        """Maps ``(B, L, *ceil(space / stride))`` for an image ``(B, C, *space)`` of any size."""
        return self.stack_answers(image)[-1].maps
