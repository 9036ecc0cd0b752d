"""Standard deviations that cannot become negative, whatever an optimiser does to them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BEND_PX = 0.1
SMALLEST_PX = 1e-6


def positive(values: Tensor) -> Tensor:
    """The standard deviation in pixels that a raw, freely learnt value ``s`` stands for.

    From 0.1 px on it is ``s`` itself, so that a learnable width reads as what it is. Below that it bends, with a
    continuous derivative, into ``0.1 * exp(s / 0.1 - 1)``, which is positive for every ``s``: a step of an optimiser or
    a scheduler that takes ``s`` to zero or far below makes the width small and nothing else. It stops at a millionth
    of a pixel, so that squares, determinants and inverses of widths stay finite in float32.

    Args:
        values: raw values in pixels, of any shape.

    Returns:
        Of the same shape, at least `SMALLEST_PX`.

    Example:
        >>> positive(torch.tensor([3.0, 0.1])).tolist() == torch.tensor([3.0, 0.1]).tolist()
        True
        >>> bool(positive(torch.tensor(-98.0)) > 0)
        True
    """
    exponent = (values / BEND_PX).clamp(max=1.0) - 1.0
    tail = BEND_PX * torch.exp(exponent.clamp(min=math.log(SMALLEST_PX / BEND_PX)))
    return torch.where(values >= BEND_PX, values, tail)
