"""The two layers of an open case, as they are made: its image and its points."""

from __future__ import annotations

import numpy as np
from napari.layers import Image as ImageLayer
from napari.layers import Layer, Points

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.gui.looks import color_values, layer_geometry, point_arguments
from napari_landmarker.gui.point_rows import FEATURES

POINTS_NAME = "Landmarks"
#: What napari's status bar says while one of our layers is active; its own words are of tools that are off here.
_HELP = "click to place the current landmark, drag a point to move it"


def new_points(grid: Grid) -> Points:
    """An empty points layer on a grid; the names stand in a layer of their own."""
    arguments = point_arguments("")
    del arguments["text"]
    return Points(
        np.empty((0, grid.ndim)),
        ndim=grid.ndim,
        name=POINTS_NAME,
        features={name: np.empty(0, dtype=kind) for name, kind in FEATURES.items()},
        **arguments,
        **layer_geometry(grid),
    )


def refuse_native_edits(layer: Layer) -> None:
    """Neither napari's own point tools nor moving a layer as a whole; napari allows both again at new data."""

    def refuse() -> None:
        layer.editable = False
        layer.help = _HELP

    layer.events.editable.connect(refuse)
    layer.events.help.connect(refuse)
    refuse()


def set_contrast(layer: ImageLayer, image: Image) -> None:
    """The window that the image's file asks for, or else all its values."""
    if image.is_color:
        layer.contrast_limits_range = layer.contrast_limits = color_values(image)
    else:
        layer.reset_contrast_limits()
        layer.contrast_limits = image.display_range or layer.contrast_limits


def set_geometry(layer: Layer, grid: Grid) -> None:
    """Lay a layer where an image lies."""
    for key, value in layer_geometry(grid).items():
        setattr(layer, key, value)
