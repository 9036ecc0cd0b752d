"""`LineLayer`: straight lines over the image, as wide on the screen at every zoom."""

from __future__ import annotations

import numpy as np
from napari.layers import Vectors
from napari.viewer import Viewer

from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.gui import overlay
from napari_landmarker.gui.drawn_once import drawn_once
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

    def show(self, segments: FloatArray, grid: Grid, colors: FloatArray | None = None) -> None:
        """Draw lines.

        Args:
            segments: both ends of each line in index coordinates, ``(N, 2, D)``.
            grid: of the image they lie on.
            colors: of each line, RGBA ``(N, 4)``, where they are not all of the same colour.
        """
        if len(segments) == 0:
            self.hide()
            return
        data = np.stack([segments[:, 0], segments[:, 1] - segments[:, 0]], axis=1)
        if self.layer is None or not overlay.fits(self.viewer, self.layer, grid):
            self.remove()
            self._add(data, grid, colors)
            return
        with drawn_once(self.layer):
            if self.layer.data.shape == data.shape:
                self.layer.data[...] = data
            else:
                self.layer.data = data
            if colors is not None:
                self.layer.edge_color[...] = colors
        if grid != self._grid:
            overlay.lay_on(self.layer, grid)
            self._grid = grid
        overlay.set_visible(self.layer, True)
        self._fit_width()

    def hide(self) -> None:
        """Draw nothing."""
        overlay.set_visible(self.layer, False)

    def remove(self) -> None:
        """Take the layer away, if it is there."""
        overlay.remove(self.viewer, self.layer)
        self.layer = None

    def close(self) -> None:
        """Take the layer away and follow the camera no longer."""
        self.viewer.scene.camera.events.zoom.disconnect(self._fit_width)
        self.remove()

    def _add(self, data: FloatArray, grid: Grid, colors: FloatArray | None) -> None:
        self.layer = Vectors(
            data,
            name=self._name,
            ndim=grid.ndim,
            vector_style="line",
            edge_color=self._color if colors is None else colors,
            edge_width=self._width(grid),
            opacity=0.9,
            blending="translucent_no_depth",
            metadata={"landmarker": self._kind},
            **layer_geometry(grid),
        )
        self._grid = grid
        overlay.insert(self.viewer, self.layer)

    def _width(self, grid: Grid) -> float:
        spacing = 1.0 if grid.spacing is None else float(grid.spacing[-1])
        return self._width_px / self.viewer.scene.camera.zoom / spacing

    def _fit_width(self, _: object = None) -> None:
        if self.layer is not None and self.layer.visible and self._grid is not None:
            width = self._width(self._grid)
            if abs(self.layer.edge_width - width) > 1e-9 * width:
                self.layer.edge_width = width
