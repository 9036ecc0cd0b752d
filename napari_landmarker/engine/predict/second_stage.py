"""The second stage of cascades: patches about common points, their heat averaged in image space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.heatmap.activation import softmax_2d
from napari_landmarker.engine.predict.found import Found
from napari_landmarker.engine.predict.heats import HeatAverage
from napari_landmarker.engine.predict.member import Look
from napari_landmarker.engine.predict.reading import Reading, read_patch
from napari_landmarker.engine.predict.seen import Seen
from napari_landmarker.engine.transforms import resample

#: The heat of both stages is shown as finely as that of the patches unless that takes more pixels, all maps together.
SHOWN_PIXELS = 2**24


class PatchHeat(NamedTuple):
    """Heat of the patch of one landmark.

    Attributes:
        heat: ``(*patch)``.
        to_patch: image to patch index coordinates.
        bell: standard deviation of the bell that its network was taught to draw, pixels of the patch.
    """

    heat: Tensor
    to_patch: AffineMap
    bell: float

    def bell_in(self, to_other: AffineMap) -> float:
        """Standard deviation of the bell that its network was taught to draw, in the pixels of another map."""
        ratio = abs(np.linalg.det(to_other.matrix) / np.linalg.det(self.to_patch.matrix))
        return float(self.bell * ratio ** (1 / to_other.ndim))


def refine(looks: Sequence[Look], first: Seen, landmarks: int) -> Seen:
    """What the second stages say about the points of the first.

    The score is the product of both stages': a patch does not know whether it lies at the right place. The covariance
    is that of the whole patch's heat, less the bell that the network was taught to draw: of several, the narrowest.

    Args:
        looks: at cascades.
        first: what all first stages say together, one point a landmark.
        landmarks: ``L``.
    """
    seen: list[list[PatchHeat]] = [[] for _ in range(landmarks)]
    for look in looks:
        for row, patch in zip(look.rows, _patches(look, first.found), strict=True):
            seen[row].append(patch)
    decoder, found = looks[0].member.decoder, first.found
    points, score, covariance = (values.copy() for values in (found.points, found.score, found.covariance))
    patches = []
    for row, own_patches in enumerate(seen):
        average = HeatAverage(1, normalise=True)
        for patch in own_patches:
            average.add(patch.heat[None], patch.to_patch, [0])
        heat, bell = average.heat(), min(patch.bell_in(average.to_heatmap) for patch in own_patches)
        reading = read_patch(heat[None], decoder, bell)
        own = Found.of(Reading(*(values[0].unsqueeze(1) for values in reading)), average.to_heatmap)
        known = np.isfinite(found.points[row]).all()
        points[row] = own.points[0] if known else np.nan
        score[row] = found.score[row] * own.score[0] if known else 0.0
        covariance[row] = own.covariance[0] if known else np.nan
        patches.append(PatchHeat(heat[0], average.to_heatmap, bell))
    stride = looks[0].member.cascade.refiner.stride
    heat, to_heat = painted(first, patches, looks[0].to_frame, stride)
    return Seen(Found(points, score, covariance), heat, to_heat)


def _patches(look: Look, found: Found) -> list[PatchHeat]:
    """The heat of each of a network's landmarks in its patch."""
    network = look.member.cascade
    centres = torch.from_numpy(look.to_frame.apply(found.points[list(look.rows), 0]))[None]
    drawn = look.drawn().to(look.member.device)
    if look.member.device == "mps":
        centres = centres.float()
    look.check()
    maps, corners = network.refine(drawn, centres.to(look.member.device))
    heats = softmax_2d(maps.float())[0].cpu()
    stride, size, grid = network.refiner.stride, network.patch_size, tuple(heats.shape[1:])
    scale = AffineMap.scaling(size, [1 / stride] * len(size), grid, centred=False)
    frame, bell = look.to_frame, look.member.info.config.refine.sigma
    return [
        PatchHeat(heat, frame.then(AffineMap.crop(frame.target_shape, corner, size)).then(scale), bell)
        for heat, corner in zip(heats, corners[0].tolist(), strict=True)
    ]


def painted(first: Seen, patches: Sequence[PatchHeat], to_frame: AffineMap, stride: int) -> tuple[Tensor, AffineMap]:
    """The heat of both stages in one: within a patch, the first stage's is spread as the second says.

    Args:
        first: heat of the first stage, and points; a landmark without one keeps the first stage's heat.
        patches: of each landmark, ``L`` of them.
        to_frame: image to frame index coordinates.
        stride: frame pixels per pixel of the patches' heat.

    Returns:
        Heat ``(L, *grid)``, as fine as that of the patches as far as that is not too large, and image to heat index
        coordinates.
    """
    shape = to_frame.target_shape
    grid = tuple(-(-size // stride) for size in shape)
    to_heat = to_frame.then(AffineMap.scaling(shape, [1 / stride] * len(shape), grid, centred=False))
    if math.prod(grid) * len(patches) > SHOWN_PIXELS:
        to_heat = first.to_heat
    known = np.asarray(np.isfinite(first.found.points[:, 0]).all(axis=-1))
    out = resample(first.heat.cpu().numpy(), first.to_heat.inverse.then(to_heat))
    for row, patch in enumerate(patches):
        if not known[row]:
            continue
        move = patch.to_patch.inverse.then(to_heat)
        ends = move.apply([[-0.5] * len(shape), [size - 0.5 for size in patch.heat.shape]])
        low = np.clip(np.floor(ends.min(axis=0)), 0, to_heat.target_shape).astype(int)
        high = np.clip(np.ceil(ends.max(axis=0)) + 1, low, to_heat.target_shape).astype(int)
        if (high == low).any():
            continue
        to_box = move.then(AffineMap.crop(to_heat.target_shape, low.tolist(), (high - low).tolist()))
        fine = resample(patch.heat.numpy()[None], to_box, fill=np.nan)[0]
        inside = np.isfinite(fine)
        box = out[row][tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))]
        total = float(fine[inside].sum())
        if total > 0:
            box[inside] = fine[inside] * (float(box[inside].sum()) / total)
    return torch.from_numpy(out), to_heat
