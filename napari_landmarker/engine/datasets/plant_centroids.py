"""Sugar beets seen from above: one class of points, where the stems emerge, with many instances.

Source: F. Kraemer et al., *From Plants to Landmarks: Time-invariant Plant Localization that uses Deep Pose Regression
in Agricultural Fields*, IROS Workshop on Agri-Food Robotics 2017. The set gives masks; a patch of pixels that are not 0
is one plant, at the patch's centroid.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_landmarker.engine.datasets.benchmark import BenchmarkSplit, Kind, torch_datasets
from napari_landmarker.engine.datasets.fetch import Cancel, Fetch, RemoteFile
from napari_landmarker.engine.datasets.source import Source, fetch_and_unpack
from napari_landmarker.engine.errors import GeometryError, ImageError
from napari_landmarker.engine.io.paths import natural_order
from napari_landmarker.engine.progress import Progress

_ARCHIVE = RemoteFile("http://plantcentroids.cs.uni-freiburg.de/dataset/plantcentroids.zip", "plantcentroids.zip")
#: Parts, and their folders: field and week.
_PARTS = {
    "train": ("G_W5", "H_W5", "I_W6", "J_W8", "K_W8"),
    "A_W4": ("A_W4",),
    "B_W5": ("B_W5",),
    "C_W8": ("C_W8",),
}
_UNPACKED = "plantcentroids_dataset"
_MASKS = "label_sparse"
_IMAGES = {"rgb": "rgb_undistorted", "nir": "nir"}


def load_plant_centroids(
    folder: Path | str | None = None,
    modality: Literal["rgb", "nir"] = "rgb",
    progress: Progress | None = None,
    *,
    cancel: Cancel | None = None,
    download: bool = True,
) -> dict[str, BenchmarkSplit]:
    """The plants of the set; sizes are in pixels.

    Args:
        folder: the folder of the data set, or the one around it, or where to download it; None for this computer's
            cache.
        modality: colour or near-infrared images.
        progress: told bytes done and bytes in all of the download.
        cancel: asked whether to stop it.
        download: whether to download what is not there.

    Returns:
        ``train`` and the three tests ``A_W4``, ``B_W5`` and ``C_W8``, with landmarks ``(N, 1, M, 2)``.

    Raises:
        GeometryError: for a modality that there is not.
        ImageError: if images or masks are missing or damaged, or do not belong together.
        ProjectError: if it cannot be downloaded or unpacked.
    """
    if modality not in _IMAGES:
        raise GeometryError(f"modality must be rgb or nir, not '{modality}'.")
    root = _inner(_SOURCE.find(folder, progress, cancel, download))
    return {name: _load(root, name, folders, _IMAGES[modality]) for name, folders in _PARTS.items()}


def _build(fetch: Fetch) -> None:
    fetch_and_unpack(fetch, _ARCHIVE, lambda root: _SOURCE.is_in(root))
    for folders in _PARTS.values():
        for folder in folders:
            _pairs(_inner(fetch.folder) / folder, _IMAGES["rgb"])


_SOURCE = Source(
    "plantcentroids",
    tuple(place + folder for folders in _PARTS.values() for folder in folders for place in ("", f"{_UNPACKED}/")),
    _build,
)


def _inner(root: Path) -> Path:
    """Where the fields are: in the folder, or in the one that the archive makes inside it."""
    return root / _UNPACKED if (root / _UNPACKED).is_dir() else root


def _load(root: Path, name: str, folders: tuple[str, ...], images: str) -> BenchmarkSplit:
    from napari_landmarker.engine.data.mask_dataset import points_of_masks

    pairs = [pair for folder in folders for pair in _pairs(root / folder, images)]
    found = points_of_masks([image for image, _ in pairs], [mask for _, mask in pairs], 2, 1)
    points = np.stack(found).reshape(len(pairs), 1, -1, 2)
    return BenchmarkSplit(
        name, tuple(image for image, _ in pairs), points, ("plant",), None, tuple(mask for _, mask in pairs)
    )


def _pairs(folder: Path, images: str) -> list[tuple[Path, Path]]:
    """Each image of a field with its mask: by their names or, where these have nothing in common, by their order."""
    own, masks = ({path.stem: path for path in (folder / name).glob("*.png")} for name in (images, _MASKS))
    if not own or not masks:
        raise ImageError(f"{folder / (_MASKS if own else images)} holds no PNG images: unpack the data set again.")
    if set(own) & set(masks):
        alone = sorted(set(own) ^ set(masks))
        if alone:
            path = own.get(alone[0]) or masks[alone[0]]
            raise ImageError(
                f"{path} has no counterpart in {folder / (_MASKS if alone[0] in own else images)}: "
                "unpack the data set again."
            )
        return [(own[stem], masks[stem]) for stem in sorted(own, key=lambda stem: natural_order(Path(stem)))]
    if len(own) != len(masks):
        raise ImageError(f"{folder} has {len(own)} images but {len(masks)} masks: unpack the data set again.")
    return list(zip(sorted(own.values(), key=natural_order), sorted(masks.values(), key=natural_order), strict=True))


def get_plant_centroids_landmark_datasets(
    path_dir: Path | str, train_transform: Any = None, inference_transform: Any = None, **kwargs: Any
) -> tuple[Any, ...]:
    """Train, A_W4, B_W5 and C_W8 as `LandmarkDataset` (Jonkers et al., SoftwareX 2025).

    Args:
        path_dir: see ``folder`` of `load_plant_centroids`.
        train_transform: random changes to the training images.
        inference_transform: random changes to the test images.
        kwargs: further arguments of the class.
    """
    return _datasets("landmark", path_dir, train_transform, inference_transform, **kwargs)


def get_plant_centroids_heatmap_datasets(
    path_dir: Path | str, train_transform: Any = None, inference_transform: Any = None, **kwargs: Any
) -> tuple[Any, ...]:
    """The same as `HeatmapDataset`."""
    return _datasets("heatmap", path_dir, train_transform, inference_transform, **kwargs)


def get_plant_centroids_mask_datasets(
    path_dir: Path | str, train_transform: Any = None, inference_transform: Any = None, **kwargs: Any
) -> tuple[Any, ...]:
    """The same as `MaskDataset`."""
    return _datasets("mask", path_dir, train_transform, inference_transform, **kwargs)


def _datasets(kind: Kind, path_dir: Path | str, train: Any, inference: Any, **options: Any) -> tuple[Any, ...]:
    return torch_datasets(load_plant_centroids(path_dir).values(), kind, train, inference, **options)
