"""What a run would compute on: how fast it is, how much memory it has, whether half precision pays."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from napari_landmarker.engine.errors import TrainingError

Device = Literal["cpu", "cuda", "mps"]

#: Share of the memory that is free now that a run is planned to take.
SHARE = 0.6
#: Activations (see `cost.unet_elements`) that are learnt from in a second, by device; on a CPU for each core. Measured
#: on cores of server processors, and on one H100; only their order matters, as choices are far apart.
_RATES: dict[Device, dict[int, float]] = {
    "cpu": {2: 27e6, 3: 24e6},
    "mps": {2: 150e6, 3: 60e6},
    "cuda": {2: 800e6, 3: 400e6},
}
#: How many times faster a CPU with matrix units for bfloat16 (AMX) is with it.
_AMX = 2.2
#: More cores than this do not make small networks faster.
_MOST_CORES = 16


def processor_cores() -> int:
    """Cores that this program may use, which may be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_first_process() -> bool:
    """Whether this process speaks, logs and saves for all that train together."""
    for name in ("RANK", "SLURM_PROCID"):
        if name in os.environ:
            return int(os.environ[name]) == 0
    return int(os.environ.get("LOCAL_RANK", 0)) == 0 and int(os.environ.get("NODE_RANK", 0)) == 0


@dataclass(frozen=True)
class Machine:
    """One device.

    Attributes:
        device: what torch calls it.
        cores: of the processor.
        memory_bytes: what a run may take of the memory that its activations lie in.
        half: whether bfloat16 is faster than float32.
        processes: that train together here: each on a graphics card of its own, or all on the processor.
    """

    device: Device
    cores: int
    memory_bytes: int
    half: bool
    processes: int = 1

    @classmethod
    def look(cls, device: str = "auto", memory_bytes: int | None = None, processes: int = 1) -> Machine:
        """The machine that this runs on.

        Args:
            device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
            memory_bytes: what a run may take; by default `SHARE` of what is free now.
            processes: that are to train together.

        Raises:
            TrainingError: for another device, or one that is not there.
        """
        import torch

        there: dict[str, bool] = {
            "cuda": torch.cuda.is_available(),
            "mps": torch.backends.mps.is_available(),
            "cpu": True,
        }
        if device not in ("auto", *there):
            raise TrainingError(f"There is no device '{device}': choose auto, cpu, cuda or mps.")
        if not there.get(device, True):
            raise TrainingError(f"This computer has no device '{device}' that can be used: choose auto or cpu.")
        chosen = next(name for name, usable in there.items() if usable) if device == "auto" else device
        cores = processor_cores()
        if chosen == "cuda":
            free = torch.cuda.mem_get_info()[0] if memory_bytes is None else 0
            half = torch.cuda.is_bf16_supported()
        else:
            free = _free_bytes()
            half = chosen == "cpu" and bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)())
        memory = int(SHARE * free) if memory_bytes is None else memory_bytes
        return cls(chosen, cores, memory, half, processes)  # type: ignore[arg-type]

    def rate(self, ndim: int) -> float:
        """Activations that a run learns from in a second."""
        rate = _RATES[self.device][ndim]
        if self.device != "cpu":
            return rate * self.processes
        return rate * min(self.cores, _MOST_CORES) * (_AMX if self.half else 1.0)

    @property
    def workers(self) -> int:
        """Processes that draw images meanwhile: where the processor itself learns, they would only be in its way."""
        return 0 if self.device == "cpu" else max(0, min(8, self.cores // self.processes - 1))

    @property
    def words(self) -> str:
        """What it is, for a person."""
        if self.device != "cpu":
            return "a graphics card" if self.processes == 1 else f"{self.processes} graphics cards"
        return "1 processor core" if self.cores == 1 else f"{self.cores} processor cores"


def _free_bytes() -> int:
    """Memory that is free, for this process too where it lives in a container."""
    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return min(free, int(limit) - int(used)) if limit != "max" else free
    except (OSError, ValueError):  # not on Linux, or not that kind of container
        return free
