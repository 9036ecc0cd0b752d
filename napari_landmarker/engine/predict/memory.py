"""Too little memory, said in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_landmarker.engine.errors import ModelError

#: What torch says where the processor's memory, or that of an Apple graphics chip, is used up.
_WORDS = ("can't allocate memory", "not enough memory", "out of memory", "bad allocation")


@contextmanager
def enough_memory() -> Iterator[None]:
    """Make a sentence of what is raised where memory ends.

    Raises:
        ModelError: if there is too little memory.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelError("The graphics card has too little memory for this image: predict on the CPU.") from error
    except MemoryError as error:
        raise _too_little() from error
    except RuntimeError as error:
        if not any(words in str(error).lower() for words in _WORDS):
            raise
        raise _too_little() from error


def _too_little() -> ModelError:
    return ModelError("There is too little memory for this image: end other programs, or crop it.")
