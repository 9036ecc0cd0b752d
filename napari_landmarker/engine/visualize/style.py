"""The common look of all figures, and how they become files.

Figures are made without pyplot, so they belong to no window, and nothing global is changed.
"""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.io.atomic import write_bytes

INK = "#1f2937"
MUTED = "#6b7280"
FAINT = "#e5e7eb"
#: The main colour of curves and points, which colour-blind people can tell from `ALERT` (Okabe and Ito 2008).
ACCENT = "#0072b2"
ALERT = "#d55e00"
FONT_SIZE = 9.0


def new_figure(width_in: float, height_in: float, *, layout: bool = True) -> Figure:
    """An empty white figure of a size in inches, with constrained layout or, without ``layout``, none."""
    kind: Literal["constrained"] | None = "constrained" if layout else None
    return Figure(figsize=(width_in, height_in), facecolor="white", layout=kind)


def style_axes(axes: Axes, *, grid_axis: str = "both") -> None:
    """Give axes of numbers the common look: no frame, light grid lines along ``grid_axis`` behind."""
    axes.set_facecolor("white")
    axes.set_axisbelow(True)
    axes.grid(visible=False)
    axes.grid(visible=True, axis=grid_axis, color=FAINT, linewidth=0.8)  # type: ignore[arg-type]
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#9ca3af")
        spine.set_linewidth(0.8)
    axes.tick_params(colors=INK, labelsize=FONT_SIZE, length=3, color="#9ca3af", direction="out")


def plain(text: Text, **style: Any) -> Text:
    """Show a text as it is: a dollar sign in a person's landmark name is no mathematics."""
    text.set_parse_math(False)
    text.set(**style)
    return text


def to_png(figure: Figure, *, dpi: int = 130) -> bytes:
    """The figure as a PNG file."""
    return _save(figure, "png", dpi)


def to_svg(figure: Figure) -> bytes:
    """The figure as an SVG file whose letters are drawn, so that it looks the same on every machine."""
    return _save(figure, "svg", 72)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure to a file, all at once; its ending chooses the format.

    Raises:
        LandmarkerError: if the ending is none of ``.png``, ``.svg`` and ``.pdf``.
        ProjectError: if the file cannot be written; one that was there before is untouched.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("png", "svg", "pdf"):
        raise LandmarkerError(f"{path} cannot hold a figure: give a file that ends in .png, .svg or .pdf.")
    write_bytes(path, _save(figure, kind, 72 if kind == "svg" else 200))


def _save(figure: Figure, kind: str, dpi: int) -> bytes:
    target = BytesIO()
    unsaid = {"svg": ("Date", "Creator"), "pdf": ("CreationDate", "Creator", "Producer"), "png": ("Software",)}
    metadata = dict.fromkeys(unsaid[kind])
    with warnings.catch_warnings():
        # The font lacks the letters of some scripts and draws boxes; the tables beside the figures have them.
        warnings.filterwarnings("ignore", message=r"(?s)Glyph .* missing from font", category=UserWarning)
        figure.savefig(target, format=kind, dpi=dpi, metadata=metadata, facecolor="white")
    return target.getvalue()
