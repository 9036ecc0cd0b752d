"""Progress in a terminal: bars with the remaining time, and plain lines where the output goes to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from napari_landmarker.engine.progress import Progress as Told

if TYPE_CHECKING:
    from rich.progress import Progress

    from napari_landmarker.engine.train.events import Event


def _progress(*columns: str) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    texts = [TextColumn(column) for column in columns]
    return Progress(TextColumn("{task.description}"), BarColumn(), *texts, console=console)


def _end(progress: Progress) -> None:
    """Leave the bar as it is; one that never appeared leaves nothing."""
    if progress.live.is_started:
        progress.stop()


@contextmanager
def bar(title: str) -> Iterator[Told]:
    """A bar over cases, with the remaining time; it appears with the first word of progress."""
    from rich.progress import TimeRemainingColumn

    progress = _progress("{task.completed:.0f}/{task.total:.0f}")
    progress.columns = (*progress.columns, TimeRemainingColumn())
    task = progress.add_task(title)

    def say(done: int, total: int) -> None:
        progress.start()
        progress.update(task, completed=done, total=total)

    try:
        yield say
    finally:
        _end(progress)


@contextmanager
def training_bar() -> Iterator[Callable[[Event], None]]:
    """A bar over the run, with the remaining time and how good it is; it appears with the first event."""
    from napari_landmarker.engine.train.events import Calibrated, Calibrating, Finished, Judged, Progress, Started

    bar = _progress("{task.fields[left]}", "{task.fields[note]}")
    task = bar.add_task("Training", total=1.0, left="", note="")

    def listen(event: Event) -> None:
        bar.start()
        if isinstance(event, Started):
            bar.console.print(
                f"Learning from {event.n_train} cases, judged on {event.n_validation} others, "
                f"on {event.device}, at most {event.max_minutes:g} min"
            )
        elif isinstance(event, Progress):
            bar.update(task, completed=event.fraction, left=f"{_minutes(event.remaining_s)} left")
        elif isinstance(event, Judged) and event.validation_error == event.validation_error:
            note = f"validation error {event.validation_error:.2f} {event.unit}"
            bar.update(task, note=note)
            if not bar.console.is_terminal:
                bar.console.print(f"  {_minutes(event.elapsed_s)}: {note}, {_minutes(event.remaining_s)} left")
        elif isinstance(event, Calibrating):
            bar.update(task, completed=1.0, left=f"calibrating {event.done}/{event.total}")
        elif isinstance(event, Calibrated):
            bar.console.print(event.sentence, markup=False, highlight=False, soft_wrap=True)
        elif isinstance(event, Finished):
            bar.update(task, completed=1.0, left="done")

    try:
        yield listen
    finally:
        _end(bar)


def _minutes(seconds: float) -> str:
    """Minutes and seconds, as on a clock."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
