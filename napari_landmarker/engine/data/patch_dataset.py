"""Patches of images around one landmark (Jonkers et al., SoftwareX 2025, section 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_landmarker.engine.data.landmark_dataset import LandmarkDataset
from napari_landmarker.engine.data.mask_dataset import mask_of_points
from napari_landmarker.engine.data.sources import ImageSource, as_size
from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.transforms import FloatImage, SampleTransform


class PatchDataset(LandmarkDataset):
    """Patches of one size, cut around one landmark and moved by a random number of whole pixels.

    A patch that reaches beyond the image continues its border. Where the landmark is missing, the patch lies about the
    centre of the image and its landmark is NaN.

    Args:
        imgs: as for `LandmarkDataset`, and so are the other arguments that are not listed here.
        index_landmark: which landmark; of several instances one is drawn at random on each access.
        dim_patch: shape of the patches.
        range_aug_patch: how many pixels, at most, a patch is moved along each axis; 0 or None for none.

    Raises:
        GeometryError: if there is no such landmark, the size of the patch does not fit the dimensions, or the range is
            negative.
    """

    def __init__(
        self,
        imgs: Sequence[ImageSource] | npt.NDArray[Any] | Tensor,
        landmarks: Any,
        index_landmark: int = 0,
        spatial_dims: int = 2,
        pixel_spacing: Any = None,
        class_names: Sequence[str] | None = None,
        transform: SampleTransform | Callable[..., Any] | None = None,
        store_imgs: bool = False,
        dim_patch: Sequence[int] = (256, 256),
        range_aug_patch: int | None = 64,
        **options: Any,
    ) -> None:
        super().__init__(imgs, landmarks, spatial_dims, pixel_spacing, class_names, transform, store_imgs, **options)
        self.dim_patch = as_size(dim_patch, "dim_patch", spatial_dims)
        if not 0 <= index_landmark < len(self.class_names):
            raise GeometryError(f"index_landmark is {index_landmark}, but there are {len(self.class_names)} landmarks.")
        self.index_landmark = index_landmark
        self.range_aug_patch = int(range_aug_patch or 0)
        if self.range_aug_patch < 0:
            raise GeometryError(f"range_aug_patch must be 0 pixels or more, not {range_aug_patch}.")

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One patch.

        Returns:
            As `LandmarkDataset` gives it, with

            - ``image``: float32 ``(C, *dim_patch)``;
            - ``affine``: as there, and then the cut;
            - ``landmark``: float32 ``(D,)`` in the patch, NaN where missing;
            - ``landmark_original``: float32 ``(D,)`` in the whole image;
            - ``offset``: float32 ``(D,)``, how far the middle of the patch was moved from the landmark, in pixels;
            - ``roi_corner_point``: float32 ``(D,)``, index of the patch's first pixel in the whole image;
            - ``dim_original``: shape of the patch; ``dim_original_full_image``: of the whole image.
        """
        item = self._item(index)
        rng = self._rng(item["index"])
        landmark = self._chosen(item["landmark"].numpy().astype(np.float64), rng)
        image = item["image"].numpy()
        reach = self.range_aug_patch
        offset = rng.integers(-reach, reach + 1, self.spatial_dims)
        centre = (np.asarray(image.shape[1:]) - 1) / 2
        middle = np.where(np.isnan(landmark), centre, landmark) + offset
        corner = np.floor(middle - (np.asarray(self.dim_patch) - 1) / 2 + 0.5).astype(np.int64)
        affine = item["affine"].clone()
        affine[: self.spatial_dims, 3] -= torch.from_numpy(corner)
        return item | {
            "image": torch.from_numpy(cut(image, corner, self.dim_patch)),
            "landmark": torch.tensor(landmark - corner, dtype=torch.float32),
            "affine": affine,
            "landmark_original": torch.tensor(landmark, dtype=torch.float32),
            "offset": torch.tensor(offset, dtype=torch.float32),
            "roi_corner_point": torch.tensor(corner, dtype=torch.float32),
            "dim_original": torch.tensor(self.dim_patch, dtype=torch.float32),
            "dim_original_full_image": item["dim_original"],
        }

    def _chosen(self, points: FloatArray, rng: np.random.Generator) -> FloatArray:
        """The point the patch is about, ``(D,)``: of several placed instances, any."""
        own: FloatArray = points[self.index_landmark]
        if own.ndim == 1:
            return own
        placed = np.flatnonzero(np.isfinite(own).all(axis=-1))
        return np.asarray(own[rng.choice(placed) if len(placed) else 0])


class PatchMaskDataset(PatchDataset):
    """A `PatchDataset` whose items also hold a mask: 1 at the pixel nearest to the landmark."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One patch, with ``mask``: float32 ``(1, *dim_patch)``, all zero where the landmark is missing or outside."""
        item = super().__getitem__(index)
        return item | {"mask": mask_of_points(item["landmark"][None], self.dim_patch)}


def cut(image: FloatImage, corner: npt.NDArray[np.int64], shape: Sequence[int]) -> FloatImage:
    """A box of an image ``(C, *space)`` whose first pixel is ``corner``; beyond the image its border is continued."""
    rows = [
        np.clip(np.arange(start, start + size), 0, whole - 1)
        for start, size, whole in zip(corner, shape, image.shape[1:], strict=True)
    ]
    return np.ascontiguousarray(image[np.ix_(np.arange(len(image)), *rows)])
