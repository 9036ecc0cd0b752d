"""Heatmaps that become narrower as a network learns, for each landmark at its own pace."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_landmarker.engine.heatmap.positivity import BEND_PX, positive

#: Losses that differ by less than this share of the largest one are the same: the rounding of float32.
ROUNDING = 1e-6


class AdalossScheduler:
    """Changes the width of each landmark's heatmap by how the spread of its loss changes.

    Once for every period, such as an epoch, it is given the loss of each landmark. With ``V`` the variance of the last
    `window` losses and ``V'`` that of one period before, the width changes by ``rho * (1 - V' / V)`` pixels on every
    axis: a loss that settles makes the heatmap narrower and so the task harder, and a loss that grows restless makes it
    wider again. What is added to the paper's rule is that it cannot run away:

    - a change is at most `rho` either way;
    - a width stays between `sigma_min` and the width with which it came in the first call, or where that is less than
      `sigma_min`, as it came;
    - losses that do not change at all change nothing, and a loss that is no number, as of a landmark that no image
      showed, is left out of the landmark's history.

    Source: Teixeira et al., Adaloss: adaptive loss function for landmark localization, 2019.

    Args:
        nb_landmarks: number of landmarks ``L``.
        rho: largest change in a period, in heatmap pixels.
        window: number of losses that a variance is of, 2 or more.
        non_increasing: whether a width never grows.
        sigma_min: smallest width in heatmap pixels, at least 0.1.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> from napari_landmarker.engine.heatmap import GaussianHeatmapGenerator
        >>> generator = GaussianHeatmapGenerator(1, sigmas=4.0, heatmap_size=(64, 64))
        >>> scheduler = AdalossScheduler(nb_landmarks=1)
        >>> for loss in (1.0, 0.4, 0.3, 0.29, 0.29):
        ...     scheduler([loss], generator.sigmas)
        >>> round(generator.sigmas[0, 0].item(), 2)
        2.2
    """

    def __init__(
        self,
        nb_landmarks: int,
        rho: float = 0.9,
        window: int = 3,
        non_increasing: bool = False,
        sigma_min: float = 1.0,
    ) -> None:
        if nb_landmarks < 1 or window < 2:
            raise ValueError(f"There must be 1 landmark and a window of 2 at least, not {nb_landmarks} and {window}.")
        if not (0 < rho < math.inf and BEND_PX <= sigma_min < math.inf):
            raise ValueError(f"rho must be positive and sigma_min at least {BEND_PX}, not {rho} and {sigma_min}.")
        self.nb_landmarks, self.rho, self.window = nb_landmarks, rho, window
        self.non_increasing, self.sigma_min = non_increasing, sigma_min
        self._losses: list[deque[float]] = [deque(maxlen=window) for _ in range(nb_landmarks)]
        self._spreads: list[float | None] = [None] * nb_landmarks
        self._widest: list[list[float]] | None = None

    @torch.no_grad()
    def __call__(self, losses: Tensor | NDArray[np.floating[Any]] | Sequence[float], sigmas: Tensor) -> None:
        """A period is over.

        Args:
            losses: of each landmark, ``(L,)``.
            sigmas: raw standard deviations in pixels, ``(L, D)``, as of a `HeatmapGenerator`, parameter or buffer;
                changed in place.

        Raises:
            ValueError: if shapes do not fit.
        """
        values = torch.as_tensor(losses).detach().cpu().double()
        if values.shape != (self.nb_landmarks,) or sigmas.ndim != 2 or len(sigmas) != self.nb_landmarks:
            raise ValueError(
                f"losses must be ({self.nb_landmarks},) and sigmas ({self.nb_landmarks}, D), "
                f"not {tuple(values.shape)} and {tuple(sigmas.shape)}."
            )
        widths = positive(sigmas.detach().cpu().double())
        if self._widest is None:
            self._widest = widths.tolist()
        widest = torch.tensor(self._widest, dtype=torch.float64)
        if widest.shape != widths.shape:
            raise ValueError(f"sigmas must be {tuple(widest.shape)} as before, not {tuple(widths.shape)}.")
        change = torch.tensor([self._change(number, loss) for number, loss in enumerate(values.tolist())])
        new = torch.minimum((widths + change.double()[:, None]).clamp(min=self.sigma_min), widest)
        sigmas.copy_(torch.where(change[:, None] != 0, new.to(sigmas), sigmas))

    def state_dict(self) -> dict[str, Any]:
        """All that is remembered, in lists of numbers."""
        return {
            "losses": [list(history) for history in self._losses],
            "spreads": list(self._spreads),
            "widest": self._widest,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what another scheduler remembered.

        Args:
            state: of `state_dict`.

        Raises:
            ValueError: if it is of another number of landmarks.
        """
        if len(state["losses"]) != self.nb_landmarks:
            raise ValueError(f"The state is of {len(state['losses'])} landmarks, not of {self.nb_landmarks}.")
        self._losses = [deque(history, maxlen=self.window) for history in state["losses"]]
        self._spreads = list(state["spreads"])
        self._widest = None if state["widest"] is None else [list(row) for row in state["widest"]]

    def _change(self, number: int, loss: float) -> float:
        """By how many pixels a landmark's width changes, now that it has this loss."""
        if not math.isfinite(loss):
            return 0.0
        history = self._losses[number]
        history.append(loss)
        if len(history) < self.window:
            return 0.0
        before, now = self._spreads[number], spread(history)
        self._spreads[number] = now
        if before is None or now == 0:
            return 0.0
        share = max(-1.0, 1 - (before / now) * (before / now))
        return self.rho * (min(share, 0.0) if self.non_increasing else share)


def spread(losses: Sequence[float] | deque[float]) -> float:
    """Standard deviation of losses; 0 where they differ by no more than their rounding."""
    mean = sum(loss / len(losses) for loss in losses)
    deviation = math.hypot(*(loss - mean for loss in losses)) / math.sqrt(len(losses))
    return deviation if deviation > ROUNDING * max(abs(loss) for loss in losses) else 0.0
