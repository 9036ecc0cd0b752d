"""The table of covariances: how sure a model is of each point, along each axis of the image as stored."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np

from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.io.image_names import portable_name
from napari_landmarker.engine.io.table_text import number_text, plain_text, safe_text, write_sheet
from napari_landmarker.engine.landmarks import LandmarkSet

_FIRST = ("image", "landmark", "instance")


def covariance_rows(image: str, landmarks: LandmarkSet, geometry: ImageGeometry) -> list[list[str]]:
    """The rows of one image: ``image, landmark, instance``, and the covariance in square pixels as stored.

    Its entries are those of pairs of axes, ``xx, xy, [xz,] yy[, yz, zz]``; points without a covariance are left out.
    """
    if landmarks.covariance is None:
        return []
    several = landmarks.points.ndim == 3
    covariance = landmarks.covariance if several else landmarks.covariance[:, None]
    turn = geometry.stored.matrix[:-1, :-1]
    stored = (turn @ covariance @ turn.T)[..., ::-1, ::-1]
    pairs = list(combinations_with_replacement(range(landmarks.grid.ndim), 2))
    return [
        [
            safe_text(portable_name(image)),
            safe_text(name),
            str(instance + 1),
            *(number_text(float(own[instance][pair])) for pair in pairs),
        ]
        for name, own in zip(landmarks.names, stored, strict=True)
        for instance in range(len(own))
        if np.isfinite(own[instance]).all()
    ]


def write_covariances(path: Path, rows: Sequence[Sequence[str]], kept: Collection[str]) -> None:
    """Write the table; of one that is there, the rows of some images stay.

    Args:
        path: the file.
        rows: see `covariance_rows`.
        kept: the images of which the rows that are there stay.

    Raises:
        ProjectError: if the file cannot be written.
    """
    all_rows = [*_rows_of(path, kept), *rows]
    if not all_rows:
        path.unlink(missing_ok=True)
        return
    width = max(len(row) for row in all_rows) - len(_FIRST)
    axes = "xyz" if width == 6 else "xy"
    header = [*_FIRST, *(f"cov_{a}{b}" for a, b in combinations_with_replacement(axes, 2))]
    write_sheet(path, header, all_rows)


def _rows_of(path: Path, images: Collection[str]) -> list[list[str]]:
    """The rows of some images in a table that is there; none of one that is damaged, as it is only a by-product."""
    if not images or not path.exists():
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = list(csv.reader(file))[1:]
    return [row for row in rows if row and plain_text(row[0]) in images]
