"""One-hot targets that keep what is between two pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PixelMaskGenerator(nn.Module):
    """Draws the pixel of each landmark: a weight of 1, shared by the ``2 ** D`` pixels about it as in interpolation.

    So the mean position of a map is the landmark, to a small part of a pixel, where a mask that is rounded to the
    nearest pixel is wrong by a quarter of a pixel along each axis. Within half a pixel of the border the weight is the
    border pixel's; a landmark that is farther out, or missing, has none.
    Source: after McCouat and Voiculescu, Contour-hugging heatmaps for landmark detection, CVPR 2022.

    Args:
        nb_landmarks: number of landmarks ``L``.
        heatmap_size: shape of the map, ``*space``.

    Raises:
        ValueError: if there is no landmark or a map without pixels.

    Example:
        >>> PixelMaskGenerator(1, (2, 3))(torch.tensor([[[1.0, 0.25]]]))
        tensor([[[[0.0000, 0.0000, 0.0000],
                  [0.7500, 0.2500, 0.0000]]]])
    """

    def __init__(self, nb_landmarks: int, heatmap_size: Sequence[int]) -> None:
        super().__init__()
        if nb_landmarks < 1 or min(heatmap_size) < 1:
            raise ValueError("A mask needs at least one landmark and one pixel.")
        self.nb_landmarks, self.heatmap_size = nb_landmarks, tuple(heatmap_size)

    def forward(self, landmarks: Tensor) -> Tensor:
        """Draw the maps.

        Args:
            landmarks: index coordinates in the map, ``(B, L, D)`` or ``(B, L, M, D)``; NaN where missing.

        Returns:
            ``(B, L, *space)``: each sums to 1, however many instances there are, or is all 0.

        Raises:
            ValueError: if shapes do not fit.
        """
        ndim = len(self.heatmap_size)
        if landmarks.ndim not in (3, 4) or landmarks.shape[1] != self.nb_landmarks or landmarks.shape[-1] != ndim:
            raise ValueError(f"landmarks must be (B, {self.nb_landmarks}, [M,] {ndim}), not {tuple(landmarks.shape)}.")
        points = landmarks.unsqueeze(2) if landmarks.ndim == 3 else landmarks
        points = points if points.dtype == torch.float64 else points.float()
        last = torch.tensor(self.heatmap_size, device=points.device) - 1
        inside = (torch.isfinite(points) & (points >= -0.5) & (points <= last + 0.5)).all(dim=-1)
        place = torch.minimum(torch.where(inside[..., None], points, 0.0).clamp(min=0), last.to(points))
        below = place.floor()
        corners = torch.cartesian_prod(*[torch.arange(2, device=points.device)] * ndim)
        share = (1 - corners - (place - below)[..., None, :]).abs().prod(dim=-1) * inside[..., None]
        index = torch.minimum(below.long()[..., None, :] + corners, last)
        flat = torch.zeros_like(index[..., 0])
        for axis, size in enumerate(self.heatmap_size):
            flat = flat * size + index[..., axis]
        maps = share.new_zeros(*points.shape[:2], int(last.add(1).prod()))
        maps = maps.scatter_add(2, flat.flatten(2), share.flatten(2))
        count = inside.sum(dim=-1)[..., None].clamp(min=1)
        return (maps / count).reshape(*points.shape[:2], *self.heatmap_size)

    def extra_repr(self) -> str:
        """What is shown when the module is printed."""
        return f"nb_landmarks={self.nb_landmarks}, heatmap_size={self.heatmap_size}"
