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
from napari_landmarker.engine.data.sources import ImageSource, as_sources, geometry_of, load, name_of
from napari_landmarker.engine.errors import GeometryError, ImageError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.io import Image, ImageGeometry
from napari_landmarker.engine.io.orient import NO_ORIENTATION
from napari_landmarker.engine.transforms import SampleTransform


class MaskDataset(LandmarkDataset):
    """A `LandmarkDataset` whose items also hold a mask: one channel a landmark, 1 at the pixel nearest to each point.

    Args:
        imgs: as for `LandmarkDataset`, and so are the other arguments that are not listed here.
        landmarks: as for `LandmarkDataset`, or None where masks are given.
        mask_paths: mask images (or arrays) of the size and at the place of their images. Each connected patch of the
            value ``i + 1``, or with one landmark of any value but 0, is one instance of landmark ``i``, at the patch's
            centroid.
        nb_landmarks: number of landmarks in the masks.

    Raises:
        GeometryError: if neither landmarks nor masks are given, or both, or their numbers do not fit.
        ImageError: if a mask cannot be read, has another size or place than its image, or holds a value above
            ``nb_landmarks``.
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
        imgs: the images, to check that each mask lies on its image.
        masks: one mask an image; see `MaskDataset`.
        ndim: ``D``.
        nb_landmarks: ``L``.

    Raises:
        GeometryError: if the numbers of images and masks differ, or there are no landmarks.
        ImageError: if a mask cannot be read or does not fit.
    """
    masks = as_sources(masks, "mask_paths")
    if len(masks) != len(imgs):
        raise GeometryError(f"There are {len(imgs)} images but {len(masks)} masks: give one mask an image.")
    if nb_landmarks < 1:
        raise GeometryError(f"nb_landmarks must be 1 or more, not {nb_landmarks}.")
    found = []
    for image, source in zip(imgs, masks, strict=True):
        mask, name = load(source, ndim, None), name_of(source)
        if mask.is_color:
            raise ImageError(f"{name} is in colour: a mask must have one value a pixel.")
        _require_place(mask, geometry_of(image, ndim), name)
        found.append(_patches(mask.array, name, nb_landmarks))
    most = max(len(points) for image_points in found for points in image_points)
    out = np.full((len(found), nb_landmarks, max(most, 1), ndim), np.nan)
    for rows, image_points in zip(out, found, strict=True):
        for row, points in zip(rows, image_points, strict=True):
            row[: len(points)] = points
    return list(out[:, :, 0] if most <= 1 else out)


def _require_place(mask: Image, image: ImageGeometry, name: str) -> None:
    """ImageError unless a mask has the size of its image and, as far as both files say, lies where that lies."""
    here, there = mask.grid, image.grid
    if here.shape != there.shape:
        raise ImageError(f"{name} has the size {here.shape}, but its image {there.shape}: choose its own mask.")
    apart = False
    if NO_ORIENTATION in (*mask.notes, *image.notes):  # then one as stored must not meet one that was turned
        apart = not np.array_equal(mask.stored.matrix, image.stored.matrix)
    elif here.ndim == 3 and here.spacing is not None and there.spacing is not None:
        corners = np.array(list(np.ndindex(2, 2, 2))) * (np.asarray(here.shape) - 1)
        off_mm = np.linalg.norm(here.index_to_world(corners) - there.index_to_world(corners), axis=1)
        apart = bool(off_mm.max() > min(there.spacing) / 2)
    if apart:
        raise ImageError(
            f"{name} does not lie where its image lies: save the mask with the orientation, origin and spacing of its "
            "image."
        )


def _patches(values: npt.NDArray[Any], name: str, nb_landmarks: int) -> list[FloatArray]:
    """Centroids of the patches of each landmark's value, ``(M, D)`` each."""
    from scipy import ndimage

    at = np.argwhere((values != 0) & (values == values))  # what is not a number marks nothing
    marks = values[tuple(at.T)]
    if nb_landmarks > 1 and marks.max(initial=0) > nb_landmarks:
        raise ImageError(
            f"{name} holds the value {marks.max():g}, but there are {nb_landmarks} landmarks: mark them by 1, 2, 3 ..."
        )
    touching = np.ones((3,) * values.ndim)
    out = [np.empty((0, values.ndim)) for _ in range(nb_landmarks)]
    for row in range(nb_landmarks):
        own = at if nb_landmarks == 1 else at[marks == row + 1]
        if len(own):
            inner = tuple((own - own.min(axis=0)).T)
            part = np.zeros(np.ptp(own, axis=0) + 1, dtype=bool)
            part[inner] = True
            patch = ndimage.label(part, touching)[0][inner] - 1
            sums = [np.bincount(patch, weights=places) for places in own.T]
            out[row] = np.stack(sums, axis=1) / np.bincount(patch)[:, None]
    return out
