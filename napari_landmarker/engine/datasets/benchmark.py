"""What every benchmark set is when it is loaded: images with landmarks, split as its publishers split it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import FloatArray

if TYPE_CHECKING:
    from napari_landmarker.engine.data import (
        HeatmapDataset,
        LandmarkDataset,
        MaskDataset,
        PatchDataset,
        PatchMaskDataset,
    )

Kind = Literal["landmark", "heatmap", "mask", "patch", "patch_mask"]


@dataclass(frozen=True, eq=False)
class BenchmarkSplit:
    """One part of a benchmark set, such as its training images.

    Attributes:
        name: what the part is called.
        images: the image files, ``N`` of them.
        landmarks: index coordinates in array order (of volumes: as `read_image` turns them), ``(N, L, D)`` or, for
            several instances, ``(N, L, M, D)``; NaN for a landmark that is missing.
        class_names: names of the landmarks, ``L`` of them.
        spacing: mm per pixel ``(N, D)`` along the axes of the landmarks, or None for what the image files state.
        masks: the files that the landmarks were found in, where it is masks that the set gives.
    """

    name: str
    images: tuple[Path, ...]
    landmarks: FloatArray
    class_names: tuple[str, ...]
    spacing: FloatArray | None = None
    masks: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for field in ("landmarks", "spacing"):
            value = getattr(self, field)
            if value is not None:
                array = np.array(value, dtype=np.float64)
                array.setflags(write=False)
                object.__setattr__(self, field, array)
        shape, count = self.landmarks.shape, len(self.images)
        if self.landmarks.ndim not in (3, 4) or shape[:2] != (count, len(self.class_names)) or shape[-1] not in (2, 3):
            raise GeometryError(
                f"Landmarks of shape {shape} do not fit {count} images with {len(self.class_names)} landmarks each."
            )
        if self.spacing is not None and self.spacing.shape != (count, self.ndim):
            raise GeometryError(f"A spacing of shape {self.spacing.shape} does not fit {count} images.")
        if self.masks and len(self.masks) != count:
            raise GeometryError(f"There are {count} images but {len(self.masks)} masks.")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def ndim(self) -> int:
        """Number of spatial dimensions ``D``."""
        return int(self.landmarks.shape[-1])

    @property
    def unit(self) -> str:
        """``"mm"`` where the set states how large its pixels are, else ``"px"``."""
        return "px" if self.spacing is None else "mm"

    def landmark_dataset(self, **options: Any) -> LandmarkDataset:
        """The images with landmarks; ``options`` are those of `LandmarkDataset`."""
        from napari_landmarker.engine.data import LandmarkDataset

        return LandmarkDataset(**self._arguments(options))

    def heatmap_dataset(self, **options: Any) -> HeatmapDataset:
        """The images with heatmaps; ``options`` are those of `HeatmapDataset`."""
        from napari_landmarker.engine.data import HeatmapDataset

        return HeatmapDataset(**self._arguments(options))

    def mask_dataset(self, **options: Any) -> MaskDataset:
        """The images with masks of the landmarks; ``options`` are those of `MaskDataset`."""
        from napari_landmarker.engine.data import MaskDataset

        return MaskDataset(**self._arguments(options))

    def patch_dataset(self, **options: Any) -> PatchDataset:
        """Patches around a landmark; ``options`` are those of `PatchDataset`."""
        from napari_landmarker.engine.data import PatchDataset

        return PatchDataset(**self._arguments(options))

    def patch_mask_dataset(self, **options: Any) -> PatchMaskDataset:
        """Patches around a landmark with masks; ``options`` are those of `PatchMaskDataset`."""
        from napari_landmarker.engine.data import PatchMaskDataset

        return PatchMaskDataset(**self._arguments(options))

    def dataset(self, kind: Kind, **options: Any) -> Any:
        """The dataset of a kind."""
        make: Callable[..., Any] = getattr(self, f"{kind}_dataset")
        return make(**options)

    def _arguments(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "imgs": list(self.images),
            "landmarks": self.landmarks,
            "spatial_dims": self.ndim,
            "pixel_spacing": self.spacing,
            "class_names": self.class_names,
        } | dict(options)


def joined(name: str, splits: Sequence[BenchmarkSplit]) -> BenchmarkSplit:
    """Several parts with the same landmarks, one instance of each, as one; its spacing is known if all are."""
    spacings = [split.spacing for split in splits if split.spacing is not None]
    return BenchmarkSplit(
        name,
        tuple(path for split in splits for path in split.images),
        np.concatenate([split.landmarks for split in splits]),
        splits[0].class_names,
        np.concatenate(spacings) if len(spacings) == len(splits) else None,
    )


def torch_datasets(
    splits: Iterable[BenchmarkSplit],
    kind: Kind,
    train_transform: Any,
    inference_transform: Any,
    training: Collection[str] = ("train",),
    **options: Any,
) -> tuple[Any, ...]:
    """One torch dataset a part.

    Args:
        splits: the parts.
        kind: of the datasets.
        train_transform: random changes to the parts named in ``training``.
        inference_transform: random changes to the others.
        training: names of parts.
        options: of the datasets.
    """
    return tuple(
        split.dataset(kind, transform=train_transform if split.name in training else inference_transform, **options)
        for split in splits
    )
