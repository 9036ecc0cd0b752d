"""The open case of a session as layers of napari: its image and its points, kept in step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image as ImageLayer
from napari.layers import Layer, Points
from napari.viewer import Viewer
from psygnal import Signal

from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.gui.case_layers import new_points, refuse_native_edits, set_contrast, set_geometry
from napari_landmarker.gui.looks import image_arguments, layer_geometry
from napari_landmarker.gui.origin import IMAGE_KEY, ImageOrigin
from napari_landmarker.gui.point_rows import PointRows
from napari_landmarker.gui.slice_guests import Guest
from napari_landmarker.gui.whole_view import WholeView
from napari_landmarker.state.session import Session

#: Diameter of a point on the screen, in screen pixels, as long as nobody changes it; that of the current landmark is
#: larger by a factor.
SIZE_PX, CURRENT_FACTOR = 15.0, 4 / 3
_SMALLEST_PX, _LARGEST_PX = 4.0, 60.0


class CaseLayers:
    """Shows the open case of a session as an image layer and a points layer.

    The points layer takes no edits of its own: clicks reach the session through the canvas tool, and what the session
    holds is drawn. A layer that a person deletes comes back with the next case.

    Signals:
        seen_changed: `seen` changed: another case, an edit, or a point under the mouse that drags it.
        look_changed: the size of the points, the visibility of their names or the contrast changed.
        shown_in_view: this landmark was brought into view.
        guests_changed: what `guests` tell changed otherwise than with what is seen.

    Attributes:
        image: the image layer, None while no case is open.
        points: the points layer, None while no case is open.
        names_visible: whether names are written beside the points.
        size_px: diameter of a point, in screen pixels.
        dragged: the landmark that the mouse drags, and where it is, ``(D,)``.
        occupied: tells where points and names are on the slice that is shown, as `text_places.Surroundings.taken`.
        guests: tell what is drawn on a slice of a volume beside the landmarks.
        other_mouse: tells the landmark under the mouse while it is over another view than the canvas; None while not.
    """

    seen_changed = Signal()
    look_changed = Signal()
    shown_in_view = Signal(str)
    guests_changed = Signal()

    def __init__(self, viewer: Viewer, session: Session) -> None:
        self.viewer = viewer
        self.session = session
        self.image: ImageLayer | None = None
        self.points: Points | None = None
        self.names_visible = True
        self.size_px = SIZE_PX
        self.dragged: tuple[str, FloatArray] | None = None
        self.guests: list[Guest] = []
        self.occupied: Callable[[], FloatArray] = lambda: np.empty((0, 4))
        self.other_mouse: Callable[[], str | None] | None = None
        self._whole = WholeView(viewer)
        self._rows: PointRows | None = None
        self._case_id: str | None = None
        self._laid: tuple[tuple[int, ...], tuple[float, ...], tuple[str, ...]] | None = None
        session.case_changed.connect(self._show_case)
        session.landmarks_changed.connect(self._on_landmarks)
        session.current_changed.connect(self._size)
        session.travelled.connect(self._look_at)
        viewer.scene.camera.events.zoom.connect(self._size)

    def close(self) -> None:
        """Take the layers away and stop following the session."""
        self.session.case_changed.disconnect(self._show_case)
        self.session.landmarks_changed.disconnect(self._on_landmarks)
        self.session.current_changed.disconnect(self._size)
        self.session.travelled.disconnect(self._look_at)
        self.viewer.scene.camera.events.zoom.disconnect(self._size)
        self._whole.close()
        self._clear()

    # ---- where things are

    @property
    def seen(self) -> LandmarkSet | None:
        """The landmarks as they are on the screen: as the session shows them, the dragged one under the mouse."""
        shown = self.session.shown
        if shown is None or self.dragged is None or self.dragged[0] not in shown.names:
            return shown
        name, point = self.dragged
        return shown.with_point(name, point, shown.status_of(name), shown.score_of(name))

    @property
    def names(self) -> tuple[str, ...]:
        """The landmark of each row of the points layer."""
        return () if self._rows is None else self._rows.names

    @property
    def grid(self) -> Grid | None:
        """The grid of the open image."""
        return None if self.session.image is None or self.points is None else self.session.image.grid

    @property
    def hidden_axes(self) -> list[int]:
        """Axes of the image that are not on the screen but chosen by a slider."""
        first = self.viewer.dims.ndim - (self.points.ndim if self.points is not None else 0)
        return [axis - first for axis in self.viewer.dims.not_displayed if axis >= first]

    def shown_index(self) -> FloatArray:
        """Index coordinates ``(D,)`` that the sliders stand at."""
        assert self.points is not None
        return np.asarray(self.points.world_to_data(self.viewer.dims.point[-self.points.ndim :]), dtype=np.float64)

    def index_of(self, position: npt.ArrayLike) -> FloatArray:
        """Index coordinates ``(D,)`` of a world position of the viewer; whole numbers along axes that are not shown."""
        assert self.points is not None
        index = np.asarray(self.points.world_to_data(position), dtype=np.float64)
        hidden = self.hidden_axes
        index[hidden] = np.round(index[hidden])
        return index

    def distance_on_screen_px(self, position: npt.ArrayLike) -> FloatArray:
        """Distance of every point of the layer to a world position, in screen pixels; infinite on other slices."""
        assert self.points is not None
        if not self.names:
            return np.empty(0)
        offset = np.asarray(self.points.data) - self.points.world_to_data(position)
        hidden = self.hidden_axes
        shown = [axis for axis in range(self.points.ndim) if axis not in hidden]
        scale = np.asarray(self.points.scale)[shown]
        distance = np.linalg.norm(offset[:, shown] * scale, axis=1) * self.viewer.scene.camera.zoom
        elsewhere = (np.abs(offset[:, hidden]) > 0.5).any(axis=1)
        return np.where(elsewhere, np.inf, distance)

    def name_near(self, position: npt.ArrayLike, within_px: float) -> str | None:
        """The landmark nearest to a world position, if one is drawn within so many screen pixels."""
        distance = self.distance_on_screen_px(position) if self.points is not None else np.empty(0)
        if distance.size == 0 or distance.min() > within_px:
            return None
        return self.names[int(distance.argmin())]

    def name_under_mouse(self, within_px: float) -> str | None:
        """The landmark under the mouse, wherever that is, as `name_near`."""
        if self.other_mouse is not None:
            return self.other_mouse()
        return None if self.points is None else self.name_near(self.viewer.cursor.position, within_px)

    def is_ours(self, layer: Layer | None) -> bool:
        """Whether clicks on this active layer are meant for landmarks: our image, points, anything we draw, or none."""
        return layer is None or layer in (self.image, self.points) or "landmarker" in layer.metadata

    def bring_into_view(self, name: str) -> None:
        """Go to the slice of a landmark, and centre on it where it lies outside of what is seen."""
        shown = self.session.shown
        if shown is not None and shown.status_of(name).has_point:
            self._look_at(name, shown.point(name))

    # ---- drawing

    def preview(self, name: str, point: FloatArray) -> None:
        """Draw a landmark elsewhere while it is dragged; the session does not know yet."""
        if self._rows is not None and name in self.names:
            self._rows.move(name, point)
            self.dragged = (name, np.asarray(point, dtype=np.float64))
            self.seen_changed.emit()

    def show_names(self, visible: bool) -> None:
        """Write the landmarks' names beside their points, or not."""
        if visible != self.names_visible:
            self.names_visible = visible
            if self.points is not None:
                self.points.text.visible = visible
            self.look_changed.emit()

    def set_size(self, size_px: float) -> None:
        """Draw the points with another diameter, in screen pixels."""
        size_px = min(max(size_px, _SMALLEST_PX), _LARGEST_PX)
        if size_px != self.size_px:
            self.size_px = size_px
            self._size()
            self.look_changed.emit()

    def reset_contrast(self) -> None:
        """The window that the image's file asks for, or else all its values."""
        if self.image is not None and self.session.image is not None:
            set_contrast(self.image, self.session.image)
            self.look_changed.emit()

    def redraw(self) -> None:
        """Draw the points as the session has them."""
        shown, project = self.session.shown, self.session.project
        if self._rows is None or shown is None or project is None:
            return
        self.dragged = None
        names = [name for name, placed in zip(shown.names, shown.placed, strict=True) if placed]
        colors = [project.schema.definition(name).color for name in names]
        self._rows.show(shown, colors, self._sizes(names))
        self.seen_changed.emit()

    def let_go(self) -> None:
        """Draw a landmark that was dragged where the session has it."""
        if self.dragged is not None:
            self.redraw()

    def _size(self, _: object = None) -> None:
        """Points keep their size on the screen, whatever the zoom."""
        if self._rows is not None and self.names:
            self._rows.resize(self._sizes(self.names))

    def _sizes(self, names: Sequence[str]) -> FloatArray:
        """Diameters ``(N,)`` of the points of these landmarks, in pixels of the last axis."""
        assert self.points is not None
        pixel = self.viewer.scene.camera.zoom * self.points.scale[-1]
        factors = [CURRENT_FACTOR if name == self.session.current else 1.0 for name in names]
        return np.asarray(np.array(factors) * self.size_px / pixel)

    # ---- inside

    def _look_at(self, name: str, index: FloatArray) -> None:
        """Bring a place ``(D,)`` into view, at which a landmark is, or was before an undo."""
        if self.points is not None:
            self.go_to(index)
            self._centre_on(np.asarray(self.points.data_to_world(index)))
            if name in self.names:
                self.shown_in_view.emit(name)

    def _text_switched(self, event: Any) -> None:
        """The layer's own switch for its texts was used, in napari's controls."""
        self.show_names(bool(event.source.visible))

    def _on_landmarks(self, _: object) -> None:
        self.redraw()

    def _show_case(self) -> None:
        image = self.session.image
        if image is None or self.session.case_id is None:
            self._clear()
            return
        grid = image.grid
        geometry = layer_geometry(grid)
        again, self._case_id = self.session.case_id == self._case_id, self.session.case_id
        laid, self._laid = self._laid, (image.array.shape, geometry["scale"], geometry["units"])
        same = self.image is not None and self.image in self.viewer.layers and laid is not None
        if same and self.image is not None and laid is not None:
            # Layers that change from pixels to millimetres one by one would disagree meanwhile, which napari tells.
            same = self.image.ndim == grid.ndim and self.image.rgb == image.is_color and laid[2] == geometry["units"]
        if laid != self._laid:
            self._drop_overlays()
        if not same or self.image is None:
            self._clear()
            self.image = ImageLayer(image.array, **image_arguments(image))
            refuse_native_edits(self.image)
            self.viewer.add_layer(self.image)
        else:
            self.image.data = image.array
            set_geometry(self.image, grid)
            if not again:
                set_contrast(self.image, image)
        self.image.name = self.session.case_id
        if self.session.project is not None:
            path = self.session.project.image_path(self.session.case_id)
            self.image.metadata[IMAGE_KEY] = ImageOrigin(path, image.geometry)
        self._show_points(grid)
        if not same or laid != self._laid:
            self._whole.show()
        if not (again and same):
            self._go_to_landmark(grid)

    def _show_points(self, grid: Grid) -> None:
        if self._rows is None or self.points is None or self.points not in self.viewer.layers:
            self.points = new_points(grid)
            self._rows = PointRows(self.points)
            self.points.text.visible = self.names_visible
            self.points.text.events.visible.connect(self._text_switched)
            self.points.events.visible.connect(self.look_changed.emit)
            refuse_native_edits(self.points)
            self.viewer.add_layer(self.points)
        else:
            self._rows.clear()
            set_geometry(self.points, grid)
        self.redraw()
        self.points.refresh()  # their picture in the list of layers, which later edits leave as it is
        self.viewer.layers.selection.active = self.points

    def _go_to_landmark(self, grid: Grid) -> None:
        """Show the slice of the current landmark or of the first that has a place, or else the middle one."""
        shown, current = self.session.shown, self.session.current
        if grid.ndim < 3 or shown is None:
            return
        index = (np.asarray(grid.shape) - 1) // 2
        if self.names:
            index = shown.point(current if current in self.names else self.names[0])
        self.go_to(index)

    def go_to(self, index: npt.ArrayLike) -> None:
        """Move the sliders to the centre of the slice that index coordinates ``(D,)`` lie in."""
        if self.points is not None:
            world = np.asarray(self.points.data_to_world(np.round(index)))
            first = self.viewer.dims.ndim - self.points.ndim
            for axis in self.hidden_axes:
                self.viewer.dims.set_point(first + axis, world[axis])

    def _clear(self) -> None:
        for layer in (self.points, self.image):
            if layer is not None and layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self._drop_overlays()
        self.image = self.points = self._rows = self.dragged = self._case_id = None
        self.seen_changed.emit()

    def _drop_overlays(self) -> None:
        """Layers drawn over an image of another size or spacing would stretch view and sliders, even hidden."""
        for layer in [layer for layer in self.viewer.layers if "landmarker" in layer.metadata]:
            self.viewer.layers.remove(layer)

    def _centre_on(self, world: FloatArray) -> None:
        camera, dims = self.viewer.scene.camera, self.viewer.dims
        if self.points is None:
            return
        if dims.ndisplay == 3:
            camera.center = tuple(float(value) for value in world[-3:])
            return
        first = dims.ndim - self.points.ndim
        target = np.array([world[axis - first] for axis in dims.displayed if axis >= first])
        if len(target) != 2:
            return
        centre = np.asarray(camera.center)[-2:]
        half = np.asarray(self.viewer.canvas.size, dtype=np.float64) / 2 / camera.zoom
        if (np.abs(target - centre) > half).any():
            camera.center = (0.0, float(target[0]), float(target[1]))
