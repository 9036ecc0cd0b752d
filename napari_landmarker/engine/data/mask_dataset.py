"""Images with landmarks and masks of their pixels (Jonkers et al., SoftwareX 2025, section 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_landmarker.engine.data.landmark_dataset import LandmarkDataset
from napari_landmarker.engine.data.sources import ImageSource, as_sources, load, name_of, shape_of
from napari_landmarker.engine.errors import GeometryError, ImageError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.transforms import SampleTransform


class MaskDataset(LandmarkDataset):
    """A `LandmarkDataset` whose items also hold a mask: one channel a landmark, 1 at the pixel nearest to each point.

    Args:
        imgs: as for `LandmarkDataset`, and so are the other arguments that are not listed here.
        landmarks: as for `LandmarkDataset`, or None where masks are given.
        mask_paths: mask images (or arrays) of the size of their images. Each connected patch of the value ``i + 1``,
            or with one landmark of any value but 0, is one instance of landmark ``i``, at the patch's centroid.
        nb_landmarks: number of landmarks in the masks.

    Raises:
        GeometryError: if neither landmarks nor masks are given, or both, or their numbers do not fit.
        ImageError: if a mask cannot be read, has another size than its image, or holds a value above ``nb_landmarks``.
    """

    def __init__(
        self,
        imgs: Sequence[ImageSource] | npt.NDArray[Any] | Tensor,
        landmarks: Any = None,
        spatial_dims: int = 2,
        pixel_spacing: Any = None,
        class_names: Sequence[str] | None = None,
        transform: SampleTransform | Callable[..., Any] | None = None,
        store_imgs: bool = True,
        dim_img: Sequence[int] | None = None,
        mask_paths: Sequence[ImageSource] | None = None,
        nb_landmarks: int = 1,
        img_paths: Sequence[str | Path] | None = None,
        resize_pad: bool = True,
        **options: Any,
    ) -> None:
        if (landmarks is None) == (mask_paths is None):
            raise GeometryError("A MaskDataset is made of either landmarks or mask_paths: give one of them.")
        if mask_paths is not None:
            landmarks = points_of_masks(as_sources(imgs), mask_paths, spatial_dims, nb_landmarks)
        super().__init__(
            imgs, landmarks, spatial_dims, pixel_spacing, class_names, transform, store_imgs, dim_img, img_paths,
            resize_pad, **options,
        )  # fmt: skip

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample, with ``mask``: float32 ``(L, *space)``, all zero for a landmark that is missing."""
        item = super().__getitem__(index)
        return item | {"mask": mask_of_points(item["landmark"], item["image"].shape[1:])}


def mask_of_points(points: Tensor, shape: Sequence[int]) -> Tensor:
    """One channel a landmark, 1 at the pixel nearest to each of its points.

    Args:
        points: index coordinates ``(L, D)`` or ``(L, M, D)``; those that are NaN or outside are left out.
        shape: of the mask, ``*space``.

    Returns:
        Float32 ``(L, *space)``.
    """
    space = torch.tensor(tuple(shape))
    many = points[:, None] if points.ndim == 2 else points
    pixel = torch.floor(many + 0.5)
    inside = torch.isfinite(many).all(dim=-1) & (pixel >= 0).all(dim=-1) & (pixel < space).all(dim=-1)
    landmark, instance = inside.nonzero(as_tuple=True)
    mask = torch.zeros(len(points), *shape)
    mask[(landmark, *pixel[landmark, instance].long().unbind(dim=-1))] = 1
    return mask


def points_of_masks(
    imgs: Sequence[ImageSource], masks: Sequence[ImageSource], ndim: int, nb_landmarks: int
) -> list[FloatArray]:
    """The landmarks that masks show: for each image ``(L, D)``, or ``(L, M, D)`` where any has several.

    Args:
        imgs: the images, to check that each mask has its image's size.
        masks: one mask an image; see `MaskDataset`.
        ndim: ``D``.
        nb_landmarks: ``L``.

    Raises:
        GeometryError: if the numbers of images and masks differ.
        ImageError: if a mask cannot be read or does not fit.
    """
    masks = as_sources(masks)
    if len(masks) != len(imgs):
        raise GeometryError(f"There are {len(imgs)} images but {len(masks)} masks: give one mask an image.")
    found = []
    for image, mask in zip(imgs, masks, strict=True):
        values = load(mask, ndim, None)
        if values.is_color:
            raise ImageError(f"{name_of(mask)} is in colour: a mask must have one value a pixel.")
        if values.grid.shape != (shape := shape_of(image, ndim)):
            raise ImageError(
                f"{name_of(mask)} has the size {values.grid.shape}, but its image {shape}: choose its own mask."
            )
        found.append(_patches(values.array, name_of(mask), nb_landmarks))
    most = max(len(points) for image_points in found for points in image_points)
    out = np.full((len(found), nb_landmarks, max(most, 1), ndim), np.nan)
    for rows, image_points in zip(out, found, strict=True):
        for row, points in zip(rows, image_points, strict=True):
            row[: len(points)] = points
    return list(out[:, :, 0] if most <= 1 else out)


def _patches(values: npt.NDArray[Any], name: str, nb_landmarks: int) -> list[FloatArray]:
    """Centroids of the patches of each landmark's value, ``(M, D)`` each."""
    from scipy import ndimage

    if nb_landmarks > 1 and values.max() > nb_landmarks:
        raise ImageError(
            f"{name} holds the value {values.max():g}, but there are {nb_landmarks} landmarks: mark them by 1, 2, 3 ..."
        )
    touching = np.ones((3,) * values.ndim)
    out = []
    for number in range(1, nb_landmarks + 1):
        own = values != 0 if nb_landmarks == 1 else values == number
        patches, count = ndimage.label(own, touching)
        centroids = ndimage.center_of_mass(own, patches, range(1, count + 1))
        out.append(np.asarray(centroids, dtype=np.float64).reshape(count, values.ndim))
    return out
