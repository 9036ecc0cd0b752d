"""`LineLayer`: straight lines over the image, as wide on the screen at every zoom."""

from __future__ import annotations

import numpy as np
from napari.layers import Vectors
from napari.viewer import Viewer

from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.gui.layers import POINTS_NAME
from napari_landmarker.gui.looks import layer_geometry


class LineLayer:
    """Lines under the points. The layer is made with the first line, hidden when there is none, and takes no edits.

    Args:
        viewer: napari's viewer.
        name: of the layer.
        kind: what the layer's metadata call it.
        color: of the lines.
        width_px: of the lines, in screen pixels.
    """

    def __init__(self, viewer: Viewer, name: str, kind: str, color: str, width_px: float = 2.0) -> None:
        self.viewer = viewer
        self.layer: Vectors | None = None
        self._name, self._kind, self._color, self._width_px = name, kind, color, width_px
        self._grid: Grid | None = None
        viewer.scene.camera.events.zoom.connect(self._fit_width)

    def show(self, segments: FloatArray, grid: Grid) -> None:
        """Draw lines.

        Args:
            segments: both ends of each line in index coordinates, ``(N, 2, D)``.
            grid: of the image they lie on.
        """
        if len(segments) == 0:
            self.hide()
            return
        data = np.stack([segments[:, 0], segments[:, 1] - segments[:, 0]], axis=1)
        if self.layer is None or self.layer not in self.viewer.layers or self.layer.ndim != grid.ndim:
            self.remove()
            self._add(data, grid)
            return
        self.layer.data = data
        if grid != self._grid:
            for key, value in layer_geometry(grid).items():
                setattr(self.layer, key, value)
            self._grid = grid
        if not self.layer.visible:  # saying so again makes napari draw all layers again
            self.layer.visible = True
        self._fit_width()

    def hide(self) -> None:
        """Draw nothing."""
        if self.layer is not None and self.layer.visible:
            self.layer.visible = False

    def remove(self) -> None:
        """Take the layer away, if it is there."""
        if self.layer is not None and self.layer in self.viewer.layers:
            active = self.viewer.layers.selection.active
            self.viewer.layers.remove(self.layer)
            if active is not None and active in self.viewer.layers:
                self.viewer.layers.selection.active = active
        self.layer = None

    def close(self) -> None:
        """Take the layer away and follow the camera no longer."""
        self.viewer.scene.camera.events.zoom.disconnect(self._fit_width)
        self.remove()

    def _add(self, data: FloatArray, grid: Grid) -> None:
        active = self.viewer.layers.selection.active
        self.layer = Vectors(
            data,
            name=self._name,
            ndim=grid.ndim,
            vector_style="line",
            edge_color=self._color,
            edge_width=self._width(grid),
            opacity=0.9,
            blending="translucent_no_depth",
            metadata={"landmarker": self._kind},
            **layer_geometry(grid),
        )
        self._grid = grid
        at = self.viewer.layers.index(POINTS_NAME) if POINTS_NAME in self.viewer.layers else len(self.viewer.layers)
        self.viewer.layers.insert(at, self.layer)
        if active is not None:
            self.viewer.layers.selection.active = active

    def _width(self, grid: Grid) -> float:
        spacing = 1.0 if grid.spacing is None else float(grid.spacing[-1])
        return self._width_px / self.viewer.scene.camera.zoom / spacing

    def _fit_width(self, _: object = None) -> None:
        if self.layer is not None and self.layer.visible and self._grid is not None:
            width = self._width(self._grid)
            if abs(self.layer.edge_width - width) > 1e-9 * width:
                self.layer.edge_width = width
