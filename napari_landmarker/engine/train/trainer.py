"""Lightning's Trainer as a run uses it: devices, precision, logs, and what may go wrong with memory."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.strategies import DDPStrategy

from napari_landmarker.engine.errors import LandmarkerError, TrainingError
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.machine import processor_cores


@dataclass(frozen=True)
class Machines:
    """How many processes train together, each on a device of its own.

    Attributes:
        devices: processes on each machine.
        num_nodes: machines; the command is started on each, as Lightning's documentation says.
    """

    devices: int = 1
    num_nodes: int = 1

    @property
    def world(self) -> int:
        """Processes in all."""
        return self.devices * self.num_nodes


def make_trainer(config: TrainConfig, machines: Machines, folder: Path, callback: pl.Callback) -> pl.Trainer:
    """A trainer without an end of its own, that logs for TensorBoard in a folder.

    Raises:
        TrainingError: if there are not so many devices.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else machines.devices
    if machines.devices > there:
        raise TrainingError(f"There are {there} graphics cards here, not {machines.devices}: give --devices {there}.")
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    several = machines.world > 1
    if several and not torch.cuda.is_available():
        torch.set_num_threads(max(1, processor_cores() // machines.devices))
    with quietly():
        return pl.Trainer(
            accelerator="auto",
            devices=machines.devices,
            num_nodes=machines.num_nodes,
            strategy=_shared() if several else "auto",
            precision=precision_of(config),
            max_epochs=-1,
            callbacks=[callback],
            num_sanity_val_steps=0,
            logger=TensorBoardLogger(folder, name="", version="tensorboard", default_hp_metric=False),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )


def _shared() -> DDPStrategy:
    """Gradients are shared and nothing else.

    Buffers are the same in all processes as it is: none follows the images of a batch. Torch would have all processes
    share them before each batch of validation images, of which one may have more than another.
    """
    return DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)


def _says_memory(words: str) -> bool:
    return "allocate memory" in words or "is killed by signal" in words


def precision_of(config: TrainConfig) -> Literal["bf16-mixed", "32-true"]:
    """Half precision where it is asked for, or where the machine gains by it.

    That is on CUDA with bfloat16, and on a CPU with matrix units for it (AMX).
    """
    if config.precision != "auto":
        return "bf16-mixed" if config.precision == "bfloat16" else "32-true"
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    return "bf16-mixed" if getattr(torch.cpu, "_is_amx_tile_supported", bool)() else "32-true"


@contextmanager
def quietly() -> Iterator[None]:
    """Lightning's advice is not for the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def memory_errors(folder: Path) -> Iterator[None]:
    """Running out of memory is one sentence.

    Args:
        folder: of the run.

    Raises:
        TrainingError: in place of any error that says so.
    """
    try:
        yield
    except LandmarkerError as error:  # of a process that draws images, torch puts the way it took before the sentence
        if "Original Traceback" not in str(error):
            raise
        raise type(error)(str(error).strip().splitlines()[-1].partition(": ")[2]) from error
    except (MemoryError, RuntimeError) as error:
        words = str(error)
        lost = ("Connection closed", "Connection reset", "NCCL")
        if not isinstance(error, torch.OutOfMemoryError) and any(word in words for word in lost):
            raise TrainingError(
                "Another process of this training has ended: see what it says, and go on with --resume."
            ) from error
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or _says_memory(words):
            raise TrainingError(
                "The training needs more memory than this device has: choose a smaller frame or fewer images per step "
                f"in the config.yaml of the run {folder.name}, and train with --config."
            ) from error
        raise
