"""`PointRows`: landmarks as the rows of a points layer, of which only what differs is set, and drawn once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from napari.layers import Points
from napari.utils.colormaps.standardize_color import transform_color

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.gui.drawn_once import drawn_once
from napari_landmarker.gui.looks import point_style

#: The features of the layer.
FEATURES: dict[str, type] = {"name": object, "status": object, "score": float}


class PointRows:
    """The landmarks of one points layer.

    Attributes:
        layer: the layer.
        names: the landmark of each row.
    """

    def __init__(self, layer: Points) -> None:
        self.layer = layer
        self.names: tuple[str, ...] = ()
        self._colors: list[str] = []
        self._symbols: list[str] = []

    def clear(self) -> None:
        """Leave no rows, as when another image is shown."""
        self.names = ()
        if len(self.layer.data):
            with drawn_once(self.layer):
                self.layer.data = np.empty((0, self.layer.ndim))

    def show(self, shown: LandmarkSet, colors: Sequence[str], sizes: FloatArray) -> None:
        """Draw landmarks that have a place.

        Args:
            shown: landmarks, of which only those with a point are drawn.
            colors: of the points that are drawn.
            sizes: their diameters, ``(N,)``.
        """
        layer, rows = self.layer, np.flatnonzero(shown.placed)
        names = tuple(shown.names[row] for row in rows)
        layer.selected_data = set()
        with drawn_once(layer):
            if names == self.names:
                layer.data[...] = shown.points[rows]
            else:
                self._replace(names, shown.points[rows])
            layer.features["status"] = shown.status[rows].astype(object)
            layer.features["score"] = shown.score[rows]
            if len(rows):
                self._style(shown, rows, list(colors))
                layer.size[...] = sizes

    def move(self, name: str, point: FloatArray) -> None:
        """Draw one landmark elsewhere."""
        with drawn_once(self.layer):
            self.layer.data[self.names.index(name)] = point

    def resize(self, sizes: FloatArray) -> None:
        """Draw the points with other diameters ``(N,)``."""
        if not np.array_equal(self.layer.size, sizes):
            with drawn_once(self.layer):
                self.layer.size[...] = sizes

    # ---- inside

    def _replace(self, names: tuple[str, ...], points: FloatArray) -> None:
        """Have rows of other landmarks."""
        layer, self.names = self.layer, names
        self._colors, self._symbols = [], []
        visible, layer.visible = layer.visible, False  # what is hidden is not sliced anew by each setter of napari
        layer.data = points
        layer.features["name"] = np.array(names, dtype=object)
        if layer.size.dtype != np.float64:  # napari's own first sizes are whole numbers, and their array takes no other
            layer.size = layer.size.astype(np.float64)
        if layer.border_width.dtype != np.float64:
            layer.border_width = layer.border_width.astype(np.float64)
        layer.visible = visible

    def _style(self, shown: LandmarkSet, rows: npt.NDArray[np.intp], colors: list[str]) -> None:
        """Colours and shapes; of the faces only what is new, as they may show confidences meanwhile."""
        layer = self.layer
        style = point_style(colors, shown.status[rows], shown.locked[rows])
        if colors != self._colors:
            layer.face_color[...] = [_rgba(color) for color in colors]
            self._colors = colors
        layer.border_color[...] = style["border_color"]
        layer.border_width[...] = style["border_width"]
        if (symbols := style["symbol"].tolist()) != self._symbols:
            layer.symbol = style["symbol"]
            self._symbols = symbols


@lru_cache(maxsize=1024)
def _rgba(color: str) -> tuple[float, ...]:
    return tuple(float(channel) for channel in transform_color(color)[0])
