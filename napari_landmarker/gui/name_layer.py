"""`NameLayer`: the names of the landmarks, each written where it can be read best."""

from __future__ import annotations

import numpy as np
from napari.viewer import Viewer

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.gui.contrast import PATCH_WIDTH, TextColors, brightest_colors
from napari_landmarker.gui.layers import CURRENT_FACTOR, CaseLayers
from napari_landmarker.gui.looks import shortened
from napari_landmarker.gui.measure_labels import ValueLabels
from napari_landmarker.gui.screen import Screen, text_sizes
from napari_landmarker.gui.text_places import (
    SIDES,
    IntArray,
    Surroundings,
    beside_points,
    boxes_of,
    choose,
)
from napari_landmarker.state.session import Session

NAMES_NAME = "Names"
#: How far above and below its point the middle of a name is taken to be for its colour, as a share of the image.
_BESIDE = 0.04
#: Where along a name, as shares of its width, and at how many depths a rendered volume is looked at for its colour.
_ALONG, _SAMPLES = (-0.4, -0.2, 0.0, 0.2, 0.4), 128


class NameLayer:
    """Names beside the points. They follow a point that is dragged, and keep their side until it is let go.

    Where a name stands depends on where the points are on the screen: it is worked out anew when they or the zoom
    change, or the canvas has another size, and not while the view is only moved. Names for which there is no room are
    left out, but never that of the current landmark.

    Attributes:
        texts: what is drawn.
        sides: of its point on which each name stands, of `SIDES`.
    """

    def __init__(self, viewer: Viewer, session: Session, layers: CaseLayers) -> None:
        self.viewer, self.session, self.layers = viewer, session, layers
        self.texts = ValueLabels(viewer, NAMES_NAME, "names")
        self.sides: dict[str, int] = {}
        self._written: dict[str, bool] = {}
        self._inks = TextColors()
        self._drawn: tuple[object, ...] = ()
        self._screen: Screen | None = None
        self._boxes: tuple[FloatArray, FloatArray] | None = None
        layers.occupied = self._occupied
        layers.seen_changed.connect(self.refresh)
        layers.look_changed.connect(self.refresh)
        session.current_changed.connect(self._on_current)
        camera, dims = viewer.scene.camera.events, viewer.dims.events
        self._events = (camera.zoom, camera.angles, dims.ndisplay, dims.order)
        for event in self._events:
            event.connect(self.refresh)
        viewer.canvas.events.size.connect(self._resized)

    def close(self) -> None:
        """Take the names away and follow nothing any more."""
        self.layers.seen_changed.disconnect(self.refresh)
        self.layers.look_changed.disconnect(self.refresh)
        self.session.current_changed.disconnect(self._on_current)
        for event in self._events:
            event.disconnect(self.refresh)
        self.viewer.canvas.events.size.disconnect(self._resized)
        self.texts.remove()

    def refresh(self, _: object = None) -> None:
        """Write the names of the points that are drawn now."""
        seen, points = self.layers.seen, self.layers.points
        if points not in self.viewer.layers:
            points = None
        screen = None if points is None else Screen.of(self.viewer, points)
        if seen is None or points is None or screen is None or not points.visible or not seen.placed.any():
            self._hide()
            return
        names, places = self.layers.names, seen.points[seen.placed]
        if len(names) != len(places):  # the rows of another image
            return
        drawn = (names, places.tobytes(), self.layers.size_px, self.layers.names_visible, self._limits(), seen.grid)
        there = not self.layers.names_visible or self.texts.layer in self.viewer.layers
        if there and drawn == self._drawn and screen.same_view(self._screen):
            return
        self._drawn, self._screen = drawn, screen
        sizes = text_sizes([shortened(name) for name in names])
        shifts = beside_points(sizes, self.layers.size_px / 2 * CURRENT_FACTOR)
        if self.layers.dragged is None or any(name not in self.sides for name in names):
            self._choose(names, places, screen, sizes, shifts)
        sides = np.array([self.sides[name] for name in names])
        shift = shifts[np.arange(len(names)), sides]
        at = screen.to_px(places)
        boxes = [boxes_of(at, self.layers.size_px), boxes_of(at + shift, sizes)]
        self._boxes = places, np.stack(boxes[: 2 if self.layers.names_visible else 1])
        if not self.layers.names_visible:
            self.texts.hide()
            return
        texts = [shortened(name) if self._written[name] else " " for name in names]
        middles = places + screen.to_index(shift)
        if self.viewer.dims.ndisplay == 3 and places.shape[1] == 3:
            colors = self._colors_in_3d(middles, sizes, screen)
        else:
            colors = self._colors(places, sides)
        self.texts.show(texts, middles, colors, seen.grid)

    # ---- inside

    def _hide(self) -> None:
        self.texts.hide()
        self._drawn, self._boxes = (), None

    def _resized(self, _: object) -> None:
        """Another part of the image is seen now: no name is to be cut off."""
        self._drawn = ()
        self.refresh()

    def _on_current(self, name: str) -> None:
        """Its name is written from now on, if there was no room for it before."""
        if not self._written.get(name, True):
            self._drawn = ()
            self.refresh()

    def _choose(
        self, names: tuple[str, ...], places: FloatArray, screen: Screen, sizes: FloatArray, shifts: FloatArray
    ) -> None:
        at, planes = screen.to_px(places), self._planes(places)
        discs = boxes_of(at, self.layers.size_px)
        before = np.array([self.sides.get(name, -1) for name in names])
        current = names.index(self.session.current) if self.session.current in names else -1
        sides, written = choose(
            at[:, None] + shifts, sizes, Surroundings(discs, planes, planes, screen.bounds), before, current
        )
        self.sides = dict(zip(names, sides.tolist(), strict=True))
        self._written = dict(zip(names, written.tolist(), strict=True))

    def _planes(self, places: FloatArray) -> IntArray:
        """The slice of each point; all are on one in 2D and in the 3D view."""
        hidden = self.layers.hidden_axes
        if not hidden:
            return np.zeros(len(places), dtype=int)
        return np.unique(np.round(places[:, hidden]), axis=0, return_inverse=True)[1].reshape(-1)

    def _occupied(self) -> FloatArray:
        """Boxes of the points and names of the slice that is shown, in pixels of the screen, ``(M, 4)``."""
        if self._boxes is None:
            return np.empty((0, 4))
        places, boxes = self._boxes
        hidden = self.layers.hidden_axes
        if hidden:
            here = (np.abs(places[:, hidden] - self.layers.shown_index()[hidden]) <= 0.5).all(axis=1)
            boxes = boxes[:, here]
        return boxes.reshape(-1, 4)

    def _limits(self) -> tuple[object, ...]:
        """What the colours of the names depend on beside their places."""
        image = self.layers.image
        return () if image is None else (id(self.session.image), *image.contrast_limits)

    def _colors(self, places: FloatArray, sides: IntArray) -> FloatArray:
        """Black or white, as can be read on the image on that side of the point, RGBA ``(N, 4)``."""
        image, layer = self.session.image, self.layers.image
        if image is None or layer is None:
            return np.ones((len(places), 4))
        across, down = np.array(SIDES)[sides].T
        begins = places.copy()
        begins[:, -1] -= (1 - across) / 2 * PATCH_WIDTH * image.grid.shape[-1]
        begins[:, -2] += down * _BESIDE * image.grid.shape[-2]
        low, high = layer.contrast_limits
        return np.asarray(self._inks.of(image, begins, (low, high)), dtype=np.float64)

    def _colors_in_3d(self, middles: FloatArray, sizes: FloatArray, screen: Screen) -> FloatArray:
        """Black or white, as can be read on a rendered volume: on the brightest of what lies behind and before."""
        image, layer = self.session.image, self.layers.image
        if image is None or layer is None or image.is_color:
            return np.ones((len(middles), 4))
        along = np.array(_ALONG)[None, :, None] * sizes[:, None, :1] * screen.right_step
        reach = np.linalg.norm(np.array(image.grid.shape) * np.asarray(layer.scale)) * self.viewer.scene.camera.zoom
        rays = np.linspace(-reach, reach, _SAMPLES)[:, None] * screen.depth_step
        return brightest_colors(image, (middles[:, None] + along)[:, :, None] + rays, tuple(layer.contrast_limits))
