"""Large images, seen through windows: what windows there are, and how much of each counts where they overlap."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

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
#: If the maps of a row take more all the same, the image is gone through several times, for some landmarks each time.
MOST_BYTES = 3 * 2**30
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
        shape: of the drawn image, the axis along which rows of windows follow each other first.
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


class Rows(NamedTuple):
    """How a large image is gone through: in rows of windows, of which one at a time is kept.

    Attributes:
        order: of the axes; rows follow each other along the first of them, and windows in a row along the others.
        window: shape of a window, in that order.
        groups: of landmarks, the rows of the network's maps; the image is gone through once for each.
        kept: shape of the maps that are kept for the largest group, ``(L, *planes)``, in that order.
    """

    order: tuple[int, ...]
    window: tuple[int, ...]
    groups: tuple[slice, ...]
    kept: tuple[int, ...]


def rows_for(
    space: Sequence[int],
    trained: Sequence[int],
    multiple: int,
    stride: int,
    landmarks: int,
    halo: int,
    axis: int | None = None,
) -> Rows:
    """The rows in which an image is gone through.

    A row lies across the longest axis, where it is smallest. Where even then its maps would take too much memory, there
    are several groups of landmarks.

    Args:
        space: shape of the drawn image.
        trained: see `window_shape`, also for the following.
        multiple: of which windows are multiples.
        stride: image pixels per heatmap pixel.
        landmarks: ``L``.
        halo: planes of the maps that are kept before and after those of a window.
        axis: along which rows follow each other; by default the longest.
    """
    longest = max(range(len(space)), key=lambda a: space[a]) if axis is None else axis
    order = (longest, *(a for a in range(len(space)) if a != longest))
    shape = [space[a] for a in order]
    window = window_shape(shape, [trained[a] for a in order], multiple, stride, landmarks, halo)
    grid = [-(-size // stride) for size in shape]
    planes = (min(grid[0], window[0] // stride + 2 * halo), *grid[1:])
    count = min(landmarks, max(1, math.ceil(4 * landmarks * math.prod(planes) / MOST_BYTES)))
    size = -(-landmarks // count)
    groups = tuple(slice(first, min(first + size, landmarks)) for first in range(0, landmarks, size))
    return Rows(order, window, groups, (size, *planes))


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


def stream_maps(look: Look, drawn: Tensor, decoder: DecoderConfig, instances: int, axis: int | None = None) -> Streamed:
    """Run a member's network over an image through windows, and read its maps row by row of windows.

    Args:
        look: which member.
        drawn: the image, ``(1, C, *space)``.
        decoder: how points are read.
        instances: ``M``.
        axis: see `rows_for`; it changes what is kept in memory, and not what is read.

    Returns:
        As if the windows' maps had been merged, each weighted by `shares`, and then been read.
    """
    network, space, halo = look.member.network, tuple(drawn.shape[2:]), halo_of(decoder)
    stride, landmarks = network.stride, network.out_channels
    rows = rows_for(space, look.member.info.frame.shape, network.multiple, stride, landmarks, halo, axis)
    shape = [space[a] for a in rows.order]
    starts = [places(size, width, stride) for size, width in zip(shape, rows.window, strict=True)]
    grid = [-(-size // stride) for size in shape]
    per_axis = [
        shares([start // stride for start in own], width // stride, size)
        for own, width, size in zip(starts, rows.window, grid, strict=True)
    ]
    options: dict[str, Any] = {
        "shares": per_axis,
        "grid": grid,
        "decoder": decoder,
        "logits": look.member.kind[1],
        "instances": instances,
        "coarser": max(1, math.ceil((math.prod(grid) * landmarks / OVERVIEW_PIXELS) ** (1 / len(grid)))),
    }
    forth = (0, 1, *(a + 2 for a in rows.order))
    back = tuple(forth.index(a) for a in range(len(forth)))
    parts: list[Streamed] = []
    for group in rows.groups:

        def maps_of(window: Tensor, group: slice = group) -> Tensor:
            maps = look.raw_maps(window.permute(back).contiguous())
            return maps[:, group].permute(forth)

        inferer = PatchInferer(WindowSplitter(starts, rows.window), Stream, match_spatial_shape=False, **options)
        parts.append(inferer(drawn.permute(forth), maps_of))
    return Streamed.together(parts).turned([a - 2 for a in back[2:]])
