"""Layers drawn over the image: under the points, never the active one by themselves, and taking no edits.

Their owners make them when there is first something to draw, and hide them where there is nothing.
"""

from __future__ import annotations

import numpy as np
from napari.layers import Layer
from napari.viewer import Viewer

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.gui.case_layers import POINTS_NAME, refuse_native_edits
from napari_landmarker.gui.looks import layer_geometry


def insert(viewer: Viewer, layer: Layer) -> None:
    """Put a layer under the points; the active layer stays active."""
    refuse_native_edits(layer)
    active = viewer.layers.selection.active
    at = viewer.layers.index(POINTS_NAME) if POINTS_NAME in viewer.layers else len(viewer.layers)
    viewer.layers.insert(at, layer)
    _keep_active(viewer, active)


def remove(viewer: Viewer, layer: Layer | None) -> None:
    """Take a layer away, if it is there; the active layer stays active."""
    if layer is not None and layer in viewer.layers:
        active = viewer.layers.selection.active
        viewer.layers.remove(layer)
        _keep_active(viewer, active)


def fits(viewer: Viewer, layer: Layer | None, grid: Grid) -> bool:
    """Whether a layer is there still and has as many dimensions as an image."""
    return layer is not None and layer in viewer.layers and layer.ndim == grid.ndim


def lay_on(layer: Layer, grid: Grid) -> None:
    """Put a layer where an image lies."""
    for key, value in layer_geometry(grid).items():
        if key != "scale" or not np.array_equal(value, layer.scale):  # saying the scale again draws the layer anew
            setattr(layer, key, value)


def set_visible(layer: Layer | None, visible: bool) -> None:
    """Show or hide a layer; saying again what is so already would make napari draw all layers anew."""
    if layer is not None and layer.visible != visible:
        layer.visible = visible


def _keep_active(viewer: Viewer, active: Layer | None) -> None:
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active
