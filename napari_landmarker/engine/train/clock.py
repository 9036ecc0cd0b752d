"""How far a run is, by its minutes or its steps, and the learning rate that follows it."""

from __future__ import annotations

import math
import time

from napari_landmarker.engine.train.config import OptimiserConfig


class Clock:
    """How far a run is: the larger share of its minutes and of its steps, where those are limited.

    It stands still between calls of `tick`, so that all who look at it during a step see the same; where several
    processes train together, the first one's time counts for all.

    Args:
        max_minutes: the run's limit.
        max_steps: the run's limit, if it has one.
        elapsed_s: what an interrupted run had taken when it was last kept.
        step: the same, in steps.
    """

    def __init__(
        self, max_minutes: float, max_steps: int | None = None, *, elapsed_s: float = 0.0, step: int = 0
    ) -> None:
        self.limit_s, self.max_steps = max_minutes * 60, max_steps
        self.step = step
        self._before, self._start = elapsed_s, time.monotonic()
        self.elapsed_s = elapsed_s

    def tick(self, elapsed_s: float | None = None) -> None:
        """Look at the time, or take it from the first process."""
        self.elapsed_s = self._before + time.monotonic() - self._start if elapsed_s is None else elapsed_s

    @property
    def fraction(self) -> float:
        """From 0 at the start to 1 at the end."""
        by_steps = 0.0 if self.max_steps is None else self.step / self.max_steps
        return min(1.0, max(self.elapsed_s / self.limit_s, by_steps))

    @property
    def remaining_s(self) -> float:
        """Seconds to the end, as far as can be told by now."""
        by_clock = max(0.0, self.limit_s - self.elapsed_s)
        if self.max_steps is None or self.step == 0:
            return by_clock
        return min(by_clock, self.elapsed_s / self.step * max(0, self.max_steps - self.step))


class StageClock:
    """How far a stage is, between two fractions of its run.

    Args:
        clock: of the run.
        start: the run's fraction at which the stage began.
        end: the run's fraction at which it is to end.
        step: how many steps it has taken.
    """

    def __init__(self, clock: Clock, start: float, end: float, step: int = 0) -> None:
        self.clock, self.start, self.end, self.step = clock, start, end, step

    @property
    def fraction(self) -> float:
        """From 0 at the start of the stage to 1 at its end."""
        span = self.end - self.start
        return 1.0 if span <= 0 else min(1.0, max(0.0, (self.clock.fraction - self.start) / span))


def learning_rate(fraction: float, base: float, config: OptimiserConfig) -> float:
    """Linear warm-up to ``base``, then a cosine down to the final share of it."""
    if fraction < config.warmup:
        return base * max(fraction / config.warmup, 0.01)
    angle = math.pi * (fraction - config.warmup) / (1 - config.warmup)
    share = config.final + (1 - config.final) * 0.5 * (1 + math.cos(angle))
    return base * share
