"""Target heatmaps drawn around landmarks (Payer et al., MedIA 2019; Thaler et al., MELBA 2021)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class GaussianHeatmapGenerator(nn.Module):
    """One axis-aligned Gaussian of peak 1 per landmark, with its own width per landmark and axis.

    A Gaussian along each axis is computed once and the map is their outer product, so the cost is that of writing the
    output. Widths stay positive whatever the optimiser does, as their logarithm is what is learnt.

    Args:
        nb_landmarks: number of landmarks ``L``.
        sigmas: standard deviation in heatmap pixels; a number, ``(L,)`` or ``(L, D)``.
        heatmap_size: shape of the map, ``*space``.
        learnable: whether `sigmas` receive gradients.

    Raises:
        ValueError: if a sigma is not positive or their shape does not fit.
    """

    def __init__(
        self,
        nb_landmarks: int,
        sigmas: float | Sequence[float] | Tensor = 1.0,
        heatmap_size: Sequence[int] = (512, 512),
        learnable: bool = False,
    ) -> None:
        super().__init__()
        self.nb_landmarks = nb_landmarks
        self.heatmap_size = tuple(heatmap_size)
        self.spatial_dims = len(self.heatmap_size)
        given = torch.as_tensor(sigmas, dtype=torch.float32)
        if given.ndim == 1 and given.shape[0] == nb_landmarks:
            given = given[:, None]
        if given.ndim not in (0, 2) or (given.ndim == 2 and given.shape[0] != nb_landmarks):
            raise ValueError(f"sigmas must be a number, ({nb_landmarks},) or ({nb_landmarks}, {self.spatial_dims}).")
        if not bool((given > 0).all()):
            raise ValueError("sigmas must be positive.")
        logarithm = given.expand(nb_landmarks, self.spatial_dims).log().clone()
        self.log_sigmas = nn.Parameter(logarithm, requires_grad=learnable)

    @property
    def sigmas(self) -> Tensor:
        """Standard deviations in heatmap pixels, ``(L, D)``, positive by construction."""
        return self.log_sigmas.exp()

    def forward(self, landmarks: Tensor) -> Tensor:
        """Draw the maps.

        Args:
            landmarks: heatmap index coordinates in array order, ``(B, L, D)``; NaN for a missing landmark.

        Returns:
            ``(B, L, *space)``; all zero for a missing landmark.
        """
        missing = ~torch.isfinite(landmarks).all(dim=-1)
        centres = torch.where(missing[..., None], torch.zeros_like(landmarks), landmarks)
        out = torch.ones((), dtype=centres.dtype, device=centres.device)
        sigmas = self.sigmas.to(centres.dtype)
        for axis, size in enumerate(self.heatmap_size):
            index = torch.arange(size, dtype=centres.dtype, device=centres.device)
            distance = (index - centres[..., axis, None]) / sigmas[:, axis, None]
            profile = torch.exp(-0.5 * distance.square())
            if axis == 0:
                profile = torch.where(missing[..., None], torch.zeros_like(profile), profile)
            shape = [1] * self.spatial_dims
            shape[axis] = size
            out = out * profile.view(*profile.shape[:-1], *shape)
        return out

    def extra_repr(self) -> str:
        """What is shown when the module is printed."""
        sigma = math.exp(float(self.log_sigmas.detach().mean()))
        return f"nb_landmarks={self.nb_landmarks}, heatmap_size={self.heatmap_size}, mean sigma={sigma:.2f}"
