"""What one image shows to one or more looks: points, and the heat they were read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.heatmap.spread import at_least_a_pixel
from napari_landmarker.engine.predict.found import Found, joined, mean_found
from napari_landmarker.engine.predict.heats import HeatAverage
from napari_landmarker.engine.predict.instances import WEAKEST, Patch, read_instances, read_patches
from napari_landmarker.engine.predict.member import Look
from napari_landmarker.engine.predict.reading import Reading, read_answer, read_heat
from napari_landmarker.engine.predict.stream import Streamed
from napari_landmarker.engine.predict.windows import stream_maps


@dataclass(frozen=True, eq=False)
class Seen:
    """Points and heat of one image.

    Attributes:
        found: the points.
        heat: ``(L, *grid)``, not negative.
        to_heat: image to heat index coordinates.
    """

    found: Found
    heat: Tensor
    to_heat: AffineMap


def see_maps(looks: Sequence[Look], landmarks: int, instances: int) -> Seen:
    """Average the heat of all looks and read the points.

    Args:
        looks: at members that give maps, or whose first stage does.
        landmarks: ``L``.
        instances: ``M``.
    """
    member = looks[0].member
    logits, decoder = member.kind[1], member.decoder
    average = HeatAverage(landmarks, normalise=logits)
    answered = []
    for look in looks:
        answer = look.answer(look.drawn())
        heat = look.member.heat_of_maps(answer)[0]
        average.add(heat, look.to_heatmap, look.rows)
        covariance = look.member.answered_covariance(answer)
        if covariance is not None and instances == 1:
            own = read_heat(heat[None], decoder, logits=logits)
            reading = Reading(*(values[0].unsqueeze(1) for values in own._replace(covariance=covariance)))
            answered.append(Found.of(reading, look.to_heatmap).in_rows(look.rows, landmarks))
    heat = average.heat()
    reading = read_instances(heat[None], decoder, instances, logits=logits)
    found = Found.of(Reading(*(values[0] for values in reading)), average.to_heatmap)
    if answered:
        found = replace(found, covariance=mean_found(answered).covariance)
    return Seen(found, heat, average.to_heatmap)


def see_windows(looks: Sequence[Look], landmarks: int, instances: int) -> Seen:
    """Read each look through windows, and join what was found; the heat is an overview.

    Covariances are those of the heat, also where a network answers them for a whole image.

    Args:
        looks: at members that give maps, or whose first stage does.
        landmarks: ``L``.
        instances: ``M``.
    """
    overviews = HeatAverage(landmarks, normalise=looks[0].member.kind[1])
    found = []
    for look in looks:
        drawn = look.drawn()
        if look is looks[-1]:
            look.picture.forget()
        streamed = stream_maps(look, drawn, look.member.decoder, instances)
        reading = read_stream(streamed, look, instances)
        found.append(Found.of(reading, look.to_heatmap).in_rows(look.rows, landmarks))
        overview, shape, coarser = streamed.overview, look.to_heatmap.target_shape, streamed.coarser
        cells = AffineMap.scaling(shape, [1 / coarser] * len(shape), tuple(overview.shape[1:]), centred=False)
        overviews.add(look.member.heat_of_maps(overview[None])[0], look.to_heatmap.then(cells), look.rows)
    return Seen(joined(found), overviews.heat(), overviews.to_heatmap)


def read_stream(streamed: Streamed, look: Look, instances: int) -> Reading:
    """What the maps say of which patches were kept, ``(N, M, ...)`` in their index coordinates."""
    decoder, logits = look.member.decoder, look.member.kind[1]
    peaks = []
    for own, total in zip(streamed.patches, streamed.log_total.tolist(), strict=True):
        heats = [
            (patch.values - total).exp() if logits else look.member.heat_of_maps(patch.values[None, None])[0, 0]
            for patch in own
        ]
        high = WEAKEST * max((float(heat.amax()) for heat in heats), default=0.0)
        pairs = zip(heats, own, strict=True)
        peaks.append([Patch(heat, patch.corner) for heat, patch in pairs if float(heat.amax()) >= high])
    ndim = look.to_frame.ndim
    reading = read_patches(peaks, decoder, instances, logits=logits, ndim=ndim)
    if not streamed.moments or instances > 1:
        return reading
    points, score, covariance = (values.clone() for values in reading)
    for row, (own, moments) in enumerate(zip(peaks, streamed.moments, strict=True)):
        if not own:
            continue
        points[row, 0] = moments.mean
        if logits:
            share = _share_about(own[0], moments.mean, decoder.window, look.to_heatmap.target_shape)
            score[row, 0] = score[row, 0] if share is None else share
        within = moments.mean - own[0].corner
        upper = torch.tensor(own[0].values.shape) - 0.5
        if bool((within >= -0.5).all()) and bool((within <= upper).all()):
            covariance[row, 0] = _about(own[0].values, within, decoder.window)
        else:  # the mean lies between peaks: what is near it says little, and nothing was kept
            covariance[row, 0] = at_least_a_pixel(moments.covariance)
    return Reading(points, score, covariance)


def _share_about(patch: Patch, point: Tensor, half: int, space: Sequence[int]) -> float | None:
    """The heat in the window about a point of a map of ``space``, as `read_heat` counts it; None if it was not kept."""
    last = torch.tensor(space) - 1
    pixel = torch.minimum(point.round().long().clamp(min=0), last)
    room = torch.minimum(pixel, last - pixel).clamp(max=half)
    low, high = pixel - room - patch.corner, pixel + room - patch.corner
    if bool((low < 0).any()) or bool((high >= torch.tensor(patch.values.shape)).any()):
        return None
    box = tuple(slice(a, b + 1) for a, b in zip(low.tolist(), high.tolist(), strict=True))
    return float(patch.values[box].sum().clamp(max=1))


def _about(heat: Tensor, point: Tensor, half: int) -> Tensor:
    """Covariance ``(D, D)`` of the heat about a point, in the window of which the middle is the pixel nearest to it."""
    middle = point.round().long()
    axes = [
        torch.arange(max(0, int(at) - half), min(size, int(at) + half + 1))
        for at, size in zip(middle, heat.shape, strict=True)
    ]
    index = torch.cartesian_prod(*axes)
    weight = heat[tuple(index.T)].double()
    away = index - point
    return at_least_a_pixel(torch.einsum("p,pi,pj->ij", weight, away, away) / weight.sum())


def see_points(looks: Sequence[Look], landmarks: int) -> Found:
    """The mean of the points that all looks answer, with the spread between them as covariance.

    Args:
        looks: at members that answer with points.
        landmarks: ``L``.
    """
    found = []
    for look in looks:
        answer = look.answer(look.drawn())
        reading = read_answer(answer, look.member.info.config, 1)
        own = Reading(*(values[0].unsqueeze(1) for values in reading))
        found.append(Found.of(own, look.to_heatmap).in_rows(look.rows, landmarks))
    return mean_found(found)


def as_shown(heat: Tensor) -> npt.NDArray[np.float32]:
    """Heat ``(L, *grid)`` as it is shown: each map with its maximum at 1, nothing where it says nothing."""
    top = heat.flatten(1).amax(dim=-1).reshape(-1, *[1] * (heat.ndim - 1))
    usable = torch.isfinite(top) & (top > 0)
    shown = torch.where(usable, heat / torch.where(usable, top, 1.0), 0.0)
    return np.asarray(shown.cpu().float().numpy())
