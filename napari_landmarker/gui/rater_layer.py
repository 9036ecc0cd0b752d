"""`RaterLayer`: the landmarks of another rater, or of the model, over the image, only to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from napari.layers import Points
from napari.utils.colormaps.standardize_color import transform_color
from napari.viewer import Viewer

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.gui import overlay
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.line_layer import LineLayer
from napari_landmarker.gui.looks import layer_geometry, point_arguments
from napari_landmarker.gui.slice_guests import Drawn, SliceLine, SliceMark
from napari_landmarker.state.session import Session

RATER_NAME, MODEL_NAME, LINK_NAME = "Other rater", "Points of the model", "Distance to the others"
#: Diameter as a share of that of one's own landmarks.
_SHARE = 1.0
#: How strongly a point is drawn on the slice of one's own landmark, where it lies on another slice itself.
_ELSEWHERE = 0.45
_LINK_COLOR, _LINK_PX = "#ffffff", 1.0


@dataclass(frozen=True, eq=False)
class _Rows:
    """What is drawn.

    Attributes:
        names: the landmark of each point.
        points: index coordinates ``(N, D)``.
        strong: how strongly each is drawn, ``(N,)``, from 0 to 1.
        links: from one's own landmarks to these points, ``(K, 2, D)``.
    """

    names: tuple[str, ...]
    points: FloatArray
    strong: FloatArray
    links: FloatArray


class RaterLayer:
    """Hollow diamonds in the colours of the landmarks, with thin lines to one's own.

    On the slice of one's own landmark a point that lies on another slice is drawn too, faintly: what is compared must
    be seen in one picture.

    The layers are made when they are first needed, hidden when there is nothing to show, and take no edits.
    """

    def __init__(self, viewer: Viewer, session: Session, layers: CaseLayers) -> None:
        self.viewer = viewer
        self.session = session
        self.layers = layers
        self.layer: Points | None = None
        self.lines = LineLayer(viewer, LINK_NAME, "other rater", _LINK_COLOR, _LINK_PX)
        layers.guests.append(self.on_slice)
        self._signals = (session.other_changed, session.predictions_changed, layers.seen_changed)
        for signal in self._signals:
            signal.connect(self.refresh)
        layers.look_changed.connect(self._size)
        self._events = (viewer.dims.events.ndisplay, viewer.dims.events.order)
        for event in self._events:
            event.connect(self.refresh)
        viewer.scene.camera.events.zoom.connect(self._size)

    def close(self) -> None:
        """Take the layers away and follow nothing any more."""
        self.layers.guests.remove(self.on_slice)
        for signal in self._signals:
            signal.disconnect(self.refresh)
        for event in self._events:
            event.disconnect(self.refresh)
        self.layers.look_changed.disconnect(self._size)
        self.viewer.scene.camera.events.zoom.disconnect(self._size)
        self.lines.close()
        self._remove()

    def refresh(self, _: object = None) -> None:
        """Draw what the other rater placed in the open image, or what the model found there."""
        self.layers.guests_changed.emit()
        beside, seen = self.session.beside, self.layers.seen
        if beside is None or seen is None or self.layers.points is None or not beside.placed.any():
            self._hide()
            return
        if not overlay.fits(self.viewer, self.layer, beside.grid):
            self._remove()
            self._add(beside)
        rows = _rows(beside, seen.truth(), self.layers.hidden_axes if self.viewer.dims.ndisplay == 2 else [])
        self._draw(rows, beside)
        self._size()
        self.lines.show(rows.links, beside.grid)

    def on_slice(self, axis: int, at: int) -> list[Drawn]:
        """What is drawn on the slice at an index of an axis of a volume."""
        project, beside, seen = self.session.project, self.session.beside, self.layers.seen
        if project is None or beside is None or seen is None or not beside.placed.any():
            return []
        rows = _rows(beside, seen.truth(), [axis])
        here = np.flatnonzero(np.abs(rows.points[:, axis] - at) <= 0.5)
        links = rows.links[np.round(rows.links[:, 0, axis]) == at]
        colors = [project.schema.definition(rows.names[row]).color for row in here]
        return [
            *(SliceLine(link, _LINK_COLOR, _LINK_PX) for link in links),
            *(SliceMark(rows.points[row], ink, float(rows.strong[row])) for row, ink in zip(here, colors, strict=True)),
        ]

    # ---- inside

    def _hide(self) -> None:
        overlay.set_visible(self.layer, False)
        self.lines.hide()

    def _remove(self) -> None:
        overlay.remove(self.viewer, self.layer)
        self.layer = None

    def _add(self, beside: LandmarkSet) -> None:
        arguments = point_arguments("")
        del arguments["text"]
        self.layer = Points(
            np.empty((0, beside.grid.ndim)),
            ndim=beside.grid.ndim,
            metadata={"landmarker": "other rater"},
            symbol="diamond",
            face_color="transparent",
            **arguments,
            **layer_geometry(beside.grid),
        )
        overlay.insert(self.viewer, self.layer)

    def _draw(self, rows: _Rows, beside: LandmarkSet) -> None:
        project, layer = self.session.project, self.layer
        assert project is not None
        assert layer is not None
        name = MODEL_NAME if self.session.other is None else RATER_NAME
        if layer.name != name:
            layer.name = name
        overlay.lay_on(layer, beside.grid)
        inks = transform_color([project.schema.definition(name).color for name in rows.names])
        inks[:, 3] = rows.strong
        if not np.array_equal(layer.data, rows.points) or not np.array_equal(layer.border_color, inks):
            layer.data = rows.points
            layer.symbol = "diamond"
            layer.face_color = "transparent"
            layer.border_width = 0.18
            layer.border_color = inks
        overlay.set_visible(layer, True)

    def _size(self, _: object = None) -> None:
        """As large on the screen as one's own landmarks at every zoom."""
        layer, grid = self.layer, self.layers.grid
        if layer is not None and layer.visible and grid is not None and len(layer.data):
            layer.size = _SHARE * self.layers.size_px / self.viewer.scene.camera.zoom / (grid.spacing or (1.0,))[-1]


def _rows(beside: LandmarkSet, own: LandmarkSet, hidden: list[int]) -> _Rows:
    """The points, those of other slices once more on the slices of one's own landmarks, and the lines there.

    Args:
        beside: the points.
        own: one's own landmarks.
        hidden: the axes across which slices are seen, none in the 3D view.
    """
    names = [name for name, placed in zip(beside.names, beside.placed, strict=True) if placed]
    points = np.array([beside.point(name) for name in names])
    nowhere = np.full(beside.grid.ndim, np.nan)
    ours = np.array([own.point(name) if name in own.names else nowhere for name in names])
    paired, laid = np.isfinite(ours).all(axis=1), points.copy()
    elsewhere = paired & (np.round(ours[:, hidden]) != np.round(points[:, hidden])).any(axis=1)
    laid[np.ix_(elsewhere, hidden)] = ours[np.ix_(elsewhere, hidden)]
    again = np.flatnonzero(elsewhere)
    return _Rows(
        (*names, *(names[row] for row in again)),
        np.concatenate([points, laid[again]]),
        np.concatenate([np.ones(len(names)), np.full(len(again), _ELSEWHERE)]),
        np.stack([ours, laid], axis=1)[paired],
    )
