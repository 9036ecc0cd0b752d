"""Point error and success detection rate (SDR) of arrays of landmarks, in any number of dimensions.

The measures are those of the cephalometric challenge (Wang et al., *A benchmark for comparison of dental
radiography analysis algorithms*, Medical Image Analysis 31, 2016). Names and order of the arguments are those of the
toolkit's paper (Jonkers et al., SoftwareX 30, 2025). A landmark counts as having a point where all of its coordinates
are finite. Three facts are kept apart:

- truth and prediction: the distance between them is an error;
- truth missing: there is nothing to compare with, so the landmark is left out of every number;
- truth without a prediction ("missed"): it has no error, and is a failure at every radius of the SDR.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError, LandmarkerError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.metrics.frames import as_array, has_point, spacing_of, to_image

Reduction = Literal["mean", "nanmean", "none"]


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


class CumulativeError(NamedTuple):
    """Which share of the true points is found within each distance.

    Attributes:
        distance: errors that occur, ascending, ``(K,)``.
        percent: percentage of the true points whose error is at most ``distance``, ``(K,)``; the last is below 100
            where points were missed.
    """

    distance: FloatArray
    percent: FloatArray


def point_counts(true_landmarks: npt.ArrayLike, pred_landmarks: npt.ArrayLike) -> PointCounts:
    """Count what there is to compare.

    Args:
        true_landmarks: index coordinates ``(..., L, D)``, NaN where a landmark has no point.
        pred_landmarks: the same shape.

    Raises:
        GeometryError: if the two do not have the same shape.
    """
    truth, predicted = _pair(true_landmarks, pred_landmarks)
    present, found = has_point(truth), has_point(predicted)
    n = int(present.sum())
    return PointCounts(n, int(present.size) - n, int((present & ~found).sum()))


@overload
def point_error(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    dim: npt.ArrayLike | None = None,
    dim_orig: npt.ArrayLike | None = None,
    pixel_spacing: npt.ArrayLike | None = None,
    padding: npt.ArrayLike | None = None,
    reduction: Literal["mean", "nanmean"] = "mean",
) -> float: ...


@overload
def point_error(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    dim: npt.ArrayLike | None = None,
    dim_orig: npt.ArrayLike | None = None,
    pixel_spacing: npt.ArrayLike | None = None,
    padding: npt.ArrayLike | None = None,
    *,
    reduction: Literal["none"],
) -> FloatArray: ...


def point_error(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    dim: npt.ArrayLike | None = None,
    dim_orig: npt.ArrayLike | None = None,
    pixel_spacing: npt.ArrayLike | None = None,
    padding: npt.ArrayLike | None = None,
    reduction: Reduction = "mean",
) -> float | FloatArray:
    """Euclidean distance between true and predicted points.

    With ``dim`` and ``dim_orig`` the points are those of the network's frame, and are taken to the image on disk
    before they are compared; without, they lie in the image already. Arrays, lists and tensors are accepted.

    Args:
        true_landmarks: index coordinates in array order ``(B, L, D)``, ``(B, L, M, D)``, or ``(L, D)`` of one image;
            NaN where a landmark has no point.
        pred_landmarks: the same shape.
        dim: shape of the network's frame, ``(D,)`` or ``(B, D)``.
        dim_orig: shape of each image on disk, ``(D,)`` or ``(B, D)``.
        pixel_spacing: mm per pixel of the image on disk along each array axis: one number, ``(D,)`` or ``(B, D)``. None
            (or NaN throughout) where it is not known; errors are then in px.
        padding: pixels of the network's frame before the image, and as many behind it, ``(D,)`` or ``(B, D)``.
        reduction: ``"none"`` gives an error for each landmark, NaN where truth or prediction is missing
            (`point_counts` tells them apart); ``"mean"`` gives the mean of all others, NaN if there is none.
            ``"nanmean"`` is another name for ``"mean"``.

    Returns:
        Errors in mm, or in px of the image without spacing.

    Raises:
        GeometryError: if the shapes do not fit, or the spacing is not positive.
        LandmarkerError: if the reduction is none of those.
    """
    if reduction not in ("mean", "nanmean", "none"):
        raise LandmarkerError(f"The reduction '{reduction}' is not known: choose 'mean' or 'none'.")
    truth, predicted = _pair(true_landmarks, pred_landmarks)
    spacing = spacing_of(pixel_spacing, truth.shape)
    difference = to_image(truth, dim, dim_orig, padding) - to_image(predicted, dim, dim_orig, padding)
    difference = np.where((has_point(truth) & has_point(predicted))[..., None], difference, np.nan)
    if spacing is not None:
        difference = difference * spacing
    errors = np.asarray(np.linalg.norm(difference, axis=-1), dtype=np.float64)
    if reduction == "none":
        return errors
    measured = errors[np.isfinite(errors)]
    return np.float64(measured.mean() if measured.size else np.nan)


@overload
def sdr(
    radius: float,
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    dim: npt.ArrayLike | None = None,
    dim_orig: npt.ArrayLike | None = None,
    pixel_spacing: npt.ArrayLike | None = None,
    padding: npt.ArrayLike | None = None,
    nanmean: bool = False,
) -> float: ...


@overload
def sdr(
    radius: Iterable[float],
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    dim: npt.ArrayLike | None = None,
    dim_orig: npt.ArrayLike | None = None,
    pixel_spacing: npt.ArrayLike | None = None,
    padding: npt.ArrayLike | None = None,
    nanmean: bool = False,
) -> dict[float, float]: ...


def sdr(
    radius: float | Iterable[float],
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    dim: npt.ArrayLike | None = None,
    dim_orig: npt.ArrayLike | None = None,
    pixel_spacing: npt.ArrayLike | None = None,
    padding: npt.ArrayLike | None = None,
    nanmean: bool = False,
) -> float | dict[float, float]:
    """Success detection rate: the percentage of true points whose prediction lies within a radius.

    A point at exactly the radius is a success (``error <= radius``, without any tolerance). A landmark
    without truth is left out; one with truth and without prediction is a failure. `point_counts` tells how
    many there are of each.

    Args:
        radius: one radius or several, in mm, or in px without spacing.
        true_landmarks: as in `point_error`, and so are the following.
        pred_landmarks: the same shape.
        dim: shape of the network's frame.
        dim_orig: shape of each image on disk.
        pixel_spacing: mm per pixel of the image on disk.
        padding: pixels of the network's frame before the image.
        nanmean: accepted for the paper's listings and without effect, as missing truth is always left out.

    Returns:
        Percent in [0, 100], NaN if there is no true point at all; ``{radius: percent}`` for several radii.

    Raises:
        GeometryError: if the shapes do not fit, or the spacing is not positive.
    """
    errors = point_error(true_landmarks, pred_landmarks, dim, dim_orig, pixel_spacing, padding, reduction="none")
    present = errors[has_point(as_array(true_landmarks))]
    radii = as_radii(radius)
    if radii.ndim == 0:
        return success_rate(present, float(radii))
    return {float(r): success_rate(present, float(r)) for r in radii}


def as_radii(radius: float | Iterable[float]) -> FloatArray:
    """A radius ``()`` or several ``(R,)`` as an array; numbers, arrays, tensors and whatever can be listed."""
    return as_array(list(radius) if isinstance(radius, Iterable) and not hasattr(radius, "shape") else radius)


def success_rate(errors: FloatArray, radius: float) -> float:
    """Percentage of ``errors`` ``(N,)`` at or below ``radius``; NaN errors fail. NaN if there is none."""
    return float(100 * np.count_nonzero(errors <= radius) / errors.size) if errors.size else float("nan")


def cumulative_error(errors: npt.ArrayLike) -> CumulativeError:
    """The cumulative curve of the errors of true points ``(N,)``, NaN where the model gave no point.

    Equal errors are one step, so the curve at a distance is the SDR at that radius.
    """
    values = as_array(errors).reshape(-1)
    distance, count = np.unique(values[np.isfinite(values)], return_counts=True)
    return CumulativeError(distance, 100 * np.cumsum(count) / max(values.size, 1))


def _pair(true_landmarks: npt.ArrayLike, pred_landmarks: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    truth, predicted = as_array(true_landmarks), as_array(pred_landmarks)
    if truth.ndim < 2 or truth.shape != predicted.shape:
        raise GeometryError(
            f"True landmarks of shape {truth.shape} and predicted ones of shape {predicted.shape} cannot be "
            "compared: give both as (..., landmarks, dimensions)."
        )
    return truth, predicted
