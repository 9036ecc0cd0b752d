"""The table of covariances: how sure a model is of each point, along each axis of the image as stored."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.io.image_names import portable_name
from napari_landmarker.engine.io.table_text import number_text, safe_text
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


def covariance_header(ndim: int) -> tuple[str, ...]:
    """The names of the columns: ``image, landmark, instance, cov_xx, cov_xy`` and so on."""
    return (*_FIRST, *(f"cov_{a}{b}" for a, b in combinations_with_replacement("xyz"[:ndim], 2)))
