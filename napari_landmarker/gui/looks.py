"""How images and landmarks look in napari: the arguments of their layers, wherever they come from.

An image lies with its first pixel at the origin of the viewer, one step of the viewer a millimetre (a pixel where the
spacing is not known), and in the axis order ``(z, y, x)``. Its place in the patient is not part of the view: it stays
with the layer as its geometry, because napari cannot slice layers that lie obliquely.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.utils.colormaps.standardize_color import transform_color

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import BoolArray, LandmarkStatus, StatusArray

TEXT_SIZE = 10
#: Room between a point and its name.
GAP = "   "
#: Longest name that is written on the image, in characters; the middle of a longer one is left out.
_LONGEST_NAME = 28
#: In the 3D view, points and names stand before the volume instead of being cut by it.
_IN_FRONT = "translucent_no_depth"


def layer_geometry(grid: Grid) -> dict[str, Any]:
    """What a layer on this grid needs: ``scale``, ``units`` and ``axis_labels``."""
    return {
        "scale": (1.0,) * grid.ndim if grid.spacing is None else grid.spacing,
        "units": ("pixel" if grid.spacing is None else "mm",) * grid.ndim,
        "axis_labels": ("z", "y", "x")[-grid.ndim :],
    }


def image_arguments(image: Image) -> dict[str, Any]:
    """The arguments of an image's layer: its geometry, whether it is in colour, and the window its file asks for."""
    shown = color_values(image) if image.is_color else image.display_range
    window = {} if shown is None else {"contrast_limits": shown}
    return {"rgb": image.is_color, **window, **layer_geometry(image.grid)}


def color_values(image: Image) -> tuple[float, float]:
    """Black and the brightest value that a colour image can have."""
    kind = image.array.dtype
    return 0.0, float(np.iinfo(kind).max) if np.issubdtype(kind, np.integer) else 1.0


def point_arguments(text: str) -> dict[str, Any]:
    """The arguments of a layer of landmarks, its geometry left out.

    Args:
        text: what is written beside a point, with the columns of its features in braces.
    """
    return {
        "text": {
            "string": text,
            "anchor": "upper_left",
            "size": TEXT_SIZE,
            "color": "white",
            "blending": _IN_FRONT,
        },
        "blending": _IN_FRONT,
        # Where a slice holds no point, napari draws one of size 0; a lower limit above that would make it seen.
        "canvas_size_limits": (0, 10_000),
    }


def point_style(colors: Sequence[str], status: StatusArray, locked: BoolArray | None = None) -> dict[str, Any]:
    """Colours and shapes of at least one point.

    Full disc: confirmed; full disc with white rim: edited; ring: predicted; a square instead of a disc: locked. A thin
    dark line sets each off.

    Args:
        colors: of each landmark.
        status: of each, ``(N,)``.
        locked: whether it is, ``(N,)``; none is by default.
    """
    predicted, edited = status == LandmarkStatus.PREDICTED.value, status == LandmarkStatus.EDITED.value
    border = np.tile(transform_color("black"), (len(colors), 1))
    border[edited] = transform_color("white")
    return {
        "face_color": list(colors),
        "border_color": border,
        "border_width": np.where(edited, 0.16, 0.08),
        "symbol": np.where(predicted, "ring", np.where(False if locked is None else locked, "square", "disc")),
    }


def shortened(name: str) -> str:
    """A name as it is written on the image: beginning and end of a long one, since long names differ in either."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = (_LONGEST_NAME - 1) // 2
    return f"{name[: _LONGEST_NAME - 1 - half]}…{name[-half:]}"
