"""Covariances by their principal axes, with gradients that are finite also where axes are not determined.

The derivative of an eigenvector divides by the gap to the other eigenvalues, and is no number where a covariance is
isotropic. Functions of a covariance that do not depend on the choice of axes have a derivative all the same. So the
axes here are constants, and what a change of the matrix does is carried along in these axes: a matrix that is zero,
with the gradient of the covariance.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from napari_landmarker.engine.heatmap.activation import wide_dtype


class Principal(NamedTuple):
    """Of covariances ``(..., D, D)``, in float64 where the device knows it. Differentiable once.

    Attributes:
        variances: principal variances ``(..., D)``, at least the smallest that counts; with a gradient.
        axes: unit vectors in columns, ``(..., D, D)``; constants.
        change: zeros ``(..., D, D)`` whose gradient is that of the covariance in its own axes.
    """

    variances: Tensor
    axes: Tensor
    change: Tensor


def principal(covariance: Tensor, smallest: float) -> Principal:
    """The principal axes of covariances.

    Args:
        covariance: ``(..., D, D)``; the mean of it and its transpose is what counts. NaN in it gives NaN.
        smallest: principal variances below this count as this; their gradient is what it would be there, so that an
            optimiser can bring them back.
    """
    matrix = 0.5 * (covariance + covariance.mT).to(wide_dtype(covariance))
    known = matrix.detach()
    finite = torch.isfinite(known).all(dim=-1, keepdim=True).all(dim=-2, keepdim=True)
    unit = torch.eye(known.shape[-1], dtype=known.dtype, device=known.device)
    variances, axes = torch.linalg.eigh(torch.where(finite, known, unit))
    change = axes.mT @ (matrix - known) @ axes
    return Principal(variances.clamp(min=smallest) + diagonal(change), axes, change)


def diagonal(matrix: Tensor) -> Tensor:
    """``(..., D)`` of ``(..., D, D)``."""
    return matrix.diagonal(dim1=-2, dim2=-1)


def quadratic(weights: Tensor, others: Tensor, along: Tensor) -> Tensor:
    """``x.T M x`` of a matrix with `weights` ``(..., D)`` on its diagonal and `others` ``(..., D, D)`` beside it."""
    beside = others - torch.diag_embed(diagonal(others))
    return (weights * along.square()).sum(dim=-1) + (along[..., None] * beside * along[..., None, :]).sum(dim=(-2, -1))
