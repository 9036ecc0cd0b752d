"""How annotation files give the covariance of a predicted point: as rows of numbers, in the order of its position."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.io.fields import as_numbers

#: The key in files whose own program knows no covariances.
COVARIANCE = "covariance"


def as_covariance(value: object, count: int, name: str, source: Path | str) -> FloatArray | None:
    """A covariance ``(count, count)`` as the file gives it; None for None.

    Raises:
        AnnotationError: where it is no symmetric matrix without negative variances.
    """
    if value is None:
        return None
    wrong = AnnotationError(f"{source} gives '{name}' a covariance that cannot be: predict the image again.")
    if not isinstance(value, list) or len(value) != count:
        raise wrong
    try:
        matrix = np.stack([as_numbers(row, count, name, source) for row in value])
    except AnnotationError:
        raise wrong from None
    slack = 1e-9 * np.abs(matrix).max()
    if not np.allclose(matrix, matrix.T, rtol=0, atol=slack) or np.linalg.eigvalsh(matrix).min() < -slack:
        raise wrong
    return matrix


def covariance_rows(covariance: FloatArray) -> list[list[float]]:
    """A covariance as files hold it."""
    rows: list[list[float]] = covariance.tolist()
    return rows
