"""The open case of a session as layers of napari: its image and its points, kept in step."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from napari.layers import Image as ImageLayer
from napari.layers import Layer, Points
from napari.viewer import Viewer
from psygnal import Signal

from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.gui.contrast import text_colors
from napari_landmarker.gui.looks import GAP, image_arguments, layer_geometry, point_arguments, point_style, shortened
from napari_landmarker.gui.origin import IMAGE_KEY, ImageOrigin
from napari_landmarker.state.session import Session

POINTS_NAME = "Landmarks"
#: Diameter of a point on the screen, in screen pixels, as long as nobody changes it; that of the current landmark is
#: larger by a factor.
SIZE_PX, CURRENT_FACTOR = 15.0, 4 / 3
_SMALLEST_PX, _LARGEST_PX = 4.0, 60.0
#: What napari's status bar says while one of our layers is active; its own words are of tools that are off here.
_HELP = "click to place the current landmark, drag a point to move it"


class CaseLayers:
    """Shows the open case of a session as an image layer and a points layer.

    The points layer takes no edits of its own: clicks reach the session through the canvas tool, and what the session
    holds is drawn. A layer that a person deletes comes back with the next case.

    Signals:
        seen_changed: `seen` changed: another case, an edit, or a point under the mouse that drags it.
        look_changed: the size of the points or the visibility of their names changed.
        shown_in_view: this landmark was brought into view.

    Attributes:
        image: the image layer, None while no case is open.
        points: the points layer, None while no case is open.
        names: the landmark of each row of the points layer.
        names_visible: whether names are written beside the points.
        size_px: diameter of a point, in screen pixels.
    """

    seen_changed = Signal()
    look_changed = Signal()
    shown_in_view = Signal(str)

    def __init__(self, viewer: Viewer, session: Session) -> None:
        self.viewer = viewer
        self.session = session
        self.image: ImageLayer | None = None
        self.points: Points | None = None
        self.names: tuple[str, ...] = ()
        self.names_visible = True
        self.size_px = SIZE_PX
        self._dragged: tuple[str, FloatArray] | None = None
        self._styled: tuple[tuple[str, ...], dict[str, object]] = ((), {})
        self._laid: tuple[tuple[int, ...], tuple[float, ...], tuple[str, ...]] | None = None
        session.case_changed.connect(self._show_case)
        session.landmarks_changed.connect(self._on_landmarks)
        session.current_changed.connect(self._size)
        viewer.scene.camera.events.zoom.connect(self._size)

    def close(self) -> None:
        """Take the layers away and stop following the session."""
        self.session.case_changed.disconnect(self._show_case)
        self.session.landmarks_changed.disconnect(self._on_landmarks)
        self.session.current_changed.disconnect(self._size)
        self.viewer.scene.camera.events.zoom.disconnect(self._size)
        self._clear()

    # ---- where things are

    @property
    def seen(self) -> LandmarkSet | None:
        """The landmarks as they are on the screen: as the session shows them, the dragged one under the mouse."""
        shown = self.session.shown
        if shown is None or self._dragged is None or self._dragged[0] not in shown.names:
            return shown
        name, point = self._dragged
        return shown.with_point(name, point, shown.status_of(name), shown.score_of(name))

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

    def is_ours(self, layer: Layer | None) -> bool:
        """Whether clicks on this active layer are meant for landmarks: our image, points, anything we draw, or none."""
        return layer is None or layer in (self.image, self.points) or "landmarker" in layer.metadata

    def bring_into_view(self, name: str) -> None:
        """Go to the slice of a landmark, and centre on it where it lies outside of what is seen."""
        shown = self.session.shown
        if self.points is None or shown is None or not shown.status_of(name).has_point:
            return
        self._go_to(shown.point(name))
        self._centre_on(np.asarray(self.points.data_to_world(shown.point(name))))
        self.shown_in_view.emit(name)

    # ---- drawing

    def preview(self, name: str, point: FloatArray) -> None:
        """Draw a landmark elsewhere while it is dragged; the session does not know yet."""
        if self.points is not None and name in self.names:
            data = np.array(self.points.data)
            data[self.names.index(name)] = point
            self.points.data = data
            self._dragged = (name, np.asarray(point, dtype=np.float64))
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
            _set_contrast(self.image, self.session.image)
            self.color_names()

    def redraw(self) -> None:
        """Draw the points as the session has them."""
        shown, project, layer = self.session.shown, self.session.project, self.points
        if layer is None or shown is None or project is None:
            return
        self._dragged = None
        rows = np.flatnonzero(shown.placed)
        self.names = tuple(shown.names[row] for row in rows)
        layer.data = shown.points[rows]
        layer.features = {
            "name": np.array(self.names, dtype=object),
            "written": np.array([GAP + shortened(name) for name in self.names], dtype=object),
            "status": shown.status[rows].astype(object),
            "score": shown.score[rows],
        }
        self._styled = self._styled if len(rows) else ((), {})
        if len(rows):
            colors = [project.schema.definition(name).color for name in self.names]
            self._style(layer, point_style(colors, shown.status[rows], shown.locked[rows]))
            self.color_names()
        self._size()
        layer.selected_data = set()
        self.seen_changed.emit()

    def color_names(self) -> None:
        """Write each name black or white, as can be read on the image there."""
        image, shown, layer = self.session.image, self.image, self.points
        if image is not None and shown is not None and layer is not None and self.names:
            low, high = shown.contrast_limits
            layer.text.color = text_colors(image, np.asarray(layer.data), (low, high))

    def _style(self, layer: Points, style: dict[str, object]) -> None:
        """Give the points their looks; napari draws all anew for each that is set, so only what differs is."""
        known = self._styled[1] if self._styled[0] == self.names else {}
        for key, value in style.items():
            if key not in known or not np.array_equal(known[key], value):
                setattr(layer, key, value)
        self._styled = self.names, style

    def _size(self, _: object = None) -> None:
        """Points keep their size on the screen, whatever the zoom."""
        if self.points is not None and self.names:
            pixel = self.viewer.scene.camera.zoom * self.points.scale[-1]
            factors = [CURRENT_FACTOR if name == self.session.current else 1.0 for name in self.names]
            self.points.size = np.array(factors) * self.size_px / pixel

    # ---- inside

    def _on_landmarks(self, _: object) -> None:
        self.redraw()

    def _show_case(self) -> None:
        image = self.session.image
        if image is None or self.session.case_id is None:
            self._clear()
            return
        grid = image.grid
        geometry = layer_geometry(grid)
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
            _refuse_native_edits(self.image)
            self.viewer.add_layer(self.image)
        else:
            self.image.data = image.array
            _set_geometry(self.image, grid)
            _set_contrast(self.image, image)
        self.image.name = self.session.case_id
        if self.session.project is not None:
            path = self.session.project.image_path(self.session.case_id)
            self.image.metadata[IMAGE_KEY] = ImageOrigin(path, image.geometry)
        self._show_points(grid)
        if not same or laid != self._laid:
            self.viewer.reset_view()
        self._go_to_first(grid)

    def _show_points(self, grid: Grid) -> None:
        self._styled = (), {}
        if self.points is None or self.points not in self.viewer.layers:
            self.points = _new_points(grid)
            self.points.text.visible = self.names_visible
            _refuse_native_edits(self.points)
            self.viewer.add_layer(self.points)
        else:
            self.points.data = np.empty((0, grid.ndim))
            _set_geometry(self.points, grid)
        self.redraw()
        self.viewer.layers.selection.active = self.points

    def _go_to_first(self, grid: Grid) -> None:
        """Show the slice of the first landmark that has a place, or else the middle one."""
        if grid.ndim < 3 or self.points is None:
            return
        index = (np.asarray(grid.shape) - 1) // 2
        if self.names and self.session.shown is not None:
            index = self.session.shown.point(self.names[0])
        self._go_to(index)

    def _go_to(self, index: npt.ArrayLike) -> None:
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
        self.image = self.points = self._dragged = None
        self.names = ()
        self.seen_changed.emit()

    def _drop_overlays(self) -> None:
        """Layers drawn over an image of another size or spacing would stretch view and sliders, even hidden."""
        for layer in [layer for layer in self.viewer.layers if "landmarker" in layer.metadata]:
            self.viewer.layers.remove(layer)

    def _centre_on(self, world: FloatArray) -> None:
        camera, dims = self.viewer.scene.camera, self.viewer.dims
        if dims.ndisplay != 2 or self.points is None:
            return
        first = dims.ndim - self.points.ndim
        target = np.array([world[axis - first] for axis in dims.displayed if axis >= first])
        if len(target) != 2:
            return
        centre = np.asarray(camera.center)[-2:]
        half = np.asarray(self.viewer.canvas.size, dtype=np.float64) / 2 / camera.zoom
        if (np.abs(target - centre) > half).any():
            camera.center = (0.0, float(target[0]), float(target[1]))


def _new_points(grid: Grid) -> Points:
    """An empty points layer on a grid, with names as text."""
    return Points(
        np.empty((0, grid.ndim)),
        ndim=grid.ndim,
        name=POINTS_NAME,
        features={"name": np.empty(0, dtype=object), "written": np.empty(0, dtype=object)},
        **point_arguments("{written}"),
        **layer_geometry(grid),
    )


def _refuse_native_edits(layer: Layer) -> None:
    """Neither napari's own point tools nor moving a layer as a whole; napari allows both again at new data."""

    def refuse() -> None:
        layer.editable = False
        layer.help = _HELP

    layer.events.editable.connect(refuse)
    layer.events.help.connect(refuse)
    refuse()


def _set_contrast(layer: ImageLayer, image: Image) -> None:
    """The window that the image's file asks for, or else all its values."""
    if not image.is_color:
        layer.reset_contrast_limits()
        layer.contrast_limits = image.display_range or layer.contrast_limits


def _set_geometry(layer: Layer, grid: Grid) -> None:
    for key, value in layer_geometry(grid).items():
        setattr(layer, key, value)
