"""Points out of maps that may hold several of them, and out of patches about the maxima of larger maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap import find_peaks
from napari_landmarker.engine.heatmap.configs import DecoderConfig
from napari_landmarker.engine.predict.reading import Reading, read_heat

#: A peak that is lower than this share of its map's highest is taken for noise.
WEAKEST = 0.25


class Patch(NamedTuple):
    """What lies about a pixel of a map.

    Attributes:
        values: ``(*box)``, cut where the map ends.
        corner: index of its first pixel in the map, int64 ``(D,)``.
    """

    values: Tensor
    corner: Tensor

    @classmethod
    def about(cls, map_: Tensor, pixel: Sequence[int], half: int) -> Patch:
        """A copy of the pixels of a map ``(*space)`` that are at most ``half`` from a pixel along each axis."""
        low = [max(0, at - half) for at in pixel]
        box = tuple(slice(first, at + half + 1) for first, at in zip(low, pixel, strict=True))
        return cls(map_[box].clone(), torch.tensor(low))


def read_instances(heat: Tensor, decoder: DecoderConfig, count: int, *, logits: bool = True) -> Reading:
    """As `read_heat`, for landmarks that may have several points in an image.

    Of several, each is read in the window about its peak. The score of a peak of values is its height. That of a peak
    of logits is the share of the heat that lies in the windows of all peaks, times its own share over the largest:
    so equal peaks that hold all heat have a score of 1 each.

    Args:
        heat: ``(B, L, *grid)``, not negative.
        decoder: how points are read.
        count: ``M``, how many points a landmark may have; for 1 there is always one, unless a map says nothing.
        logits: whether the heat is that of logits.

    Returns:
        Points ``(B, L, M, D)``, scores ``(B, L, M)`` and covariances ``(B, L, M, D, D)``, the largest score first; NaN,
        0 and NaN where there is no further one.
    """
    if count == 1:
        return Reading(*(values.unsqueeze(2) for values in read_heat(heat, decoder, logits=logits)))
    batch, landmarks, ndim = *heat.shape[:2], heat.ndim - 2
    if logits:
        total = heat.flatten(2).sum(dim=-1)
        heat = heat / torch.where(total > 0, total, 1.0).reshape(batch, landmarks, *[1] * ndim)
    top = heat.flatten(2).amax(dim=-1).reshape(batch, landmarks, *[1] * ndim)
    scaled = heat / torch.where(top > 0, top, 1.0)
    found = find_peaks(scaled, 2 * decoder.window + 1, WEAKEST, "argmax", count)
    patches: list[list[Patch]] = [[] for _ in range(batch * landmarks)]
    for (item, landmark), pixel in zip(found.owner.tolist(), found.points.long().tolist(), strict=True):
        patches[item * landmarks + landmark].append(Patch.about(heat[item, landmark], pixel, decoder.window))
    out = read_patches(patches, decoder, count, logits=logits, ndim=ndim, device=heat.device)
    return Reading(*(values.view(batch, landmarks, *values.shape[1:]) for values in out))


def read_patches(
    patches: Sequence[Sequence[Patch]],
    decoder: DecoderConfig,
    count: int,
    *,
    logits: bool,
    ndim: int,
    device: torch.device | str = "cpu",
) -> Reading:
    """What patches about the maxima of ``L`` maps say; see `read_instances`.

    Args:
        patches: of each map the patches of its peaks, heat; of logits, such that the heat of a whole map sums to 1.
        decoder: how points are read; what it says of whole maps is taken for the window about a peak.
        count: ``M``.
        logits: whether the heat is that of logits.
        ndim: ``D``.
        device: of the answer.

    Returns:
        In index coordinates of the maps: ``(L, M, D)``, ``(L, M)`` and ``(L, M, D, D)``, the largest score first.
    """
    if decoder.method == "soft_argmax":
        decoder = decoder.model_copy(update={"method": "auto"})
    places = [(row, number) for row, own in enumerate(patches) for number in range(len(own))]
    points = torch.full((len(patches), count, ndim), torch.nan, device=device)
    score = torch.zeros(len(patches), count, device=device)
    covariance = torch.full((len(patches), count, ndim, ndim), torch.nan, device=device)
    by_shape: dict[torch.Size, list[tuple[int, int]]] = {}
    for row, number in places:
        by_shape.setdefault(patches[row][number].values.shape, []).append((row, number))
    for alike in by_shape.values():
        values = torch.stack([patches[row][number].values for row, number in alike]).to(device)
        corners = torch.stack([patches[row][number].corner for row, number in alike]).to(device)
        found = read_heat(values[None], decoder, logits=logits)
        share = values.flatten(1).sum(dim=-1) if logits else torch.ones(len(alike), device=device)
        rows, numbers = (list(column) for column in zip(*alike, strict=True))
        points[rows, numbers] = (found.points[0] + corners).to(points)
        score[rows, numbers] = (found.score[0] * share).clamp(max=1).to(score)
        covariance[rows, numbers] = found.covariance[0].to(covariance)
    if logits and count > 1:
        largest = score.amax(dim=-1, keepdim=True)
        score = (score.sum(dim=-1, keepdim=True) * score / torch.where(largest > 0, largest, 1.0)).clamp(max=1)
    order = score.argsort(dim=-1, descending=True, stable=True)
    rows_of = torch.arange(len(patches), device=device)[:, None]
    return Reading(points[rows_of, order], score[rows_of, order], covariance[rows_of, order])
