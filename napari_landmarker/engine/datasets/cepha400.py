"""The paper's names for the cephalograms of ISBI 2015 as torch datasets (Jonkers et al., SoftwareX 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_landmarker.engine.datasets.benchmark import Kind, joined, torch_datasets
from napari_landmarker.engine.datasets.isbi2015 import load_isbi2015
from napari_landmarker.engine.errors import GeometryError


def get_cepha_landmark_datasets(
    path_dir: Path | str,
    train_transform: Any = None,
    inference_transform: Any = None,
    store_imgs: bool = True,
    dim_img: Sequence[int] | None = None,
    junior: bool = False,
    single_dataset: bool = False,
    cv: bool = False,
    **kwargs: Any,
) -> Any:
    """The cephalograms as `LandmarkDataset` (Jonkers et al., SoftwareX 2025).

    Args:
        path_dir: see ``folder`` of `load_isbi2015`.
        train_transform: random changes to the training images; with ``cv`` to all folds.
        inference_transform: random changes to the test images.
        store_imgs: whether to keep drawn images in memory.
        dim_img: shape every image is drawn in.
        junior: whether to take the junior annotator's points instead of the mean.
        single_dataset: whether to return one dataset of all images.
        cv: whether to return the four folds of Payer et al. instead of the official split.
        kwargs: further arguments of the class.

    Returns:
        Train, test1 and test2, or four folds, or one dataset.
    """
    transforms = (train_transform, inference_transform)
    return _datasets(
        "landmark", path_dir, transforms, junior, single_dataset, cv, store_imgs=store_imgs, dim_img=dim_img, **kwargs
    )


def get_cepha_heatmap_datasets(
    path_dir: Path | str,
    train_transform: Any = None,
    inference_transform: Any = None,
    sigma: Any = 1,
    junior: bool = False,
    single_dataset: bool = False,
    cv: bool = False,
    **kwargs: Any,
) -> Any:
    """The cephalograms as `HeatmapDataset`; arguments as `get_cepha_landmark_datasets` and of that class."""
    transforms = (train_transform, inference_transform)
    return _datasets("heatmap", path_dir, transforms, junior, single_dataset, cv, sigma=sigma, **kwargs)


def get_cepha_mask_datasets(
    path_dir: Path | str,
    train_transform: Any = None,
    inference_transform: Any = None,
    junior: bool = False,
    single_dataset: bool = False,
    cv: bool = False,
    **kwargs: Any,
) -> Any:
    """The cephalograms as `MaskDataset`; arguments as `get_cepha_landmark_datasets` and of that class."""
    return _datasets("mask", path_dir, (train_transform, inference_transform), junior, single_dataset, cv, **kwargs)


def get_cepha_patch_datasets(
    path_dir: Path | str,
    index_landmark: int = 0,
    train_transform: Any = None,
    inference_transform: Any = None,
    store_imgs: bool = True,
    junior: bool = False,
    single_dataset: bool = False,
    cv: bool = False,
    **kwargs: Any,
) -> Any:
    """Patches of the cephalograms as `PatchDataset`; arguments as `get_cepha_landmark_datasets` and of that class."""
    options = {"index_landmark": index_landmark, "store_imgs": store_imgs} | kwargs
    return _datasets("patch", path_dir, (train_transform, inference_transform), junior, single_dataset, cv, **options)


def get_cepha_patch_mask_datasets(
    path_dir: Path | str,
    index_landmark: int = 0,
    train_transform: Any = None,
    inference_transform: Any = None,
    store_imgs: bool = True,
    junior: bool = False,
    single_dataset: bool = False,
    cv: bool = False,
    **kwargs: Any,
) -> Any:
    """Patches with masks as `PatchMaskDataset`; arguments as `get_cepha_landmark_datasets` and of that class."""
    options = {"index_landmark": index_landmark, "store_imgs": store_imgs} | kwargs
    transforms = (train_transform, inference_transform)
    return _datasets("patch_mask", path_dir, transforms, junior, single_dataset, cv, **options)


def _datasets(
    kind: Kind,
    path_dir: Path | str,
    transforms: tuple[Any, Any],
    junior: bool,
    single_dataset: bool,
    cv: bool,
    **options: Any,
) -> Any:
    """The datasets of the paper's functions: one, three, or four with cross-validation."""
    if single_dataset and cv:
        raise GeometryError("single_dataset and cv exclude each other: choose one of them.")
    splits = load_isbi2015(path_dir, "junior" if junior else "mean", "payer" if cv else "official")
    parts = [joined("train", list(splits.values()))] if single_dataset else list(splits.values())
    training = tuple(splits) if cv else ("train",)
    made = torch_datasets(parts, kind, *transforms, training, **options)
    return made[0] if single_dataset else made
