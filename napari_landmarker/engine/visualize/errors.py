"""Figures of the errors of an evaluation: the cumulative curve, and the spread by landmark."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.metrics import Evaluation, cumulative_error
from napari_landmarker.engine.visualize.style import (
    ACCENT,
    ALERT,
    FAINT,
    FONT_SIZE,
    INK,
    MUTED,
    new_figure,
    plain,
    style_axes,
)

#: Up to this many landmarks have a line of their own behind the cumulative curve.
_MOST_LINES = 12
_DIAMOND = "D"


def error_limit(evaluation: Evaluation) -> float:
    """Where the error axis ends, in the evaluation's unit.

    Every error is inside unless a few gross ones would squeeze all others together: then the axis ends at
    1.6 times the error that 95 % of the points do not exceed, and at least beyond the largest radius.
    """
    errors = evaluation.errors()
    measured = errors[np.isfinite(errors)]
    least = 1.15 * max(evaluation.radii)
    if not measured.size:
        return least
    most, usual = float(measured.max()), 1.6 * float(np.percentile(measured, 95))
    return max(least, 1.05 * most if most <= 1.5 * usual else usual)


def cumulative_error_figure(evaluation: Evaluation) -> Figure:
    """Percentage of the true points that are found within each distance; missed points are never found.

    The overall curve is thick; landmarks have thin curves of their own while they are few. Each radius of
    the SDR is marked with its percentage.
    """
    figure = new_figure(7.2, 3.9)
    axes = figure.add_subplot()
    style_axes(axes)
    limit = error_limit(evaluation)
    if 1 < len(evaluation.landmarks) <= _MOST_LINES:
        for number, name in enumerate(evaluation.landmarks):
            label = "each landmark" if number == 0 else None
            _curve(axes, evaluation.errors(name), limit, color="#9ca3af", linewidth=0.9, label=label)
    _curve(axes, evaluation.errors(), limit, color=ACCENT, linewidth=2.4, label="all landmarks")
    for radius, percent in evaluation.overall.sdr.items():
        if percent is None:
            continue
        axes.plot([radius, radius], [0, percent], color=ACCENT, linewidth=0.9, linestyle=(0, (3, 3)))
        axes.plot([radius], [percent], marker="o", markersize=6, color=ACCENT, markeredgecolor="white")
        low = percent < 12
        axes.annotate(
            f"{percent:.1f} %",
            (radius, percent),
            xytext=(5, 5 if low else -6),
            textcoords="offset points",
            va="bottom" if low else "top",
            fontsize=FONT_SIZE,
            color=INK,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )
    axes.set_xlim(0, limit)
    axes.set_ylim(0, 103)
    axes.set_xlabel(f"distance from the true point ({evaluation.unit})", color=INK, fontsize=FONT_SIZE)
    axes.set_ylabel("points within this distance (%)", color=INK, fontsize=FONT_SIZE)
    axes.legend(loc="lower right", frameon=True, facecolor="white", edgecolor="none", fontsize=FONT_SIZE)
    return figure


def error_by_landmark_figure(evaluation: Evaluation) -> Figure:
    """One row a landmark: every error as a dot, its quartiles as a box, the mean as a diamond.

    What lies beyond the axis, and what was missed, is said in words at the right of its row.
    """
    names = list(evaluation.landmarks)
    figure = new_figure(7.2, 1.15 + 0.36 * len(names))
    axes = figure.add_subplot()
    style_axes(axes, grid_axis="x")
    limit = error_limit(evaluation)
    for radius in evaluation.radii:
        axes.axvline(radius, color="#9ca3af", linewidth=0.9, linestyle=(0, (3, 3)), zorder=1)
    for row, name in enumerate(names):
        _row(axes, evaluation.errors(name), row, limit)
    axes.set_xlim(0, limit)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)), labels=names)
    for label in axes.get_yticklabels():
        plain(label)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"distance from the true point ({evaluation.unit})", color=INK, fontsize=FONT_SIZE)
    return figure


def _curve(axes: Axes, errors: FloatArray, limit: float, **style: object) -> None:
    """Draw the share of all ``errors`` ``(n,)`` at or below each distance, as steps."""
    if not errors.size:
        return
    distance, percent = cumulative_error(errors)
    x = np.concatenate([[0.0], distance, [max(limit, distance[-1] if distance.size else 0.0)]])
    y = np.concatenate([[0.0], percent, percent[-1:] if percent.size else [0.0]])
    axes.step(x, y, where="post", **style)  # type: ignore[arg-type]


def _row(axes: Axes, errors: FloatArray, row: int, limit: float) -> None:
    measured = errors[np.isfinite(errors)]
    beyond, missed = int((measured > limit).sum()), int(errors.size - measured.size)
    if measured.size:
        low, median, high = np.percentile(measured, [25, 50, 75])
        axes.barh(row, high - low, left=low, height=0.56, color="#cfe3f1", edgecolor=ACCENT, linewidth=0.9, zorder=2)
        axes.plot([median, median], [row - 0.28, row + 0.28], color=ACCENT, linewidth=2.2, zorder=4)
        # Dots are spread evenly over the row's height, in an order that does not depend on the errors.
        spread = row + 0.42 * (((np.arange(measured.size) * 0.618034) % 1) - 0.5)
        axes.scatter(
            measured,
            spread,
            s=10 if measured.size <= 60 else 5,
            color=INK,
            alpha=0.55,
            linewidths=0,
            zorder=3,
        )
        mean = float(measured.mean())
        axes.scatter([mean], [row], marker=_DIAMOND, s=26, color="white", edgecolors=INK, linewidths=1, zorder=5)
    notes = [f"{beyond} beyond ▸"] if beyond else []
    notes += [f"{missed} missed"] if missed else []
    notes += ["no true point"] if not errors.size else []
    if notes:
        axes.annotate(
            ", ".join(notes),
            (limit, row),
            xytext=(-4, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=FONT_SIZE - 1,
            color=ALERT if missed or beyond else MUTED,
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": FAINT, "linewidth": 0.6},
            zorder=6,
        )
