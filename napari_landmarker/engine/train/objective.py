"""The loss of a training step: which targets are drawn, what is compared with them, and how missing landmarks count."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from napari_landmarker.engine.heatmap.configs import BellConfig
from napari_landmarker.engine.heatmap.generator import HeatmapGenerator
from napari_landmarker.engine.heatmap.mask import PixelMaskGenerator
from napari_landmarker.engine.heatmap.moments import map_moments, per_landmark
from napari_landmarker.engine.heatmap.spatial_mean import coord_soft_argmax
from napari_landmarker.engine.losses.configs import CrossEntropyConfig
from napari_landmarker.engine.losses.presence import keep, reduced, reduced_per_map
from napari_landmarker.engine.models.base import covariance_stacks, heatmap_stacks
from napari_landmarker.engine.models.cascade import CascadeAnswer
from napari_landmarker.engine.schedulers.adaloss import AdalossScheduler
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.together import mean_of_all, processes

#: Losses of coordinates that a network answers with count in this share of the image's longest side.
UNITS = 64
#: Losses with a price on the widths of the targets.
PRICED = ("gaussian_heatmap_l2", "generalized_normal_heatmap")
#: Distances well below this, in heatmap pixels, count as their squares: near its end a run is not shaken by their sign.
SMOOTH_PX = 0.1
#: Added to the variances of maps whose points are judged, square heatmap pixels: no landmark is known better.
LEAST_VARIANCE = 0.01


class Objective(nn.Module):
    """What a run makes small: from a network's answer and the landmarks of a batch to one number.

    Its parameters, the learnt widths of the targets, are trained beside the network's; a decay of weights is not for
    them. Every stack of a network is judged, and the mean over the stacks is taken.

    - Losses of maps draw the target of each landmark and sum over the pixels of a map, so that a loss does not fade as
      maps become larger; then comes the mean over the landmarks that are there.
    - Losses of points that are read from maps take the mean of the softmax over the whole map, and its covariance or
      the one that the network answers, in heatmap pixels.
    - Losses of points that a network answers count in 64ths of the image's longest side, so that what a loss is told in
      pixels means the same in every image.
    - Of a cascade the first stage is judged, alike whether its whole answer or its maps are given.

    Of several instances, a map shows all; a point is compared with the nearest of them.

    Where several processes share each batch of a training, the mean is over the landmarks that any of them has: see
    `mean_of_all`. All must ask for it then.

    Args:
        config: of the run.
        n_landmarks: ``L``.
        map_shape: of the network's maps, ``*grid``; of the image where points are answered.
        stride: image pixels per heatmap pixel.
    """

    def __init__(self, config: TrainConfig, n_landmarks: int, map_shape: Sequence[int], stride: int) -> None:
        super().__init__()
        self.config, self.n_landmarks, self.stride = config, n_landmarks, stride
        self.unit_px = max(map_shape) / UNITS
        self.loss = config.loss.build("none")
        self.generator: HeatmapGenerator | PixelMaskGenerator | None = None
        self.scheduler: AdalossScheduler | None = None
        target = config.target
        if config.loss.compares == "maps":
            self.generator = target.build(n_landmarks, map_shape)
            if isinstance(target, BellConfig) and target.widths == "scheduled":
                self.scheduler = AdalossScheduler(n_landmarks, rho=target.pace, sigma_min=target.narrowest)
        self._lately, self._period = torch.zeros(2, n_landmarks), torch.zeros(2, n_landmarks)

    def forward(self, answer: Any, landmark: Tensor) -> Tensor:
        """The loss of a batch; what is remembered of each landmark is that of training, and not of evaluation mode.

        Args:
            answer: of the network.
            landmark: index coordinates of the network's image, ``(B, L, D)`` or ``(B, L, M, D)``; NaN where missing.

        Returns:
            A scalar in float32; 0, with zero gradients, if every landmark is missing.

        Raises:
            ValueError: if shapes do not fit.
        """
        with torch.autocast(landmark.device.type, enabled=False):
            points = landmark.float() if landmark.ndim == 4 else landmark.float().unsqueeze(2)
            if self.config.model.answer == "points":
                values, there = self._of_points(answer.float() / self.unit_px, None, points / self.unit_px)
            else:
                values, there = self._of_stacks(answer, (points + 0.5) / self.stride - 0.5)
            if self.training:
                self._remember(values.detach(), there)
            priced = self.config.loss.kind in PRICED
            if self.training and processes() > 1:
                return mean_of_all(values, there, per_landmark=priced)
            total: Tensor = (reduced_per_map if priced else reduced)(values, there, "mean")
            return total

    @torch.no_grad()
    def per_landmark(self) -> Tensor:
        """Mean training loss of each landmark since the last call, ``(L,)``; NaN where no image showed it."""
        lately, self._lately = self._lately, torch.zeros_like(self._lately)
        return means(lately)

    @torch.no_grad()
    def end_of_period(self) -> None:
        """The time between two validations is over: scheduled widths change; all else stays.

        Where a run has several processes, each must call it; the losses of all count.
        """
        if self.scheduler is None:
            return
        period, self._period = self._period, torch.zeros_like(self._period)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(period)
        assert isinstance(self.generator, HeatmapGenerator)
        self.scheduler(means(period), self.generator.sigmas)

    def get_extra_state(self) -> dict[str, Any]:
        """What is remembered beside the tensors, in plain values; part of ``state_dict``."""
        return {
            "lately": self._lately.tolist(),
            "period": self._period.tolist(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
        }

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what was remembered; part of ``load_state_dict``."""
        self._lately, self._period = torch.tensor(state["lately"]), torch.tensor(state["period"])
        if self.scheduler is not None and state["scheduler"] is not None:
            self.scheduler.load_state_dict(state["scheduler"])

    def _of_stacks(self, answer: Any, points: Tensor) -> tuple[Tensor, Tensor]:
        """Losses ``(B, L)`` of a network that gives maps, and which landmarks count; `points` are those of its maps."""
        stacks = [answer.maps] if isinstance(answer, CascadeAnswer) else heatmap_stacks(answer)
        stacks = [maps.float() for maps in stacks]
        covariances: Sequence[Tensor | None] = covariance_stacks(answer) or [None] * len(stacks)
        if self.config.loss.compares == "maps":
            target = self._target(points, stacks[-1])
            judged = [self._of_maps(maps, target, points) for maps in stacks]
        else:
            judged = []
            for maps, covariance in zip(stacks, covariances, strict=True):
                found, own = mean_and_covariance(maps)
                judged.append(self._of_points(found, own if covariance is None else covariance.float(), points))
        return torch.stack([values for values, _ in judged]).mean(dim=0), judged[0][1]

    def _target(self, points: Tensor, maps: Tensor) -> Tensor:
        """What maps of this shape are to look like."""
        assert self.generator is not None
        self.generator.heatmap_size = tuple(maps.shape[2:])
        drawn: Tensor = self.generator(points)
        target = self.config.target
        return drawn * target.peak if isinstance(target, BellConfig) and target.widths != "learned" else drawn

    def _of_maps(self, maps: Tensor, target: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Losses ``(B, L)`` of maps beside their targets, and which landmarks count."""
        there = torch.isfinite(points).all(dim=-1).any(dim=-1)
        loss = self.config.loss
        if loss.kind in PRICED:
            assert isinstance(self.generator, HeatmapGenerator)
            widths = self.generator.sigmas
            if loss.kind == "generalized_normal_heatmap":
                widths = self.generator.get_covariance_matrix()
            return self.loss(maps, widths, target, present=there), there
        if loss.logits:
            there = there & (target.flatten(2).sum(dim=-1) > 0)
        values: Tensor = self.loss(maps, target, present=there)
        values = values if values.ndim == 2 else values.flatten(2).sum(dim=-1)
        if isinstance(loss, CrossEntropyConfig) and loss.distance_weight:
            found = coord_soft_argmax(maps)
            error = keep(found - nearest(found, points).nan_to_num(), there)
            distance = (error.square().sum(dim=-1) + SMOOTH_PX**2).sqrt() - SMOOTH_PX
            values = values + loss.distance_weight * distance
        return values, there

    def _of_points(self, found: Tensor, covariance: Tensor | None, points: Tensor) -> tuple[Tensor, Tensor]:
        """Losses ``(B, L)`` of points ``(B, L, D)`` beside the nearest of ``(B, L, M, D)``, and which count."""
        target = nearest(found.detach(), points)
        there = torch.isfinite(target).all(dim=-1)
        if self.config.loss.compares == "points":
            values: Tensor = self.loss(found, target, present=there).mean(dim=-1)
            return values, there
        return self.loss(found, covariance, target, present=there), there

    def _remember(self, values: Tensor, there: Tensor) -> None:
        """Add a batch's losses ``(B, L)`` to those of each landmark."""
        counted = there & torch.isfinite(values)
        sums = torch.stack((torch.where(counted, values, 0.0).sum(dim=0), counted.sum(dim=0).to(values)))
        self._lately = self._lately.to(sums) + sums
        self._period = self._period.to(sums) + sums


def means(sums: Tensor) -> Tensor:
    """Of sums and numbers of losses, ``(2, L)``, the means ``(L,)``; NaN where there are none."""
    return torch.where(sums[1] > 0, sums[0] / sums[1].clamp(min=1), math.nan)


def mean_and_covariance(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Of the softmax over maps ``(B, L, *grid)``, as of any distribution: ``(B, L, D)`` and ``(B, L, D, D)``.

    Not the unbiased covariance of a sample: what lies in two pixels of one axis would be as wide however it is shared.
    And all but without the floor of a pixel that is right for reading: under it a map in a single pixel would be as
    good an answer as one whose mean is exact, and a likelihood would settle there.
    """
    found = map_moments(maps, "softmax", 1.0)
    unit = torch.eye(maps.ndim - 2, dtype=found.second.dtype, device=maps.device)
    return per_landmark(found.mean, maps), per_landmark(found.second + LEAST_VARIANCE * unit, maps)


def nearest(found: Tensor, points: Tensor) -> Tensor:
    """Of several instances ``(B, L, M, D)`` the one that is nearest to a point ``(B, L, D)``; NaN where there is none.

    Returns:
        ``(B, L, D)``.
    """
    known = torch.isfinite(points).all(dim=-1)
    away = (points.nan_to_num() - found.detach().nan_to_num()[:, :, None]).square().sum(dim=-1)
    chosen = torch.where(known, away, math.inf).argmin(dim=-1)
    target = points.gather(2, chosen[..., None, None].expand(*chosen.shape, 1, points.shape[-1])).squeeze(2)
    return torch.where(known.any(dim=-1, keepdim=True), target, math.nan)
