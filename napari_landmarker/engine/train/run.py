"""One training run: its stages on Lightning, judged on their way, kept after every judgement, saved as a model."""

from __future__ import annotations

import copy
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.predict.bundle import CurvePoint, ModelInfo, read_info, save_bundle
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.train.adopt import adopt_weights
from napari_landmarker.engine.train.calibrating import calibrate_trained
from napari_landmarker.engine.train.callbacks import Abandoned, Steps
from napari_landmarker.engine.train.choice import Choice
from napari_landmarker.engine.train.clock import Clock, StageClock
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.events import (
    Cancelled,
    Control,
    Ending,
    Finished,
    Judged,
    Listener,
    Progress,
    Started,
)
from napari_landmarker.engine.train.folder import RunFolder, RunRecord
from napari_landmarker.engine.train.loading import StageImages, batch_size
from napari_landmarker.engine.train.machine import is_first_process
from napari_landmarker.engine.train.module import StageModule
from napari_landmarker.engine.train.sampling import image_weights
from napari_landmarker.engine.train.stages import stages_of
from napari_landmarker.engine.train.together import end_if_any, ending_together
from napari_landmarker.engine.train.trainer import Machines, make_trainer, memory_errors, quietly


@dataclass
class _Best:
    """The best that a stage gave: how good, the weights, and how often it was judged since."""

    error: float = math.inf
    weights: dict[str, Tensor] | None = None
    waited: int = 0


class Run:
    """One training run: prepared in `__init__`, done in `fit`.

    Args:
        project: whose cases are learnt from.
        config: the run.
        record: its cases, landmarks and frame.
        folder: its folder.
        target: where the model is to be saved.
        listener: takes events as they happen.
        control: asks the run to stop or to be cancelled.
        machines: how many processes train.
        base: a model whose weights the network begins with.
        resumes: whether to go on where the folder's state ends.
    """

    def __init__(
        self,
        project: Project,
        config: TrainConfig,
        record: RunRecord,
        folder: RunFolder,
        target: Path,
        listener: Listener,
        control: Control,
        machines: Machines,
        base: Path | None = None,
        resumes: bool = False,
    ) -> None:
        self.project, self.config, self.record, self.folder, self.target = project, config, record, folder, target
        self.listener, self.control, self.machines = listener, control, machines
        self.is_first = is_first_process()
        cases = [[project.case(case_id) for case_id in ids] for ids in (record.train, record.validation)]
        self.choice = Choice.of(project, *cases)
        torch.manual_seed(config.seed)
        self.network = config.model.build(record.ndim, record.channels, len(record.names))
        layout = torch.channels_last if record.ndim == 2 else torch.channels_last_3d
        self.network.to(memory_format=layout)  # type: ignore[call-overload]
        self.stages = stages_of(self.network, config, record.frame, len(record.names))
        self.best = [_Best() for _ in self.stages]
        self.curve: list[CurvePoint] = []
        self.ending: Ending | None = None
        self.number, self._kept = 0, None
        self.clock = Clock(config.max_minutes, config.max_steps)
        if base is not None:
            adopt_weights(self.network, base, record.names)
        if resumes:
            self._kept = self._take(folder.state())

    # ---- the whole run

    def fit(self) -> bool:
        """Train every stage and save the best model; False if the run was cancelled, and in all but one process."""
        if self._kept is None:
            self.clock = Clock(self.config.max_minutes, self.config.max_steps)
            if self.is_first:
                self.folder.begin(self.record, self.config)
        elif self.target.exists() and read_info(self.target).steps == self.clock.step:  # cut off when all was done
            self.folder.finish()
            return self.is_first
        started = False
        try:
            for number in range(self.number, len(self.stages)):
                self.number, self.stage = number, self.stages[number]
                self._begin_stage()
                trainer = make_trainer(self.config, self.machines, self.folder.path, Steps(self))
                if not started:
                    self._say_started(trainer.strategy.root_device.type)
                    started = True
                self._fit_stage(trainer)
                if self.ending is Ending.STOP:
                    break
        except Abandoned:
            if self.is_first:
                self.folder.remove()
                self.listener(Cancelled())
            return False
        if self.is_first:
            self._save()
        return self.is_first

    def _begin_stage(self) -> None:
        kept, self._kept = self._kept, None
        start = self.clock.fraction if kept is None else kept["stage_start"]
        self.stage_clock = StageClock(self.clock, start, self.stage.end, 0 if kept is None else kept["stage_step"])
        self.module = StageModule(self.stage, self.config, self.stage_clock, self.number)
        self.stage.begin()
        if kept is not None:
            self.module.take(kept["module"])
        self.over = kept is not None and self._waited_enough
        self._set_due()

    def _fit_stage(self, trainer: pl.Trainer) -> None:
        place = (trainer.world_size, trainer.global_rank)
        devices = self.machines.devices
        images = StageImages(self.project, self.config, self.record, self.stage, self.number, devices)
        train = images.learnt(
            image_weights(self.choice.present, self.config.balance), self.stage_clock.step, self._reached, place
        )
        self.validation = images.judged(place)
        if self.is_first and self.stage_clock.step == 0:
            self._keep()
        if self.stage_clock.step == 0 or not self.stage_is_over:  # else it was cut off just after its end
            with quietly(), memory_errors(self.folder.path):
                trainer.fit(self.module, train, self.validation)
        best = self.best[self.number].weights
        if best is not None:
            self.stage.network.load_state_dict(best)

    # ---- on the way

    def _set_due(self) -> None:
        """At which fraction of the stage it is judged next."""
        times = self.config.validations
        self.due = min(1.0, (math.floor(self.stage_clock.fraction * times + 1e-9) + 1) / times)

    @property
    def stage_is_over(self) -> bool:
        """Whether no more steps of this stage are to be taken."""
        return self.over or self.ending is not None or self.stage_clock.fraction >= 1 - 1e-9

    @property
    def _waited_enough(self) -> bool:
        """Whether the stage was judged so often without a smaller error that it is to end."""
        patience = self.config.patience
        return patience is not None and self.record.chooses_best and self.best[self.number].waited >= patience

    def progress(self) -> None:
        """A step was taken."""
        if not self.is_first:
            return
        clock = self.clock
        loss = self.module.train_loss
        self.listener(
            Progress(clock.fraction, clock.elapsed_s, clock.remaining_s, self._epoch, clock.step, loss, self.stage.name)
        )
        self._log({"train/loss": loss, "train/learning_rate": self.module.rate})

    def judged(self) -> None:
        """The network, with averaged weights, was run on the validation cases."""
        end_if_any(None if self.validation is None else self.validation.error)
        self.clock.tick(self.clock.elapsed_s if self.machines.world > 1 else None)
        self._set_due()
        loss, error = self.module.judgement()
        self.stage.objective.end_of_period()
        clock, best = self.clock, self.best[self.number]
        best.waited += 1
        keeps_last = not self.record.chooses_best or not (math.isfinite(error) or math.isfinite(best.error))
        if keeps_last or error < best.error:
            best.error, best.waited = (error if math.isfinite(error) else math.inf), 0
            best.weights = copy.deepcopy(self.module.average().module.state_dict())
        self.over = self._waited_enough
        self.curve.append(CurvePoint(clock.step, clock.elapsed_s, self.module.train_loss, loss, error))
        with ending_together():
            if self.is_first:
                self._keep()
        if not self.is_first:
            return
        self._log({"validation/loss": loss, f"validation/error_{self.record.frame.unit}": error})
        unit = self.record.frame.unit
        self.listener(
            Judged(
                self._epoch,
                clock.step,
                self.module.train_loss,
                loss,
                error,
                unit,
                clock.elapsed_s,
                clock.remaining_s,
                self.stage.name,
            )
        )

    @property
    def _epoch(self) -> int:
        """How often this stage has seen all images."""
        return self.stage_clock.step * batch_size(self.stage, self.record) // len(self.record.train)

    def _log(self, values: dict[str, float]) -> None:
        finite = {name: value for name, value in values.items() if math.isfinite(value)}
        if self.module.trainer.logger is not None and finite:
            self.module.trainer.logger.log_metrics(finite, self.clock.step)

    # ---- keeping and taking up

    def _keep(self) -> None:
        """Write all that a run needs to go on from here."""
        self.folder.keep(
            {
                "stage": self.number,
                "stage_step": self.stage_clock.step,
                "stage_start": self.stage_clock.start,
                "step": self.clock.step,
                "elapsed_s": self.clock.elapsed_s,
                "network": self.network.state_dict(),
                "module": self.module.state(),
                "best": [(best.error, best.weights, best.waited) for best in self.best],
                "curve": [list(vars(point).values()) for point in self.curve],
            },
            self.curve,
        )

    def _take(self, state: dict[str, Any]) -> dict[str, Any]:
        """Go on from a state; TrainingError if it is of another run."""
        try:
            self.network.load_state_dict(state["network"])
            self.best = [_Best(*best) for best in state["best"]]
            self.curve = [CurvePoint(*point) for point in state["curve"]]
            self.number = int(state["stage"])
            self.clock = Clock(
                self.config.max_minutes, self.config.max_steps, elapsed_s=state["elapsed_s"], step=state["step"]
            )
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise TrainingError(
                f"{self.folder.path} holds the state of another network than its configuration says: "
                "train anew, without --resume."
            ) from error
        return state

    # ---- parts

    def _reached(self, step: int) -> bool:
        """Whether the next judgement is due, once all steps before this one of the stage are taken."""
        if self.stage_is_over:
            return True
        ahead = step - self.stage_clock.step
        fraction = self.clock.fraction
        if self.config.max_steps is not None:
            fraction = max(fraction, (self.clock.step + ahead) / self.config.max_steps)
        span = self.stage_clock.end - self.stage_clock.start
        return fraction >= self.stage_clock.start + span * self.due - 1e-9

    def _say_started(self, device: str) -> None:
        if not self.is_first:
            return
        record = self.record
        self.listener(
            Started(
                record.model,
                self.config.preset,
                device,
                len(record.train),
                len(record.validation),
                record.frame.unit,
                self.config.max_minutes,
            )
        )

    def _save(self) -> None:
        """Save the best network of all stages: a second stage that makes the first worse is left out."""
        trained = [number for number, best in enumerate(self.best) if best.weights is not None]
        number = trained[-1] if trained else len(self.stages) - 1
        if self.record.chooses_best and trained:
            number = min(reversed(trained), key=lambda n: self.best[n].error)
        stage, best = self.stages[number], self.best[number]
        if best.weights is not None:
            stage.network.load_state_dict(best.weights)
        last = number == len(self.stages) - 1
        config = self.config if last else self.config.changed(model=stage.model)
        if self.target.exists():  # made by another run at the same time
            beside = re.sub(r"-\d+$", "", self.record.model)
            self.target = self.project.model_path(self.project.new_model_name(beside))
        info = ModelInfo(
            name=self.target.name,
            landmarks=self.project.schema.reduced(self.record.names),
            ndim=self.record.ndim,
            channels=self.record.channels,
            frame=stage.frame,
            config=config,
            n_train=len(self.record.train),
            n_validation=len(self.record.validation),
            validation_error=best.error if math.isfinite(best.error) else None,
            minutes=self.clock.elapsed_s / 60,
            steps=self.clock.step,
        )
        save_bundle(self.target, info, stage.network, self.curve)
        self.folder.finish()
        if self.target.parent == self.project.models_dir:  # the folds of a cross-validation are calibrated together
            calibrate_trained(self.project, self.target.name, self.listener, self.control)
        error = best.error if math.isfinite(best.error) else math.nan
        stopped = self.ending is Ending.STOP
        self.listener(Finished(self.target.name, error, self.record.frame.unit, stopped, self.clock.elapsed_s))
