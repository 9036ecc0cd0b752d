"""Mandibular molars in CT (MML): 3D, 14 landmarks on crowns and roots, some of which a patient may not have.

Source: T. He et al., *Anchor Ball Regression Model for Large-Scale 3D Skull Landmark Detection*, Neurocomputing
(2024); https://github.com/ithet1007/mmld_code.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_landmarker.engine.datasets.benchmark import BenchmarkSplit
from napari_landmarker.engine.datasets.fetch import Cancel, Fetch, RemoteFile
from napari_landmarker.engine.datasets.source import Source, fetch_and_unpack, require
from napari_landmarker.engine.errors import AnnotationError, ImageError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.io import read_geometry
from napari_landmarker.engine.io.paths import natural_order
from napari_landmarker.engine.progress import Progress

_ARCHIVE = RemoteFile(
    "https://drive.usercontent.google.com/download?id=1NGsBbqXZLDlkiSJtDQdyMlXzgnkFoVON&export=download&confirm=t",
    "mmld_dataset.zip",
)
_PARTS = ("train", "val", "test")
_COUNT = 14
#: A landmark that is absent has coordinates whose mean is below this.
_ABSENT = -100.0


def load_mml(
    folder: Path | str | None = None,
    progress: Progress | None = None,
    *,
    cancel: Cancel | None = None,
    download: bool = True,
) -> dict[str, BenchmarkSplit]:
    """The mandibular molars; landmarks and spacing are in the frame in which `read_image` turns the volumes.

    Args:
        folder: the folder of the data set, or the one around it, or where to download it; None for this computer's
            cache.
        progress: told bytes done and bytes in all of the download.
        cancel: asked whether to stop it.
        download: whether to download what is not there.

    Returns:
        ``train``, ``val`` and ``test``, with landmarks ``(N, 14, 3)``; NaN for one that is absent.

    Raises:
        AnnotationError: if landmarks or spacings are missing or damaged.
        ImageError: if volumes are missing or damaged.
        ProjectError: if it cannot be downloaded or unpacked.
    """
    root = _SOURCE.find(folder, progress, cancel, download)
    return {name: _load(root, name) for name in _PARTS}


def _build(fetch: Fetch) -> None:
    fetch_and_unpack(fetch, _ARCHIVE, lambda root: _SOURCE.is_in(root))
    for part in _PARTS:
        _volumes(fetch.folder, part)


_SOURCE = Source(
    "mmld_dataset",
    tuple(f"{place}{part}/*_volume.nrrd" for part in _PARTS for place in ("", "mmld_dataset/")),
    _build,
)


def _volumes(root: Path, part: str) -> list[Path]:
    """The volumes of a part, each of which has its landmarks and spacing."""
    inner = root / "mmld_dataset" / part
    folder = inner if inner.is_dir() else root / part
    volumes = sorted(folder.glob("*_volume.nrrd"), key=natural_order)
    if not volumes:
        raise ImageError(f"{folder} holds no *_volume.nrrd files: unpack the data set again.")
    require((_beside(path, what) for path in volumes for what in ("label", "spacing")), AnnotationError, root)
    labels = sorted(folder.glob("*_label.npy"))
    require((path.with_name(path.name.replace("_label.npy", "_volume.nrrd")) for path in labels), ImageError, root)
    return volumes


def _load(root: Path, part: str) -> BenchmarkSplit:
    images = _volumes(root, part)
    cases = [_case(path) for path in images]
    return BenchmarkSplit(
        part,
        tuple(images),
        np.stack([points for points, _ in cases]),
        tuple(f"landmark_{i}" for i in range(1, _COUNT + 1)),
        np.stack([spacing for _, spacing in cases]),
    )


def _case(image: Path) -> tuple[FloatArray, FloatArray]:
    """Landmarks ``(14, 3)`` and spacing ``(3,)`` of a volume, in the frame in which it is read.

    The files count along the file's own axes, fastest first, which is the reverse of array order.
    """
    points = _array(_beside(image, "label"), (_COUNT, 3))[:, ::-1].copy()
    points[~(points.mean(axis=1) >= _ABSENT)] = np.nan
    path = _beside(image, "spacing")
    spacing = _array(path, (3,))[::-1]
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise AnnotationError(f"{path} must be three positive numbers of millimetres: copy it again.")
    geometry = read_geometry(image)
    if geometry.grid.ndim != 3:
        raise ImageError(f"{image} is no volume: copy it again.")
    if np.isinf(points).any():
        raise AnnotationError(f"{_beside(image, 'label')} has infinite coordinates: copy it again.")
    axes = np.abs(geometry.stored.matrix[:-1, :-1])
    return geometry.stored.inverse.apply(points), np.asarray(spacing @ axes)


def _beside(image: Path, what: str) -> Path:
    return image.with_name(image.name.replace("_volume.nrrd", f"_{what}.npy"))


def _array(path: Path, shape: tuple[int, ...]) -> FloatArray:
    """The numbers in a file.

    Raises:
        AnnotationError: if it is damaged or of another shape.
    """
    try:
        values = np.load(path, allow_pickle=False)
        if values.shape != shape and values.size == np.prod(shape) and values.ndim > len(shape):
            values = values.squeeze()
        if values.shape != shape:
            raise ValueError(values.shape)
        return np.asarray(values, dtype=np.float64)
    except (OSError, ValueError, EOFError, AttributeError) as error:
        raise AnnotationError(
            f"{path} must be a NumPy file of numbers of shape {shape}: it seems damaged; copy it again."
        ) from error
