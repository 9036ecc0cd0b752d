"""Images with landmarks as a torch dataset (Jonkers et al., SoftwareX 2025, section 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from napari_landmarker.engine.errors import GeometryError, ImageError
from napari_landmarker.engine.geometry import AffineMap, FloatArray, Grid
from napari_landmarker.engine.io import read_image
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.project import Case, Project
from napari_landmarker.engine.transforms import FloatImage, resample, standardise, with_channels

#: A random change of an image ``(C, *space)`` and its points ``(L, D)``.
SampleTransform = Callable[[FloatImage, FloatArray, np.random.Generator], tuple[FloatImage, FloatArray]]
ImageSource = str | Path | npt.NDArray[Any] | Tensor | Image


class LandmarkDataset(Dataset[dict[str, Any]]):
    """Images, drawn in one frame, with their landmarks in that same frame.

    Args:
        imgs: paths, arrays ``(*space)`` or ``(C, *space)``, tensors or `Image` objects; ``N`` of them.
        landmarks: index coordinates in array order, ``(N, L, D)``; NaN for a missing landmark.
        spatial_dims: ``D``, 2 or 3.
        pixel_spacing: millimetres per pixel, ``(D,)`` or ``(N, D)``, where the images do not state it.
        class_names: names of the landmarks, ``L`` of them.
        transform: random change of image and points; see `SampleTransform`.
        store_imgs: whether to keep drawn images in memory.
        dim_img: shape every image is drawn in; None leaves each as it is.
        resize_pad: whether to keep the aspect and pad, instead of stretching, when drawing in ``dim_img``.
        frame: instead of ``dim_img``, the frame for each image: grid to map.
        channels: 1 or 3; None leaves images as they are.
        seed: of the random changes.

    Raises:
        GeometryError: if numbers of images, landmarks, names and dimensions do not fit each other.
        ImageError: on access, for an image that cannot be read.
    """

    def __init__(
        self,
        imgs: Sequence[ImageSource] | npt.NDArray[Any] | Tensor,
        landmarks: npt.ArrayLike | Tensor,
        spatial_dims: int = 2,
        pixel_spacing: npt.ArrayLike | Tensor | None = None,
        class_names: Sequence[str] | None = None,
        transform: SampleTransform | None = None,
        store_imgs: bool = True,
        dim_img: Sequence[int] | None = None,
        resize_pad: bool = True,
        *,
        frame: Callable[[Grid], AffineMap] | None = None,
        channels: int | None = None,
        seed: int = 0,
    ) -> None:
        if spatial_dims not in (2, 3):
            raise GeometryError(f"spatial_dims must be 2 or 3, not {spatial_dims}.")
        self.imgs = list(imgs)
        self.landmarks = np.array(landmarks, dtype=np.float64)
        if self.landmarks.ndim == 2:
            self.landmarks = self.landmarks[:, None]
        count = len(self.imgs)
        if self.landmarks.ndim != 3 or self.landmarks.shape[::2] != (count, spatial_dims) or count == 0:
            raise GeometryError(
                f"landmarks of shape {self.landmarks.shape} do not fit {count} images in {spatial_dims} dimensions."
            )
        n_landmarks = self.landmarks.shape[1]
        self.class_names = tuple(class_names or (f"landmark_{i}" for i in range(n_landmarks)))
        if len(self.class_names) != n_landmarks:
            raise GeometryError(f"class_names has {len(self.class_names)} names for {n_landmarks} landmarks.")
        self.spatial_dims = spatial_dims
        self.pixel_spacing = _spacings(pixel_spacing, count, spatial_dims)
        self.transform, self.store_imgs, self.channels = transform, store_imgs, channels
        self.frame = frame or _frame_for(dim_img, resize_pad)
        self._rng = np.random.default_rng(seed)
        self._stored: dict[int, tuple[FloatImage, AffineMap, Grid]] = {}

    @classmethod
    def from_project(
        cls, project: Project, cases: Iterable[Case], names: Sequence[str] | None = None, **options: Any
    ) -> LandmarkDataset:
        """The cases of a project with what persons annotated; predictions count as missing.

        Args:
            project: the project.
            cases: at least one of its cases.
            names: which landmarks, in which order; all of the schema's by default.
            options: arguments of the class.
        """
        cases = tuple(cases)
        names = project.schema.names if names is None else tuple(names)
        points = [project.annotations(case.id).truth().reordered(names).points for case in cases]
        ndim = project.geometry(cases[0].id).grid.ndim
        dataset = cls([project.image_path(c.id) for c in cases], points, ndim, class_names=names, **options)
        dataset.pixel_spacing = [case.spacing for case in cases]
        return dataset

    def __len__(self) -> int:
        return len(self.imgs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample.

        Returns:
            ``image`` float32 ``(C, *space)``, standardised; ``landmark`` float32 ``(L, D)`` in the drawn frame, NaN
            where missing; ``spacing`` float32 ``(D,)``, mm per drawn pixel, NaN where unknown; ``step`` float32
            ``(D,)``, image pixels per drawn pixel; ``index``.
        """
        image, to, grid = self._drawn(index)
        points = to.apply(self.landmarks[index])
        if self.transform is not None:
            image, points = self.transform(image, points, self._rng)
        step = np.linalg.norm(to.inverse.matrix[:-1, :-1], axis=0)
        spacing = to.map_grid(grid).spacing or (np.nan,) * grid.ndim
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image)),
            "landmark": torch.from_numpy(points.astype(np.float32)),
            "spacing": torch.tensor(spacing, dtype=torch.float32),
            "step": torch.from_numpy(step.astype(np.float32)),
            "index": index,
        }

    def _drawn(self, index: int) -> tuple[FloatImage, AffineMap, Grid]:
        if index in self._stored:
            return self._stored[index]
        image = self._load(index)
        array = image.channels_first()
        if self.channels is not None:
            array = with_channels(array, self.channels)
        to = self.frame(image.grid)
        drawn = (resample(standardise(array), to), to, image.grid)
        if self.store_imgs:
            self._stored[index] = drawn
        return drawn

    def _load(self, index: int) -> Image:
        source = self.imgs[index]
        if isinstance(source, Image):
            image = source
        elif isinstance(source, str | Path):
            image = read_image(source)
        else:
            array = np.asarray(source)
            color = array.ndim == self.spatial_dims + 1
            image = Image.from_array(np.moveaxis(array, 0, -1) if color else array, color=color)
        if image.grid.ndim != self.spatial_dims:
            raise ImageError(f"{source} has {image.grid.ndim} dimensions but the dataset has {self.spatial_dims}.")
        spacing = self.pixel_spacing[index]
        return image if spacing is None else replace(image, grid=image.grid.with_spacing(spacing))


def _spacings(given: npt.ArrayLike | Tensor | None, count: int, ndim: int) -> list[tuple[float, ...] | None]:
    if given is None:
        return [None] * count
    try:
        rows = np.broadcast_to(np.asarray(given, dtype=np.float64), (count, ndim))
    except ValueError:
        raise GeometryError(f"pixel_spacing must have shape ({ndim},) or ({count}, {ndim}).") from None
    return [tuple(row.tolist()) for row in rows]


def _frame_for(dim_img: Sequence[int] | None, resize_pad: bool) -> Callable[[Grid], AffineMap]:
    if dim_img is None:
        return lambda grid: AffineMap.identity(grid.shape)
    target = tuple(dim_img)
    draw = AffineMap.fit if resize_pad else AffineMap.resize
    return lambda grid: draw(grid.shape, target)
