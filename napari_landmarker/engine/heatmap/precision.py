"""Full precision for what mixed-precision training would otherwise compute in half types.

A sum over a map overflows float16, and bfloat16 has two digits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """A context without autocast on the device of `like`."""
    device = like.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def in_full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function ignore autocast on the device of the first tensor that it is given."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        with full_precision(tensors[0]) if tensors else nullcontext():
            return function(*args, **kwargs)

    return run
