"""The cumulative point error of arrays of landmarks, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.metrics.frames import as_array, has_point
from napari_landmarker.engine.metrics.points import cumulative_error
from napari_landmarker.engine.schema import PALETTE
from napari_landmarker.engine.visualize.detection import image_errors, landmark_names, unit_of
from napari_landmarker.engine.visualize.drawing import shortened
from napari_landmarker.engine.visualize.style import ACCENT, FONT_SIZE, INK, new_figure, plain, save_figure, style_axes

_SHARES = {"proportion": 0.01, "percent": 1.0}
_STATS = {"proportion": "proportion of {}", "percent": "{} (%)", "count": "number of {}"}
_KINDS = ("ecdf", "kde", "hist")
_BINS = 30
#: Steps of a smooth curve.
_STEPS = 400
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))
#: Width (without the names) and height of the figure.
_SIZE_IN = (6.4, 4.4)
#: So many names stand in one column beside the curves.
_NAMES_PER_COLUMN = 20


def plot_cpe(
    true_landmarks: npt.ArrayLike,
    pred_landmarks: npt.ArrayLike,
    dim: npt.ArrayLike | None = None,
    dim_orig: npt.ArrayLike | None = None,
    pixel_spacing: npt.ArrayLike | None = None,
    padding: npt.ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    group: bool = True,
    title: str | None = None,
    save_path: str | Path | None = None,
    stat: Literal["proportion", "percent", "count"] = "proportion",
    unit: Literal["mm", "px"] | None = None,
    kind: Literal["ecdf", "kde", "hist"] = "ecdf",
) -> Figure:
    """Draw how many images have at most a given point error.

    Points without truth are left out. Points without a prediction are never reached, so the curve of a landmark ends
    below all where some were missed; the mean of an image leaves them out, and the legend says how many there are.

    Args:
        true_landmarks: index coordinates ``(B, L, D)``, or ``(B, L, M, D)`` with the prediction of each point in
            the same place (see `multi_instance_point_error`); NaN where there is no point.
        pred_landmarks: the same shape.
        dim: shape of the network's frame, as in `engine.metrics.point_error`, and so are the following.
        dim_orig: shape of each image on disk.
        pixel_spacing: mm per pixel of the image on disk.
        padding: pixels of the network's frame before the image.
        class_names: names of the landmarks.
        group: one curve of the mean error of each image, instead of one curve a landmark (of its images, or of its
            points where it has several).
        title: title of the figure.
        save_path: file to write as well, ``.png``, ``.svg`` or ``.pdf``.
        stat: what the vertical axis counts.
        unit: by default mm where the spacing is known, else px.
        kind: ``"ecdf"`` for steps, ``"kde"`` for a smooth curve (Gaussian kernels, Scott's rule) and ``"hist"`` for
            bars of equal width.

    Raises:
        LandmarkerError: if ``stat`` or ``kind`` is none of those, ``unit`` is mm without a spacing, or no point can be
            compared.
        GeometryError: if shapes do not fit.
    """
    if kind not in _KINDS or stat not in _STATS:
        kinds, stats = ", ".join(_KINDS), ", ".join(_STATS)
        raise LandmarkerError(f"kind is one of {kinds} and stat one of {stats}, not '{kind}' and '{stat}'.")
    errors = image_errors(true_landmarks, pred_landmarks, dim, dim_orig, pixel_spacing, padding)
    unit = unit_of(pixel_spacing, unit)
    present = has_point(as_array(true_landmarks)).reshape(errors.shape)
    if not np.isfinite(errors).any():
        raise LandmarkerError("There is nothing to draw: no true point has a prediction.")
    curves = _grouped(errors, present) if group else _by_landmark(errors, present, class_names)
    figure = new_figure(*_SIZE_IN)
    axes = figure.add_subplot()
    style_axes(axes)
    limit = 1.05 * max(float(np.nanmax(values)) for values in curves.values() if np.isfinite(values).any()) or 1.0
    for number, (name, values) in enumerate(curves.items()):
        color = ACCENT if group else PALETTE[number % len(PALETTE)]
        line = _DASHES[number // len(PALETTE) % len(_DASHES)]
        scale = values.size / 100 if stat == "count" else _SHARES[stat]
        _draw(axes, values, limit, scale, kind, color=color, linestyle=line, label=name)
    counted = "images" if group or errors.ndim == 2 else "points"
    axes.set_xlabel(f"point error ({unit})", color=INK, fontsize=FONT_SIZE)
    axes.set_ylabel(_STATS[stat].format(counted), color=INK, fontsize=FONT_SIZE)
    _finish(axes, curves, stat, title, limit, outside=not group)
    if save_path is not None:
        save_figure(figure, save_path)
    return figure


def _grouped(errors: FloatArray, present: npt.NDArray[np.bool_]) -> dict[str, FloatArray]:
    """The mean error of each image that has a true point, NaN where none of its points was found."""
    errors, present = errors.reshape(len(errors), -1), present.reshape(len(errors), -1)
    found = np.isfinite(errors)
    total = np.where(found, errors, 0).sum(axis=1)
    means = np.divide(total, found.sum(axis=1), out=np.full(len(errors), np.nan), where=found.any(axis=1))
    missed = int((present & ~found).sum())
    noun = "point" if missed == 1 else "points"
    name = "mean error of an image" + (f" ({missed} {noun} not found left out)" if missed else "")
    return {name: means[present.any(axis=1)]}


def _by_landmark(
    errors: FloatArray, present: npt.NDArray[np.bool_], class_names: Sequence[str] | None
) -> dict[str, FloatArray]:
    curves: dict[str, FloatArray] = {}
    for column, name in enumerate(landmark_names(class_names, errors.shape[1])):
        values = errors[:, column][present[:, column]]
        missed = int(np.isnan(values).sum())
        curves[f"{shortened(name)} ({missed} not found)" if missed else shortened(name)] = values
    return curves


def _draw(axes: Axes, values: FloatArray, limit: float, scale: float, kind: str, **style: Any) -> None:
    """One curve of errors ``(n,)``; ``scale`` makes the wanted count of a percentage."""
    distance, percent = cumulative_error(values)
    if not distance.size:
        axes.plot([], [], **style)
        return
    if kind == "hist":
        edges = np.linspace(0, limit, _BINS + 1)
        reached = np.searchsorted(np.sort(values[np.isfinite(values)]), edges[1:], side="right") / values.size
        axes.stairs(100 * scale * reached, edges, fill=True, alpha=0.25, color=style["color"])
        axes.stairs(100 * scale * reached, edges, linewidth=1.6, **style)
        return
    if kind == "kde" and distance.size > 1:
        x = np.linspace(0, limit, _STEPS)
        axes.plot(x, scale * percent[-1] * _smooth(values[np.isfinite(values)], x), linewidth=1.8, **style)
        return
    x = np.concatenate([[0.0], distance, [limit]])
    y = scale * np.concatenate([[0.0], percent, percent[-1:]])
    axes.step(x, y, where="post", linewidth=1.8, **style)


def _smooth(values: FloatArray, x: FloatArray) -> FloatArray:
    """Cumulative distribution of Gaussian kernels about the values, at ``x``."""
    from scipy.stats import norm

    width = float(values.std(ddof=1)) * values.size ** (-0.2)
    return np.asarray(norm.cdf((x[:, None] - values) / width).mean(axis=1))


def _finish(
    axes: Axes, curves: dict[str, FloatArray], stat: str, title: str | None, limit: float, *, outside: bool
) -> None:
    most = {"proportion": 1.0, "percent": 100.0, "count": float(max(values.size for values in curves.values()))}[stat]
    axes.set_xlim(0, limit)
    axes.set_ylim(0, 1.03 * most)
    if title:
        plain(axes.set_title(title, fontsize=FONT_SIZE + 2, color=INK, wrap=True))
    where = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5)} if outside else {"loc": "lower right"}
    columns = -(-len(curves) // _NAMES_PER_COLUMN)
    legend = axes.legend(frameon=not outside, edgecolor="none", fontsize=FONT_SIZE, ncols=columns, **where)
    for text in legend.get_texts():
        plain(text, color=INK)
    if outside:
        figure = axes.figure.get_figure(root=True)
        figure.set_size_inches(_SIZE_IN[0] + legend.get_window_extent().width / figure.dpi, _SIZE_IN[1])
