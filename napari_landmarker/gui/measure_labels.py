"""`ValueLabels`: short texts over the image, at places that are no landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.layers import Points
from napari.viewer import Viewer

from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.gui.layers import POINTS_NAME
from napari_landmarker.gui.looks import TEXT_SIZE, layer_geometry


class ValueLabels:
    """Texts under the points. The layer is made with the first text, hidden when there is none, and takes no edits.

    Args:
        viewer: napari's viewer.
        name: of the layer.
        kind: what the layer's metadata call it.
    """

    def __init__(self, viewer: Viewer, name: str, kind: str) -> None:
        self.viewer = viewer
        self.layer: Points | None = None
        self._name, self._kind = name, kind
        self._grid: Grid | None = None

    def show(self, texts: Sequence[str], places: FloatArray, colors: FloatArray, grid: Grid) -> None:
        """Write texts.

        Args:
            texts: ``N`` of them.
            places: of their middles, in index coordinates, ``(N, D)``.
            colors: RGBA, ``(N, 4)``.
            grid: of the image.
        """
        if not texts:
            self.hide()
            return
        if self.layer is None or self.layer not in self.viewer.layers or self.layer.ndim != grid.ndim:
            self.remove()
            self._add(grid)
        layer = self.layer
        assert layer is not None
        layer.visible = True  # first: napari does not slice what is hidden, and then has texts for other rows
        if grid != self._grid:
            for key, value in layer_geometry(grid).items():
                setattr(layer, key, value)
            self._grid = grid
        if layer.data.shape != places.shape or not np.array_equal(layer.data, places):
            layer.data = places
            layer.size = 1e-3
        layer.features = {"written": np.array(texts, dtype=object)}
        layer.text.color = colors

    def hide(self) -> None:
        """Write nothing."""
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

    def _add(self, grid: Grid) -> None:
        active = self.viewer.layers.selection.active
        self.layer = Points(
            np.empty((0, grid.ndim)),
            ndim=grid.ndim,
            name=self._name,
            features={"written": np.empty(0, dtype=object)},
            text={
                "string": "{written}",
                "anchor": "center",
                "size": TEXT_SIZE,
                "color": "white",
                "blending": "translucent_no_depth",
            },
            face_color="transparent",
            border_color="transparent",
            canvas_size_limits=(0, 10_000),
            blending="translucent_no_depth",
            metadata={"landmarker": self._kind},
            **layer_geometry(grid),
        )
        self.layer.editable = False
        self._grid = grid
        at = self.viewer.layers.index(POINTS_NAME) if POINTS_NAME in self.viewer.layers else len(self.viewer.layers)
        self.viewer.layers.insert(at, self.layer)
        if active is not None:
            self.viewer.layers.selection.active = active
