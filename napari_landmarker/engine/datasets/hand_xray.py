"""X-rays of the left hand: 895 images of the Digital Hand Atlas with the 37 landmarks of Payer et al.

Source: C. Payer et al., *Integrating Spatial Configuration into Heatmap Regression Based CNNs for Landmark
Localization*, Medical Image Analysis 54 (2019), 207-219. The images are given out by https://www.ipilab.org/BAAweb
to people who register, so they cannot be downloaded here; landmarks and lists can.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np

from napari_landmarker.engine.datasets.benchmark import BenchmarkSplit
from napari_landmarker.engine.datasets.fetch import Cancel, Fetch, RemoteFile
from napari_landmarker.engine.datasets.source import cache_folder
from napari_landmarker.engine.errors import AnnotationError, GeometryError, ImageError, ProjectError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.io import find_images, image_stem
from napari_landmarker.engine.io.fields import read_text
from napari_landmarker.engine.io.paths import whole_path
from napari_landmarker.engine.progress import Progress

_NAME = "hand_xray"
_COUNT = 37
#: Rows of the landmarks on both sides of the wrist.
_WRIST = (0, 4)
_FOLDS = (1, 2, 3)
_SETUP_URL = (
    "https://raw.githubusercontent.com/christianpayer/MedicalDataAugmentationTool-HeatmapRegression/master/"
    "hand_xray/hand_xray_dataset/setup"
)
_LANDMARKS = RemoteFile(f"{_SETUP_URL}/all.csv", "setup/all.csv")


def load_hand_xray(
    folder: Path | str | None = None,
    fold: int = 1,
    wrist_mm: float | None = None,
    progress: Progress | None = None,
    *,
    cancel: Cancel | None = None,
    download: bool = True,
) -> dict[str, BenchmarkSplit]:
    """The hand X-rays, in one of the three folds of Payer et al.

    The images, named by their numbers (such as ``3143.jpg``), lie in a folder ``images`` or ``jpg``; landmarks and
    lists, in a folder ``setup``, are downloaded where they are not there.

    The images do not state how large their pixels are. Published results in mm take the wrist, from landmark 1 to 5,
    to be 50 mm wide in every image: give ``wrist_mm=50`` for numbers to compare with them.

    Args:
        folder: the folder of the data set, or the one around it; None for this computer's cache.
        fold: 1, 2 or 3.
        wrist_mm: the width of every wrist; None leaves the size of pixels to what the files state.
        progress: told bytes done and bytes in all of a download.
        cancel: asked whether to stop it.
        download: whether to download landmarks and lists that are not there.

    Returns:
        ``train`` and ``test``.

    Raises:
        AnnotationError: if landmarks or lists are missing or damaged.
        GeometryError: for a fold or width that cannot be.
        ImageError: if images are missing.
        ProjectError: if landmarks or lists cannot be downloaded.
    """
    if fold not in _FOLDS:
        raise GeometryError(f"fold must be 1, 2 or 3, not {fold}.")
    if wrist_mm is not None and not (math.isfinite(wrist_mm) and wrist_mm > 0):
        raise GeometryError(f"wrist_mm must be a positive number of millimetres, not {wrist_mm}.")
    root = _find(folder)
    images = _images(root)
    fetch = Fetch(root, root / "setup" / "checksums.json", progress, cancel)
    points = _points(_file(fetch, _LANDMARKS, download))
    lists: dict[str, list[str]] = {}
    for part in ("train", "test"):
        name = f"cv/set{fold}/{part}.txt"
        path = _file(fetch, RemoteFile(f"{_SETUP_URL}/{name}", f"setup/{name}"), download)
        lists[part] = _list(path, points, {number for other in lists.values() for number in other})
        absent = [number for number in lists[part] if number not in images]
        if absent:
            raise ImageError(
                f"{root / 'images' / absent[0]}.jpg is missing, and so are {len(absent) - 1} more images of {path}: "
                "put the images of the Digital Hand Atlas there."
            )
    return {
        part: _split(part, tuple(images[n] for n in numbers), np.stack([points[n] for n in numbers]), wrist_mm)
        for part, numbers in lists.items()
    }


def _find(folder: Path | str | None) -> Path:
    around = cache_folder() if folder is None else whole_path(folder)
    places = (around, around / _NAME)
    root = next((place for place in places if any((place / name).is_dir() for name in ("images", "jpg"))), None)
    if root is None:
        where = places[1] if folder is None else around
        raise ProjectError(
            f"{where / 'images'} does not hold the hand X-rays, which are not free to download: register at "
            "https://www.ipilab.org/BAAweb and put the images there, named by their numbers (3143.jpg)."
        )
    return root


def _images(root: Path) -> dict[str, Path]:
    """The images by their numbers."""
    folder = next(place for place in (root / "images", root / "jpg") if place.is_dir())
    images: dict[str, Path] = {}
    for path in find_images(folder):
        if images.setdefault(image_stem(path), path) != path:
            raise ImageError(f"{path} has the same number as {images[image_stem(path)]}: keep one of them.")
    return images


def _file(fetch: Fetch, file: RemoteFile, download: bool) -> Path:
    path = fetch.folder / file.name
    if path.is_file():
        return path
    if not download:
        raise AnnotationError(f"{path} is missing: download it from {file.url}.")
    return fetch(file)


def _points(path: Path) -> dict[str, FloatArray]:
    """The landmarks ``(37, 2)`` by the images' numbers."""
    points: dict[str, FloatArray] = {}
    for line, row in enumerate(csv.reader(io.StringIO(read_text(path, "the landmarks"), newline="")), start=1):
        if not any(cell.strip() for cell in row):
            continue
        try:
            values = np.array([float(cell) for cell in row[1:]])
        except ValueError:
            values = np.array([np.nan])
        if values.shape != (2 * _COUNT,) or not np.isfinite(values).all():
            raise AnnotationError(
                f"{path}, line {line}, must be the number of an image and x,y of its {_COUNT} landmarks: correct it."
            )
        number = row[0].strip()
        if number in points:
            raise AnnotationError(f"{path}, line {line}, has image {number} again: remove one of its lines.")
        points[number] = values.reshape(_COUNT, 2)[:, ::-1]
    return points


def _list(path: Path, points: dict[str, FloatArray], taken: set[str]) -> list[str]:
    """The numbers of the images of one part."""
    numbers: list[str] = []
    for number in read_text(path, "a list of image numbers").split():
        if number not in points:
            raise AnnotationError(f"{path} lists image {number}, which has no landmarks: correct it.")
        if number in taken or number in numbers:
            raise AnnotationError(f"{path} lists image {number}, which is listed already: each image is in one part.")
        numbers.append(number)
    if not numbers:
        raise AnnotationError(f"{path} is empty: download it again from {_SETUP_URL}.")
    return numbers


def _split(part: str, images: tuple[Path, ...], points: FloatArray, wrist_mm: float | None) -> BenchmarkSplit:
    spacing = None
    if wrist_mm is not None:
        width_px = np.linalg.norm(points[:, _WRIST[0]] - points[:, _WRIST[1]], axis=-1)
        if not (width_px > 0).all():
            image = images[int(np.argmin(width_px))]
            raise AnnotationError(f"{image} has both landmarks of the wrist in one place, so it has no width in mm.")
        spacing = np.repeat((wrist_mm / width_px)[:, None], 2, axis=1)
    return BenchmarkSplit(part, images, points, tuple(f"landmark_{i}" for i in range(1, _COUNT + 1)), spacing)
