"""Images with landmarks and the heatmaps drawn around them (Jonkers et al., SoftwareX 2025, section 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_landmarker.engine.data.landmark_dataset import LandmarkDataset
from napari_landmarker.engine.data.sources import ImageSource, as_size
from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.heatmap import GaussianHeatmapGenerator, HeatmapGenerator, LaplacianHeatmapGenerator
from napari_landmarker.engine.transforms import SampleTransform

_GENERATORS: dict[str, type[HeatmapGenerator]] = {
    "gaussian": GaussianHeatmapGenerator,
    "laplacian": LaplacianHeatmapGenerator,
}


class HeatmapDataset(LandmarkDataset):
    """A `LandmarkDataset` whose items also hold heatmaps, drawn on access around the landmarks as they are changed.

    Args:
        imgs: as for `LandmarkDataset`, and so are the other arguments that are not listed here.
        sigma: width of the heatmaps in their own pixels, as `sigmas` of `HeatmapGenerator`.
        batch_size: taken as in the paper; maps are drawn one image at a time, so it changes nothing.
        background: whether a first channel holds what is no landmark.
        all_points: whether a first channel holds the sum of all others.
        gamma: scale of the maps; see `HeatmapGenerator`.
        heatmap_fun: ``"gaussian"`` or ``"laplacian"``.
        heatmap_size: shape of the maps; None takes that of the drawn image.

    Raises:
        GeometryError: for a heatmap function, size, width or scale that cannot be.
    """

    def __init__(
        self,
        imgs: Sequence[ImageSource] | npt.NDArray[Any] | Tensor,
        landmarks: Any,
        spatial_dims: int = 2,
        pixel_spacing: Any = None,
        class_names: Sequence[str] | None = None,
        transform: SampleTransform | Callable[..., Any] | None = None,
        store_imgs: bool = True,
        sigma: Any = 5,
        dim_img: Sequence[int] | None = None,
        batch_size: int = 32,
        background: bool = False,
        all_points: bool = False,
        gamma: float | None = None,
        heatmap_fun: Literal["gaussian", "laplacian"] = "gaussian",
        heatmap_size: Sequence[int] | None = None,
        img_paths: Sequence[str | Path] | None = None,
        resize_pad: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(
            imgs, landmarks, spatial_dims, pixel_spacing, class_names, transform, store_imgs, dim_img, img_paths,
            resize_pad, **options,
        )  # fmt: skip
        if heatmap_fun not in _GENERATORS:
            raise GeometryError(f"heatmap_fun must be one of {', '.join(_GENERATORS)}, not '{heatmap_fun}'.")
        self.heatmap_size = None if heatmap_size is None else as_size(heatmap_size, "heatmap_size", spatial_dims)
        self._make = _GENERATORS[heatmap_fun]
        self._options = {"sigmas": sigma, "gamma": gamma, "background": background, "all_points": all_points}
        try:
            self.generator(self.heatmap_size or (1,) * spatial_dims)
        except ValueError as error:
            raise GeometryError(f"Heatmaps cannot be drawn like this: {error}") from error

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample, with ``heatmap``: float32 ``(L [+ 1], *heatmap space)``; it also goes by the name ``mask``."""
        item = super().__getitem__(index)
        shape = tuple(item["image"].shape[1:])
        size = self.heatmap_size or shape
        points = AffineMap.resize(shape, size).apply(item["landmark"].numpy())
        with torch.no_grad():
            maps = self.generator(size)(torch.from_numpy(points.astype(np.float32))[None])[0]
        return item | {"heatmap": maps, "mask": maps}

    def generator(self, heatmap_size: Sequence[int]) -> HeatmapGenerator:
        """What draws maps of a shape."""
        return self._make(len(self.class_names), heatmap_size=tuple(heatmap_size), **self._options)
