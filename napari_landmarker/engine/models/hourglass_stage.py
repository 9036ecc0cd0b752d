"""One hourglass: down to a coarse grid and up again, with a skip at every level; and stacks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from napari_landmarker.engine.models.base import LandmarkNetwork
from napari_landmarker.engine.models.layers import (
    MAX_POOLS,
    Enlarge,
    convolution,
    normalised_convolution,
    residual_block,
)
from napari_landmarker.engine.models.sound_conv import with_sound_gradients

#: Makes a block out of ``spatial_dims``, ``in_channels`` and ``out_channels``.
BlockMaker = Callable[..., nn.Module]
#: Channels of the levels if nothing else is said.
HOURGLASS_CHANNELS = (64, 128, 256, 512)


class StageAnswer(NamedTuple):
    """What one hourglass gives.

    Attributes:
        maps: ``(B, L, *grid)``.
        features: what the maps were made of, ``(B, channels[0], *grid)``.
        neck: at the coarsest level, ``(B, channels[-1], *grid / 2^levels)``.
    """

    maps: Tensor
    features: Tensor
    neck: Tensor


class HourglassStage(nn.Module):
    """An hourglass and its maps.

    Args:
        spatial_dims: ``D``.
        out_channels: ``L``.
        channels: of the levels, fine to coarse; after each the grid is halved.
        conv_block: makes the blocks.
        pooling: makes a layer that halves the grid.
        up_sample_mode: ``"nearest"`` or ``"linear"``.
    """

    def __init__(
        self,
        spatial_dims: int,
        out_channels: int,
        channels: Sequence[int],
        conv_block: BlockMaker,
        pooling: Callable[[int], nn.Module],
        up_sample_mode: str,
    ) -> None:
        super().__init__()

        def block(inward: int, outward: int) -> nn.Module:
            return with_sound_gradients(conv_block(spatial_dims=spatial_dims, in_channels=inward, out_channels=outward))

        coarser = [*channels[1:], channels[-1]]
        self.skip = nn.ModuleList(block(own, own) for own in channels)
        self.down = nn.ModuleList(block(own, below) for own, below in zip(channels, coarser, strict=True))
        self.up = nn.ModuleList(block(below, own) for own, below in zip(channels, coarser, strict=True))
        self.neck = block(channels[-1], channels[-1])
        self.pool, self.enlarge = pooling(2), Enlarge(spatial_dims, mode=up_sample_mode)
        self.last = nn.Sequential(
            block(channels[0], channels[0]), normalised_convolution(spatial_dims, channels[0], channels[0], 1)
        )
        self.head = convolution(spatial_dims, channels[0], out_channels, 1)

    def forward(self, values: Tensor) -> StageAnswer:
        """Maps and more for ``(B, channels[0], *grid)``."""
        levels = []
        for skip, down in zip(self.skip, self.down, strict=True):
            levels.append(skip(values))
            values = down(self.pool(values))
        neck = values = self.neck(values)
        for up, level in zip(reversed(self.up), reversed(levels), strict=True):
            values = self.enlarge(up(values)) + level
        features = self.last(values)
        return StageAnswer(self.head(features), features, neck)


class HourglassStack(LandmarkNetwork):
    """Hourglasses one after the other; each sees what the one before saw and found.

    Args:
        nb_stacks: how many.
        spatial_dims: ``D``, 2 or 3.
        in_channels: ``C`` of the image.
        out_channels: ``L``.
        channels: of the levels, fine to coarse; after each the grid is halved.
        conv_block: makes the blocks out of ``spatial_dims``, ``in_channels`` and ``out_channels``; residual units with
            group normalisation if None.
        pooling: class of the layer that halves the grid; the largest of each neighbourhood if None.
        up_sample_mode: ``"nearest"`` or ``"linear"``.
        stride: image pixels per heatmap pixel, along each axis.

    Raises:
        ValueError: if there are no levels or no stacks.
    """

    def __init__(
        self,
        nb_stacks: int,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        channels: Sequence[int] = HOURGLASS_CHANNELS,
        conv_block: BlockMaker | None = None,
        pooling: Callable[[int], nn.Module] | None = None,
        up_sample_mode: str = "nearest",
        stride: int = 1,
    ) -> None:
        if nb_stacks < 1 or not channels:
            raise ValueError("An hourglass needs at least one stack and one level.")
        # A block from elsewhere may normalise over each map, for which the coarsest grid must have more than one pixel.
        super().__init__(spatial_dims, in_channels, out_channels, stride, factor=2 ** len(channels), cells=2)
        self.nb_stacks = nb_stacks
        width = channels[0]
        block = conv_block or residual_block
        stem = block(spatial_dims=spatial_dims, in_channels=self.folded_channels, out_channels=width)
        self.stem = with_sound_gradients(stem)
        self.stages = nn.ModuleList(
            HourglassStage(
                spatial_dims, out_channels, channels, block, pooling or MAX_POOLS[spatial_dims], up_sample_mode
            )
            for _ in range(nb_stacks)
        )
        between = range(nb_stacks - 1)
        self.from_features = nn.ModuleList(convolution(spatial_dims, width, width, 1) for _ in between)
        self.from_maps = nn.ModuleList(convolution(spatial_dims, out_channels, width, 1) for _ in between)

    def stack_answers(self, image: Tensor) -> list[StageAnswer]:
        """What each hourglass gives for an image ``(B, C, *space)`` of any size, its maps cut to the image."""
        values = self.stem(self.fit(image))
        answers = []
        for number, stage in enumerate(self.stages):
            found = stage(values)
            answers.append(found._replace(maps=self.crop(found.maps, image)))
            if number + 1 < self.nb_stacks:
                values = values + self.from_features[number](found.features) + self.from_maps[number](found.maps)
        return answers
