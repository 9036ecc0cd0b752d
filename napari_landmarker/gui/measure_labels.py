"""`ValueLabels`: short texts over the image, at places that are no landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.layers import Points
from napari.viewer import Viewer

from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.gui import overlay
from napari_landmarker.gui.drawn_once import drawn_once
from napari_landmarker.gui.looks import TEXT_SIZE, layer_geometry

#: Rows of the layer are added so many at a time: other texts in the rows that are there are much cheaper than new rows.
_ROWS = 8


class ValueLabels:
    """Texts under the points. The layer is made with the first text, hidden when there is none, and takes no edits.

    Rows of the layer that no text needs any more stay, and are blank.

    Args:
        viewer: napari's viewer.
        name: of the layer.
        kind: what the layer's metadata call it.

    Attributes:
        layer: napari's, if it was made.
        written: the texts, as long as they are shown.
        places: of their middles, in index coordinates, ``(N, D)``.
    """

    def __init__(self, viewer: Viewer, name: str, kind: str) -> None:
        self.viewer = viewer
        self.layer: Points | None = None
        self.written: tuple[str, ...] = ()
        self.places: FloatArray = np.empty((0, 0))
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
        if not overlay.fits(self.viewer, self.layer, grid):
            self.remove()
            self._add(grid)
        layer = self.layer
        assert layer is not None
        self.written, self.places = tuple(texts), places
        blank = max(len(layer.data), -(-len(texts) // _ROWS) * _ROWS) - len(texts)
        texts = [*texts, *[" "] * blank]
        places, colors = (np.concatenate([rows, rows[:1].repeat(blank, axis=0)]) for rows in (places, colors))
        overlay.set_visible(layer, True)  # first: what is hidden is not sliced, and then has texts for other rows
        if grid != self._grid:
            overlay.lay_on(layer, grid)
            self._grid = grid
        with drawn_once(layer):
            if len(layer.data) == len(places):
                layer.data[...] = places
            else:
                layer.data = places
                layer.size = 1e-3
            if list(layer.features["written"]) != list(texts):
                layer.features["written"] = np.array(texts, dtype=object)
                layer.text.refresh(layer.features)
            known = getattr(layer.text.color, "array", None)
            if known is None or not np.array_equal(known, colors):
                layer.text.color = colors

    def hide(self) -> None:
        """Write nothing."""
        self.written = ()
        overlay.set_visible(self.layer, False)

    def remove(self) -> None:
        """Take the layer away, if it is there."""
        overlay.remove(self.viewer, self.layer)
        self.layer = None

    def _add(self, grid: Grid) -> None:
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
        self._grid = grid
        overlay.insert(self.viewer, self.layer)
