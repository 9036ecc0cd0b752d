"""`NearLayer`: landmarks of neighbouring slices, faint and small, so that one sees them come and go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.layers import Points
from napari.utils.colormaps.standardize_color import transform_color
from napari.viewer import Viewer

from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.gui import overlay
from napari_landmarker.gui.drawn_once import drawn_once
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.looks import layer_geometry
from napari_landmarker.state.session import Session

NEAR_NAME = "Landmarks nearby"
#: Landmarks so many slices away are drawn, ever fainter and smaller; those further away are not.
REACH = 3.0
#: How faint those of the next slice are.
_STRONGEST = 0.6


def nearness(away: FloatArray) -> FloatArray:
    """How strongly landmarks so many slices away are drawn: 1 on the slice itself, 0 beyond `REACH`."""
    return np.asarray(np.clip(1 - (away - 0.5) / REACH, 0, 1))


class NearLayer:
    """Outlines of the landmarks that lie up to a few slices before or behind the one on the screen.

    They are no points of this slice: they have no names, and the mouse takes hold of none of them.

    Attributes:
        layer: the outlines, None until there are some.
    """

    def __init__(self, viewer: Viewer, session: Session, layers: CaseLayers) -> None:
        self.viewer, self.session, self.layers = viewer, session, layers
        self.layer: Points | None = None
        layers.seen_changed.connect(self.refresh)
        layers.look_changed.connect(self.refresh)
        dims = viewer.dims.events
        self._events = (dims.current_step, dims.ndisplay, dims.order, viewer.scene.camera.events.zoom)
        for event in self._events:
            event.connect(self.refresh)

    def close(self) -> None:
        """Take the outlines away and follow nothing any more."""
        self.layers.seen_changed.disconnect(self.refresh)
        self.layers.look_changed.disconnect(self.refresh)
        for event in self._events:
            event.disconnect(self.refresh)
        overlay.remove(self.viewer, self.layer)
        self.layer = None

    def refresh(self, _: object = None) -> None:
        """Draw what is near the slice that is shown now."""
        seen, project, points = self.layers.seen, self.session.project, self.layers.points
        hidden = self.layers.hidden_axes if points in self.viewer.layers else []
        if seen is None or project is None or points is None or len(hidden) != 1 or seen.grid.ndim != 3:
            overlay.set_visible(self.layer, False)
            return
        at, axis = float(np.round(self.layers.shown_index()[hidden[0]])), hidden[0]
        names = self.layers.names
        places = seen.points[seen.placed]
        away = np.abs(places[:, axis] - at)
        near = np.flatnonzero((away > 0.5) & (away < 0.5 + REACH))
        share, laid = nearness(away[near]), places[near]
        laid[:, axis] = at
        colors = [project.schema.definition(names[row]).color for row in near]
        pixel = self.viewer.scene.camera.zoom * points.scale[-1]
        self._draw(laid, share, colors, self.layers.size_px * share / pixel, seen.grid)

    def _draw(
        self, places: FloatArray, share: FloatArray, colors: Sequence[str], sizes: FloatArray, grid: Grid
    ) -> None:
        """Draw outlines at places ``(N, 3)``, of strengths and diameters ``(N,)``."""
        if not overlay.fits(self.viewer, self.layer, grid):
            overlay.remove(self.viewer, self.layer)
            self.layer = None
        if len(places) == 0:
            overlay.set_visible(self.layer, False)
            return
        if self.layer is None:
            self.layer = _new_layer(grid)
            overlay.insert(self.viewer, self.layer)
        inks = transform_color(list(colors))
        inks[:, 3] = _STRONGEST * share
        overlay.lay_on(self.layer, grid)
        with drawn_once(self.layer):
            self.layer.data = places
            self.layer.face_color[...] = inks
            self.layer.size = sizes
        overlay.set_visible(self.layer, True)


def _new_layer(grid: Grid) -> Points:
    return Points(
        np.empty((0, grid.ndim)),
        ndim=grid.ndim,
        name=NEAR_NAME,
        symbol="ring",
        border_width=0,
        canvas_size_limits=(0, 10_000),
        blending="translucent_no_depth",
        metadata={"landmarker": "near"},
        **layer_geometry(grid),
    )
