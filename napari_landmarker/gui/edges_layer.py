"""`EdgesLayer`: the lines between landmarks that the project names, drawn over the image."""

from __future__ import annotations

import numpy as np
from napari.viewer import Viewer

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.line_layer import LineLayer
from napari_landmarker.gui.slice_guests import SliceLine, laid_flat
from napari_landmarker.state.session import Session

EDGES_NAME = "Edges"
#: Readable on dark and bright images, and no colour of a landmark.
_COLOR, _WIDTH_PX = "#8fd3ff", 2.0


class EdgesLayer:
    """Joins landmarks by lines that follow them while they are dragged.

    On a slice of a volume, a line is seen from the slice of one end to the slice of the other, as it would fall on the
    slice; in the 3D view it lies in space.
    """

    def __init__(self, viewer: Viewer, session: Session, layers: CaseLayers) -> None:
        self.viewer = viewer
        self.session = session
        self.layers = layers
        self.lines = LineLayer(viewer, EDGES_NAME, "edges", _COLOR, _WIDTH_PX)
        layers.guests.append(self.on_slice)
        layers.seen_changed.connect(self.refresh)
        for event in (viewer.dims.events.current_step, viewer.dims.events.ndisplay, viewer.dims.events.order):
            event.connect(self._slice_changed)

    def close(self) -> None:
        """Take the lines away and follow nothing any more."""
        self.layers.guests.remove(self.on_slice)
        self.layers.seen_changed.disconnect(self.refresh)
        dims = self.viewer.dims.events
        for event in (dims.current_step, dims.ndisplay, dims.order):
            event.disconnect(self._slice_changed)
        self.lines.close()

    def refresh(self) -> None:
        """Draw the lines between the landmarks as they are seen now, once there are points for them to lie under."""
        segments = self._segments()
        if segments is None or self.layers.points is None or self.layers.seen is None:
            self.lines.hide()
        else:
            self.lines.show(self._on_canvas(segments), self.layers.seen.grid)

    def on_slice(self, axis: int, at: int) -> list[SliceLine]:
        """The lines that reach a slice, laid flat on it."""
        segments = self._segments()
        flat = () if segments is None else laid_flat(segments, [axis], at)
        return [SliceLine(line, _COLOR, _WIDTH_PX) for line in flat]

    def _segments(self) -> FloatArray | None:
        """Both ends of each line, ``(N, 2, D)``; None where there are none to be drawn."""
        project, seen = self.session.project, self.layers.seen
        if project is None or seen is None or not project.schema.edges:
            return None
        pairs = [(seen.point(a), seen.point(b)) for a, b in project.schema.edges if a in seen.names and b in seen.names]
        return np.array([pair for pair in pairs if np.isfinite(pair).all()]).reshape(-1, 2, seen.grid.ndim)

    def _slice_changed(self, _: object) -> None:
        image = self.session.image
        if image is not None and image.grid.ndim == 3 and self.layers.points in self.viewer.layers:
            self.refresh()

    def _on_canvas(self, segments: FloatArray) -> FloatArray:
        """The lines that reach the slice on the screen, laid flat on it; all of them in the 3D view."""
        hidden = self.layers.hidden_axes
        if not hidden or len(segments) == 0 or self.viewer.dims.ndisplay == 3:
            return segments
        return laid_flat(segments, hidden, np.round(self.layers.shown_index()[hidden]))
