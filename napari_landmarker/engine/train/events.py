"""What a running training says, one event a line, and how it is told to end."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, ClassVar


@dataclass(frozen=True)
class Event:
    """Base of all events; `to_json` makes the line that a window reads."""

    event: ClassVar[str]

    def to_json(self) -> str:
        """One line of JSON; numbers that are not finite become null."""
        content: dict[str, Any] = {"event": self.event}
        for key, value in asdict(self).items():
            content[key] = None if isinstance(value, float) and not math.isfinite(value) else value
        return json.dumps(content)


@dataclass(frozen=True)
class Started(Event):
    """The run has begun."""

    event = "started"
    model: str
    preset: str
    device: str
    n_train: int
    n_validation: int
    unit: str
    max_minutes: float


@dataclass(frozen=True)
class Progress(Event):
    """A step was taken."""

    event = "progress"
    fraction: float
    elapsed_s: float
    remaining_s: float
    epoch: int
    step: int
    train_loss: float
    stage: str


@dataclass(frozen=True)
class Judged(Event):
    """The run was judged on validation cases; errors in ``unit``, NaN without validation cases."""

    event = "epoch"
    epoch: int
    step: int
    train_loss: float
    validation_loss: float
    validation_error: float
    unit: str
    elapsed_s: float
    remaining_s: float
    stage: str


@dataclass(frozen=True)
class Calibrating(Event):
    """The model is saved and predicts the cases of the calibration split."""

    event = "calibrating"
    done: int
    total: int


@dataclass(frozen=True)
class Calibrated(Event):
    """What the model's regions promise after ``count`` images, in words; where it is 0, why nothing."""

    event = "calibrated"
    count: int
    sentence: str


@dataclass(frozen=True)
class Finished(Event):
    """The model is saved."""

    event = "finished"
    model: str
    validation_error: float
    unit: str
    stopped: bool
    elapsed_s: float


@dataclass(frozen=True)
class Cancelled(Event):
    """The run was ended and nothing kept."""

    event = "cancelled"


@dataclass(frozen=True)
class Failed(Event):
    """The run cannot go on; ``message`` is one sentence."""

    event = "failed"
    message: str


#: Takes each event as it happens.
Listener = Callable[[Event], None]


class Ending(Enum):
    """How a run is asked to end."""

    STOP = "stop"
    """Keep the best so far."""
    CANCEL = "cancel"
    """Keep nothing."""


class Control:
    """Asks a run to end, from another thread or a signal handler."""

    def __init__(self) -> None:
        self.ending: Ending | None = None

    def ask(self, ending: Ending) -> None:
        """Ask; a cancel is not taken back by a later stop."""
        if self.ending is not Ending.CANCEL:
            self.ending = ending

    def listen(self, lines: Iterable[str] | None) -> None:
        """Follow words, ``stop`` or ``cancel``, one a line, in a thread; neither their end nor None is a word."""

        def follow() -> None:
            for line in lines or ():
                if line.strip() in {ending.value for ending in Ending}:
                    self.ask(Ending(line.strip()))

        threading.Thread(target=follow, daemon=True, name="training-control").start()
