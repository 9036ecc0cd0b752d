"""One loss of several predictions of the same, as networks of stacks make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from napari_landmarker.engine.losses.base import LandmarkLoss


class StackedLoss(LandmarkLoss):
    """Any other loss, applied to the prediction of every stack of a network: deep supervision.

    Example:
        >>> from napari_landmarker.engine.losses import L2Loss, StackedLoss
        >>> first, last, target = torch.zeros(3, 1, 2, 8, 8).unbind()
        >>> StackedLoss(L2Loss)([first, last], target).item()
        0.0

    Source: Newell et al., Stacked hourglass networks for human pose estimation, ECCV 2016.

    Args:
        loss_fn: the class of the loss of one stack; it is made with the same `reduction`.
        reduction: ``"mean"`` or ``"sum"`` over stacks of what the loss of each gives, or ``"none"``.
        **kwargs: for the loss of one stack.
    """

    def __init__(self, loss_fn: Callable[..., nn.Module], reduction: str = "mean", **kwargs: Any) -> None:
        super().__init__(reduction)
        self.loss_fn = loss_fn(reduction=reduction, **kwargs)

    def forward(self, preds: Sequence[Tensor | tuple[Tensor, ...]], *target: Tensor, **named: Any) -> Tensor:
        """The losses of all stacks.

        Args:
            preds: what each stack predicts, first to last: a tensor, or a tuple of those that the loss takes first,
                such as points and their covariances.
            target: what else the loss takes, the same for every stack.
            named: more of it, by name, such as ``present``.

        Returns:
            A scalar; for ``"none"`` ``(S, ...)`` with the number of stacks ``S``.

        Raises:
            ValueError: if `preds` is a single tensor, or empty.
        """
        if isinstance(preds, Tensor) or len(preds) == 0:
            raise ValueError("preds must be a list with the prediction of every stack, not a tensor or empty.")
        losses = [self.loss_fn(*(pred if isinstance(pred, tuple) else (pred,)), *target, **named) for pred in preds]
        stacked = torch.stack(losses)
        if self.reduction == "none":
            return stacked
        return stacked.sum() if self.reduction == "sum" else stacked.mean()
