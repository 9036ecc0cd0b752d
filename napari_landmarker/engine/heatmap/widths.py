"""How wide the bells around landmarks are and how they lie: sigmas and angles, learnable or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_landmarker.engine.heatmap.covariance import rotation_matrix, widths_and_angles
from napari_landmarker.engine.heatmap.positivity import positive
from napari_landmarker.engine.heatmap.precision import full_precision

Numbers = float | Sequence[Any] | NDArray[np.generic] | Tensor


class Widths(nn.Module):
    """Holds the covariance ``R diag(positive(sigmas) ** 2) R.T`` of each landmark.

    Args:
        nb_landmarks: number of landmarks ``L``.
        heatmap_size: shape of the map, ``*space``, 2D or 3D.
        learnable: whether `sigmas` and `rotation` are parameters, else buffers.

    Attributes:
        sigmas: raw standard deviations in heatmap pixels, ``(L, D)``.
        rotation: angles in radians, ``(L,)`` in 2D and ``(L, 3)`` in 3D.

    Raises:
        ValueError: if there is no landmark or the map is neither 2D nor 3D.
    """

    sigmas: Tensor
    rotation: Tensor

    def __init__(self, nb_landmarks: int, heatmap_size: Sequence[int], learnable: bool) -> None:
        super().__init__()
        self.nb_landmarks = int(nb_landmarks)
        self.heatmap_size = tuple(int(size) for size in heatmap_size)
        self.spatial_dims = len(self.heatmap_size)
        self.learnable = learnable
        if self.nb_landmarks < 1:
            raise ValueError(f"nb_landmarks must be 1 or more, not {nb_landmarks}.")
        if self.spatial_dims not in (2, 3) or min(self.heatmap_size) < 1:
            raise ValueError(f"heatmap_size must be two or three positive numbers, not {self.heatmap_size}.")

    def set_sigmas(self, sigmas: Numbers) -> None:
        """Set the standard deviations; where there were some, the parameter or buffer stays the same object.

        Args:
            sigmas: in heatmap pixels, as for the class.

        Raises:
            ValueError: if one is not positive or their shape does not fit.
        """
        given, count, ndim = _as_float(sigmas), self.nb_landmarks, self.spatial_dims
        if given.shape == (count,) and count != ndim:
            given = given[:, None]
        values = _spread(given, (count, ndim), f"sigmas must be a number, ({ndim},), ({count},) or ({count}, {ndim})")
        if not bool(((values > 0) & torch.isfinite(values)).all()):
            raise ValueError("sigmas must be positive.")
        self._store("sigmas", values)

    def set_rotation(self, rotation: Numbers) -> None:
        """Set the angles; where there were some, the parameter or buffer stays the same object.

        Args:
            rotation: in radians, as for the class.

        Raises:
            ValueError: if one is not finite or their shape does not fit.
        """
        count = self.nb_landmarks
        shape, allowed = ((count,), f"({count},)") if self.spatial_dims == 2 else ((count, 3), f"(3,) or ({count}, 3)")
        values = _spread(_as_float(rotation), shape, f"rotation must be a number or {allowed}")
        if not bool(torch.isfinite(values).all()):
            raise ValueError("rotation must be finite.")
        self._store("rotation", values.to(self.sigmas.device))

    def set_covariance(self, covariance: Numbers) -> None:
        """Set `sigmas` and `rotation` to those that make up a full covariance.

        Args:
            covariance: in square heatmap pixels, ``(D, D)`` or ``(L, D, D)``, axes in array order.

        Raises:
            ValueError: if one is not symmetric and positive definite or their shape does not fit.
        """
        given = _as_float(covariance)
        shape = (self.nb_landmarks, self.spatial_dims, self.spatial_dims)
        if given.shape not in (shape, shape[1:]):
            raise ValueError(f"covariance must be {shape[1:]} or {shape}, not {tuple(given.shape)}.")
        sigmas, rotation = widths_and_angles(given.expand(shape).double().cpu())
        self._store("sigmas", sigmas.to(given))
        self._store("rotation", rotation.to(given))

    def get_covariance_matrix(self, return4by4: bool = False) -> Tensor:
        """The covariance that is drawn, before any affine of an image; differentiable.

        Args:
            return4by4: put it into the corner of a unit matrix.

        Returns:
            ``(L, D, D)`` in square heatmap pixels, or ``(L, 4, 4)``.
        """
        with full_precision(self.sigmas):
            root = self._root(self.sigmas, self.rotation)
            covariance = root @ root.mT
        if not return4by4:
            return covariance
        whole = torch.eye(4, dtype=covariance.dtype, device=covariance.device).repeat(self.nb_landmarks, 1, 1)
        whole[:, : self.spatial_dims, : self.spatial_dims] = covariance
        return whole

    def _root(self, sigmas: Tensor, rotation: Tensor) -> Tensor:
        """``F = R diag(sigmas)`` with ``F F.T`` the covariance, ``(L, D, D)``."""
        return rotation_matrix(rotation, self.spatial_dims) * positive(sigmas)[:, None, :]

    def _store(self, name: str, values: Tensor) -> None:
        """Into the parameter or buffer that is there, or into a new one."""
        with torch.no_grad():
            values = values.detach().clone()
            if hasattr(self, name):
                getattr(self, name).copy_(values)
            elif self.learnable:
                self.register_parameter(name, nn.Parameter(values))
            else:
                self.register_buffer(name, values)


def _as_float(values: Numbers) -> Tensor:
    """A float32 tensor; a tensor in float64 stays what it is."""
    if isinstance(values, Tensor):
        return values.detach() if values.dtype == torch.float64 else values.detach().float()
    return torch.as_tensor(np.asarray(values, dtype=np.float32))


def _spread(given: Tensor, shape: tuple[int, ...], rule: str) -> Tensor:
    """`given` for every landmark and axis; `rule` is the first half of the error."""
    try:
        return given.expand(shape)
    except RuntimeError as error:
        raise ValueError(f"{rule}, not {tuple(given.shape)}.") from error
