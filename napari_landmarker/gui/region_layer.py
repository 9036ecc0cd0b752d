"""`RegionLayer`: where a landmark may be, drawn as an outline on the image and as a skin in the 3D view."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from napari.layers import Shapes, Surface
from napari.utils.colormaps.standardize_color import transform_color
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.uncertainty import Region
from napari_landmarker.gui import overlay
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.looks import layer_geometry
from napari_landmarker.gui.slice_guests import SliceLine
from napari_landmarker.state.session import Session

REGIONS_NAME, SURFACES_NAME = "Regions", "Regions in 3D"
#: Which regions are shown besides that of one landmark.
WAITING, EVERY, CURRENT = "waiting", "every", "current"
#: Width of an outline in screen pixels, and how much of a skin is seen.
_LINE_PX, _SKIN = 2.0, 0.3
#: Vertices of a smooth outline.
_VERTICES = 64
#: How long the zoom must rest before outlines get their width again, in ms.
_ZOOM_REST_MS = 80


class RegionLayer(QObject):
    """Draws the regions of the open image, each in the colour of its landmark.

    Both layers are made when there is first something to show, and hidden where there is nothing: outlines in the slice
    view (of a volume, where the slice cuts the region), skins in the 3D view.

    Args:
        viewer: where they are drawn.
        session: what is open.
        parent: as in Qt.

    Attributes:
        shapes: the outlines, None until there was something to show.
        surface: the skins, None until there was something to show.
        visible: whether a person wants to see regions.
        which: `WAITING` for predicted points that nobody has answered, `EVERY`, or `CURRENT`.
        regions: of the open image, by landmark.
        drawn: the landmark of each outline that is drawn.
    """

    changed = Signal()
    """Other regions are drawn."""

    def __init__(self, viewer: Viewer, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.session = session
        self.shapes: Shapes | None = None
        self.surface: Surface | None = None
        self.visible = True
        self.which = WAITING
        self.regions: Mapping[str, Region] = {}
        self.drawn: tuple[str, ...] = ()
        self._cuts: dict[tuple[str, int, int], list[FloatArray]] = {}
        self._case_id: str | None = None
        self._seen: tuple[str, ...] = ()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_ZOOM_REST_MS)
        self._rest.timeout.connect(self._set_width)
        follow(self, session.landmarks_changed, self._maybe_refresh)
        follow(self, session.current_changed, self._maybe_refresh)
        dims, zoom = viewer.dims.events, viewer.scene.camera.events.zoom
        links = (
            (dims.current_step, self._stepped),
            (dims.ndisplay, self._turned),
            (dims.order, self._turned),
            (zoom, self._zoomed),
        )
        for event, slot in links:
            event.connect(slot)
        self.destroyed.connect(lambda: [event.disconnect(slot) for event, slot in links])

    def show(self, regions: Mapping[str, Region]) -> None:
        """Show these regions of the open image; none hides them."""
        self.regions, self._case_id = regions, self.session.case_id
        self._cuts = {}
        self.refresh()

    def on_slice(self, axis: int, at: int) -> list[SliceLine]:
        """The outlines of the regions on a slice of a volume."""
        project, lines = self.session.project, []
        for name in self._names() if project is not None else []:
            if (name, axis, at) not in self._cuts:
                self._cuts[name, axis, at] = _cut(self.regions[name], axis, at)
            for line in self._cuts[name, axis, at]:
                color = project.schema.definition(name).color
                lines.append(SliceLine(np.vstack([line, line[:1]]), color, _LINE_PX))
        return lines

    def refresh(self) -> None:
        """Draw what the session and the sliders say now."""
        names = self._names()
        self._seen = tuple(names)
        volume = self.session.image is not None and self.session.image.grid.ndim == 3
        in_3d = volume and self.viewer.dims.ndisplay == 3
        self._draw_outlines([] if in_3d else names)
        self._draw_skins(names if in_3d else [])
        self.changed.emit()

    # ---- what is drawn

    def _names(self) -> list[str]:
        """The landmarks of which regions are to be seen."""
        shown = self.session.shown
        if not self.visible or shown is None or self.session.case_id != self._case_id:
            return []
        names = [name for name in shown.names if name in self.regions and not self.regions[name].whole]
        if self.which == CURRENT:
            return [name for name in names if name == self.session.current]
        if self.which == WAITING:
            return [name for name in names if shown.status_of(name) is LandmarkStatus.PREDICTED]
        return names

    def _draw_outlines(self, names: list[str]) -> None:
        lines = [(name, line) for name in names for line in self._outlines(self.regions[name])]
        self.drawn = tuple(name for name, _ in lines)
        if not lines:
            overlay.set_visible(self.shapes, False)
            return
        grid = self.regions[lines[0][0]].grid
        if self.shapes is None or not overlay.fits(self.viewer, self.shapes, grid):
            overlay.remove(self.viewer, self.shapes)
            self.shapes = Shapes(
                ndim=grid.ndim,
                name=REGIONS_NAME,
                opacity=1.0,
                metadata={"landmarker": "regions"},
                **layer_geometry(self._grid),
            )
            overlay.insert(self.viewer, self.shapes)
        layer = self.shapes
        overlay.lay_on(layer, self._grid)
        layer.current_edge_width = self._width()
        layer.data = [(np.vstack([line, line[:1]]), "path") for _, line in lines]
        layer.edge_color = np.stack([self._color(name) for name, _ in lines])
        layer.edge_width = self._width()
        overlay.set_visible(layer, True)

    def _outlines(self, region: Region) -> list[FloatArray]:
        """The outlines of a region on what is shown, ``(N, D)`` each."""
        if region.grid.ndim == 2:
            return region.contour(_VERTICES)
        hidden = self._hidden_axes()
        if len(hidden) != 1:
            return []
        axis = hidden[0]
        first = self.viewer.dims.ndim - region.grid.ndim
        return _cut(
            region, axis, round(self.viewer.dims.point[first + axis] / (region.grid.spacing or (1.0,) * 3)[axis])
        )

    def _draw_skins(self, names: list[str]) -> None:
        if not names:
            overlay.set_visible(self.surface, False)
            return
        parts = [(name, *self.regions[name].surface()) for name in names]
        starts = np.cumsum([0, *(len(vertices) for _, vertices, _ in parts[:-1])])
        vertices = np.concatenate([vertices for _, vertices, _ in parts])
        faces = np.concatenate([faces + start for (_, _, faces), start in zip(parts, starts, strict=True)])
        colors = np.concatenate([np.tile(self._color(name), (len(own), 1)) for name, own, _ in parts])
        if self.surface is None or self.surface not in self.viewer.layers:
            self.surface = Surface(
                (vertices, faces),
                vertex_colors=colors,
                name=SURFACES_NAME,
                opacity=_SKIN,
                blending="translucent_no_depth",
                shading="none",
                metadata={"landmarker": "regions"},
                **layer_geometry(self._grid),
            )
            overlay.insert(self.viewer, self.surface)
            return
        overlay.lay_on(self.surface, self._grid)
        self.surface.vertex_colors = None  # as many as before, which the new vertices may not be
        self.surface.data = (vertices, faces)
        self.surface.vertex_colors = colors
        overlay.set_visible(self.surface, True)

    # ---- following

    def _maybe_refresh(self, _: object) -> None:
        """Draw again if other landmarks are to be seen than before."""
        if tuple(self._names()) != self._seen:
            self.refresh()

    def _stepped(self, _: object = None) -> None:
        if self.regions and self.viewer.dims.ndisplay == 2 and self._hidden_axes():
            self.refresh()

    def _turned(self, _: object = None) -> None:
        if self.regions:
            self.refresh()

    def _zoomed(self, _: object = None) -> None:
        if self.drawn:
            self._rest.start()

    def _set_width(self) -> None:
        if self.drawn and self.shapes is not None:
            self.shapes.edge_width = self._width()

    # ---- inside

    def _width(self) -> float:
        """Width of an outline in pixels of the image."""
        step = 1.0 if self._grid.spacing is None else self._grid.spacing[-1]
        return float(_LINE_PX / (self.viewer.scene.camera.zoom * step))

    def _color(self, name: str) -> npt.NDArray[np.float32]:
        assert self.session.project is not None
        return np.asarray(transform_color(self.session.project.schema.definition(name).color)[0])

    @property
    def _grid(self) -> Grid:
        assert self.session.image is not None
        return self.session.image.grid

    def _hidden_axes(self) -> list[int]:
        """Axes of the image that a slider chooses a place on."""
        image = self.session.image
        first = self.viewer.dims.ndim - (0 if image is None else image.grid.ndim)
        return [axis - first for axis in self.viewer.dims.not_displayed if axis >= first]


def _cut(region: Region, axis: int, at: int) -> list[FloatArray]:
    """The outlines ``(N, 3)`` of a region of a volume on a slice."""
    lower, upper = (float(end[axis]) for end in region.bounds())
    cut, middle = float(at), (lower + upper) / 2
    if np.ceil(lower) > np.floor(upper) and round(middle) == at:
        cut = middle  # it lies between the centres of two slices: drawn on the nearer, as points are
    if not lower < cut < upper:
        return []
    return [np.insert(line, axis, at, axis=1) for line in region.section(axis, cut)]
