"""A training run as a window sees it: the lines of the `train` command become a curve, a remaining time, an outcome.

Nothing here starts a process: whoever does so gives the text of its standard output to `TrainingRun.feed` and tells
`TrainingRun.close` when it has ended.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from psygnal import Signal

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.train.folder import CURVE, RunFolder

#: Longest unfinished line that is kept, in characters; an event line is a few hundred.
_MAX_LINE = 1_000_000
#: Weight of the newest step in the running mean of the loss.
_LOSS_WEIGHT = 0.5
#: Longest list of losses that is kept, far more than a screen has pixels.
_MAX_LOSSES = 4_000


class TrainingState(StrEnum):
    """Where a run is."""

    STARTING = "starting"
    """The process is loading its libraries and data."""
    RUNNING = "running"
    """It learns."""
    STOPPING = "stopping"
    """A person asked it to end and to keep what it has learnt."""
    CANCELLING = "cancelling"
    """A person asked it to end and to keep nothing."""
    FINISHED = "finished"
    """It ended and left a model."""
    CANCELLED = "cancelled"
    """It ended and left nothing, as a person asked."""
    FAILED = "failed"
    """It ended by an error; `TrainingRun.message` says which."""

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self in (TrainingState.FINISHED, TrainingState.CANCELLED, TrainingState.FAILED)


@dataclass(frozen=True)
class CurvePoint:
    """What was measured when the run was judged on its way.

    Attributes:
        elapsed_s: seconds since the run began.
        epoch: number of the pass over the training images.
        step: number of updates so far.
        train_loss: loss on the images it learns from.
        validation_loss: loss on the validation images, None where there are none.
        validation_error: mean point error on the validation images, in `TrainingRun.unit`, or None.
    """

    elapsed_s: float
    epoch: int
    step: int
    train_loss: float | None
    validation_loss: float | None
    validation_error: float | None


class TrainingRun:
    """One training run: what is known of it, and signals when that changes.

    Attributes:
        preset: name of the preset it was started with.
        max_minutes: time limit, or None.
        state: see `TrainingState`.
        model: name of the model that is trained, empty until the run says it.
        device: what it computes on, in words.
        n_train: number of images it learns from.
        n_validation: number of images it checks itself on.
        unit: ``"mm"`` or ``"px"``, of every error.
        fraction: how much of the run is done, in [0, 1].
        elapsed_s: seconds since the run began.
        remaining_s: seconds it expects to need still, or None.
        curve: one point for every time the run was judged so far.
        losses: ``(elapsed_s, loss)`` of the training images, a running mean; thinned out as it grows.
        validation_error: error of the model that was kept, in `unit`, or None.
        calibrating: cases predicted for the calibration and cases in all, once the model is saved; None before.
        calibrated: number of images that the model's regions rest on; 0 where it promises none.
        promise: what its regions promise, or why nothing, in a sentence; empty where nobody said.
        stopped: whether a person ended it before it was done.
        message: why it failed, one sentence; empty otherwise.
    """

    changed = Signal()
    """Any of the numbers changed."""
    judged = Signal(CurvePoint)
    """The curve has one more point."""
    ended = Signal(TrainingState)
    """The run is over: finished, cancelled or failed. Emitted once."""

    def __init__(self, preset: str = "", max_minutes: float | None = None) -> None:
        self.preset = preset
        self.max_minutes = max_minutes
        self.state = TrainingState.STARTING
        self.model = ""
        self.device = ""
        self.n_train = 0
        self.n_validation = 0
        self.unit = "px"
        self.fraction = 0.0
        self.elapsed_s = 0.0
        self.remaining_s: float | None = None
        self.curve: list[CurvePoint] = []
        self.losses: list[tuple[float, float]] = []
        self.validation_error: float | None = None
        self.calibrating: tuple[int, int] | None = None
        self.calibrated = 0
        self.promise = ""
        self.stopped = False
        self.message = ""
        self._rest = ""
        self._last: TrainingState | None = None

    @property
    def best(self) -> CurvePoint | None:
        """The point of the curve with the smallest validation error, or None where none was measured."""
        measured = [p for p in self.curve if p.validation_error is not None]
        return min(measured, key=lambda p: p.validation_error or 0.0, default=None)

    def feed(self, text: str) -> None:
        """Take the next piece of the run's standard output; lines that are no events are left aside."""
        *lines, rest = (self._rest + text).split("\n")
        self._rest = rest if len(rest) <= _MAX_LINE else ""
        for line in lines:
            self._line(line)

    def ask(self, state: TrainingState) -> None:
        """Note that a person asked the run to stop or to cancel (`STOPPING` or `CANCELLING`)."""
        if not self.state.ended:
            self.state = state
            self.changed.emit()

    def fail(self, message: str) -> None:
        """End the run with an error, in one sentence; nothing happens if it has ended already."""
        self._end(TrainingState.FAILED, message)

    def close(self, *, killed: bool = False) -> None:
        """The process is gone: whatever it did not say is now final.

        The outcome is announced only here, when the process has let go of its files and of the GPU.

        Args:
            killed: whether we ended it by force, because it did not answer a cancel.
        """
        self._line(self._rest)
        self._rest = ""
        if self._last is not None:
            self._end(self._last, self.message)
        elif killed or self.state is TrainingState.CANCELLING:
            self._end(TrainingState.CANCELLED)
        else:
            self._end(
                TrainingState.FAILED,
                "The training ended unexpectedly, perhaps because the computer ran out of memory: "
                "close other programs and start it again, or give it fewer minutes, which makes the network smaller.",
            )

    def _line(self, line: str) -> None:
        line = line.strip()
        if not line.startswith("{"):
            return
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(event, dict) or self.state.ended or self._last is not None:
            return
        handler = {
            "started": self._started,
            "progress": self._progress,
            "epoch": self._epoch,
            "calibrating": self._calibrating,
            "calibrated": self._calibrated,
            "finished": self._finished,
            "cancelled": self._cancelled,
            "failed": self._failed,
        }.get(str(event.get("event")))
        if handler is not None:
            handler(event)
            self.changed.emit()

    def _started(self, event: dict[str, Any]) -> None:
        self.model = str(event.get("model") or "")
        self.preset = str(event.get("preset") or self.preset)
        self.device = str(event.get("device") or "")
        self.n_train = int(_number(event, "n_train") or 0)
        self.n_validation = int(_number(event, "n_validation") or 0)
        self.unit = "mm" if event.get("unit") == "mm" else "px"
        self.max_minutes = _number(event, "max_minutes") or self.max_minutes
        if self.state is TrainingState.STARTING:
            self.state = TrainingState.RUNNING

    def _progress(self, event: dict[str, Any]) -> None:
        fraction = _number(event, "fraction")
        self.fraction = self.fraction if fraction is None else min(max(fraction, 0.0), 1.0)
        self._times(event)
        loss = _number(event, "train_loss")
        if loss is not None:
            before = self.losses[-1][1] if self.losses else loss
            self.losses.append((self.elapsed_s, before + _LOSS_WEIGHT * (loss - before)))
        if len(self.losses) > _MAX_LOSSES:
            self.losses = self.losses[::2]

    def _epoch(self, event: dict[str, Any]) -> None:
        self._times(event)
        self.unit = "mm" if event.get("unit", self.unit) == "mm" else "px"
        point = CurvePoint(
            self.elapsed_s,
            int(_number(event, "epoch") or 0),
            int(_number(event, "step") or 0),
            _number(event, "train_loss"),
            _number(event, "validation_loss"),
            _number(event, "validation_error"),
        )
        self.curve.append(point)
        self.judged.emit(point)

    def _calibrating(self, event: dict[str, Any]) -> None:
        self.calibrating = (int(_number(event, "done") or 0), int(_number(event, "total") or 0))

    def _calibrated(self, event: dict[str, Any]) -> None:
        self.calibrated = int(_number(event, "count") or 0)
        self.promise = str(event.get("sentence") or "")

    def _finished(self, event: dict[str, Any]) -> None:
        self.model = str(event.get("model") or self.model)
        self.validation_error = _number(event, "validation_error")
        self.stopped = bool(event.get("stopped"))
        self._times(event)
        self.fraction, self.remaining_s = 1.0, 0.0
        self._last = TrainingState.FINISHED

    def _cancelled(self, event: dict[str, Any]) -> None:
        self._times(event)
        self._last = TrainingState.CANCELLED

    def _failed(self, event: dict[str, Any]) -> None:
        self.message = str(event.get("message") or "The training failed and gave no reason.")
        self._last = TrainingState.FAILED

    def _times(self, event: dict[str, Any]) -> None:
        elapsed = _number(event, "elapsed_s")
        self.elapsed_s = self.elapsed_s if elapsed is None else elapsed
        if "remaining_s" in event:
            self.remaining_s = _number(event, "remaining_s")

    def _end(self, state: TrainingState, message: str = "") -> None:
        if not self.state.ended:
            self.state = state
            self.message = message
            self.changed.emit()
            self.ended.emit(state)


def cut_off_run(project: Project) -> str | None:
    """Name of the last run of a project that can be gone on with: its process ended before it was done."""
    runs = [RunFolder(path) for path in project.runs_dir.glob("*")]
    last = max((run for run in runs if run.is_unfinished), key=lambda run: run.kept_at, default=None)
    return None if last is None else last.path.name


def resumed_run(project: Project, name: str) -> TrainingRun:
    """A run that goes on, with the curve that it has so far; without one where its file cannot be read."""
    run = TrainingRun()
    run.model = name
    try:
        with (project.runs_dir / name / CURVE).open(encoding="utf-8", newline="") as file:
            rows = [{key: float(text) if text else None for key, text in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error):
        return run
    for row in rows:
        losses = (row.get("train_loss"), row.get("validation_loss"), row.get("validation_error"))
        run.curve.append(CurvePoint(row.get("elapsed_s") or 0.0, 0, int(row.get("step") or 0), *losses))
    run.losses = [(point.elapsed_s, point.train_loss) for point in run.curve if point.train_loss is not None]
    return run


def discard_run(project: Project, name: str) -> None:
    """Throw a run away that was cut off; ProjectError if its files cannot be removed."""
    folder = RunFolder(project.runs_dir / name)
    folder.remove()
    if folder.is_unfinished:
        raise ProjectError(f"The run {name} could not be removed from {project.root}: check the folder's permissions.")


def _number(event: dict[str, Any], key: str) -> float | None:
    """A finite number of an event, or None."""
    value = event.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e300 else None


def duration(seconds: float) -> str:
    """A time in words that are not more precise than an estimate is: ``"about 3 min"``, ``"25 s"``."""
    if seconds < 1:
        return "a moment"
    if seconds < 10:
        return f"{round(seconds)} s"
    if seconds < 55:
        return f"{5 * round(seconds / 5)} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"about {max(1, round(minutes))} min"
    hours, rest = divmod(5 * round(minutes / 5), 60)
    return f"about {hours} h" + (f" {rest} min" if rest else "")
