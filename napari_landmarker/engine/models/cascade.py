"""Two stages: where everything is on a coarse grid, then each landmark in a patch of the fine image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from napari_landmarker.engine.heatmap.local import coord_local_soft_argmax
from napari_landmarker.engine.models.base import LandmarkNetwork
from napari_landmarker.engine.models.patches import cut_patches
from napari_landmarker.engine.models.refiner import PatchRefiner


class CascadeAnswer(NamedTuple):
    """What a cascade gives. All points are index coordinates of the image, in array order.

    Attributes:
        points: the answer, ``(B, L, D)``; NaN for a landmark whose maps say nothing.
        first_points: of the first stage, ``(B, L, D)``; NaN likewise.
        maps: logits of the first stage, ``(B, L, *ceil(space / (downsample * coarse.stride)))``.
        patch_maps: logits of the second stage, ``(B, L, *patch / refiner.stride)``.
        corners: index of each patch's first pixel, int64 ``(B, L, D)``.
    """

    points: Tensor
    first_points: Tensor
    maps: Tensor
    patch_maps: Tensor
    corners: Tensor


class CascadeNet(LandmarkNetwork):
    """A heatmap network on a coarse image, and a refiner on patches of the fine one around what the first found.

    No gradient runs from the second stage to the first: a patch lies on whole pixels. Train the refiner around points
    that are wrong by as much as the first stage's, by giving `centres`.
    Source: Payer et al. 2019 and Song et al., Applied Sciences 2020, for coarse to fine; the shared refiner is ours.

    Args:
        coarse: gives one map of logits per landmark, of an image that is ``downsample`` times coarser.
        refiner: for the same channels and landmarks.
        patch_size: in image pixels, one number or one per axis, multiples of ``refiner.multiple``.
        downsample: how many image pixels, along each axis, the first stage sees as one: their mean.
        window: full width of the window in which both stages' maps are read, heatmap pixels.

    Raises:
        ValueError: if the parts do not fit together.
    """

    def __init__(
        self,
        coarse: LandmarkNetwork,
        refiner: PatchRefiner,
        patch_size: int | Sequence[int] = 96,
        downsample: int = 1,
        window: int = 7,
    ) -> None:
        own = (coarse.spatial_dims, coarse.in_channels, coarse.out_channels)
        if own != (refiner.spatial_dims, refiner.in_channels, refiner.out_channels):
            raise ValueError("The two stages of a cascade must have the same dimensions, channels and landmarks.")
        if downsample < 1:
            raise ValueError(f"downsample must be at least 1, not {downsample}.")
        super().__init__(*own, stride=downsample * coarse.stride, factor=coarse.multiple // coarse.stride)
        sizes = [patch_size] * self.spatial_dims if isinstance(patch_size, int) else list(patch_size)
        if len(sizes) != self.spatial_dims or any(size < 1 or size % refiner.multiple for size in sizes):
            raise ValueError(f"patch_size must be multiples of {refiner.multiple}, not {patch_size}.")
        self.coarse, self.refiner = coarse, refiner
        self.patch_size, self.downsample, self.window = tuple(sizes), downsample, window

    def forward(self, image: Tensor, centres: Tensor | None = None) -> CascadeAnswer:
        """Both stages on an image ``(B, C, *space)`` of any size.

        Args:
            image: the fine image.
            centres: what the patches are to lie around, index coordinates ``(B, L, D)``; the first stage's points if
                None. Where one is NaN, as for a missing landmark, the patch lies about the image's centre and the
                answer is NaN.
        """
        maps = self.coarse_maps(image)
        first = from_maps(coord_local_soft_argmax(maps, self.window, t=1.0), self.stride)
        around = first if centres is None else centres
        patch_maps, corners = self.refine(image, around)
        within = from_maps(coord_local_soft_argmax(patch_maps, self.window, t=1.0), self.refiner.stride)
        known = torch.isfinite(around).all(dim=-1, keepdim=True)
        points = torch.where(known, within + corners, torch.nan)
        return CascadeAnswer(points, first, maps, patch_maps, corners)

    def coarse_maps(self, image: Tensor) -> Tensor:
        """Logits of the first stage, ``(B, L, *ceil(space / stride))``."""
        space = image.shape[2:]
        if self.downsample > 1:
            padding = [amount for size in reversed(space) for amount in (0, -size % self.downsample)]
            if any(padding):
                image = nn.functional.pad(image, padding, mode="replicate")
            pool = nn.functional.avg_pool2d if self.spatial_dims == 2 else nn.functional.avg_pool3d
            image = pool(image, self.downsample)
        maps: Tensor = self.coarse(image)
        return maps

    def refine(self, image: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
        """The second stage alone: logits and corners of the patches around points, as in `CascadeAnswer`.

        An image point has the index ``(point - corner + 0.5) / refiner.stride - 0.5`` in its patch's map.
        """
        context = self.refiner.context
        batch, landmarks = centres.shape[:2]
        regions, corners = cut_patches(image, centres, [size * context for size in self.patch_size])
        which = torch.arange(landmarks, device=image.device).repeat(batch)
        logits = self.refiner(regions.flatten(0, 1), which)
        inset = [(context - 1) * size // 2 for size in self.patch_size]
        corners = corners + torch.tensor(inset, device=corners.device)
        return logits.reshape(batch, landmarks, *logits.shape[1:]), corners


def from_maps(points: Tensor, stride: int) -> Tensor:
    """Index coordinates of maps to those of the image or patch they are ``stride`` times coarser than."""
    return (points + 0.5) * stride - 0.5
