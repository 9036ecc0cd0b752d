"""Point error and success detection rate (SDR) of arrays of landmarks, in any number of dimensions.

The measures are those of the cephalometric challenge (Wang et al., *A benchmark for comparison of dental
radiography analysis algorithms*, Medical Image Analysis 31, 2016). A landmark counts as having a point where
all of its coordinates are finite. Three facts are kept apart:

- truth and prediction: the distance between them is an error;
- truth missing: there is nothing to compare with, so the landmark is left out of every number;
- truth without a prediction ("missed"): it has no error, and is a failure at every radius of the SDR.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import FloatArray


class PointCounts(NamedTuple):
    """How many landmarks were compared.

    Attributes:
        n: landmarks with a true point.
        missing: landmarks without a true point; they are left out of every number.
        missed: of the ``n``, those without a predicted point.
    """

    n: int
    missing: int
    missed: int


def point_counts(true_landmarks: npt.ArrayLike, pred_landmarks: npt.ArrayLike) -> PointCounts:
    """Count what there is to compare.

    Args:
        true_landmarks: index coordinates ``(..., L, D)``, NaN where a landmark has no point.
        pred_landmarks: the same shape.

    Raises:
        GeometryError: if the two do not have the same shape.
    """
    truth, predicted = _pair(true_landmarks, pred_landmarks)
    present, found = _has_point(truth), _has_point(predicted)
    n = int(present.sum())
    return PointCounts(n, int(present.size) - n, int((present & ~found).sum()))


@overload
def point_error(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    pixel_spacing: npt.ArrayLike | None = None,
    reduction: Literal["mean"] = "mean",
) -> float: ...


@overload
def point_error(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    pixel_spacing: npt.ArrayLike | None = None,
    *,
    reduction: Literal["none"],
) -> FloatArray: ...


def point_error(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    pixel_spacing: npt.ArrayLike | None = None,
    reduction: Literal["mean", "none"] = "mean",
) -> float | FloatArray:
    """Euclidean distance between true and predicted points.

    Args:
        true_landmarks: index coordinates in array order ``(..., L, D)``, NaN where a landmark has no point.
        pred_landmarks: the same shape. Tensors are accepted for both.
        pixel_spacing: mm per array axis: one number, ``(D,)``, or ``(..., D)`` with a spacing for each
            image. None where it is not known; errors are then in px.
        reduction: ``"none"`` gives ``(..., L)`` errors, NaN where truth or prediction is missing
            (`point_counts` tells them apart); ``"mean"`` gives the mean of all others, NaN if there is none.

    Returns:
        Errors in mm, or in px without spacing.

    Raises:
        GeometryError: if the shapes do not fit, or the spacing is not positive.
    """
    truth, predicted = _pair(true_landmarks, pred_landmarks)
    compared = _has_point(truth) & _has_point(predicted)
    difference = np.where(compared[..., None], truth - predicted, np.nan)
    if pixel_spacing is not None:
        difference = difference * _spacing(pixel_spacing, truth.shape)
    errors = np.asarray(np.linalg.norm(difference, axis=-1), dtype=np.float64)
    if reduction == "none":
        return errors
    measured = errors[np.isfinite(errors)]
    return float(measured.mean()) if measured.size else float("nan")


@overload
def sdr(
    radius: float,
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    pixel_spacing: npt.ArrayLike | None = None,
) -> float: ...


@overload
def sdr(
    radius: Sequence[float],
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    pixel_spacing: npt.ArrayLike | None = None,
) -> dict[float, float]: ...


def sdr(
    radius: float | Sequence[float],
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    pixel_spacing: npt.ArrayLike | None = None,
) -> float | dict[float, float]:
    """Success detection rate: the percentage of true points whose prediction lies within a radius.

    A point at exactly the radius is a success (``error <= radius``, without any tolerance). A landmark
    without truth is left out; one with truth and without prediction is a failure. `point_counts` tells how
    many there are of each.

    Args:
        radius: one radius or several, in mm, or in px without spacing.
        true_landmarks: index coordinates in array order ``(..., L, D)``, NaN where a landmark has no point.
        pred_landmarks: the same shape. Tensors are accepted for both.
        pixel_spacing: as in `point_error`.

    Returns:
        Percent in [0, 100], NaN if there is no true point at all; ``{radius: percent}`` for several radii.

    Raises:
        GeometryError: if the shapes do not fit, or the spacing is not positive.
    """
    errors = point_error(true_landmarks, pred_landmarks, pixel_spacing, reduction="none")
    present = errors[_has_point(_array(true_landmarks))]
    if isinstance(radius, Sequence):
        return {float(r): success_rate(present, float(r)) for r in radius}
    return success_rate(present, float(radius))


def success_rate(errors: FloatArray, radius: float) -> float:
    """Percentage of ``errors`` ``(N,)`` at or below ``radius``; NaN errors fail. NaN if there is none."""
    return float(100 * np.count_nonzero(errors <= radius) / errors.size) if errors.size else float("nan")


def _array(values: Any) -> FloatArray:
    """Values as float64; a tensor is taken off its graph and its device."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    return np.asarray(values, dtype=np.float64)


def _pair(true_landmarks: npt.ArrayLike, pred_landmarks: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    truth, predicted = _array(true_landmarks), _array(pred_landmarks)
    if truth.ndim < 2 or truth.shape != predicted.shape:
        raise GeometryError(
            f"True landmarks of shape {truth.shape} and predicted ones of shape {predicted.shape} cannot be "
            "compared: give both as (..., landmarks, dimensions)."
        )
    return truth, predicted


def _has_point(points: FloatArray) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isfinite(points).all(axis=-1))


def _spacing(pixel_spacing: npt.ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """Spacing that broadcasts against points of ``shape`` ``(..., L, D)``."""
    spacing = _array(pixel_spacing)
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise GeometryError("Pixel spacing must be positive numbers of millimetres.")
    fits = spacing.shape in ((), shape[-1:], (*shape[:-2], shape[-1]))
    if not fits:
        raise GeometryError(f"Pixel spacing of shape {spacing.shape} does not fit landmarks of shape {shape}.")
    return spacing[..., None, :] if spacing.ndim > 1 else spacing
