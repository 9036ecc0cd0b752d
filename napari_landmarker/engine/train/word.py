"""What the first of several processes leaves word of, so that all of them train exactly the same run.

Lightning starts the other processes of a machine by the command that started the first one. They must not plan or
choose anew: they may see other memory, other names taken, another run that was cut off last.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.folder import RunRecord

#: The environment variable that names the file with the word for the processes that the first one starts.
RUN_VARIABLE = "NAPARI_LANDMARKER_RUN"


class Word(BaseModel):
    """A run, as one process tells it another.

    Attributes:
        folder: of the run.
        record: its cases, landmarks and frame.
        config: its whole configuration.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    record: RunRecord
    config: TrainConfig


def told() -> Word | None:
    """What the first process left word of when it started this one; None in the first process itself."""
    if RUN_VARIABLE not in os.environ or int(os.environ.get("LOCAL_RANK", 0)) == 0:
        return None
    return Word.model_validate_json(Path(os.environ[RUN_VARIABLE]).read_text(encoding="utf-8"))


def started_apart() -> bool:
    """Whether another program, such as torchrun or Slurm, started this process beside others, and left no word."""
    return any(name in os.environ for name in ("LOCAL_RANK", "SLURM_PROCID")) and RUN_VARIABLE not in os.environ


def agreed(choose: Callable[[], Word], world: int) -> Word:
    """The run that all processes train: the first one's choice.

    Args:
        choose: makes the choice. Only the first process of a machine is asked, unless another program started all.
        world: how many processes there are to be.

    Raises:
        LandmarkerError: if the choice fails, in the first process; the others end without a word.
    """
    if world == 1:
        return choose()
    from napari_landmarker.engine.train.together import ending_together, of_all, processes

    if processes() > 1:  # a program that trains again: the others were told of the first run when they were started
        from torch.distributed import get_rank

        chosen = None
        with ending_together():
            chosen = choose().model_dump_json() if get_rank() == 0 else None
        return Word.model_validate_json(of_all(chosen)[0])
    word = told()
    if word is None:
        word = choose()
        if not started_apart():
            _leave(word)
    return word


def _leave(word: Word) -> None:
    """Write the word where processes that are started from here find it, for as long as this one lives."""
    descriptor, name = tempfile.mkstemp(prefix="napari-landmarker-", suffix=".json")  # no other person can read it
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(word.model_dump_json())
    os.environ[RUN_VARIABLE] = name
    atexit.register(Path(name).unlink, missing_ok=True)
