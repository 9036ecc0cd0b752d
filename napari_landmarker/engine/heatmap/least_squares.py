"""The Gaussians of least squares through pixels, many at once, by Levenberg and Marquardt's method.

Source: Nocedal and Wright, Numerical Optimization, 2006, section 10.3. The covariance is the inverse of ``F F.T`` with
a triangular ``F``, so that it cannot leave the positive definite matrices.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

STEPS = 60
TOLERANCE = 1e-10


class Gaussian(NamedTuple):
    """Parameters of ``N`` Gaussians.

    Attributes:
        centre: ``(N, D)``.
        factor: lower triangular ``F`` with ``inverse(covariance) = F F.T``, ``(N, D, D)``.
        log_peak: logarithm of the peak, or of the integral if that is what is fixed, ``(N,)``.
    """

    centre: Tensor
    factor: Tensor
    log_peak: Tensor


class Model(NamedTuple):
    """Which Gaussians are fitted.

    Attributes:
        moving: whether the centre is free.
        growing: whether the peak, or the integral, is free.
        integral: whether it is the integral that `Gaussian.log_peak` stands for.
    """

    moving: bool
    growing: bool
    integral: bool

    def values(self, position: Tensor, gaussian: Gaussian) -> tuple[Tensor, Tensor, Tensor]:
        """Values ``(N, P)`` at positions ``(N, P, D)``; and, for the derivatives, ``x - c`` and ``F.T (x - c)``."""
        ndim = position.shape[-1]
        offset = position - gaussian.centre[:, None, :]
        scaled = offset @ gaussian.factor
        exponent = gaussian.log_peak[:, None] - 0.5 * scaled.square().sum(dim=-1)
        if self.integral:
            size = gaussian.factor.diagonal(dim1=-2, dim2=-1).abs().log().sum(dim=-1)
            exponent = exponent + (size - ndim / 2 * math.log(2 * math.pi))[:, None]
        return exponent.clamp(max=600).exp(), offset, scaled

    def jacobian(self, value: Tensor, offset: Tensor, scaled: Tensor, gaussian: Gaussian) -> Tensor:
        """Derivatives of values by what is free, ``(N, P, parameters)``: centre, triangle row by row, peak."""
        ndim = offset.shape[-1]
        columns = list((scaled @ gaussian.factor.mT).unbind(dim=-1)) if self.moving else []
        for row in range(ndim):
            for column in range(row + 1):
                slope = -scaled[..., column] * offset[..., row]
                if self.integral and row == column:
                    slope = slope + 1 / gaussian.factor[:, None, row, row]
                columns.append(slope)
        if self.growing:
            columns.append(torch.ones_like(value))
        return torch.stack(columns, dim=-1) * value[..., None]

    def moved(self, gaussian: Gaussian, step: Tensor) -> Gaussian:
        """The Gaussian a step ``(N, parameters)`` further."""
        ndim = gaussian.centre.shape[-1]
        centre, factor, log_peak = gaussian
        if self.moving:
            centre, step = centre + step[:, :ndim], step[:, ndim:]
        rows, columns = torch.tril_indices(ndim, ndim, device=step.device)
        factor = factor.clone()
        factor[:, rows, columns] += step[:, : len(rows)]
        return Gaussian(centre, factor, log_peak + step[:, len(rows)] if self.growing else log_peak)


def select(condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Per row: `yes` ``(N, ...)`` where the condition ``(N,)`` holds, else `no`."""
    return torch.where(condition.view(-1, *[1] * (yes.ndim - 1)), yes, no)


def minimise(position: Tensor, target: Tensor, counts: Tensor, start: Gaussian, model: Model) -> Gaussian:
    """The Gaussians of least squares.

    Args:
        position: index coordinates of pixels, ``(N, P, D)``.
        target: their values, ``(N, P)``.
        counts: which of them count, ``(N, P)``.
        start: where to begin.
        model: what is free.
    """

    def evaluate(gaussian: Gaussian) -> tuple[Tensor, Tensor, Tensor]:
        value, offset, scaled = model.values(position, gaussian)
        residual = (value - target) * counts
        jacobian = model.jacobian(value, offset, scaled, gaussian) * counts[..., None]
        return residual.square().sum(dim=-1), (jacobian.mT @ residual[..., None]).squeeze(-1), jacobian.mT @ jacobian

    best = start
    cost, gradient, normal = evaluate(best)
    damping = torch.full_like(cost, 1e-3)
    for _ in range(STEPS):
        diagonal = normal.diagonal(dim1=-2, dim2=-1)
        scale = diagonal + 1e-9 * diagonal.amax(dim=-1, keepdim=True) + torch.finfo(diagonal.dtype).tiny
        step = -torch.linalg.solve_ex(normal + torch.diag_embed(damping[:, None] * scale), gradient[..., None])[0]
        tried = model.moved(best, torch.nan_to_num(step.squeeze(-1)))
        new_cost, new_gradient, new_normal = evaluate(tried)
        better = new_cost < cost
        gained = torch.where(better, cost - new_cost, torch.zeros_like(cost))
        done = gained <= TOLERANCE * cost
        best = Gaussian(*(select(better, new, old) for new, old in zip(tried, best, strict=True)))
        gradient, normal = select(better, new_gradient, gradient), select(better, new_normal, normal)
        cost = select(better, new_cost, cost)
        if bool((done & (better | (damping > 1e6))).all()):
            break
        damping = (damping * torch.where(better, 0.2, 5.0)).clamp(1e-9, 1e9)
    return best
