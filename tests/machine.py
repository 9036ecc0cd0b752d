"""`slowness`: limits of time hold for two quiet cores, and are stretched where a machine is slower or busy."""

from __future__ import annotations

from statistics import median
from time import perf_counter

#: What the piece of work takes on a machine for which limits hold as they are written, in seconds.
_SWIFT_S = 0.010


def slowness() -> float:
    """How many times as long a fixed piece of work takes here and now, at least 1."""
    return max(1.0, median(_piece_of_work() for _ in range(15)) / _SWIFT_S)


def _piece_of_work() -> float:
    begin, total = perf_counter(), 0
    for number in range(200_000):
        total += number * number % 7
    return perf_counter() - begin
