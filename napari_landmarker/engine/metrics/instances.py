"""Errors where a landmark has several points in an image: which prediction belongs to which true point.

Predictions and true points of a class and image are matched one to one, optimally: as many pairs as there can be within
the threshold, and of all such matchings the one with the smallest total distance (Kuhn, *The Hungarian method for the
assignment problem*, 1955). So the result does not depend on the order of the points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError, LandmarkerError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.metrics.frames import as_array, has_point, spacing_of, to_image

Counts = npt.NDArray[np.int64]


class InstanceErrors(NamedTuple):
    """How well several points of a class were found.

    Attributes:
        error: mean distance of the matched pairs in mm, or in px without spacing; the mean over images and classes
            that have a pair, or ``(B, L)``. NaN where there is no pair.
        true_positives: pairs; the sum, or ``(B, L)``.
        false_positives: predictions that belong to no true point.
        false_negatives: true points that no prediction belongs to.
        matched: ``(B, L, M, D)``: the prediction of each true point, in the frame they were given in; NaN where none.
    """

    error: float | FloatArray
    true_positives: int | Counts
    false_positives: int | Counts
    false_negatives: int | Counts
    matched: FloatArray

    @property
    def precision(self) -> float | FloatArray:
        """Share of the predictions that belong to a true point, in [0, 1]; NaN where nothing was predicted."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float | FloatArray:
        """Share of the true points that were found, in [0, 1]; NaN where there is no true point."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float | FloatArray:
        """Harmonic mean of precision and recall, in [0, 1]; NaN where there is neither truth nor prediction."""
        found = 2 * self.true_positives
        return _share(found, found + self.false_positives + self.false_negatives)


class Matches(NamedTuple):
    """Pairs of true and predicted points.

    Attributes:
        true: rows of the true points, ascending, ``(K,)``.
        predicted: rows of the predictions that belong to them, ``(K,)``.
        distance: their distances, ``(K,)``.
    """

    true: npt.NDArray[np.intp]
    predicted: npt.NDArray[np.intp]
    distance: FloatArray


def match_points(true: npt.ArrayLike, predicted: npt.ArrayLike, threshold: float | None = None) -> Matches:
    """Match points one to one: as many pairs as possible, then the smallest total distance.

    Args:
        true: ``(T, D)``; a row with NaN is no point and is never matched.
        predicted: ``(P, D)``, any number of them, in any order.
        threshold: largest distance of a pair, itself included; None for any.

    Raises:
        LandmarkerError: if the threshold is not positive.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    if threshold is not None and not threshold > 0:
        raise LandmarkerError("The threshold of a match is a positive distance, or None for any distance.")
    truth, found = as_array(true), as_array(predicted)
    rows, columns = np.flatnonzero(has_point(truth)), np.flatnonzero(has_point(found))
    if not rows.size or not columns.size:
        return Matches(rows[:0], columns[:0], np.empty(0))
    distance = cdist(truth[rows], found[columns])
    near = distance <= (np.inf if threshold is None else threshold)
    # A pair that is too far costs more than all other pairs together, so it is taken only where nothing else is left.
    most = float(distance[near].max()) if near.any() else 0.0
    cost = np.where(near, distance, (min(distance.shape) + 1) * most + 1)
    a, b = linear_sum_assignment(cost)
    a, b = a[near[a, b]], b[near[a, b]]
    return Matches(rows[a], columns[b], distance[a, b])


def multi_instance_point_error(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike | Sequence[Any],
    dim: npt.ArrayLike | None = None,
    dim_orig: npt.ArrayLike | None = None,
    pixel_spacing: npt.ArrayLike | None = None,
    padding: npt.ArrayLike | None = None,
    reduction: Literal["mean", "nanmean", "none"] = "mean",
    threshold: float | None = None,
) -> InstanceErrors:
    """Match predictions to true points of each class and image, and measure the pairs.

    Args:
        true_landmarks: index coordinates ``(B, L, M, D)``, or ``(L, M, D)`` of one image; rows with NaN fill up and
            never count.
        pred_landmarks: an array ``(B, L, P, D)`` with NaN where there is none, or lists of lists: for each image, for
            each class, its points, any number of them. The list of one image, or of its one class, is accepted too.
        dim: shape of the network's frame, as in `point_error`, and so are the following.
        dim_orig: shape of each image on disk.
        pixel_spacing: mm per pixel of the image on disk.
        padding: pixels of the network's frame before the image.
        reduction: ``"mean"`` for numbers over all images and classes, ``"none"`` for ``(B, L)``.
        threshold: a pair farther apart (mm, or px without spacing) is no match: a false positive and a false negative.

    Returns:
        The five results, with precision, recall and F1.

    Raises:
        GeometryError: if the shapes do not fit, or the spacing is not positive.
        LandmarkerError: if the threshold is not positive or the reduction not known.
    """
    if reduction not in ("mean", "nanmean", "none"):
        raise LandmarkerError(f"The reduction '{reduction}' is not known: choose 'mean' or 'none'.")
    truth = as_array(true_landmarks)
    truth = truth[None] if truth.ndim == 3 else truth
    if truth.ndim != 4:
        raise GeometryError(
            f"True landmarks of shape {truth.shape} do not have several points each: give (B, L, M, D)."
        )
    found = _filled(pred_landmarks, truth.shape)
    spacing = spacing_of(pixel_spacing, truth.shape)
    scale = np.float64(1) if spacing is None else spacing
    true_mm, found_mm = (to_image(points, dim, dim_orig, padding) * scale for points in (truth, found))
    shape = truth.shape[:2]
    error, pairs = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    matched = np.full(truth.shape, np.nan)
    for at in np.ndindex(shape):
        match = match_points(true_mm[at], found_mm[at], threshold)
        pairs[at] = match.true.size
        if match.true.size:
            error[at] = match.distance.mean()
            matched[at][match.true] = found[at][match.predicted]
    n_true, n_found = (has_point(points).sum(axis=-1, dtype=np.int64) for points in (truth, found))
    if reduction == "none":
        return InstanceErrors(error, pairs, n_found - pairs, n_true - pairs, matched)
    mean = float(np.nanmean(error)) if pairs.any() else float("nan")
    tp, fp, fn = (int(counts.sum()) for counts in (pairs, n_found - pairs, n_true - pairs))
    return InstanceErrors(mean, tp, fp, fn, matched)


def transform_multi_instance_tensor(landmarks: Any) -> list[Any]:
    """The points of an array as lists, without the rows of NaN that fill it up.

    Args:
        landmarks: ``(P, D)``, ``(L, P, D)`` or ``(B, L, P, D)``, an array or a tensor.

    Returns:
        A list of points ``(D,)``, nested as the array is: ``[image][class][point]``. Points of a tensor are tensors.

    Raises:
        GeometryError: if it has fewer than two or more than four axes.
    """
    if not 2 <= landmarks.ndim <= 4:
        raise GeometryError(f"Landmarks of shape {tuple(landmarks.shape)} are none: give two to four axes.")
    if landmarks.ndim > 2:
        return [transform_multi_instance_tensor(part) for part in landmarks]
    return [point for point, there in zip(landmarks, has_point(as_array(landmarks)), strict=True) if there]


def _filled(predicted: Any, shape: tuple[int, ...]) -> FloatArray:
    """Predictions as ``(B, L, P, D)``, NaN where a class has fewer than ``P`` points."""
    count, n_classes, _, ndim = shape
    if count == len(predicted) == 0:
        return np.empty((0, n_classes, 0, ndim))
    for _ in range(4 - _depth(predicted)):
        predicted = [predicted]
    fits = len(predicted) == count and all(len(of_image) == n_classes for of_image in predicted)
    if not fits:
        raise GeometryError(
            f"Predictions do not fit {count} images with {n_classes} classes: give a list of points for each class of "
            "each image, empty where nothing was found."
        )
    classes = [as_array(points) for of_image in predicted for points in of_image]
    classes = [points.reshape(-1, ndim) if points.size == 0 else points for points in classes]
    if any(points.ndim != 2 or points.shape[1] != ndim for points in classes):
        raise GeometryError(f"Predicted points do not fit true points of {ndim} dimensions.")
    out = np.full((len(classes), max(len(points) for points in classes), ndim), np.nan)
    for row, points in zip(out, classes, strict=True):
        row[: len(points)] = points
    return out.reshape(count, n_classes, -1, ndim)


def _depth(nested: Any) -> int:
    """How many axes nested lists of points have; an empty list is one of points."""
    if isinstance(nested, list | tuple):
        return 1 + max(_depth(part) for part in nested) if nested else 2
    shape = tuple(getattr(nested, "shape", ()))
    return max(2, len(shape)) if 0 in shape else len(shape)


def _share(part: int | Counts, whole: int | Counts) -> float | FloatArray:
    a, b = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    share = np.divide(a, b, out=np.full(b.shape, np.nan), where=b > 0)
    return share if share.ndim else float(share)
