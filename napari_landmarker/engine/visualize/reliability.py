"""The figure of whether regions keep their word."""

from __future__ import annotations

from matplotlib.figure import Figure

from napari_landmarker.engine.uncertainty import CoverageReport
from napari_landmarker.engine.visualize.style import ACCENT, FONT_SIZE, INK, MUTED, new_figure, style_axes


def reliability_figure(report: CoverageReport) -> Figure:
    """How often regions cover at each confidence that they promise; where nothing was judged, an empty frame."""
    figure = new_figure(4.2, 3.9)
    axes = figure.add_subplot()
    style_axes(axes)
    axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), label="as promised")
    known = [(100 * promised, 100 * covered) for promised, covered in report.reliability if covered is not None]
    known.sort()
    axes.plot(
        [promised for promised, _ in known],
        [covered for _, covered in known],
        color=ACCENT,
        linewidth=2.0,
        marker="o",
        markersize=6,
        markeredgecolor="white",
        label="seen",
    )
    least = min((value for pair in known for value in pair), default=0.0)
    start = max(0.0, 10 * (least // 10) - 5)
    axes.set_xlim(start, 101.5)
    axes.set_ylim(start, 101.5)
    axes.set_aspect("equal")
    axes.set_xlabel("promised (%)", color=INK, fontsize=FONT_SIZE)
    inside = "images whose landmarks all lie inside (%)" if report.joint else "true points inside their regions (%)"
    axes.set_ylabel(inside, color=INK, fontsize=FONT_SIZE)
    axes.legend(loc="lower right", frameon=True, facecolor="white", edgecolor="none", fontsize=FONT_SIZE)
    return figure
