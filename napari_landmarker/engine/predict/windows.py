"""Large images, seen through windows: what windows there are, and how much of each counts where they overlap."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from monai.inferers.inferer import PatchInferer
from monai.inferers.splitter import Splitter
from torch import Tensor

from napari_landmarker.engine.heatmap.configs import DecoderConfig
from napari_landmarker.engine.predict.member import Look
from napari_landmarker.engine.predict.stream import Stream, Streamed, halo_of

#: An image that has more pixels, folded as the network folds them, is seen through windows. A network keeps some ten
#: maps of 32 channels in single precision at its finest level: for so many pixels, 2.5 GiB.
WHOLE_PIXELS = 2**21
#: One that is no more than so many times larger than those of the training is seen as a whole all the same.
WHOLE_TIMES = 4
#: A window that is larger than the training's images has no more pixels than this, folded.
WINDOW_PIXELS = 2**20
#: The maps of a row of windows take about so many bytes, unless windows half as wide as a training image need more.
ROW_BYTES = 2**31
#: The overview of the maps has at most so many pixels, all landmarks together.
OVERVIEW_PIXELS = 2**23


def needs_windows(shape: Sequence[int], trained: Sequence[int], stride: int) -> bool:
    """Whether an image in a frame of ``shape`` is too large to be seen as a whole.

    Args:
        shape: of the drawn image.
        trained: of the images that the network learnt from.
        stride: image pixels per heatmap pixel.
    """
    folded = math.prod(shape) / stride ** len(shape)
    return folded > WHOLE_PIXELS and math.prod(shape) > WHOLE_TIMES * math.prod(trained)


def window_shape(
    shape: Sequence[int], trained: Sequence[int], multiple: int, stride: int, landmarks: int, halo: int
) -> tuple[int, ...]:
    """The windows for an image: twice as wide as what the network learnt from, as far as memory allows.

    Args:
        shape: of the drawn image.
        trained: of the images that the network learnt from.
        multiple: of which windows are multiples.
        stride: image pixels per heatmap pixel.
        landmarks: ``L``.
        halo: planes of the maps that are kept before and after those of a window.
    """
    ndim = len(shape)
    grown = (WINDOW_PIXELS * stride**ndim / math.prod(trained)) ** (1 / ndim)
    wide = [size * min(2.0, max(1.0, grown)) for size in trained]
    plane_bytes = 4 * landmarks * math.prod(shape[1:]) / stride ** (ndim - 1)
    wide[0] = min(wide[0], max(trained[0] / 2, (ROW_BYTES / plane_bytes - 2 * halo) * stride))
    return tuple(
        min(-(-size // multiple) * multiple, max(multiple, int(width) // multiple * multiple))
        for size, width in zip(shape, wide, strict=True)
    )


def places(size: int, width: int, stride: int) -> list[int]:
    """First pixels of windows of ``width`` along an axis of ``size``: neighbours share a quarter or more.

    They lie evenly and on multiples of the stride; the last may reach beyond the axis by less than that.
    """
    if width >= size:
        return [0]
    step = max(stride, (width - -(-width // 4)) // stride * stride)
    count = 1 + -(-(size - width) // step)
    last = -(-(size - width) // stride) * stride
    return sorted({round(last * number / (count - 1) / stride) * stride for number in range(count)})


def shares(starts: Sequence[int], width: int, size: int) -> dict[int, Tensor]:
    """How much of each window counts along one axis, ``(width,)``: most in its middle, and all windows together 1.

    Args:
        starts: first pixel of each window.
        width: of the windows.
        size: of the axis.
    """
    bell = torch.sin(math.pi * (torch.arange(width, dtype=torch.float64) + 0.5) / width).square()
    total = torch.zeros(max(size, starts[-1] + width), dtype=torch.float64)
    for start in starts:
        total[start : start + width] += bell
    return {start: (bell / total[start : start + width]).float() for start in starts}


class WindowSplitter(Splitter):
    """Cuts windows that lie evenly over an image, row by row; beyond the image its border is continued.

    Args:
        starts: of the windows along each axis.
        window: their shape.
    """

    def __init__(self, starts: Sequence[Sequence[int]], window: Sequence[int]) -> None:
        super().__init__(tuple(window))
        self.starts, self.window = starts, tuple(window)

    def get_input_shape(self, inputs: Tensor) -> tuple[int, ...]:
        """``(*space)``."""
        return tuple(inputs.shape[2:])

    def get_padded_shape(self, inputs: Tensor) -> tuple[int, ...]:
        """What the windows cover."""
        return tuple(own[-1] + width for own, width in zip(self.starts, self.window, strict=True))

    def __call__(self, inputs: Tensor) -> Iterable[tuple[Tensor, Sequence[int]]]:
        """Windows ``(B, C, *window)`` and their first pixels."""
        grid = torch.cartesian_prod(*(torch.tensor(own) for own in self.starts))
        for start in grid.reshape(-1, len(self.starts)).tolist():
            box = tuple(slice(at, at + width) for at, width in zip(start, self.window, strict=True))
            patch = inputs[(slice(None), slice(None), *box)]
            missing = [width - size for width, size in zip(self.window, patch.shape[2:], strict=True)]
            if any(missing):
                flat = [amount for size in reversed(missing) for amount in (0, size)]
                patch = torch.nn.functional.pad(patch, flat, mode="replicate")
            yield patch, start


def stream_maps(look: Look, drawn: Tensor, decoder: DecoderConfig, instances: int) -> Streamed:
    """Run a member's network over an image through windows, and read its maps row by row of windows.

    Args:
        look: which member.
        drawn: the image, ``(1, C, *space)``.
        decoder: how points are read.
        instances: ``M``.

    Returns:
        As if the windows' maps had been merged, each weighted by `shares`, and then been read.
    """
    member, space = look.member, tuple(drawn.shape[2:])
    stride, multiple = member.network.stride, member.network.multiple
    trained = member.info.frame.shape
    window = window_shape(space, trained, multiple, stride, member.network.out_channels, halo_of(decoder))
    starts = [places(size, width, stride) for size, width in zip(space, window, strict=True)]
    grid = [-(-size // stride) for size in space]
    per_axis = [
        shares([start // stride for start in own], width // stride, size)
        for own, width, size in zip(starts, window, grid, strict=True)
    ]
    cells = OVERVIEW_PIXELS / member.network.out_channels
    options: dict[str, Any] = {
        "shares": per_axis,
        "grid": grid,
        "decoder": decoder,
        "logits": member.kind[1],
        "instances": instances,
        "coarser": max(1, math.ceil((math.prod(grid) / cells) ** (1 / len(grid)))),
    }
    inferer = PatchInferer(WindowSplitter(starts, window), Stream, match_spatial_shape=False, **options)
    streamed: Streamed = inferer(drawn, member.raw_maps)
    return streamed
