"""Distances, angles and ratios between landmarks, in any number of dimensions, and how well predictions give them.

All take index coordinates in array order, ``(..., D)``, and the spacing of the image. Without a spacing distances are
in px, and all are those of the pixels: they are right only if pixels are square.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics.bootstrap import Interval, Weights, bootstrap_intervals
from napari_landmarker.engine.metrics.case import CaseScore, Unit
from napari_landmarker.engine.metrics.frames import as_array, has_point, spacing_of
from napari_landmarker.engine.schema import Measurement

MeasurementUnit = Literal["mm", "px", "°", ""]
#: A point this near to a line, as a share of its distance from one of the line's points, is on neither side of it.
_ON_THE_LINE = 1e-9


def landmark_distance(
    a: npt.ArrayLike, b: npt.ArrayLike, pixel_spacing: npt.ArrayLike | None = None
) -> npt.NDArray[np.float64]:
    """Distance of points ``(..., D)`` in mm, or in px without spacing; NaN where either is missing.

    Raises:
        GeometryError: if the shapes do not fit, or the spacing is not positive; so do the other measurements.
    """
    return np.asarray(np.linalg.norm(_vector(a, b, pixel_spacing), axis=-1))


def landmark_angle(
    a: npt.ArrayLike, vertex: npt.ArrayLike, b: npt.ArrayLike, pixel_spacing: npt.ArrayLike | None = None
) -> npt.NDArray[np.float64]:
    """Angle at ``vertex`` between the directions to ``a`` and to ``b``, in degrees from 0 to 180; points ``(..., D)``.

    NaN where a point is missing or lies on the vertex.
    """
    return _angle(_vector(vertex, a, pixel_spacing), _vector(vertex, b, pixel_spacing))


def line_angle(
    a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike, d: npt.ArrayLike, pixel_spacing: npt.ArrayLike | None = None
) -> npt.NDArray[np.float64]:
    """Angle between the directions from ``a`` to ``b`` and from ``c`` to ``d``, in degrees from 0 to 180.

    The lines need not meet. NaN where a point is missing, or both points of a line are the same.
    """
    return _angle(_vector(a, b, pixel_spacing), _vector(c, d, pixel_spacing))


def landmark_ratio(
    a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike, d: npt.ArrayLike, pixel_spacing: npt.ArrayLike | None = None
) -> npt.NDArray[np.float64]:
    """Distance from ``a`` to ``b`` divided by that from ``c`` to ``d``.

    NaN where a point is missing, or ``c`` and ``d`` are the same.
    """
    below = landmark_distance(c, d, pixel_spacing)
    return landmark_distance(a, b, pixel_spacing) / np.where(below > 0, below, np.nan)


def distance_to_line(
    point: npt.ArrayLike,
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    pixel_spacing: npt.ArrayLike | None = None,
    *,
    behind: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float64]:
    """Distance of ``point`` from the straight line through ``a`` and ``b``, in mm, or in px without spacing.

    It has no sign, unless ``behind`` says which side of the line is negative: that on which it lies. So neither the
    order of ``a`` and ``b`` nor mirroring the image changes anything. In 3D the sides are those of the plane through
    the line that stands upright on the direction to ``behind``.

    Args:
        point: ``(..., D)``, as the others.
        a: one point of the line.
        b: another point of the line.
        pixel_spacing: of the image.
        behind: a point beside the line.

    Returns:
        ``(...)``; NaN where a point is missing, ``a`` is ``b``, or ``behind`` lies on the line.
    """
    line = _vector(a, b, pixel_spacing)
    across = _across(_vector(a, point, pixel_spacing), line)
    distance = np.asarray(np.linalg.norm(across, axis=-1))
    if behind is None:
        return distance
    back = _vector(a, behind, pixel_spacing)
    beside = _across(back, line)
    decided = np.linalg.norm(beside, axis=-1) > _ON_THE_LINE * np.linalg.norm(back, axis=-1)
    signed = np.where((across * beside).sum(axis=-1) > 0, -distance, distance)
    return np.where(decided, signed, np.nan)


def angle_difference(
    a: npt.ArrayLike,
    vertex: npt.ArrayLike,
    b: npt.ArrayLike,
    c: npt.ArrayLike,
    pixel_spacing: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float64]:
    """Angle at ``vertex`` between ``a`` and ``b``, less that between ``a`` and ``c``, in degrees from -180 to 180.

    NaN where a point is missing or lies on the vertex.
    """
    return landmark_angle(a, vertex, b, pixel_spacing) - landmark_angle(a, vertex, c, pixel_spacing)


def unit_of(measurement: Measurement, unit: Unit) -> MeasurementUnit:
    """The unit of a measurement where distances are in ``unit``; nothing for a ratio."""
    if measurement.is_length:
        return unit
    return "" if measurement.kind == "ratio" else "°"


def measure(measurement: Measurement, landmarks: LandmarkSet, unit: Unit | None = None) -> float | None:
    """A measurement of the landmarks of one image; None where one of its points is missing or it is not defined.

    Args:
        measurement: what to measure.
        landmarks: one point a landmark.
        unit: ``"px"`` for distances in pixels although the spacing is known; angles and ratios always use it.

    Raises:
        AnnotationError: if there is no landmark of one of the names.
        GeometryError: if landmarks have several points each.
    """
    if landmarks.points.ndim != 2:
        raise GeometryError("A measurement needs one point a landmark: these have several.")
    a, b, *others = (landmarks.point(name) for name in measurement.landmarks)
    spacing = landmarks.grid.spacing
    length = None if unit == "px" else spacing
    match measurement.kind:
        case "distance":
            value = landmark_distance(a, b, length)
        case "distance_to_line":
            value = distance_to_line(a, b, others[0], length, behind=others[1] if others[1:] else None)
        case "ratio":
            value = landmark_ratio(a, b, others[0], others[1], spacing)
        case "angle_difference":
            value = angle_difference(a, b, others[0], others[1], spacing)
        case "angle" if len(others) == 1:
            value = landmark_angle(a, b, others[0], spacing)
        case _:
            value = line_angle(a, b, others[0], others[1], spacing)
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True)
class MeasuredCase:
    """One measurement in one image: from the true points, and from the predicted ones; None where it has no value."""

    case_id: str
    true: float | None
    predicted: float | None

    @property
    def error(self) -> float | None:
        """Predicted less true value."""
        return None if self.true is None or self.predicted is None else self.predicted - self.true


@dataclass(frozen=True)
class MeasurementScore:
    """How well a measurement is predicted.

    Attributes:
        name: its name.
        kind: what it is.
        landmarks: the names it is taken between.
        unit: ``"mm"``, ``"px"``, ``"°"`` or, of a ratio, nothing.
        square_pixels: whether it was computed on pixels taken as square, as an image states no spacing.
        cases: its values in each image.
        n: images in which the true points give a value.
        missing: images in which they do not; left out.
        missed: of the ``n``, those in which the predicted points give none; left out of the numbers below.
        mean: mean absolute difference of predicted and true value; None if there is none, and so are the following.
        median: median absolute difference.
        std: standard deviation of the absolute differences as a population.
        max: largest absolute difference.
        bias: mean of predicted less true value.
        mean_interval: confidence interval of ``mean``.
    """

    name: str
    kind: str
    landmarks: tuple[str, ...]
    unit: MeasurementUnit
    square_pixels: bool
    cases: tuple[MeasuredCase, ...]
    n: int
    missing: int
    missed: int
    mean: float | None
    median: float | None
    std: float | None
    max: float | None
    bias: float | None
    mean_interval: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """The numbers as strict JSON."""
        keys = ("kind", "unit", "square_pixels", "n", "missing", "missed", "mean", "median", "std", "max", "bias")
        return {
            "landmarks": list(self.landmarks),
            **{key: getattr(self, key) for key in keys},
            "mean_interval": None if self.mean_interval is None else list(self.mean_interval),
        }


def score_measurements(
    measurements: Iterable[Measurement], cases: Sequence[CaseScore], unit: Unit, weights: Weights
) -> dict[str, MeasurementScore]:
    """Compare the measurements of predictions with those of the truth, by name.

    A measurement of landmarks that a case does not know is missing there.

    Args:
        measurements: of the schema.
        cases: the images.
        unit: of distances.
        weights: resamples of the images, ``(R, N)``.
    """
    return {measurement.name: _score(measurement, cases, unit, weights) for measurement in measurements}


def _score(measurement: Measurement, cases: Sequence[CaseScore], unit: Unit, weights: Weights) -> MeasurementScore:
    names = tuple(dict.fromkeys(measurement.landmarks))
    measured = tuple(
        MeasuredCase(
            case.case_id,
            measure(measurement, case.truth.reordered(names), unit),
            measure(measurement, case.predicted.reordered(names), unit),
        )
        for case in cases
    )
    valid = [(number, case) for number, case in enumerate(measured) if case.true is not None]
    signed = np.asarray([np.nan if case.error is None else case.error for _, case in valid], dtype=np.float64)
    found = signed[np.isfinite(signed)]
    off = np.abs(found)
    image = np.asarray([number for number, _ in valid], dtype=np.intp)
    unknown = any(case.truth.grid.spacing is None for case in cases)
    return MeasurementScore(
        name=measurement.name,
        kind=measurement.kind,
        landmarks=measurement.landmarks,
        unit=unit_of(measurement, unit),
        square_pixels=unknown and measurement.kind != "distance",
        cases=measured,
        n=len(valid),
        missing=len(measured) - len(valid),
        missed=len(valid) - int(found.size),
        mean=float(off.mean()) if off.size else None,
        median=float(np.median(off)) if off.size else None,
        std=float(off.std()) if off.size else None,
        max=float(off.max()) if off.size else None,
        bias=float(found.mean()) if off.size else None,
        mean_interval=bootstrap_intervals(np.abs(signed), image, (), weights).mean,
    )


def _vector(start: npt.ArrayLike, end: npt.ArrayLike, pixel_spacing: npt.ArrayLike | None) -> FloatArray:
    """From one point to another in mm, or in px without spacing: ``(..., D)``."""
    a, b = as_array(start), as_array(end)
    if a.shape != b.shape or a.ndim < 1:
        raise GeometryError(f"Points of shape {a.shape} and {b.shape} cannot be measured: give both as (..., D).")
    both = (has_point(a) & has_point(b))[..., None]
    difference = np.where(both, b, np.nan) - np.where(both, a, np.nan)
    if pixel_spacing is None:
        return difference
    scale = spacing_of(pixel_spacing, difference.shape if difference.ndim > 1 else (1, *difference.shape))
    return difference if scale is None else difference * scale.reshape(scale.shape[-difference.ndim :])


def _across(v: FloatArray, line: FloatArray) -> FloatArray:
    """The part of vectors ``(..., D)`` that stands upright on a line; NaN for a line of no length."""
    length = np.linalg.norm(line, axis=-1, keepdims=True)
    along = line / np.where(length > 0, length, np.nan)
    return np.asarray(v - (v * along).sum(axis=-1, keepdims=True) * along)


def _angle(u: FloatArray, v: FloatArray) -> npt.NDArray[np.float64]:
    """Angle of vectors ``(..., D)`` in degrees, exact also near 0 and 180 (Kahan 2006); NaN for a zero vector."""
    lengths = [np.linalg.norm(w, axis=-1, keepdims=True) for w in (u, v)]
    a, b = (w / np.where(length > 0, length, np.nan) for w, length in zip((u, v), lengths, strict=True))
    half = np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))
    return np.asarray(np.degrees(2 * half))
