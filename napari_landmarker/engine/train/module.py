"""The Lightning module: one stage of a run, its optimiser, and a schedule that runs on the clock."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.metrics import match_points
from napari_landmarker.engine.predict.instances import read_instances
from napari_landmarker.engine.predict.reading import heat_of
from napari_landmarker.engine.train.clock import StageClock, learning_rate
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.stages import Stage
from napari_landmarker.engine.train.together import end_all, of_all

#: So many steps in a row may be lost to gradients that are no numbers.
PATIENCE = 20


class StageModule(pl.LightningModule):
    """Trains a stage on batches of a `LandmarkDataset`, and judges the running average of its weights.

    Args:
        stage: what is trained.
        config: the run's configuration.
        clock: how far the stage is.
        number: of the stage, from 0; its chance differs from that of the others.
    """

    def __init__(self, stage: Stage, config: TrainConfig, clock: StageClock, number: int = 0) -> None:
        super().__init__()
        self.stage, self.config, self.clock, self.number = stage, config, clock, number
        self.train_loss, self.step_loss, self.rate = math.nan, math.nan, 0.0
        self._averaged: tuple[AveragedModel] | None = None
        self._kept: dict[str, Any] | None = None
        self._optimiser: torch.optim.Optimizer | None = None
        self._lost_steps = 0
        self._losses: list[float] = []
        self._errors: list[float] = []

    def average(self) -> AveragedModel:
        """The running average of the network's weights, made when it is first asked for."""
        if self._averaged is None:
            decay = self.stage.ema

            def average(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
                return torch.lerp(old, new, 1.0 - min(decay, (1.0 + int(count)) / (10.0 + int(count))))

            # in a tuple: a module that is an attribute would be a part of this one, and be trained and exchanged
            self._averaged = (AveragedModel(self.stage.network, avg_fn=average),)
        return self._averaged[0]

    def state(self) -> dict[str, Any]:
        """All that is needed to go on."""
        return {
            "optimiser": self._optimiser.state_dict() if self._optimiser is not None else None,
            "objective": self.stage.objective.state_dict(),
            "average": self.average().state_dict(),
            "train_loss": self.train_loss,
        }

    def take(self, state: dict[str, Any]) -> None:
        """Go on from a state; the optimiser's is taken when the training starts."""
        self.stage.objective.load_state_dict(state["objective"])
        self.average().load_state_dict(state["average"])
        self.train_loss = state["train_loss"]
        self._kept = state["optimiser"]

    def on_train_start(self) -> None:
        """The optimiser goes on as well, and the average moves to where the network is."""
        self.average().to(self.device)
        if self._kept is not None and self._optimiser is not None:
            self._optimiser.load_state_dict(self._kept)
        self._kept = None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; widths and other parameters of the objective are not pulled towards zero."""
        options = self.config.optimiser
        groups: list[dict[str, Any]] = [
            {"params": [p for p in self.stage.network.parameters() if p.requires_grad]},
            {"params": list(self.stage.objective.parameters()), "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=self.stage.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=options.weight_decay,
        )
        return self._optimiser

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """One step; the learning rate follows the clock, and chance the number of the step."""
        self.rate = learning_rate(self.clock.fraction, self.stage.learning_rate, self.config.optimiser)
        for optimiser in self.trainer.optimizers:
            for group in optimiser.param_groups:
                group["lr"] = self.rate
        key = (self.config.seed, self.number, self.clock.step, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]))
        loss = self.stage.loss(self.stage.network, batch["image"], batch["landmark"])
        self.step_loss = float(loss.detach())
        return loss

    def remember(self, value: float) -> None:
        """Let the training loss follow that of a step, of all processes."""
        if math.isfinite(value):
            self.train_loss = value if math.isnan(self.train_loss) else 0.95 * self.train_loss + 0.05 * value

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
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.config.optimiser.clip_norm)
        if torch.isfinite(norm):
            self._lost_steps = 0
            return
        optimizer.zero_grad()
        self._lost_steps += 1
        if self._lost_steps > PATIENCE:
            end_all(TrainingError("The loss is no longer a number: train again with a lower learning rate."))

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """The average follows the weights."""
        self.average().update_parameters(self.stage.network)

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Loss and point error, in the frame's unit, of a batch of validation cases."""
        network = self.average().module
        network.eval()
        loss, answer = self.stage.judge(network, batch["image"], batch["landmark"])
        scale = batch["step"] * batch["spacing"] if self.stage.frame.unit == "mm" else batch["step"]
        self._losses.append(float(loss))
        if batch["landmark"].ndim == 4:
            self._errors.extend(self._instance_errors(answer, batch["landmark"], scale))
            return
        error = ((self.stage.points(answer) - batch["landmark"]) * scale[:, None]).norm(dim=-1)
        there = torch.isfinite(batch["landmark"]).all(dim=-1)
        lost = self._lost(scale)[:, None].expand_as(error)
        self._errors.extend(torch.where(torch.isfinite(error), error, lost)[there].tolist())

    def judgement(self) -> tuple[float, float]:
        """Mean loss, and mean error in the images' unit, of the validation batches since the last call; NaN if none."""
        gathered = of_all((self._errors, self._losses))
        errors = [error for own, _ in gathered for error in own]
        losses = [loss for _, own in gathered for loss in own]
        self._losses, self._errors = [], []
        return (
            float(np.mean(losses)) if losses else math.nan,
            float(np.mean(errors)) if errors else math.nan,
        )

    def _instance_errors(self, answer: Any, landmark: Tensor, scale: Tensor) -> list[float]:
        """Distances of true points to the predictions that belong to them, where a landmark has several."""
        stride = self.stage.network.stride
        heat = heat_of(answer, self.config)
        found = read_instances(
            heat, self.config.decoder, landmark.shape[2], logits=self.config.loss.reads_logits
        ).points
        points = (found + 0.5) * stride - 0.5
        errors: list[float] = []
        for true, own, factor, lost in zip(landmark, points, scale, self._lost(scale).tolist(), strict=True):
            for of_true, of_own in zip(true * factor, own * factor, strict=True):
                found = match_points(of_true.cpu().numpy(), of_own.cpu().numpy()).distance.tolist()
                missed = int(torch.isfinite(of_true).all(dim=-1).sum()) - len(found)
                errors.extend([*found, *[lost] * missed])
        return errors

    def _lost(self, scale: Tensor) -> Tensor:
        """What a true point costs that nothing was found for: the diagonal of the frame, ``(B,)``."""
        shape = torch.tensor(self.stage.frame.shape, dtype=scale.dtype, device=scale.device)
        diagonal: Tensor = (shape * scale).norm(dim=-1)
        return diagonal
