"""Draws radial bells into maps: as products of axis profiles where they separate, else tile by tile.

Everything is measured in whitened coordinates ``u = inverse(L) (x - centre)`` with ``L`` the lower triangular factor of
the covariance: then the ``k``-th coordinate depends on the first ``k`` axes of the map alone, and only the last one has
to be computed for every pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Profile = Callable[[Tensor], Tensor]
TILE_PIXELS = 1 << 18  # temporaries of a tile stay in the cache of a processor
GROUP_PIXELS = 1 << 25  # on an accelerator, the maps that are drawn together


class Bells(NamedTuple):
    """Where and how wide bells are, all of one float type.

    Attributes:
        centres: finite index coordinates in array order, ``(B, L, M, D)``.
        factors: lower triangular factors of the covariances, ``(B, L, D, D)``.
        weights: the height of each bell, ``(B, L, M)``; 0 for one that is not there.
    """

    centres: Tensor
    factors: Tensor
    weights: Tensor


class Tile(NamedTuple):
    """One instance of one or more landmarks of one batch element, in one box of the map."""

    batch: int
    landmarks: slice
    instance: int
    box: tuple[slice, ...]

    def of_maps(self, maps: Tensor) -> Tensor:
        """Its piece of ``(B, L, *space)``."""
        return maps[self.batch, self.landmarks][:, *self.box]

    def of_bells(self, bells: Bells) -> Bells:
        """Its bells: centres ``(l, D)``, factors ``(l, D, D)``, weights ``(l,)``."""
        which = self.batch, self.landmarks
        return Bells(
            bells.centres[which][:, self.instance], bells.factors[which], bells.weights[which][:, self.instance]
        )


class Shape(NamedTuple):
    """The radial shape of a bell.

    Attributes:
        profile: from squared whitened distances to values.
        reach: the distance, in standard deviations, from which the profile is nothing in this float type.
        parameters: learnable parameters inside `profile`.
    """

    profile: Profile
    reach: float
    parameters: tuple[Tensor, ...]


def blank(shape: Sequence[int], like: Tensor) -> Tensor:
    """Zeros, of the float type and on the device of `like`.

    In main memory numpy makes them: it asks the system for large pages, which for maps of 100 MB and more takes a
    fifth of the time, and pages that are never written cost nothing.
    """
    if like.device.type == "cpu":
        return torch.from_numpy(np.zeros(tuple(shape), np.float64 if like.dtype == torch.float64 else np.float32))
    return torch.zeros(tuple(shape), dtype=like.dtype, device=like.device)


def is_diagonal(factors: Tensor) -> bool:
    """Whether all bells lie along the axes of the map."""
    ndim = factors.shape[-1]
    return not any(bool((factors[..., row, column] != 0).any()) for row in range(ndim) for column in range(row))


def draw_products(profile: Profile, bells: Bells, maps: Tensor) -> None:
    """Write bells along the axes of the map whose profile turns sums into products; one instance per landmark.

    Args:
        profile: from squared distances to values, with ``profile(a + b) = profile(a) * profile(b)``.
        bells: with ``M = 1`` and diagonal factors.
        maps: ``(B, L, *space)``, written once.
    """
    product = bells.weights[..., 0]
    space = maps.shape[2:]
    for axis, size in enumerate(space):
        index = torch.arange(size, dtype=maps.dtype, device=maps.device)
        distance = (index - bells.centres[..., 0, axis, None]) / bells.factors[..., axis, axis, None]
        values = profile(distance.square()).view(*maps.shape[:2], *[1] * axis, size)
        last = axis == len(space) - 1
        product = torch.mul(product[..., None], values, out=maps) if last else product[..., None] * values


def draw_tiles(shape: Shape, bells: Bells, space: Sequence[int], extra: int) -> Tensor:
    """Add up all bells, each within its reach.

    Returns:
        ``(B, extra + L, *space)``, the first `extra` channels zero.
    """
    if torch.is_grad_enabled() and any(t.requires_grad for t in (*bells, *shape.parameters)):
        drawn: Tensor = _DrawTiles.apply(shape, tuple(space), extra, *bells, *shape.parameters)  # type: ignore[no-untyped-call]
        return drawn
    return _draw(shape, bells, tuple(space), extra)


def _draw(shape: Shape, bells: Bells, space: tuple[int, ...], extra: int) -> Tensor:
    """`draw_tiles` where nobody asks for gradients."""
    batch, landmarks = bells.weights.shape[:2]
    out = blank((batch, extra + landmarks, *space), bells.centres)
    maps, grid = out[:, extra:], _grid(space, out)
    for tile in _tiles(bells, space, shape.reach):
        part = tile.of_bells(bells)
        height = part.weights.view(-1, *[1] * len(space))
        tile.of_maps(maps).addcmul_(shape.profile(_squared_distance(part, grid, tile.box)), height)
    return out


class _DrawTiles(torch.autograd.Function):
    """Draws with gradients: each tile is computed again on the way back, so that no map but the result is kept."""

    @staticmethod
    def forward(ctx: Any, shape: Shape, space: tuple[int, ...], extra: int, *tensors: Tensor) -> Tensor:
        ctx.shape, ctx.space, ctx.extra = shape, space, extra
        ctx.save_for_backward(*tensors[:3])
        return _draw(shape, Bells(*tensors[:3]), space, extra)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        shape: Shape = ctx.shape
        bells, maps = Bells(*ctx.saved_tensors), grads[0][:, ctx.extra :]
        grid = _grid(ctx.space, maps)
        needed = ctx.needs_input_grad[3:]
        totals = [torch.zeros_like(t) for t in (*bells, *shape.parameters)]
        for tile in _tiles(bells, ctx.space, shape.reach):
            part = Bells(*(t.detach().requires_grad_(n) for t, n in zip(tile.of_bells(bells), needed, strict=False)))
            with torch.enable_grad():
                values = shape.profile(_squared_distance(part, grid, tile.box))
                values = values * part.weights.view(-1, *[1] * len(ctx.space))
            places = (*tile.of_bells(Bells(*totals[:3])), *totals[3:])
            inputs = [
                (leaf, place) for leaf, place, n in zip((*part, *shape.parameters), places, needed, strict=True) if n
            ]
            found = torch.autograd.grad(values, [leaf for leaf, _ in inputs], tile.of_maps(maps), allow_unused=True)
            for (_, place), gradient in zip(inputs, found, strict=True):
                if gradient is not None:
                    place.add_(gradient)
        return None, None, None, *[t if n else None for t, n in zip(totals, needed, strict=True)]


def _grid(space: tuple[int, ...], like: Tensor) -> list[Tensor]:
    """Index of each pixel along each axis."""
    return [torch.arange(size, dtype=like.dtype, device=like.device) for size in space]


def _squared_distance(bells: Bells, grid: list[Tensor], box: tuple[slice, ...]) -> Tensor:
    """Squared distance from the centre in standard deviations, ``(l, *box)``, of bells ``(l, ...)``."""
    factors = bells.factors
    whitened: list[Tensor] = []
    total: Tensor | None = None
    for axis, cut in enumerate(box):
        width = factors[:, axis, axis, None]
        along = (grid[axis][cut] - bells.centres[:, axis, None]) / width
        along = along.view(-1, *[1] * axis, along.shape[-1])
        for before, other in enumerate(whitened):
            slope = (factors[:, axis, before, None] / width).view(-1, *[1] * (before + 1))
            offset = (other * slope).view(*other.shape, *[1] * (axis - before - 1))
            along = along - offset[..., None]
        whitened.append(along)
        total = along.square() if total is None else torch.addcmul(total[..., None], along, along)
    assert total is not None
    return total


def _tiles(bells: Bells, space: tuple[int, ...], reach: float) -> Iterator[Tile]:
    """All pieces to draw."""
    return _boxes(bells, space, reach) if bells.weights.device.type == "cpu" else _whole_maps(bells, space)


def _whole_maps(bells: Bells, space: tuple[int, ...]) -> Iterator[Tile]:
    """As many maps at a time as an accelerator's memory takes; it is not asked where the landmarks are."""
    batch, landmarks, instances = bells.weights.shape
    group = max(1, GROUP_PIXELS // math.prod(space))
    whole = tuple(slice(0, size) for size in space)
    for number in range(batch):
        for begin in range(0, landmarks, group):
            for instance in range(instances):
                yield Tile(number, slice(begin, min(begin + group, landmarks)), instance, whole)


def _boxes(bells: Bells, space: tuple[int, ...], reach: float) -> Iterator[Tile]:
    """Boxes, cut into slabs, around the ellipsoids outside of which the bells are nothing."""
    zero, limit = torch.zeros(len(space), dtype=torch.float64), torch.tensor(space, dtype=torch.float64)
    centres = bells.centres.detach().double()
    half = reach * bells.factors.detach().double().square().sum(dim=-1).sqrt()[:, :, None]
    half = torch.nan_to_num(half, nan=math.inf)
    start = (centres - half).ceil().clamp(min=zero, max=limit).long()
    stop = ((centres + half).floor() + 1).clamp(min=zero, max=limit).long()
    there = (bells.weights.detach() != 0) & (stop > start).all(dim=-1)
    for (number, landmark, instance), first, last in zip(
        there.nonzero().tolist(), start[there].tolist(), stop[there].tolist(), strict=True
    ):
        rest = tuple(slice(a, b) for a, b in zip(first[1:], last[1:], strict=True))
        step = max(1, TILE_PIXELS // math.prod(cut.stop - cut.start for cut in rest))
        for begin in range(first[0], last[0], step):
            box = (slice(begin, min(begin + step, last[0])), *rest)
            yield Tile(number, slice(landmark, landmark + 1), instance, box)
