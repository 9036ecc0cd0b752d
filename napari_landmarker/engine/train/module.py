"""The Lightning module: loss, validation error, optimiser and a schedule that runs on the clock."""

from __future__ import annotations

import math
import time

import pytorch_lightning as pl
import torch
from torch import Tensor

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.heatmap import GaussianHeatmapGenerator, decode_heatmap
from napari_landmarker.engine.losses import HeatmapCrossEntropyLoss
from napari_landmarker.engine.models import LandmarkNetwork
from napari_landmarker.engine.train.config import OptimiserConfig, TrainConfig
from napari_landmarker.engine.train.frame import NetworkFrame

#: So many steps in a row may be lost to gradients that are no numbers.
PATIENCE = 20


class Clock:
    """How far a run is: the larger share of its minutes and of its steps, where those are limited."""

    def __init__(self, max_minutes: float, max_steps: int | None) -> None:
        self.limit_s, self.max_steps = max_minutes * 60, max_steps
        self.step = 0
        self._start = time.monotonic()

    def start(self) -> None:
        """The run begins now."""
        self._start = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @property
    def fraction(self) -> float:
        """From 0 at the start to 1 at the end."""
        by_steps = 0.0 if self.max_steps is None else self.step / self.max_steps
        return min(1.0, max(self.elapsed_s / self.limit_s, by_steps))

    @property
    def remaining_s(self) -> float:
        """Seconds to the end, as far as can be told by now."""
        by_clock = max(0.0, self.limit_s - self.elapsed_s)
        if self.max_steps is None or self.step == 0:
            return by_clock
        return min(by_clock, self.elapsed_s / self.step * max(0, self.max_steps - self.step))


def learning_rate(fraction: float, config: OptimiserConfig) -> float:
    """Linear warm-up, then a cosine down to the final share."""
    if fraction < config.warmup:
        return config.learning_rate * max(fraction / config.warmup, 0.01)
    angle = math.pi * (fraction - config.warmup) / (1 - config.warmup)
    share = config.final + (1 - config.final) * 0.5 * (1 + math.cos(angle))
    return config.learning_rate * share


class LandmarkModule(pl.LightningModule):
    """Trains a heatmap network on batches of a `LandmarkDataset`.

    Args:
        network: ``(B, C, *space)`` to logits ``(B, L, *space / stride)``.
        config: the run's configuration.
        frame: the network's frame.
        clock: how far the run is.
    """

    def __init__(
        self,
        network: LandmarkNetwork,
        n_landmarks: int,
        config: TrainConfig,
        frame: NetworkFrame,
        clock: Clock,
    ) -> None:
        super().__init__()
        self.network, self.config, self.frame, self.clock = network, config, frame, clock
        heatmap_shape = tuple(size // network.stride for size in frame.shape)
        self.generator = GaussianHeatmapGenerator(n_landmarks, config.heatmap.sigma, heatmap_size=heatmap_shape)
        self.loss = HeatmapCrossEntropyLoss()
        self.train_loss = math.nan
        self._lost_steps = 0
        self._losses: list[Tensor] = []
        self._errors: list[Tensor] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW."""
        options = self.config.optimiser
        return torch.optim.AdamW(
            self.network.parameters(),
            lr=options.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=options.weight_decay,
        )

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """One step; the learning rate follows the clock."""
        for optimiser in self.trainer.optimizers:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(self.clock.fraction, self.config.optimiser)
        loss, _ = self._loss(batch)
        value = float(loss.detach())
        if math.isfinite(value):
            self.train_loss = value if math.isnan(self.train_loss) else 0.95 * self.train_loss + 0.05 * value
        return loss

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Shorten long gradients; a step whose gradients are no numbers is left out.

        Raises:
            TrainingError: after `PATIENCE` such steps in a row.
        """
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.optimiser.clip_norm)
        if torch.isfinite(norm):
            self._lost_steps = 0
            return
        optimizer.zero_grad()
        self._lost_steps += 1
        if self._lost_steps > PATIENCE:
            raise TrainingError("The loss is no longer a number: train again with a lower learning rate.")

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Loss and point error, in the frame's unit, of a batch of validation cases."""
        loss, logits = self._loss(batch)
        window = 2 * self.config.heatmap.window + 1
        decoded = decode_heatmap(logits, "local_soft_argmax", window=window, t=1.0)
        points = from_heatmap(decoded.points, self.network.stride)
        scale = batch["step"] * batch["spacing"] if self.frame.unit == "mm" else batch["step"]
        error = ((points - batch["landmark"]) * scale[:, None]).norm(dim=-1)
        self._losses.append(loss.detach())
        self._errors.append(error[torch.isfinite(error)].detach().cpu())

    def judgement(self) -> tuple[float, float]:
        """Mean loss, and mean error in the images' unit, of the validation batches since the last call; NaN if none."""
        errors = torch.cat(self._errors) if self._errors else torch.empty(0)
        loss = float(torch.stack(self._losses).mean()) if self._losses else math.nan
        self._losses.clear()
        self._errors.clear()
        return loss, float(errors.mean()) if len(errors) else math.nan

    def _loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        image = batch["image"]
        logits = self.network(image)
        with torch.no_grad():
            target = self.generator(to_heatmap(batch["landmark"], self.network.stride))
        loss: Tensor = self.loss(logits, target)
        return loss, logits


def to_heatmap(points: Tensor, stride: int) -> Tensor:
    """Frame index coordinates to those of a heatmap that is ``stride`` times coarser."""
    return (points + 0.5) / stride - 0.5


def from_heatmap(points: Tensor, stride: int) -> Tensor:
    """Heatmap index coordinates to those of the frame."""
    return (points + 0.5) * stride - 0.5
