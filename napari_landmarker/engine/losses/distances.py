"""Differences of single numbers, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from torch import Tensor
from torch.nn import functional

Distance = Callable[[Tensor, Tensor], Tensor]

#: For errors of any sign, and those that heatmaps may have besides.
DIFFERENCES = ("l2", "l1", "smooth-l1")
HEATMAP_DISTANCES = (*DIFFERENCES, "bce-with-logits", "bce")

_PLAIN: Mapping[str, Distance] = {
    "l2": partial(functional.mse_loss, reduction="none"),
    "l1": partial(functional.l1_loss, reduction="none"),
    "bce-with-logits": partial(functional.binary_cross_entropy_with_logits, reduction="none"),
    "bce": partial(functional.binary_cross_entropy, reduction="none"),
}


def named_distance(name: str, allowed: Sequence[str], beta: float = 1.0) -> Distance:
    """The function that gives the distance of each number of a prediction from its target, in the same shape.

    Args:
        name: ``"l2"``, the square; ``"l1"``, the absolute difference; ``"smooth-l1"``; ``"bce-with-logits"``, binary
            cross-entropy of logits; ``"bce"``, of probabilities. Targets of the last two lie between 0 and 1.
        allowed: which names may be.
        beta: where ``"smooth-l1"`` goes over from a parabola to a line.

    Raises:
        ValueError: for another name, or if `beta` is not positive.
    """
    if name not in allowed:
        raise ValueError(f"distance must be one of {', '.join(allowed)}, not {name!r}.")
    if not beta > 0:
        raise ValueError(f"beta must be positive, not {beta}.")
    if name == "smooth-l1":
        return partial(functional.smooth_l1_loss, reduction="none", beta=beta)
    return _PLAIN[name]
