"""Images with landmarks as a torch dataset (Jonkers et al., SoftwareX 2025, section 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from napari_landmarker.engine.data.drawing import DiskCache, DrawnImage, draw
from napari_landmarker.engine.data.sources import (
    ImageSource,
    as_points,
    as_size,
    as_sources,
    as_spacings,
    geometry_of,
    load,
)
from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, FloatArray, Grid
from napari_landmarker.engine.progress import Progress
from napari_landmarker.engine.project import Case, Project
from napari_landmarker.engine.transforms import FloatImage, LandmarkTransform, SampleTransform, as_sample_transform


class LandmarkDataset(Dataset[dict[str, Any]]):
    """Images, drawn in one frame, with their landmarks in that same frame.

    Reading and drawing happens on access. Random changes are the same for the same ``seed``; in worker processes, for
    the same state of torch's generator too, whatever their number.

    Args:
        imgs: paths, arrays ``(*space)`` or ``(C, *space)``, tensors or `Image` objects; ``N`` of them.
        landmarks: index coordinates in array order (of volumes: as `read_image` turns them), ``(N, L, D)``, or
            ``(N, L, M, D)`` for several instances; NaN for a missing landmark. A list may hold different M.
        spatial_dims: ``D``, 2 or 3.
        pixel_spacing: millimetres per pixel, ``(D,)`` or ``(N, D)``, where the images do not state it.
        class_names: names of the landmarks, ``L`` of them.
        transform: random change of image and points: one of `engine.transforms`, or MONAI's where points can follow.
        store_imgs: whether to keep drawn images in memory.
        dim_img: shape every image is drawn in; None leaves each as it is.
        img_paths: names of the images where ``imgs`` are arrays.
        resize_pad: whether to keep the aspect and pad, instead of stretching, when drawing in ``dim_img``.
        frame: instead of ``dim_img``, the frame for each image: grid to map.
        channels: 1 or 3; None leaves images as they are.
        pairs: left-right pairs of names, which change places in a mirror.
        cache_dir: folder that keeps the drawn images of files, so that each is drawn once for all runs.
        seed: of the random changes.

    Raises:
        GeometryError: if numbers of images, landmarks, names and dimensions do not fit each other.
        ImageError: on access, for an image that cannot be read.
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
        dim_img: Sequence[int] | None = None,
        img_paths: Sequence[str | Path] | None = None,
        resize_pad: bool = True,
        *,
        frame: Callable[[Grid], AffineMap] | None = None,
        channels: int | None = None,
        pairs: Sequence[tuple[str, str]] = (),
        cache_dir: str | Path | None = None,
        seed: int = 0,
    ) -> None:
        if spatial_dims not in (2, 3):
            raise GeometryError(f"spatial_dims must be 2 or 3, not {spatial_dims}.")
        self.imgs = as_sources(imgs)
        self.spatial_dims = spatial_dims
        self.landmarks = as_points(landmarks, len(self.imgs), spatial_dims)
        n_landmarks = self.landmarks.shape[1]
        self.class_names = tuple(class_names or (f"landmark_{i}" for i in range(n_landmarks)))
        if len(self.class_names) != n_landmarks:
            raise GeometryError(f"class_names has {len(self.class_names)} names for {n_landmarks} landmarks.")
        if len(set(self.class_names)) != n_landmarks:
            raise GeometryError(f"class_names holds a name twice: {', '.join(self.class_names)}.")
        if channels not in (None, 1, 3):
            raise GeometryError(f"channels must be 1 or 3, or None to leave images as they are, not {channels}.")
        if seed < 0:
            raise GeometryError(f"seed must be 0 or more, not {seed}.")
        self.img_paths = _names(self.imgs, img_paths)
        self.pixel_spacing = as_spacings(pixel_spacing, len(self.imgs), spatial_dims)
        self.transform = as_sample_transform(transform, names=self.class_names, pairs=pairs)
        self.store_imgs, self.channels, self.seed = store_imgs, channels, seed
        self.frame = frame or _frame_for(dim_img, resize_pad, spatial_dims)
        self._cache = None if cache_dir is None else DiskCache(Path(cache_dir))
        self._drawn_images: dict[int, DrawnImage] = {}
        # worker processes that live on share this, so that no two of them repeat the same chance
        self._visits = torch.zeros(len(self.imgs), dtype=torch.int64)
        self._visits.share_memory_()  # type: ignore[no-untyped-call]

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
        options = {"pairs": project.schema.reduced(names).pairs} | options
        dataset = cls([project.image_path(c.id) for c in cases], points, ndim, class_names=names, **options)
        dataset.pixel_spacing = [case.spacing for case in cases]
        return dataset

    def __len__(self) -> int:
        return len(self.imgs)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One sample.

        Returns:
            A dictionary of

            - ``image``: float32 ``(C, *space)``, standardised and, with a ``transform``, changed;
            - ``landmark``: float32 ``(L, [M,] D)`` in ``image``, NaN where missing or changed to lie outside;
            - ``affine``: float32 ``(4, 4)``, homogeneous: what ``transform`` did to indices in array order (in 2D the
              third row and column stay as they are), deformations left out; NaN where it does not tell. Its inverse
              and then ``frame`` lead from ``image`` to the file;
            - ``dim_original``: float32 ``(D,)``, shape of the image before it was drawn;
            - ``padding``: float32 ``(D,)``, pixels of ``image`` that lie before the drawn image, per axis;
            - ``spacing``: float32 ``(D,)``, mm per pixel of the image before it was drawn, NaN where unknown;
            - ``step``: float32 ``(D,)``, pixels of that image per pixel of ``image``, NaN where ``affine`` is;
            - ``frame``: float64 ``(D+1, D+1)``, index of ``image`` (before ``transform``) to index, in array order, of
              the image as stored in its file;
            - ``index``.
        """
        return self._own(self._item(index))

    def visit(self, index: int, number: int) -> dict[str, Any]:
        """As ``self[index]``, but with the chance of one numbered visit: the same for the same number, anywhere."""
        return self._own(self._item(index, np.random.default_rng((self.seed, index, number))))

    def _own(self, item: dict[str, Any]) -> dict[str, Any]:
        """The sample with an image that may be changed."""
        kept = self._drawn_images.get(item["index"])
        if kept is not None and np.may_share_memory(item["image"].numpy(), kept.array):
            item["image"] = item["image"].clone()
        return item

    def _item(self, index: int, rng: np.random.Generator | None = None) -> dict[str, Any]:
        """As `__getitem__`, but the image may be the one that is kept: it must not be changed."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"There is no item {index}: the dataset has {len(self)}, and the first is 0.")
        index %= len(self)
        drawn = self.drawn(index)
        image, points, affine = self._changed(drawn, index, rng)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image)),
            "landmark": _float32(points),
            "affine": _float32(_four_by_four(affine)),
            **self._where(drawn, affine),
            "index": index,
        }

    def preload(self, progress: Progress | None = None) -> None:
        """Draw every image now, so that worker processes share them instead of each drawing its own.

        Args:
            progress: called with the number of images done and the number of all.
        """
        for index in range(len(self)):
            self.drawn(index)
            if progress is not None:
                progress(index + 1, len(self))

    def drawn(self, index: int) -> DrawnImage:
        """An image in the frame of the dataset, without random changes."""
        if index in self._drawn_images:
            return self._drawn_images[index]
        source, spacing = self.imgs[index], self.pixel_spacing[index]
        if self._cache is not None and isinstance(source, str | Path):
            geometry = geometry_of(source, self.spatial_dims)
            grid = geometry.grid if spacing is None else geometry.grid.with_spacing(spacing)
            to = self.frame(grid)
            array = self._cache.drawn(Path(source), to, spacing, self.channels)
            drawn = DrawnImage(array, grid, to, geometry.stored)
        else:
            image = load(source, self.spatial_dims, spacing)
            to = self.frame(image.grid)
            drawn = DrawnImage(draw(image, to, self.channels), image.grid, to, image.stored)
        if self.store_imgs:
            self._drawn_images[index] = drawn
        return drawn

    def _changed(
        self, drawn: DrawnImage, index: int, rng: np.random.Generator | None
    ) -> tuple[FloatImage, FloatArray, FloatArray]:
        """Image, points and the affine map ``(D+1, D+1)`` of the transform."""
        points, same = drawn.to.apply(self.landmarks[index]), np.eye(self.spatial_dims + 1)
        if self.transform is None:
            return drawn.array, points, same
        rng = self._rng(index) if rng is None else rng
        if isinstance(self.transform, LandmarkTransform):
            moved = self.transform.trace(drawn.array, points, rng)
            return moved.image, moved.points, same * np.nan if moved.warp is None else moved.warp.affine.matrix
        image, points = self.transform(drawn.array.copy(), points, rng)
        return image, points, same * np.nan

    def _where(self, drawn: DrawnImage, affine: FloatArray) -> dict[str, Tensor]:
        """How the drawn image lies to the one it was drawn from, and to the file."""
        back = drawn.to.inverse
        first = drawn.to.apply(np.full(self.spatial_dims, -0.5)) + 0.5
        return {
            "dim_original": _float32(drawn.grid.shape),
            "padding": _float32(first),
            "spacing": _float32(drawn.grid.spacing or (np.nan,) * self.spatial_dims),
            "step": _float32(np.linalg.norm((back.matrix @ _inverse(affine))[:-1, :-1], axis=0)),
            "frame": torch.from_numpy(np.array(back.then(drawn.stored).matrix)),
        }

    def _rng(self, index: int) -> np.random.Generator:
        """The random numbers of this visit to a sample."""
        visit = int(self._visits[index])
        self._visits[index] += 1
        worker = get_worker_info()
        epoch = 0 if worker is None else worker.seed - worker.id
        return np.random.default_rng((self.seed, index, visit, epoch))


def _float32(values: npt.ArrayLike) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))


def _inverse(affine: FloatArray) -> FloatArray:
    """The inverse of a matrix; NaN where the matrix is."""
    return np.asarray(np.linalg.inv(affine)) if np.isfinite(affine).all() else affine


def _four_by_four(matrix: FloatArray) -> FloatArray:
    """A homogeneous matrix ``(D+1, D+1)`` in the size that is used in 2D and 3D alike."""
    ndim = len(matrix) - 1
    out = np.eye(4)
    out[:ndim, :ndim], out[:ndim, 3] = matrix[:-1, :-1], matrix[:-1, -1]
    return out


def _names(imgs: list[ImageSource], given: Sequence[str | Path] | None) -> list[str] | None:
    """What the images are called, where that is known."""
    if given is not None:
        if len(given) != len(imgs):
            raise GeometryError(f"img_paths has {len(given)} names for {len(imgs)} images.")
        return [str(path) for path in given]
    paths = [source for source in imgs if isinstance(source, str | Path)]
    return [str(path) for path in paths] if len(paths) == len(imgs) else None


@dataclass(frozen=True)
class _Fit:
    """The frame of an image whose shape is given; a class, so that worker processes can be handed it."""

    target: tuple[int, ...] | None
    keeps_aspect: bool

    def __call__(self, grid: Grid) -> AffineMap:
        if self.target is None:
            return AffineMap.identity(grid.shape)
        make = AffineMap.fit if self.keeps_aspect else AffineMap.resize
        return make(grid.shape, self.target)


def _frame_for(dim_img: Sequence[int] | None, resize_pad: bool, ndim: int) -> _Fit:
    return _Fit(None if dim_img is None else as_size(dim_img, "dim_img", ndim), resize_pad)
