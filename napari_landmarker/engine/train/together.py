"""Several processes that train as one: they add up what they count, and an error of one ends all with one sentence.

Lightning shares gradients and nothing else. A process that ends alone leaves the others waiting for its gradients, for
ever on some devices; so wherever one may fail, at an image or a file, all are asked whether one did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import Tensor

from napari_landmarker.engine.errors import LandmarkerError

#: What may go wrong with images and files in one process alone; each is made of a sentence.
_ERRORS = (LandmarkerError, MemoryError, RuntimeError)


def processes() -> int:
    """How many processes train together now."""
    there = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if there else 1


def of_all(own: Any) -> list[Any]:
    """What every process has, in their order; all must ask at the same time."""
    if processes() == 1:
        return [own]
    gathered: list[Any] = [None] * processes()
    torch.distributed.all_gather_object(gathered, own)
    return gathered


def mean_of_all(values: Tensor, there: Tensor, *, per_landmark: bool) -> Tensor:
    """The mean of losses over what is there in the batches of all processes.

    What a process returns is its part, times the number of processes: Lightning takes the mean of their gradients,
    which is that of one process with all the images, however many landmarks each of them shows.

    Args:
        values: ``(B, L)``, 0 for what is missing.
        there: bool ``(B, L)``.
        per_landmark: whether the mean of each landmark is taken, and of those the sum.

    Returns:
        A scalar; 0, with zero gradients, if every landmark is missing.
    """
    counts = there.sum(dim=0).to(values)
    torch.distributed.all_reduce(counts)
    if not per_landmark:
        return processes() * values.sum() / counts.sum().clamp(min=1)
    return processes() * (values.sum(dim=0) / counts.clamp(min=1)).sum()


def end_all(error: BaseException) -> NoReturn:
    """Raise an error that all processes know of: the first one says it, the others end without a word."""
    if processes() > 1 and torch.distributed.get_rank() > 0:
        raise SystemExit(0) from error  # Lightning kills the first process when another ends with any other number
    raise error


def end_if_any(error: BaseException | None) -> None:
    """Raise the first error that any process has; all must ask at the same time."""
    if processes() == 1:
        if error is not None:
            raise error
        return
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    failed = torch.tensor([float(error is not None)], device=device)
    torch.distributed.all_reduce(failed)
    if not failed.item():
        return
    told = [words for words in of_all(None if error is None else (_kind(error), str(error))) if words is not None]
    kind, sentence = told[0]
    end_all(kind(sentence))


@contextmanager
def ending_together() -> Iterator[None]:
    """What goes wrong here in one process ends all; every process must come here.

    Raises:
        LandmarkerError: in the first process, that of whichever failed; the others end without a word.
    """
    failed: BaseException | None = None
    try:
        yield
    except _ERRORS as error:
        if processes() == 1:
            raise
        failed = error
    end_if_any(failed)


class TrainingBatches:
    """Batches that all processes take at the same time: where one has no next one for an error, no process has.

    Args:
        loader: gives this process's batches, as many as that of any other.
        prepare: called before the first of them.
    """

    def __init__(self, loader: Iterable[dict[str, Any]], prepare: Callable[[], None]) -> None:
        self.loader, self.prepare = loader, prepare

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with ending_together():
            self.prepare()
        batches = iter(self.loader)
        while True:
            with ending_together():
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


class ValidationBatches:
    """Batches of which each process has as many as it has; an error waits until all have come to their last.

    Args:
        loader: gives this process's batches.

    Attributes:
        error: what went wrong with this process's batches, for `end_if_any`.
    """

    def __init__(self, loader: Iterable[dict[str, Any]]) -> None:
        self.loader = loader
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        try:
            yield from self.loader
        except _ERRORS as error:
            if processes() == 1:
                raise
            self.error = error


def _kind(error: BaseException) -> type[BaseException]:
    """The class of an error that a sentence is enough for: the most special of those known here."""
    if isinstance(error, LandmarkerError):
        return type(error)
    return next(kind for kind in _ERRORS if isinstance(error, kind))
