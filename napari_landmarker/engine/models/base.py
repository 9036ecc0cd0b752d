"""What all networks share: images of any size, and one way to read what a network answers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class LandmarkNetwork(nn.Module):
    """A network that sees images of any size.

    An image is made larger at its far ends, its border continued, until its size suits the network; ``stride`` pixels
    of each axis are then folded into channels, so that the network works on a grid that is ``stride`` times coarser.
    Heatmap index ``i`` lies at image index ``(i + 0.5) * stride - 0.5``.

    Args:
        spatial_dims: ``D``, 2 or 3.
        in_channels: ``C`` of the image.
        out_channels: ``L``.
        stride: image pixels per heatmap pixel, along each axis.
        factor: what the folded grid must be a multiple of.
        cells: how many times ``factor`` the folded grid must be at least, along each axis.

    Raises:
        ValueError: if there are not 2 or 3 dimensions, or a number is below 1.
    """

    def __init__(
        self, spatial_dims: int, in_channels: int, out_channels: int, stride: int = 1, factor: int = 1, cells: int = 1
    ) -> None:
        super().__init__()
        if spatial_dims not in (2, 3):
            raise ValueError(f"spatial_dims must be 2 or 3, not {spatial_dims}.")
        if min(in_channels, out_channels, stride, factor, cells) < 1:
            raise ValueError("in_channels, out_channels and stride must be at least 1.")
        self.spatial_dims, self.in_channels, self.out_channels = spatial_dims, in_channels, out_channels
        self.stride = stride
        self._factor, self._cells = factor, cells

    @property
    def folded_channels(self) -> int:
        """Channels of an image after `fit`."""
        return int(self.in_channels * self.stride**self.spatial_dims)

    @property
    def multiple(self) -> int:
        """Sizes that are multiples of this need no padding, unless they are smaller than `smallest`."""
        return self.stride * self._factor

    @property
    def smallest(self) -> int:
        """Smaller sizes are padded to this."""
        return self.multiple * self._cells

    def fit(self, image: Tensor) -> Tensor:
        """The image as the network's body sees it, ``(B, C * stride^D, *padded / stride)``.

        Raises:
            ValueError: if the image has not the network's dimensions or channels.
        """
        if image.ndim != self.spatial_dims + 2 or image.shape[1] != self.in_channels:
            raise ValueError(
                f"The network takes images of {self.in_channels} channels in {self.spatial_dims}D, (B, C, *space), "
                f"not {tuple(image.shape)}."
            )
        padding = [max(self.smallest, -(-size // self.multiple) * self.multiple) - size for size in image.shape[2:]]
        if any(padding):
            flat = [amount for size in reversed(padding) for amount in (0, size)]
            image = nn.functional.pad(image, flat, mode="replicate")
        return space_to_depth(image, self.stride)

    def crop(self, maps: Tensor, image: Tensor) -> Tensor:
        """The part of the maps that belongs to the image, ``(B, L, *ceil(space / stride))``."""
        space = [slice(0, -(-size // self.stride)) for size in image.shape[2:]]
        return maps[(slice(None), slice(None), *space)]


class HeatmapNetwork(LandmarkNetwork):
    """A network that gives one map per landmark; a subclass says how in `maps`."""

    def maps(self, folded: Tensor) -> Tensor:
        """Maps ``(B, L, *grid)`` for what `fit` gave, ``(B, C * stride^D, *grid)``."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> Tensor:
        """Maps ``(B, L, *ceil(space / stride))`` for an image ``(B, C, *space)`` of any size."""
        return self.crop(self.maps(self.fit(image)), image)


def heatmap_stacks(answer: Any) -> list[Tensor]:
    """The maps that a loss is to judge, whatever the network; the last ones are its answer.

    Args:
        answer: of a network: maps, a list of the maps of each stack, or either with covariances beside.

    Returns:
        ``(B, L, *grid)`` each.
    """
    if isinstance(answer, tuple):
        answer = answer[0]
    return list(answer) if isinstance(answer, list) else [answer]


def covariance_stacks(answer: Any) -> list[Tensor]:
    """The covariances beside the maps of each stack, ``(B, L, D, D)`` each; none for a network that gives none."""
    if not isinstance(answer, tuple):
        return []
    return list(answer[1]) if isinstance(answer[1], list) else [answer[1]]


def space_to_depth(image: Tensor, stride: int) -> Tensor:
    """``(B, C, *space)`` to ``(B, C * stride^D, *space / stride)``: neighbouring pixels become channels."""
    if stride == 1:
        return image
    batch, channels, *space = image.shape
    split = [part for size in space for part in (size // stride, stride)]
    ndim = len(space)
    order = [0, 1, *(3 + 2 * axis for axis in range(ndim)), *(2 + 2 * axis for axis in range(ndim))]
    folded = image.reshape(batch, channels, *split).permute(order)
    return folded.reshape(batch, channels * stride**ndim, *(size // stride for size in space)).contiguous(
        memory_format=torch.channels_last if ndim == 2 else torch.channels_last_3d
    )
