"""`RaterLayer`: the landmarks of another rater over the image, only to be looked at."""

from __future__ import annotations

import numpy as np
from napari.layers import Points
from napari.viewer import Viewer

from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.gui import overlay
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.line_layer import LineLayer
from napari_landmarker.gui.looks import layer_geometry, point_arguments
from napari_landmarker.state.session import Session

RATER_NAME, LINK_NAME = "Other rater", "Distance to the other rater"
#: Diameter as a share of that of one's own landmarks.
_SHARE = 1.0


class RaterLayer:
    """Hollow diamonds in the colours of the landmarks, with thin lines to one's own.

    The layers are made when they are first needed, hidden when there is nothing to show, and take no edits.
    """

    def __init__(self, viewer: Viewer, session: Session, layers: CaseLayers) -> None:
        self.viewer = viewer
        self.session = session
        self.layers = layers
        self.layer: Points | None = None
        self.lines = LineLayer(viewer, LINK_NAME, "other rater", "#ffffff", 1.0)
        session.other_changed.connect(self.refresh)
        layers.seen_changed.connect(self._link)
        layers.look_changed.connect(self._size)
        viewer.scene.camera.events.zoom.connect(self._size)

    def close(self) -> None:
        """Take the layers away and follow nothing any more."""
        self.session.other_changed.disconnect(self.refresh)
        self.layers.seen_changed.disconnect(self._link)
        self.layers.look_changed.disconnect(self._size)
        self.viewer.scene.camera.events.zoom.disconnect(self._size)
        self.lines.close()
        self._remove()

    def refresh(self) -> None:
        """Draw what the other rater placed in the open image."""
        other = self.session.other
        if other is None or self.layers.points is None or not other.truth().placed.any():
            self._hide()
            return
        truth = other.truth()
        if not overlay.fits(self.viewer, self.layer, truth.grid):
            self._remove()
            self._add(truth)
        self._draw(truth)
        self._size()
        self._link()

    # ---- inside

    def _hide(self) -> None:
        overlay.set_visible(self.layer, False)
        self.lines.hide()

    def _remove(self) -> None:
        overlay.remove(self.viewer, self.layer)
        self.layer = None

    def _add(self, truth: LandmarkSet) -> None:
        arguments = point_arguments("")
        del arguments["text"]
        self.layer = Points(
            np.empty((0, truth.grid.ndim)),
            ndim=truth.grid.ndim,
            name=RATER_NAME,
            metadata={"landmarker": "other rater"},
            symbol="diamond",
            face_color="transparent",
            **arguments,
            **layer_geometry(truth.grid),
        )
        overlay.insert(self.viewer, self.layer)

    def _draw(self, truth: LandmarkSet) -> None:
        project, layer = self.session.project, self.layer
        assert project is not None
        assert layer is not None
        names = [name for name, placed in zip(truth.names, truth.placed, strict=True) if placed]
        overlay.lay_on(layer, truth.grid)
        layer.data = np.array([truth.point(name) for name in names])
        layer.symbol = "diamond"
        layer.face_color = "transparent"
        layer.border_width = 0.18
        layer.border_color = [project.schema.definition(name).color for name in names]
        overlay.set_visible(layer, True)

    def _size(self, _: object = None) -> None:
        """As large on the screen as one's own landmarks at every zoom."""
        layer, grid = self.layer, self.layers.grid
        if layer is not None and layer.visible and grid is not None and len(layer.data):
            layer.size = _SHARE * self.layers.size_px / self.viewer.scene.camera.zoom / (grid.spacing or (1.0,))[-1]

    def _link(self) -> None:
        """Lines from one's own landmarks to the other's; on a slice, only of those that both lie on it."""
        seen, other = self.layers.seen, self.session.other
        if seen is None or other is None or self.layer is None or not self.layer.visible:
            self.lines.hide()
            return
        truth, own = other.truth(), seen.truth()
        names = [name for name in truth.names if name in own.names]
        pairs = np.array([(own.point(name), truth.point(name)) for name in names]).reshape(-1, 2, truth.grid.ndim)
        pairs = pairs[np.isfinite(pairs).all(axis=(1, 2))]
        hidden = self.layers.hidden_axes
        if hidden and self.viewer.dims.ndisplay == 2:
            pairs = pairs[(np.round(pairs[:, 0, hidden]) == np.round(pairs[:, 1, hidden])).all(axis=1)]
        self.lines.show(pairs, truth.grid)
