"""How errors reach a person: one sentence in a napari notification, never a traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

from napari.utils.notifications import show_error, show_info, show_warning

from napari_landmarker.engine.errors import LandmarkerError

P = ParamSpec("P")


def tell(sentence: str) -> None:
    """Show something good to know."""
    show_info(sentence)


def tell_warning(sentence: str) -> None:
    """Show something the person should see before going on."""
    show_warning(sentence)


def tell_error(sentence: str) -> None:
    """Show what went wrong and what to do."""
    show_error(sentence)


@contextmanager
def reported() -> Iterator[None]:
    """Turn a `LandmarkerError` inside the block into a notification; the block ends there."""
    try:
        yield
    except LandmarkerError as error:
        tell_error(str(error))


def reports(slot: Callable[P, object]) -> Callable[P, None]:
    """Decorate what a button or key calls: a `LandmarkerError` in it becomes a notification."""

    @functools.wraps(slot)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        with reported():
            slot(*args, **kwargs)

    return wrapper
