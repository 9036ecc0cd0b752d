"""From a network's answer to points: the one place where it is known what each network and loss makes of maps.

Whatever the network, what is averaged over models, views and windows is *heat*: maps that are not negative. Training's
validation and the predictor read points from it in the same way.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.activation import softmax_2d, wide_dtype
from napari_landmarker.engine.heatmap.argmax import find_maxima
from napari_landmarker.engine.heatmap.configs import DecoderConfig
from napari_landmarker.engine.heatmap.decoder import points_of, share_in_window
from napari_landmarker.engine.heatmap.moments import map_moments, per_landmark
from napari_landmarker.engine.heatmap.precision import in_full_precision
from napari_landmarker.engine.heatmap.sites import box, sites_of
from napari_landmarker.engine.heatmap.spread import at_least_a_pixel
from napari_landmarker.engine.models.base import covariance_stacks, heatmap_stacks
from napari_landmarker.engine.models.cascade import CascadeAnswer, from_maps
from napari_landmarker.engine.models.config_points import CascadeConfig
from napari_landmarker.engine.train.config import TrainConfig

#: Decoders of heat by the method of a configuration: of logits, whose heat is a distribution, and of values.
_OF_LOGITS = {
    "auto": "local_weighted_spatial_mean",
    "local_soft_argmax": "local_weighted_spatial_mean",
    "soft_argmax": "weighted_spatial_mean",
}
_OF_VALUES = {"auto": "dark", "soft_argmax": "weighted_spatial_mean"}
#: Inverse temperature of the local soft-argmax of values, whose peak is 1.
_SHARPNESS = 10.0


class Reading(NamedTuple):
    """What maps say.

    Attributes:
        points: index coordinates in array order, ``(B, L, D)``; NaN where a map says nothing.
        score: in [0, 1], ``(B, L)``; 0 where a map says nothing, NaN where it is not known how sure a point is.
        covariance: in square pixels of the same frame, ``(B, L, D, D)``; NaN where it is not known.
    """

    points: Tensor
    score: Tensor
    covariance: Tensor


def heat_of(answer: Any, config: TrainConfig) -> Tensor:
    """The heat of the maps of a network that gives maps; of a cascade's, that of its first stage.

    Args:
        answer: of the network.
        config: of its training run.

    Returns:
        Float32 ``(B, L, *grid)``, not negative. Of logits, the last stack's softmax over all pixels; of values, the
        last stack's in units of the target's peak, 0 where they are negative.

    Raises:
        ValueError: for a network that answers with points.
    """
    if config.model.answer == "points":
        raise ValueError("A network that answers with points has no maps.")
    maps = answer.maps if isinstance(answer, CascadeAnswer) else heatmap_stacks(answer)[-1]
    if config.loss.reads_logits:
        return softmax_2d(maps.float())
    return (maps.float() / getattr(config.target, "peak", 1.0)).clamp(min=0)


@in_full_precision
def read_heat(heat: Tensor, decoder: DecoderConfig, *, logits: bool) -> Reading:
    """Points, scores and covariances of heat.

    Args:
        heat: ``(B, L, *grid)``, not negative; of logits, the sum over a map does not matter.
        decoder: how points are read. ``"auto"`` reads the heat of logits by its mean in the window about the maximum,
            which is their local soft-argmax, and values by a Gaussian through the pixels about the maximum.
        logits: whether the heat is that of logits, ``config.loss.reads_logits``.

    Returns:
        In index coordinates of the maps. The score is the share of a map's heat that lies in the window about the
        maximum, or about the point where that is the mean of the whole map; for values it is the largest of them, cut
        to 1. The covariance is that of the heat in the window about the point, and at least
        that of a point somewhere in a pixel.
    """
    found, window = find_maxima(heat), 2 * decoder.window + 1
    method = (_OF_LOGITS if logits else _OF_VALUES).get(decoder.method, decoder.method)
    points = points_of(heat, found, method, window, _SHARPNESS)
    score = share_in_window(heat, found, window, None, 1.0) if logits else found.value.float()
    says = found.valid & torch.isfinite(points).all(dim=-1) & torch.isfinite(score) & (score > 0)
    if logits and method == "weighted_spatial_mean":
        about = found._replace(pixel=_nearest(heat, points))
        score = torch.where(says, share_in_window(heat, about, window, None, 1.0), 0.0)
    points = torch.where(says[..., None], points, torch.nan)
    score = torch.where(says, score.clamp(0, 1), 0.0)
    return Reading(points, score.to(points), _covariance(heat, points, decoder.window))


def read_answer(answer: Any, config: TrainConfig, stride: int) -> Reading:
    """Points, scores and covariances of a network's whole answer.

    Args:
        answer: of the network.
        config: of its training run.
        stride: image pixels per heatmap pixel; for a cascade, of its first stage. Not used where points are answered.

    Returns:
        In index coordinates of the network's image. Points that are answered as such have no known score and no
        known covariance. A cascade's points come with the scores and covariances of its patches' maps. Covariances that
        a network was trained to answer are taken in place of those of its maps.
    """
    model = config.model
    if model.answer == "points":
        return _of_points(answer.float())
    if isinstance(answer, CascadeAnswer):
        return _of_cascade(answer, config)
    found = read_heat(heat_of(answer, config), config.decoder, logits=config.loss.reads_logits)
    covariance = found.covariance
    answered = covariance_stacks(answer)
    if answered and config.loss.compares == "points_and_covariances":
        unknown = torch.isnan(found.points).any(dim=-1)[..., None, None]
        covariance = torch.where(unknown, torch.nan, answered[-1].to(covariance))
    return Reading(from_maps(found.points, stride), found.score, covariance * stride**2)


def read_patch(heat: Tensor, decoder: DecoderConfig, bell: float) -> Reading:
    """Points and scores as `read_heat` reads them of logits' heat, with covariances of all of the heat about them.

    A patch is cut about one landmark, so whatever heat it has, near the point or not, says where that may be. (On a
    calibration part of the cephalograms of ISBI 2015, regions of such covariances are a tenth to a fifth smaller than
    those of the window's.) And it was taught to draw a bell about the point, wherever that may be: its heat is what it
    believes, blurred by that bell, whose variance is therefore taken off again. (That makes regions another tenth
    smaller, as what is left tells images better apart.)

    Args:
        heat: of patches, ``(B, L, *patch)``, not negative; the sum over a map does not matter.
        decoder: how points are read.
        bell: standard deviation of the bell, pixels of the patches' maps.

    Returns:
        As `read_heat`.
    """
    found = read_heat(heat, decoder, logits=True)
    known = torch.isfinite(found.points).all(dim=-1, keepdim=True)
    about = torch.where(known, found.points, 0.0).flatten(0, 1)
    believed = map_moments(heat, None, 1.0, about).second
    believed = believed - bell**2 * torch.eye(believed.shape[-1]).to(believed)
    covariance = per_landmark(at_least_a_pixel(believed), heat)
    return found._replace(covariance=torch.where(known[..., None], covariance.to(found.points), torch.nan))


def _of_points(points: Tensor) -> Reading:
    """Points that are answered as such, ``(B, L, D)``."""
    known = torch.isfinite(points).all(dim=-1)
    ndim = points.shape[-1]
    covariance = points.new_full((*points.shape, ndim), torch.nan)
    score = torch.where(known, torch.nan, 0.0).to(points)
    return Reading(torch.where(known[..., None], points, torch.nan), score, covariance)


def _of_cascade(answer: CascadeAnswer, config: TrainConfig) -> Reading:
    """A cascade's points, with scores and covariances of the maps of its patches."""
    assert isinstance(config.model, CascadeConfig)
    stride = config.model.patch_stride_2d if answer.points.shape[-1] == 2 else config.model.patch_stride_3d
    found = read_patch(softmax_2d(answer.patch_maps.float()), config.decoder, config.refine.sigma)
    known = torch.isfinite(answer.points).all(dim=-1) & (found.score > 0)
    return Reading(
        torch.where(known[..., None], answer.points.float(), torch.nan),
        torch.where(known, found.score, 0.0),
        torch.where(known[..., None, None], found.covariance * stride**2, torch.nan),
    )


def _covariance(heat: Tensor, points: Tensor, half: int) -> Tensor:
    """Covariances of the heat within `half` pixels of the points along each axis, ``(B, L, D, D)``; NaN at NaN."""
    last = torch.tensor(heat.shape[2:], device=heat.device) - 1
    known = torch.isfinite(points).all(dim=-1)
    sites = sites_of(heat, _nearest(heat, points))
    offsets = box([half] * len(last), heat.device)
    index = sites.pixel[:, None, :] + offsets
    inside = ((index >= 0) & (index <= last)).all(dim=-1)
    wide = wide_dtype(heat)
    weight = sites.values(torch.minimum(index.clamp(min=0), last)).to(wide) * inside
    away = index - torch.where(known[..., None], points, 0.0).to(wide).flatten(0, 1)[:, None, :]
    total = weight.sum(dim=-1)
    second = torch.einsum("kp,kpi,kpj->kij", weight, away, away) / torch.where(total > 0, total, 1.0)[:, None, None]
    covariance = at_least_a_pixel(second).view(*points.shape, points.shape[-1])
    return torch.where((known & (total > 0).view_as(known))[..., None, None], covariance.to(points), torch.nan)


def _nearest(heat: Tensor, points: Tensor) -> Tensor:
    """The pixels of the maps that are nearest to points, int64 ``(B, L, D)``; the first for NaN."""
    last = torch.tensor(heat.shape[2:], device=heat.device) - 1
    known = torch.isfinite(points).all(dim=-1, keepdim=True)
    return torch.minimum(torch.where(known, points, 0.0).round().long().clamp(min=0), last)
