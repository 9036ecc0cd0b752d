"""Covariances of drawn landmarks as widths and angles, under an affine map, and as triangular factors.

Angles follow the yaw, pitch, roll of LaValle, Planning Algorithms, 2006, section 3.2.3, with the axes of the map in
array order in the place of his x, y and z.
"""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor

# The plane that each angle turns, in the order in which the matrices are multiplied: yaw, pitch, roll in 3D.
PLANES = {2: ((0, 1),), 3: ((0, 1), (2, 0), (1, 2))}


def rotation_matrix(angles: Tensor, ndim: int) -> Tensor:
    """Rotation by one angle in 2D, or by yaw, pitch and roll in 3D.

    Args:
        angles: in radians, ``(...)`` in 2D and ``(..., 3)`` in 3D.
        ndim: ``D``, 2 or 3.

    Returns:
        ``(..., D, D)``; in 3D the product ``yaw @ pitch @ roll``.
    """
    per_plane = angles[..., None] if ndim == 2 else angles
    total: Tensor | None = None
    for number, (first, second) in enumerate(PLANES[ndim]):
        cosine, sine = per_plane[..., number].cos(), per_plane[..., number].sin()
        entries = {(first, first): cosine, (second, second): cosine, (first, second): -sine, (second, first): sine}
        one, zero = torch.ones_like(cosine), torch.zeros_like(cosine)
        rows = [[entries.get((i, j), one if i == j else zero) for j in range(ndim)] for i in range(ndim)]
        turn = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
        total = turn if total is None else total @ turn
    assert total is not None
    return total


def widths_and_angles(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Widths and angles that make up a covariance: ``R diag(widths ** 2) R.T``.

    Of the many ways to order and sign the principal axes, the one nearest to no rotation is taken, so that a diagonal
    covariance gives its own standard deviations and angles of zero, and the angles are always well defined.

    Args:
        covariance: symmetric and positive definite, ``(L, D, D)``, in float64.

    Returns:
        Widths ``(L, D)`` and angles in radians, ``(L,)`` in 2D or ``(L, 3)`` in 3D.

    Raises:
        ValueError: if a matrix is not symmetric and positive definite.
    """
    ndim = covariance.shape[-1]
    scale = covariance.abs().amax()
    symmetric = torch.isfinite(covariance).all() and (covariance - covariance.mT).abs().amax() <= 1e-5 * scale
    if not symmetric or not bool((torch.linalg.eigvalsh(covariance) > 0).all()):
        raise ValueError("A covariance must be symmetric and positive definite.")
    variances, axes = torch.linalg.eigh(covariance)
    orders = torch.tensor(list(permutations(range(ndim))))
    on_diagonal = axes.abs()[:, torch.arange(ndim), orders].sum(dim=-1)
    order = orders[on_diagonal.argmax(dim=-1)]
    variances = variances.gather(-1, order)
    axes = axes.gather(-1, order[:, None, :].expand_as(axes))
    diagonal = axes.diagonal(dim1=-2, dim2=-1)
    sign = torch.where(diagonal < 0, -1.0, 1.0).to(axes)
    mirrored = torch.linalg.det(axes * sign[:, None, :]) < 0
    weakest = diagonal.abs().argmin(dim=-1, keepdim=True)
    sign = torch.where(mirrored[:, None], sign.scatter(-1, weakest, -sign.gather(-1, weakest)), sign)
    axes = axes * sign[:, None, :]
    yaw = torch.atan2(axes[:, 1, 0], axes[:, 0, 0])
    if ndim == 2:
        return variances.sqrt(), yaw
    pitch = -torch.asin(axes[:, 2, 0].clamp(-1, 1))
    roll = torch.atan2(axes[:, 2, 1], axes[:, 2, 2])
    return variances.sqrt(), torch.stack((yaw, pitch, roll), dim=-1)


def linear_part(affine_matrix: Tensor, ndim: int) -> Tensor:
    """The part of an affine map that turns and stretches; where it moves things to does not change a covariance.

    Args:
        affine_matrix: in array order, ``(n, n)`` or ``(B, n, n)``. In 2D ``n`` is 2 or, homogeneous, 3 or 4 (the first
            two axes count); in 3D it is 3 or, homogeneous, 4.
        ndim: ``D``, 2 or 3.

    Returns:
        ``(B or 1, D, D)``.

    Raises:
        ValueError: for another shape, or a matrix that is not finite or flattens the map.
    """
    size = affine_matrix.shape[-1]
    square = affine_matrix.ndim in (2, 3) and affine_matrix.shape[-2] == size
    if not square or not ndim <= size <= 4:
        allowed = "2, 3 or 4" if ndim == 2 else "3 or 4"
        raise ValueError(
            f"affine_matrix must be (n, n) or (B, n, n) with n = {allowed}, not {tuple(affine_matrix.shape)}."
        )
    linear = affine_matrix[..., :ndim, :ndim].reshape(-1, ndim, ndim)
    if not bool(torch.isfinite(linear).all()) or not bool((torch.linalg.det(linear.detach()) != 0).all()):
        raise ValueError("affine_matrix must be finite and invertible.")
    return linear


def cholesky_root(covariance: Tensor) -> Tensor:
    """A matrix ``F`` with ``F F.T = covariance``; differentiable.

    Args:
        covariance: ``(..., D, D)``; the mean of it and its transpose is what counts.

    Raises:
        ValueError: if a matrix is not positive definite.
    """
    root: Tensor
    root, wrong = torch.linalg.cholesky_ex(0.5 * (covariance + covariance.mT))
    if bool((wrong != 0).any()) or not bool(torch.isfinite(root).all()):
        raise ValueError("A covariance must be symmetric and positive definite.")
    return root


def lower_factor(root: Tensor) -> Tensor:
    """The lower triangular ``L`` with a positive diagonal and ``L L.T = F F.T``, Gram and Schmidt on rows of ``F``.

    The square of ``F`` is never formed, so narrow and wide axes in one matrix cost no digits, and a diagonal ``F``
    gives exact zeros beside the diagonal.

    Args:
        root: ``F``, invertible, ``(..., D, D)``.
    """
    ndim = root.shape[-1]
    unit_rows: list[Tensor] = []
    rows = []
    for axis in range(ndim):
        rest = root[..., axis, :]
        row = []
        for unit in unit_rows:
            along = (rest * unit).sum(dim=-1)
            rest = rest - along[..., None] * unit
            row.append(along)
        length = rest.square().sum(dim=-1).sqrt()
        unit_rows.append(rest / length[..., None])
        row += [length, *[torch.zeros_like(length)] * (ndim - axis - 1)]
        rows.append(torch.stack(row, dim=-1))
    return torch.stack(rows, dim=-2)
