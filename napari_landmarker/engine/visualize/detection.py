"""Detection reports: point errors and success rates of each landmark, as text or as a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError, LandmarkerError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.metrics.evaluation import DEFAULT_RADII_MM, DEFAULT_RADII_PX
from napari_landmarker.engine.metrics.frames import as_array, has_point
from napari_landmarker.engine.metrics.points import as_radii, point_error, success_rate

Unit = Literal["mm", "px"]
ClassReport = dict[str, Any]
_STATISTICS: dict[str, Callable[[FloatArray], Any]] = {
    "Mean": np.mean,
    "Median": np.median,
    "Std": np.std,
    "Min": np.min,
    "Max": np.max,
}
_NAME = "Class"
_LEAST_WIDTH = 9


@overload
def detection_report(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    dim: npt.ArrayLike | None = None,
    dim_orig: npt.ArrayLike | None = None,
    pixel_spacing: npt.ArrayLike | None = None,
    padding: npt.ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    radius: float | Iterable[float] | None = None,
    digits: int = 2,
    unit: Unit | None = None,
    output_dict: Literal[False] = False,
) -> str: ...


@overload
def detection_report(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    dim: npt.ArrayLike | None = None,
    dim_orig: npt.ArrayLike | None = None,
    pixel_spacing: npt.ArrayLike | None = None,
    padding: npt.ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    radius: float | Iterable[float] | None = None,
    digits: int = 2,
    unit: Unit | None = None,
    *,
    output_dict: Literal[True],
) -> dict[str, ClassReport]: ...


def detection_report(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    dim: npt.ArrayLike | None = None,
    dim_orig: npt.ArrayLike | None = None,
    pixel_spacing: npt.ArrayLike | None = None,
    padding: npt.ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    radius: float | Iterable[float] | None = None,
    digits: int = 2,
    unit: Unit | None = None,
    output_dict: bool = False,
) -> str | dict[str, ClassReport]:
    """Point errors and success rates of each landmark.

    A landmark without truth is missing and left out; one with truth and without prediction is missed: it has no error
    and fails at every radius.

    Args:
        true_landmarks: index coordinates ``(B, L, D)``, or ``(B, L, M, D)`` with the prediction of each point in
            the same place; NaN where there is no point.
        pred_landmarks: the same shape.
        dim: shape of the network's frame, as in `engine.metrics.point_error`, and so are the following.
        dim_orig: shape of each image on disk.
        pixel_spacing: mm per pixel of the image on disk.
        padding: pixels of the network's frame before the image.
        class_names: names of the landmarks, ``L`` of them.
        radius: radius of the success rate, or several; by default 2, 2.5, 3 and 4 mm, or 5, 10, 20 and 40 px.
        digits: decimals of the text.
        unit: by default mm where the spacing is known, else px.
        output_dict: whether to return numbers instead of text.

    Returns:
        Text; or for each name ``Mean``, ``Median``, ``Std``, ``Min``, ``Max``, ``SDR`` (``{radius: percent}``), and the
        counts ``N``, ``Missing`` and ``Missed``. A number that does not exist is NaN.

    Raises:
        LandmarkerError: if ``unit`` is mm without a spacing.
        GeometryError: if shapes or the number of names do not fit.
    """
    errors = image_errors(true_landmarks, pred_landmarks, dim, dim_orig, pixel_spacing, padding)
    present = has_point(as_array(true_landmarks)).reshape(errors.shape)
    unit = unit_of(pixel_spacing, unit)
    radii = _radii(radius, unit)
    names = landmark_names(class_names, errors.shape[1])
    counted = present if errors.ndim == 3 else np.ones_like(present)  # rows that fill up the points are not missing
    report = {
        name: _statistics(errors[:, row][counted[:, row]], present[:, row][counted[:, row]], radii)
        for row, name in enumerate(names)
    }
    if output_dict:
        return report
    total = _statistics(errors[counted], present[counted], radii)
    return "\n\n".join(_tables(report, {"All landmarks": total}, radii, digits, unit))


def multi_instance_detection_report(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    true_positives: npt.ArrayLike,
    false_positives: npt.ArrayLike,
    false_negatives: npt.ArrayLike,
    dim: npt.ArrayLike | None = None,
    dim_orig: npt.ArrayLike | None = None,
    pixel_spacing: npt.ArrayLike | None = None,
    padding: npt.ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    radius: float | Iterable[float] | None = None,
    digits: int = 2,
    unit: Unit | None = None,
    output_dict: bool = False,
) -> str | dict[str, ClassReport]:
    """`detection_report` where a landmark has several points: with the points found, made up and missed.

    Args:
        true_landmarks: index coordinates ``(B, L, M, D)``; NaN where there is no point.
        pred_landmarks: the prediction of each true point, as `multi_instance_point_error` matches them.
        true_positives: ``(B, L)``, of `multi_instance_point_error` with ``reduction="none"``, and so are the next two.
        false_positives: ``(B, L)``.
        false_negatives: ``(B, L)``.
        dim: shape of the network's frame, as in `engine.metrics.point_error`, and so are the following.
        dim_orig: shape of each image on disk.
        pixel_spacing: mm per pixel of the image on disk.
        padding: pixels of the network's frame before the image.
        class_names: names of the landmarks, ``L`` of them.
        radius: radius of the success rate, or several; by default 2, 2.5, 3 and 4 mm, or 5, 10, 20 and 40 px.
        digits: decimals of the text.
        unit: by default mm where the spacing is known, else px.
        output_dict: whether to return numbers instead of text.

    Returns:
        As `detection_report`, and for each name ``TP``, ``FP``, ``FN``, ``TPR`` (recall), ``Precision`` and ``F1``, all
        three in [0, 1].

    Raises:
        LandmarkerError: if ``unit`` is mm without a spacing.
        GeometryError: if shapes or the number of names do not fit.
    """
    errors = image_errors(true_landmarks, pred_landmarks, dim, dim_orig, pixel_spacing, padding)
    present = has_point(as_array(true_landmarks)).reshape(errors.shape)
    unit = unit_of(pixel_spacing, unit)
    radii = _radii(radius, unit)
    counts = [as_array(values) for values in (true_positives, false_positives, false_negatives)]
    if any(values.shape != errors.shape[:2] for values in counts):
        raise GeometryError(f"Counts must be given for each image and class, {errors.shape[:2]}: use reduction='none'.")
    names = landmark_names(class_names, errors.shape[1])
    report = {
        name: _found([float(values[:, row].sum()) for values in counts])
        | _statistics(*_listed(errors[:, row], present[:, row]), radii)
        for row, name in enumerate(names)
    }
    if output_dict:
        return report
    total = _found([float(values.sum()) for values in counts]) | _statistics(*_listed(errors, present), radii)
    everything = {"All landmarks": total}
    found = _columns(("TP", "FP", "FN")) | _columns(("TPR", "Precision", "F1"), digits)
    tables = [_table("Points found", report | everything, found)]
    return "\n\n".join(tables + _tables(report, everything, radii, digits, unit))


def image_errors(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    dim: npt.ArrayLike | None,
    dim_orig: npt.ArrayLike | None,
    pixel_spacing: npt.ArrayLike | None,
    padding: npt.ArrayLike | None,
) -> FloatArray:
    """Errors ``(B, L)`` or ``(B, L, M)`` of landmarks ``(B, L, D)``, ``(B, L, M, D)``, or ``(L, D)`` of one image."""
    errors = point_error(true_landmarks, pred_landmarks, dim, dim_orig, pixel_spacing, padding, reduction="none")
    return errors[None] if errors.ndim == 1 else errors


def unit_of(pixel_spacing: npt.ArrayLike | None, unit: Unit | None) -> Unit:
    """The unit of errors; LandmarkerError if it is said to be mm and the spacing is not known, or is another word."""
    known: Unit = "px" if pixel_spacing is None or np.isnan(as_array(pixel_spacing)).all() else "mm"
    if unit not in (None, known):
        raise LandmarkerError(
            f"The errors are in {known}, not in {unit}: give the pixel spacing for mm, and None for px."
        )
    return known


def landmark_names(class_names: Sequence[str] | None, count: int) -> list[str]:
    """The names of landmarks; GeometryError if there are more or fewer than ``count``, or one is given twice."""
    names = [f"Landmark {row}" for row in range(count)] if class_names is None else [str(n) for n in class_names]
    if len(names) != count or len(set(names)) != count:
        raise GeometryError(f"class_names must be {count} different names, one for each landmark, not {len(names)}.")
    return names


def _radii(radius: float | Iterable[float] | None, unit: Unit) -> list[float]:
    default = DEFAULT_RADII_MM if unit == "mm" else DEFAULT_RADII_PX
    return [float(r) for r in as_radii(default if radius is None else radius).reshape(-1)]


def _statistics(errors: FloatArray, present: npt.NDArray[np.bool_], radii: Sequence[float]) -> ClassReport:
    """Numbers of the errors of true points; ``present`` says where there is one."""
    compared = errors[present]
    measured = compared[np.isfinite(compared)]
    report: ClassReport = {
        key: float(statistic(measured)) if measured.size else float("nan") for key, statistic in _STATISTICS.items()
    }
    report["SDR"] = {radius: success_rate(compared, radius) for radius in radii}
    counts = {"N": compared.size, "Missing": present.size - compared.size, "Missed": compared.size - measured.size}
    return report | {key: int(number) for key, number in counts.items()}


def _listed(errors: FloatArray, present: npt.NDArray[np.bool_]) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Errors without the rows that fill up the instances: they are not missing."""
    return errors[present], present[present]


def _found(counts: Sequence[float]) -> ClassReport:
    tp, fp, fn = (int(number) for number in counts)

    def share(part: int, whole: int) -> float:
        return part / whole if whole else float("nan")

    return {
        **{"TP": tp, "FP": fp, "FN": fn, "TPR": share(tp, tp + fn)},
        **{"Precision": share(tp, tp + fp), "F1": share(2 * tp, 2 * tp + fp + fn)},
    }


Columns = Mapping[str, Callable[[ClassReport], str]]


def _tables(
    report: dict[str, ClassReport], everything: dict[str, ClassReport], radii: Sequence[float], digits: int, unit: Unit
) -> list[str]:
    errors = _columns(_STATISTICS, digits) | _columns(("N", "Missing", "Missed"))
    rates = {f"<= {radius:g} {unit}": _rate(radius, digits) for radius in radii}
    rows = report | everything
    return [
        _table(f"Point error ({unit})", rows, errors),
        _table("Success detection rate (% of true points)", rows, rates),
    ]


def _columns(keys: Iterable[str], digits: int | None = None) -> dict[str, Callable[[ClassReport], str]]:
    """How numbers of a report are printed: with some decimals, or as they are."""

    def show(key: str) -> Callable[[ClassReport], str]:
        return lambda report: str(report[key]) if digits is None else _printed(report[key], digits)

    return {key: show(key) for key in keys}


def _rate(radius: float, digits: int) -> Callable[[ClassReport], str]:
    return lambda report: _printed(report["SDR"][radius], digits)


def _printed(value: float, digits: int) -> str:
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def _table(title: str, rows: Mapping[str, ClassReport], columns: Columns) -> str:
    """A table of text: names to the left, numbers to the right; the last row stands apart."""
    cells = {name: [show(row) for show in columns.values()] for name, row in rows.items()}
    first = max(len(name) for name in (*cells, _NAME)) + 2
    widths = [
        max(_LEAST_WIDTH, len(key) + 2, *(len(texts[column]) + 2 for texts in cells.values()))
        for column, key in enumerate(columns)
    ]

    def line(name: str, texts: Iterable[str]) -> str:
        return f"{name:<{first}}" + "".join(f"{text:>{w}}" for text, w in zip(texts, widths, strict=True))

    rule = "-" * (first + sum(widths))
    lines = [line(name, texts) for name, texts in cells.items()]
    return "\n".join([title, rule, line(_NAME, columns), rule, *lines[:-1], rule, lines[-1], rule])
