"""`MeasureLayer`: measurements on the image and its three views: lines, arcs and values that follow the landmarks."""

from __future__ import annotations

from collections import Counter

import numpy as np
from napari.utils.colormaps.standardize_color import transform_color
from napari.viewer import Viewer
from psygnal import Signal

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics import Measured, measurements_of
from napari_landmarker.engine.schema import Measurement
from napari_landmarker.gui.contrast import PATCH_WIDTH, text_colors
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.line_layer import LineLayer
from napari_landmarker.gui.measure_labels import ValueLabels
from napari_landmarker.gui.measure_shapes import Drawing, drawing, place_of
from napari_landmarker.gui.measure_words import Verdict, value_text, verdict
from napari_landmarker.gui.screen import Screen, text_sizes
from napari_landmarker.gui.slice_guests import SliceLine, SliceText
from napari_landmarker.gui.text_places import Surroundings, about_places, choose
from napari_landmarker.state.session import Session

LINES_NAME, VALUES_NAME = "Measurements", "Measured values"
#: What the metadata of both layers call them.
KIND = "measurements"
#: By how a value stands to its norm; that colour-blind people can tell apart, and readable on radiographs.
COLORS = {
    Verdict.UNKNOWN: "#e8e8e8",
    Verdict.USUAL: "#56d9b9",
    Verdict.OFF: "#ffb000",
    Verdict.FAR: "#ff6a4d",
}
_MARKS = {True: " ▲", False: " ▼"}
_FAINT, _LINE_PX = 0.4, 1.8


class MeasureLayer:
    """Draws the chosen measurements, or all; while they are drawn, they follow a landmark that is dragged.

    On a slice of a volume, a measurement is seen where one of its lines reaches the slice, laid flat on it. A value
    makes way for points and names that lie where it would be written.

    Signals:
        changed: `all` or `chosen` changed.

    Attributes:
        all: whether all measurements are drawn; the chosen ones then stand out.
        chosen: the names of those that are drawn in any case.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer, session: Session, layers: CaseLayers) -> None:
        self.viewer = viewer
        self.session = session
        self.layers = layers
        self.all = False
        self.chosen: tuple[str, ...] = ()
        self.lines = LineLayer(viewer, LINES_NAME, KIND, COLORS[Verdict.UNKNOWN], _LINE_PX)
        self.values = ValueLabels(viewer, VALUES_NAME, KIND)
        self._shifts: dict[str, int] = {}
        self._seen: LandmarkSet | None = None
        self._measured: list[Measured] = []
        layers.guests.append(self.on_slice)
        layers.seen_changed.connect(self.refresh)
        session.project_changed.connect(self._project_changed)
        for event in (viewer.dims.events.current_step, viewer.dims.events.ndisplay, viewer.dims.events.order):
            event.connect(self._slice_changed)
        camera = viewer.scene.camera.events
        self._camera = (camera.zoom, camera.angles, viewer.canvas.events.size)
        for event in self._camera:
            event.connect(self._view_changed, position="last")  # after the names, of which values keep clear

    def close(self) -> None:
        """Take the layers away and follow nothing any more."""
        self.layers.guests.remove(self.on_slice)
        self.layers.seen_changed.disconnect(self.refresh)
        self.session.project_changed.disconnect(self._project_changed)
        dims = self.viewer.dims.events
        for event in (dims.current_step, dims.ndisplay, dims.order):
            event.disconnect(self._slice_changed)
        for event in self._camera:
            event.disconnect(self._view_changed)
        self.lines.close()
        self.values.remove()

    # ---- what is drawn

    @property
    def on(self) -> bool:
        """Whether anything is to be drawn."""
        return self.all or bool(self.chosen)

    def draw_all(self, on: bool) -> None:
        """Draw all measurements, or only the chosen ones."""
        if on != self.all:
            self.all = on
            self._tell()

    def choose(self, names: tuple[str, ...]) -> None:
        """Choose the measurements that are drawn in any case."""
        if names != self.chosen:
            self.chosen = names
            self._tell()

    def toggle(self) -> None:
        """Draw nothing, or all where nothing was drawn."""
        self.all, self.chosen = not self.on, ()
        self._tell()

    def refresh(self) -> None:
        """Draw the measurements as the landmarks are seen now."""
        seen, shown = self.layers.seen, self._shown()
        self._seen = seen
        self._measured = [] if seen is None else [one for one in measurements_of(seen, shown) if one.value is not None]
        if seen is None or not self._measured:
            self.lines.hide()
            self.values.hide()
            return
        hidden = [] if self.viewer.dims.ndisplay == 3 else self.layers.hidden_axes
        found = self._drawings(hidden, np.round(self.layers.shown_index()[hidden]) if hidden else 0.0)
        drawn, parts = [one for one, _ in found], [part for _, part in found]
        ink = np.array([self._color(one) for one in drawn]).reshape(-1, 4)
        ndim = seen.grid.ndim
        segments = np.concatenate([part.segments for part in parts]) if parts else np.empty((0, 2, ndim))
        colors = np.repeat(ink, [len(part.segments) for part in parts], axis=0) if parts else None
        self.lines.show(segments, seen.grid, colors)
        places = np.array([part.label for part in parts]).reshape(-1, ndim)
        texts = [self._label(one) for one in drawn]
        places = self._clear_of_points(places, texts, [one.measurement.name for one in drawn])
        written = self._text_colors(places)
        written[:, 3] = ink[:, 3]
        self.values.show(texts, places, written, seen.grid)

    def on_slice(self, axis: int, at: int) -> list[SliceLine | SliceText]:
        """What is drawn on the slice at an index of an axis of a volume."""
        drawn: list[SliceLine | SliceText] = []
        for one, part in self._drawings([axis], float(at)):
            name, color, strong = one.measurement.name, COLORS[verdict(one)], self._strong(one)
            drawn += [SliceLine(segment, color, _LINE_PX, strong) for segment in part.segments]
            drawn.append(SliceText(name, self._label(one), part.label, "white", strong))
        return drawn

    # ---- inside

    def _shown(self) -> tuple[Measurement, ...]:
        project = self.session.project
        measurements = () if project is None else project.schema.measurements
        return measurements if self.all else tuple(m for m in measurements if m.name in self.chosen)

    def _drawings(self, axes: list[int], at: FloatArray | float) -> list[tuple[Measured, Drawing]]:
        """The measurements that reach the slice at some indices of these axes, and what is drawn of each there."""
        rings: Counter[tuple[str, ...]] = Counter()
        found: list[tuple[Measured, Drawing]] = []
        seen = self._seen
        if seen is None:
            return found
        for one in self._measured:
            place = place_of(one.measurement)
            drawn = drawing(one.measurement, seen, rings[place])
            flat = None if drawn is None else _laid_flat(drawn, axes, at)
            if flat is not None:
                found.append((one, flat))
                rings[place] += 1
        return found

    def _clear_of_points(self, places: FloatArray, texts: list[str], names: list[str]) -> FloatArray:
        """The places ``(N, D)`` of values of these measurements, moved a little where points or names lie there."""
        points = self.layers.points
        screen = None if points is None else Screen.of(self.viewer, points)
        if screen is None or not texts:
            return places
        sizes, taken = text_sizes(texts), self.layers.occupied()
        shifts = about_places(sizes)
        planes, taken_planes = np.zeros(len(texts), dtype=int), np.zeros(len(taken), dtype=int)
        before = np.array([self._shifts.get(name, -1) for name in names])
        around = Surroundings(taken, planes, taken_planes, screen.bounds)
        chosen, _ = choose(screen.to_px(places)[:, None] + shifts, sizes, around, before)
        self._shifts = dict(zip(names, chosen.tolist(), strict=True))
        return np.asarray(places + screen.to_index(shifts[np.arange(len(texts)), chosen]))

    def _label(self, measured: Measured) -> str:
        """The value and whether it is beyond what is usual; the name too, where not all are drawn."""
        name, text = measured.measurement.name, value_text(measured)
        if not self.all or name in self.chosen:
            text = f"{name} {text}"
        if verdict(measured) in (Verdict.OFF, Verdict.FAR):
            text += _MARKS[(measured.deviations or 0) > 0]
        return text

    def _text_colors(self, places: FloatArray) -> FloatArray:
        """Black or white, as can be read on the image there."""
        image, layer = self.session.image, self.layers.image
        if image is None or layer is None or not len(places):
            return np.ones((len(places), 4))
        begins = places.copy()
        begins[:, -1] -= PATCH_WIDTH / 2 * image.grid.shape[-1]
        low, high = layer.contrast_limits
        return np.asarray(text_colors(image, begins, (low, high)), dtype=np.float64)

    def _color(self, measured: Measured) -> FloatArray:
        color = np.array(transform_color(COLORS[verdict(measured)])[0], dtype=np.float64)
        color[3] = self._strong(measured)
        return color

    def _strong(self, measured: Measured) -> float:
        """How strongly it is drawn: faintly where others stand out."""
        return _FAINT if self.all and self.chosen and measured.measurement.name not in self.chosen else 1.0

    def _tell(self) -> None:
        self.refresh()
        self.layers.guests_changed.emit()
        self.changed.emit()

    def _project_changed(self) -> None:
        project = self.session.project
        names = () if project is None else tuple(m.name for m in project.schema.measurements)
        self.choose(tuple(name for name in self.chosen if name in names))

    def _view_changed(self, _: object) -> None:
        if self.on and self.layers.points in self.viewer.layers:
            self.refresh()

    def _slice_changed(self, _: object) -> None:
        image = self.session.image
        if self.on and image is not None and image.grid.ndim == 3 and self.layers.points in self.viewer.layers:
            self.refresh()


def _laid_flat(drawn: Drawing, axes: list[int], at: FloatArray | float) -> Drawing | None:
    """What reaches the slice at ``at`` of some axes as it falls on it, None where nothing does; all without axes."""
    low, high = drawn.segments[:, :, axes].min(axis=(0, 1)), drawn.segments[:, :, axes].max(axis=(0, 1))
    if not ((low <= at + 0.5) & (high >= at - 0.5)).all():
        return None
    flat, label = drawn.segments.copy(), drawn.label.copy()
    flat[:, :, axes] = at
    label[axes] = at
    return Drawing(flat, label)
