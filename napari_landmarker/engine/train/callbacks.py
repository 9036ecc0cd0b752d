"""What happens around the steps of a stage: counting, saying so, judging, keeping the state, ending."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch

from napari_landmarker.engine.train.events import Ending

if TYPE_CHECKING:
    from napari_landmarker.engine.train.run import Run

#: Seconds between two words of progress.
SAY_EVERY_S = 0.3
_ENDINGS = (None, Ending.STOP, Ending.CANCEL)


class Abandoned(Exception):
    """A person cancelled the run."""


class Steps(pl.Callback):
    """Counts steps and says so; where several processes train, all follow the first one's clock and orders."""

    def __init__(self, run: Run) -> None:
        self.run, self._said = run, 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A step was taken; `Abandoned` if the run was cancelled."""
        clock = self.run.clock
        clock.step += 1
        self.run.stage_clock.step += 1
        clock.tick()
        self.run.ending = self.run.control.ending
        loss = self.run.module.step_loss
        self.run.module.remember(loss if trainer.world_size == 1 else self._follow_first(trainer, loss))
        if self.run.ending is Ending.CANCEL:
            raise Abandoned
        if time.monotonic() - self._said > SAY_EVERY_S or clock.fraction >= 1:
            self._said = time.monotonic()
            self.run.progress()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The steps up to a judgement are taken, and the network was run on the validation cases."""
        self.run.judged()
        if self.run.stage_is_over:
            trainer.should_stop = True

    def _follow_first(self, trainer: pl.Trainer, loss: float) -> float:
        """Take over the time and the orders of the first process; returns the loss of all."""
        orders = (self.run.clock.elapsed_s, float(_ENDINGS.index(self.run.ending)))
        said = torch.tensor([*(orders if trainer.global_rank == 0 else (0.0, 0.0)), loss], dtype=torch.float64)
        said = said.to(trainer.strategy.root_device)
        torch.distributed.all_reduce(said)
        elapsed, ending, total = said.tolist()
        self.run.clock.tick(elapsed)
        self.run.ending = _ENDINGS[int(ending)]
        return float(total) / trainer.world_size
