"""Train a model on the annotated cases of a project."""

from __future__ import annotations

import copy
import logging
import math
import time
import warnings
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.utils.data import DataLoader

from napari_landmarker.engine.data import LandmarkDataset
from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.io.atomic import require_writable
from napari_landmarker.engine.models import LandmarkNetwork
from napari_landmarker.engine.predict.bundle import CurvePoint, ModelInfo, save_bundle
from napari_landmarker.engine.project import Case, Project, Split, draw_splits
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
from napari_landmarker.engine.train.frame import plan_frame
from napari_landmarker.engine.train.module import Clock, LandmarkModule
from napari_landmarker.engine.transforms import Augmentation

#: Drawn images are kept in memory up to so many bytes.
MEMORY_BYTES = 4 * 2**30


def train_project(
    project: Project, config: TrainConfig, listener: Listener, control: Control | None = None
) -> str | None:
    """Train on the train split, judge on the validation split, save the best model in the project.

    Only what persons annotated is learnt from; missing landmarks do not count. A landmark that no training case shows
    is left out of the model. Without annotated validation cases, some training cases are held out for it.

    Args:
        project: the project; the model is saved in its ``models`` folder.
        config: the run.
        listener: takes events as they happen.
        control: asks the run to stop or to be cancelled.

    Returns:
        The model's name, or None if the run was cancelled.

    Raises:
        TrainingError: if there is nothing to learn from, or the loss is no longer a number.
        ImageError: if an image cannot be read.
        ProjectError: if the models folder cannot be written.
    """
    control = control or Control()
    run = _Run(project, config, listener, control)
    return run.fit()


def choose_cases(project: Project) -> tuple[list[Case], list[Case]]:
    """Which cases a run learns from and which it is judged on; these never overlap.

    Raises:
        TrainingError: if no training case is annotated.
    """
    train = list(project.annotated_cases(Split.TRAIN))
    validation = list(project.annotated_cases(Split.VALIDATION))
    if not train:
        raise TrainingError(
            f"No case in the train split of {project.root.name} has a landmark placed by a person: annotate some first."
        )
    if not validation and len(train) >= 5:
        held_out = draw_splits([case.id for case in train], (0.85, 0.15, 0.0))
        validation = [case for case in train if held_out[case.id] is Split.VALIDATION]
        train = [case for case in train if held_out[case.id] is Split.TRAIN]
    return train, validation


class _Run:
    """One training run: prepared in `__init__`, done in `fit`."""

    def __init__(self, project: Project, config: TrainConfig, listener: Listener, control: Control) -> None:
        self.project, self.config, self.listener, self.control = project, config, listener, control
        self.train_cases, self.validation_cases = choose_cases(project)
        truths = [project.annotations(case.id).truth() for case in self.train_cases]
        seen = {name for t in truths for name in t.names if t.status_of(name).has_point}
        self.names = tuple(name for name in project.schema.names if name in seen)
        first = project.image(self.train_cases[0].id)
        self.channels, self.ndim = 3 if first.is_color else 1, first.grid.ndim
        flat = self.ndim == 2
        self.stride = config.model.stride(self.ndim)
        grids = [project.geometry(case.id).grid for case in (*self.train_cases, *self.validation_cases)]
        budget = config.frame.budget_2d if flat else config.frame.budget_3d
        self.frame = plan_frame(grids, budget, config.model.multiple(self.ndim))
        self.batch_size = config.optimiser.batch_size_2d if flat else config.optimiser.batch_size_3d
        self.clock = Clock(config.max_minutes, config.max_steps)
        self.model = project.new_model_name(config.preset)
        self.curve: list[CurvePoint] = []
        self.best: dict[str, Tensor] | None = None
        self.best_error = math.inf

    def fit(self) -> str | None:
        """Train, save, and say so."""
        require_writable(self.project.models_dir)
        torch.manual_seed(self.config.seed)
        train = self._loader(self.train_cases, learning=True)
        validation = self._loader(self.validation_cases, learning=False) if self.validation_cases else None
        network = self._network()
        self.module = LandmarkModule(network, len(self.names), self.config, self.frame, self.clock)
        trainer = self._trainer(network)
        self.listener(
            Started(
                self.model,
                self.config.preset,
                trainer.strategy.root_device.type,
                len(self.train_cases),
                len(self.validation_cases),
                self.frame.unit,
                self.config.max_minutes,
            )
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.fit(self.module, train, validation)
            judged_now = bool(self.curve) and self.curve[-1].step == self.clock.step
            if validation is not None and not judged_now and self.control.ending is not Ending.CANCEL:
                trainer.validate(self.module, validation, verbose=False)
        if self.control.ending is Ending.CANCEL:
            self.listener(Cancelled())
            return None
        if self.best is not None:
            network.load_state_dict(self.best)
        self._save(network)
        error = self.best_error if math.isfinite(self.best_error) else math.nan
        stopped = self.control.ending is Ending.STOP
        self.listener(Finished(self.model, error, self.frame.unit, stopped, self.clock.elapsed_s))
        return self.model

    def progress(self, epoch: int) -> None:
        """A step was taken."""
        elapsed, remaining = self.clock.elapsed_s, self.clock.remaining_s
        self.listener(Progress(self.clock.fraction, elapsed, remaining, epoch, self.clock.step, self.module.train_loss))

    def judged(self) -> None:
        """The network, with averaged weights, was run on the validation cases."""
        loss, error = self.module.judgement()
        if self.control.ending is Ending.CANCEL:
            return
        epoch, step = self.module.current_epoch, self.clock.step
        self.curve.append(CurvePoint(step, self.clock.elapsed_s, self.module.train_loss, loss, error))
        if error < self.best_error or self.best is None:
            self.best_error = error if math.isfinite(error) else math.inf
            self.best = copy.deepcopy(self.module.network.state_dict())
        self.listener(
            Judged(
                epoch,
                step,
                self.module.train_loss,
                loss,
                error,
                self.frame.unit,
                self.clock.elapsed_s,
                self.clock.remaining_s,
            )
        )

    def _loader(self, cases: Sequence[Case], *, learning: bool) -> DataLoader[dict[str, Any]]:
        config = self.config
        memory = len(cases) * self.channels * math.prod(self.frame.shape) * 4
        dataset = LandmarkDataset.from_project(
            self.project,
            cases,
            names=self.names,
            frame=self.frame.map_for,
            channels=self.channels,
            transform=Augmentation(config.augmentation, self.project.schema, self.names) if learning else None,
            store_imgs=memory < MEMORY_BYTES,
            seed=config.seed,
        )
        # A generator of its own: validations, which come by the clock, must not change the order of training.
        order = torch.Generator().manual_seed(config.seed)
        size = min(self.batch_size, len(cases))
        return DataLoader(dataset, size, shuffle=learning, drop_last=learning, generator=order)

    def _network(self) -> LandmarkNetwork:
        network = self.config.model.build(self.ndim, self.channels, len(self.names))
        layout = torch.channels_last if self.ndim == 2 else torch.channels_last_3d
        return network.to(memory_format=layout)  # type: ignore[call-overload,no-any-return]

    def _trainer(self, network: LandmarkNetwork) -> pl.Trainer:
        for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
        every = self.config.max_minutes * 60 / self.config.validations
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pl.Trainer(
                accelerator="auto",
                devices=1,
                precision=_precision(),
                max_epochs=-1,
                callbacks=[_Steps(self), _Averaging(self.config.optimiser.ema)],
                val_check_interval=timedelta(seconds=every),
                check_val_every_n_epoch=1,
                num_sanity_val_steps=0,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                use_distributed_sampler=False,
            )

    def _save(self, network: LandmarkNetwork) -> None:
        if self.project.model_path(self.model).exists():  # by another run at the same time
            self.model = self.project.new_model_name(self.config.preset)
        info = ModelInfo(
            name=self.model,
            landmarks=self.project.schema.reduced(self.names),
            ndim=self.ndim,
            channels=self.channels,
            frame=self.frame,
            config=self.config,
            n_train=len(self.train_cases),
            n_validation=len(self.validation_cases),
            validation_error=_finite(self.best_error),
            minutes=self.clock.elapsed_s / 60,
            steps=self.clock.step,
        )
        save_bundle(self.project.model_path(self.model), info, network, self.curve)


class _Averaging(WeightAveraging):
    """A running average of the weights, which is what is judged and saved; warmed up, so that it starts at once."""

    def __init__(self, decay: float) -> None:
        def average(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
            return torch.lerp(old, new, 1.0 - min(decay, (1.0 + int(count)) / (10.0 + int(count))))

        super().__init__(avg_fn=average)


class _Steps(pl.Callback):
    """Counts steps, says so, and ends the run when its time is over or somebody asks.

    It must stand before `_Averaging`, which puts the plain weights back when a validation ends.
    """

    def __init__(self, run: _Run) -> None:
        self.run, self._said = run, 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.run.clock.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.run.clock.step += 1
        if time.monotonic() - self._said > 0.3 or self.run.clock.fraction >= 1:
            self._said = time.monotonic()
            self.run.progress(trainer.current_epoch)
        if self.run.clock.fraction >= 1 or self.run.control.ending is not None:
            trainer.should_stop = True

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.run.judged()


def _precision() -> Literal["bf16-mixed", "32-true"]:
    """Half precision where the machine gains by it: CUDA with bfloat16, or a CPU with matrix units for it (AMX).

    Without these (measured on a CPU with AVX-512 bfloat16 only) a step was 12 to 39 % shorter, but runs of one seed
    differed, and one of seven ended in NaN; in single precision they agreed to the last digit.
    """
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", bool)()
    return "bf16-mixed" if has_amx else "32-true"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
