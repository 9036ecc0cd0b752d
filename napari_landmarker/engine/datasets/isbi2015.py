"""Lateral cephalograms of the ISBI 2014 and 2015 challenges: 400 images, 19 landmarks, two annotators.

Source: C.-W. Wang et al., *A benchmark for comparison of dental radiography analysis algorithms*, Medical Image
Analysis 31 (2016), 63-76. The four folds are those of C. Payer et al., *Uncertainty Estimation in Landmark
Localization Based on Gaussian Heatmaps*, UNSURE 2020.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from napari_landmarker.engine.datasets.archives import unpack
from napari_landmarker.engine.datasets.benchmark import BenchmarkSplit
from napari_landmarker.engine.datasets.fetch import Cancel, Fetch, RemoteFile
from napari_landmarker.engine.datasets.source import Source, find_folder, require
from napari_landmarker.engine.errors import AnnotationError, GeometryError, ImageError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.io import read_geometry
from napari_landmarker.engine.io.fields import read_text
from napari_landmarker.engine.io.isbi import ISBI_NAMES, read_isbi
from napari_landmarker.engine.progress import Progress

Annotator = Literal["mean", "senior", "junior"]

_ARCHIVE = RemoteFile(
    "https://figshare.com/ndownloader/articles/3471833?private_link=37ec464af8e81ae6ebbf", "3471833.zip"
)
_FOLDS = tuple(
    RemoteFile(
        "https://raw.githubusercontent.com/christianpayer/MedicalDataAugmentationTool-HeatmapUncertainty/main/"
        f"setup_ann/all_landmarks/cv/{number}.txt",
        f"cv_payer/{number}.txt",
    )
    for number in range(1, 5)
)
#: Parts of the challenge: their folder of images, and the numbers of their images.
_PARTS = {"train": ("TrainingData", 1, 150), "test1": ("Test1Data", 151, 300), "test2": ("Test2Data", 301, 400)}
#: The archives inside the archive, and the folders in them.
_INNER = {
    "AnnotationsByMD.rar": ("400_senior", "400_junior"),
    "RawImage.rar": tuple(folder for folder, _, _ in _PARTS.values()),
}
_RATERS = ("senior", "junior")

#: The table of the second layout.
_TABLE = "landmarks.csv"
_COLUMNS = ("image", "split", "landmark", "senior_x", "senior_y", "junior_x", "junior_y")

#: Height and width of the challenge's images, and the size of their pixels.
_SHAPE, _PIXEL_MM = (2400, 1935), 0.1


@dataclass(frozen=True, eq=False)
class _Case:
    """One cephalogram; ``points`` are ``(19, 2)``, by annotator."""

    image: Path
    part: str
    points: dict[str, FloatArray]


def load_isbi2015(
    folder: Path | str | None = None,
    annotator: Annotator = "mean",
    split: Literal["official", "payer"] = "official",
    progress: Progress | None = None,
    *,
    cancel: Cancel | None = None,
    download: bool = True,
) -> dict[str, BenchmarkSplit]:
    """The cephalograms of the ISBI 2015 challenge.

    The folder holds the files of the challenge, or a table ``landmarks.csv`` beside a folder ``images``. Spacing is
    0.1 mm for images of 1935 x 2400 pixels, in proportion for exact scaled copies of that size, else unknown.

    Args:
        folder: the folder, or the one around it, or where to download it; None for this computer's cache.
        annotator: whose points; the challenge's truth is the mean of both.
        split: ``"official"`` for train, test1 and test2, ``"payer"`` for the four folds of Payer et al.
        progress: told bytes done and bytes in all of the file that is being downloaded.
        cancel: asked whether to stop the download.
        download: whether to download what is not there.

    Returns:
        By name, the parts: ``train``, ``test1``, ``test2`` (those that are there), or ``fold1`` to ``fold4``.

    Raises:
        AnnotationError: if annotations or lists are missing or damaged.
        GeometryError: for an annotator or split that there is not.
        ImageError: if images are missing.
        ProjectError: if it cannot be downloaded or unpacked.
    """
    if annotator not in ("mean", *_RATERS):
        raise GeometryError(f"annotator must be mean, senior or junior, not '{annotator}'.")
    if split not in ("official", "payer"):
        raise GeometryError(f"split must be official or payer, not '{split}'.")
    root = _SOURCE.find(folder, progress, cancel, download)
    raters = _RATERS if annotator == "mean" else (annotator,)
    cases = _of_table(root) if (root / _TABLE).is_file() else _of_challenge(root, raters)
    if split == "official":
        names = [name for name in _PARTS if any(case.part == name for case in cases.values())]
        parts = {name: [case for case in cases.values() if case.part == name] for name in names}
    else:
        parts = {f"fold{n}": [cases[i] for i in numbers] for n, numbers in enumerate(_folds(root, cases), start=1)}
    return {
        name: BenchmarkSplit(
            name,
            tuple(case.image for case in members),
            np.stack([np.mean([case.points[rater] for rater in raters], axis=0) for case in members]),
            ISBI_NAMES,
            _spacing([case.image for case in members]),
        )
        for name, members in parts.items()
    }


def _build(fetch: Fetch) -> None:
    folder = fetch.folder
    for inner, names in _INNER.items():
        if all(find_folder(folder, name).is_dir() for name in names):
            continue
        if not (folder / inner).is_file():
            unpack(fetch(_ARCHIVE), folder)
        require([folder / inner], AnnotationError, folder)
        unpack(folder / inner, folder)
    for file in _FOLDS:
        fetch(file)
    _folds(folder, _of_challenge(folder, _RATERS))


_SOURCE = Source("ISBI2015", ("400_senior", "400_junior", "AnnotationsByMD", "RawImage", _TABLE), _build)


def _of_challenge(root: Path, raters: Sequence[str]) -> dict[int, _Case]:
    """The cases by number, from the challenge's own files."""
    images = {
        number: (part, find_folder(root, folder) / f"{number:03d}.bmp")
        for part, (folder, first, last) in _PARTS.items()
        for number in range(first, last + 1)
    }
    require((path for _, path in images.values()), ImageError, root)
    folders = {rater: find_folder(root, f"400_{rater}") for rater in raters}
    texts = {number: {rater: folders[rater] / f"{number:03d}.txt" for rater in raters} for number in images}
    require((path for of_case in texts.values() for path in of_case.values()), AnnotationError, root)
    return {
        number: _Case(image, part, {rater: _points(path) for rater, path in texts[number].items()})
        for number, (part, image) in images.items()
    }


def _points(path: Path) -> FloatArray:
    """The landmarks ``(19, 2)`` of a text file of the challenge."""
    (content,) = read_isbi(path, lambda image: None, None)
    return np.array([content.entries[name][0].point for name in ISBI_NAMES], dtype=np.float64)


def _of_table(root: Path) -> dict[int, _Case]:
    """The cases by number, from the table of both annotators and the folder of images beside it."""
    path = root / _TABLE
    rows = csv.DictReader(io.StringIO(read_text(path, "the table of landmarks"), newline=""))
    if rows.fieldnames is None or set(rows.fieldnames) != set(_COLUMNS):
        raise AnnotationError(f"{path} must have the columns {', '.join(_COLUMNS)}: correct its first line.")
    images = {image.stem: image for image in sorted((root / "images").glob("*.*"))}
    cases: dict[int, _Case] = {}
    for line, row in enumerate(rows, start=2):
        number, part, name = row["image"] or "", row["split"], row["landmark"]
        if not number.isdecimal() or part not in _PARTS or name not in ISBI_NAMES:
            raise AnnotationError(f"{path}, line {line}, has no known image, split or landmark: correct it.")
        if number not in images:
            raise ImageError(f"{root / 'images' / number}.* is missing: put the image there, or take out its lines.")
        empty = {rater: np.full((len(ISBI_NAMES), 2), np.nan) for rater in _RATERS}
        case = cases.setdefault(int(number), _Case(images[number], part, empty))
        for rater in _RATERS:
            own = case.points[rater][ISBI_NAMES.index(name)]
            if case.part != part or not np.isnan(own).all():
                raise AnnotationError(
                    f"{path}, line {line}, gives an image another split, or a landmark twice: correct it."
                )
            own[:] = [_number(row[f"{rater}_{axis}"], path, line) for axis in "yx"]
    for number, case in cases.items():
        missing = np.isnan(case.points["senior"]).any(axis=1).sum()
        if missing:
            raise AnnotationError(f"{path} lacks {missing} of the landmarks of image {number:03d}: complete it.")
    if not cases:
        raise AnnotationError(f"{path} has no landmarks: copy it again.")
    return dict(sorted(cases.items()))


def _number(text: str | None, path: Path, line: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise AnnotationError(f"{path}, line {line}, has '{text}' where a number of pixels must be: correct it.")
    return value


def _folds(root: Path, cases: dict[int, _Case]) -> list[list[int]]:
    """The numbers of the images of each fold."""
    folds: list[list[int]] = []
    for file in _FOLDS:
        path = root / file.name
        if not path.is_file():
            raise AnnotationError(f"{path} is missing: download it by hand from {file.url}.")
        fold = []
        for line, text in enumerate(read_text(path, "a list of image numbers").split(), start=1):
            number = int(text) if text.isdecimal() else 0
            if not 1 <= number <= _PARTS["test2"][2]:
                raise AnnotationError(
                    f"{path}, line {line}, has '{text}' where the number of an image must be: correct it."
                )
            if number in fold or any(number in other for other in folds):
                raise AnnotationError(f"{path}, line {line}, lists image {text} again: each image is in one fold.")
            if number not in cases:
                raise ImageError(f"{path} lists image {text}, which is not in {root}: the folds need all 400 images.")
            fold.append(number)
        if not fold:
            raise AnnotationError(f"{path} is empty: download it again from {file.url}.")
        folds.append(fold)
    return folds


def _spacing(images: Sequence[Path]) -> FloatArray | None:
    """Millimetres per pixel ``(N, 2)``, or None if any image is no exact scaled copy of the challenge's size."""
    shapes = np.array([read_geometry(path).grid.shape for path in images])
    if (shapes[:, 0] * _SHAPE[1] != shapes[:, 1] * _SHAPE[0]).any():
        return None
    return np.asarray(_PIXEL_MM * np.array(_SHAPE) / shapes)
