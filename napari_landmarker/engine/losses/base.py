"""What all losses have in common: their reduction, and that they are computed in a float type that is wide enough."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Literal, ParamSpec, TypeVar, cast, get_args

import torch
from torch import Tensor, nn

from napari_landmarker.engine.heatmap.activation import working_dtype

#: One number out of many, or none.
Reduction = Literal["mean", "sum", "none"]

Loss = TypeVar("Loss", bound="LandmarkLoss")
Given = ParamSpec("Given")


class LandmarkLoss(nn.Module):
    """The base of every loss of landmarks that may be missing.

    Args:
        reduction: what becomes of the terms.
        spatial_dims: ``D``, if it is to be checked; the losses themselves work in any.

    Raises:
        ValueError: if the reduction is unknown, or `spatial_dims` neither 2 nor 3.
    """

    def __init__(self, reduction: str = "mean", spatial_dims: int | None = None) -> None:
        super().__init__()
        if reduction not in get_args(Reduction):
            raise ValueError(f"reduction must be one of {', '.join(get_args(Reduction))}, not {reduction!r}.")
        if spatial_dims not in (None, 2, 3):
            raise ValueError(f"spatial_dims must be 2, 3 or None, not {spatial_dims}.")
        self.reduction = cast(Reduction, reduction)
        self.spatial_dims = spatial_dims

    def check(self, pred: Tensor, target: Tensor) -> None:
        """That prediction and target belong together.

        Args:
            pred: points ``(B, L, D)`` or heatmaps ``(B, L, *space)``.
            target: of the same shape.

        Raises:
            ValueError: if the shapes differ, or are not those of points or heatmaps in `spatial_dims` dimensions.
        """
        if pred.shape != target.shape or pred.ndim < 3:
            raise ValueError(
                "Prediction and target must both be (B, L, D) or (B, L, *space), "
                f"not {tuple(pred.shape)} and {tuple(target.shape)}."
            )
        ndim = pred.shape[-1] if pred.ndim == 3 else pred.ndim - 2
        if self.spatial_dims not in (None, ndim):
            raise ValueError(f"spatial_dims is {self.spatial_dims}, but {tuple(pred.shape)} has {ndim}.")

    def extra_repr(self) -> str:
        """What is shown when the module is printed."""
        return f"reduction={self.reduction!r}"


def full_precision(
    forward: Callable[Concatenate[Loss, Given], Tensor],
) -> Callable[Concatenate[Loss, Given], Tensor]:
    """Make the ``forward`` of a loss compute in float32, also under autocast and for tensors of half types.

    All float tensors it is given become float64 if the first one is, else float32. A mask keeps its type.
    """

    @wraps(forward)
    def run(self: Loss, *args: Given.args, **kwargs: Given.kwargs) -> Tensor:
        first = cast(Tensor, args[0] if args else next(iter(kwargs.values())))
        dtype = working_dtype(first.dtype)

        def widen(value: object) -> object:
            return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value

        with torch.autocast(first.device.type, enabled=False):
            widened = [widen(value) for value in args], {name: widen(value) for name, value in kwargs.items()}
            return cast(Callable[..., Tensor], forward)(self, *widened[0], **widened[1])

    return cast(Callable[Concatenate[Loss, Given], Tensor], run)
