"""Small neighbourhoods of pixels, gathered out of maps: what all local decoders stand on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.activation import working_dtype


class Sites(NamedTuple):
    """Pixels of interest, ``K`` of them, any number per map.

    Attributes:
        maps: ``(B, L, *space)``.
        owner: which map each pixel is in, int64 ``(K, 2)``: batch and landmark.
        pixel: index coordinates, int64 ``(K, D)``.
    """

    maps: Tensor
    owner: Tensor
    pixel: Tensor

    @property
    def space(self) -> tuple[int, ...]:
        """Shape of a map."""
        return tuple(self.maps.shape[2:])

    def space_tensor(self) -> Tensor:
        """Shape of a map, int64 ``(D,)``."""
        return torch.tensor(self.space, device=self.pixel.device)

    def values(self, index: Tensor) -> Tensor:
        """Values of the maps, differentiable.

        Args:
            index: index coordinates inside the maps, int64 ``(K, P, D)``.

        Returns:
            ``(K, P)`` in a working float type.
        """
        where = (self.owner[:, None, 0], self.owner[:, None, 1], *index.unbind(dim=-1))
        return self.maps[where].to(working_dtype(self.maps.dtype))


def sites_of(heatmap: Tensor, index: Tensor) -> Sites:
    """One pixel per map.

    Args:
        heatmap: ``(B, L, *space)``.
        index: ``(B, L, D)``.
    """
    batch, landmarks = heatmap.shape[:2]
    grid = torch.meshgrid(torch.arange(batch), torch.arange(landmarks), indexing="ij")
    owner = torch.stack(grid, dim=-1).flatten(0, 1).to(heatmap.device)
    return Sites(heatmap, owner, index.flatten(0, 1))


def box(halves: Sequence[int], device: torch.device) -> Tensor:
    """Offsets of a box of ``2 * half + 1`` pixels per axis in the order of the array, int64 ``(P, D)``."""
    axes = [torch.arange(-half, half + 1, device=device) for half in halves]
    grids = torch.meshgrid(*axes, indexing="ij")
    return torch.stack(grids, dim=-1).flatten(0, -2)
