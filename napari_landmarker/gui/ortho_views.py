"""`OrthoViews`: three slices of a volume at right angles through one crosshair, linked to the main canvas."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image as ImageLayer
from napari.viewer import Viewer
from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QColor, QResizeEvent
from qtpy.QtWidgets import QBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.gui.canvas import CanvasTool
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.ortho_names import is_oriented
from napari_landmarker.gui.ortho_view import OrthoView
from napari_landmarker.gui.shortcuts import add_all
from napari_landmarker.gui.slice_guests import Drawn
from napari_landmarker.state.session import Session

_HELP = "Click: place · drag a point: move it · right button: move the crosshair · wheel: slices · Ctrl+wheel: zoom"
_MOST_ZOOM = 40.0
#: Properties of the image's layer that change how a slice is drawn.
_LOOKS = ("contrast_limits", "gamma", "colormap")


class OrthoViews(QWidget):
    """Three linked slices. What a click or a drag does there is what it does on the main canvas.

    The crosshair is one place in the volume: the slice of the main canvas goes through it, a landmark that is chosen or
    dragged takes it along, and the right button puts it anywhere. The side of the patient is written only where the
    file says how the volume lies.

    Args:
        viewer: the viewer.
        session: what is open.
        layers: the layers that show it.
        tool: the mouse on the main canvas.

    Attributes:
        views: across z, y and x.
        cross: index coordinates of the crosshair, ``(3,)``.
        centre: index coordinates in the middle of the views, ``(3,)``.
        zoom: how much larger than to fit.
    """

    def __init__(self, viewer: Viewer, session: Session, layers: CaseLayers, tool: CanvasTool) -> None:
        super().__init__()
        self.viewer, self.session, self.layers, self._tool = viewer, session, layers, tool
        self.cross, self.centre, self.zoom = np.zeros(3), np.zeros(3), 1.0
        self._image: Image | None = None
        self._layer: ImageLayer | None = None
        self._mouse: tuple[OrthoView, QPointF] | None = None
        self.views = tuple(OrthoView(axis, self) for axis in range(3))
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._row.setSpacing(2)
        for view in self.views:
            self._row.addWidget(view, 1)
        self.hint = QLabel(_HELP)
        self.hint.setWordWrap(True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addLayout(self._row, 1)
        layout.addWidget(self.hint)
        follow(self, session.case_changed, self._show_case)
        follow(self, session.landmarks_changed, self._on_landmarks)
        follow(self, session.current_changed, self._on_current)
        follow(self, layers.seen_changed, self._on_seen)
        follow(self, layers.look_changed, self._redraw)
        follow(self, layers.guests_changed, self._redraw)
        follow(self, layers.shown_in_view, self._on_shown)
        add_all(self, tool.actions.do)
        viewer.canvas.overlays.scale_bar.events.visible.connect(self._redraw)
        viewer.dims.events.current_step.connect(self._on_slider)
        for event in (viewer.dims.events.order, viewer.dims.events.ndisplay):
            event.connect(self._on_turned)
        self._show_case()

    def close_links(self) -> None:
        """Follow the viewer no longer; to be called before it is deleted."""
        self.viewer.canvas.overlays.scale_bar.events.visible.disconnect(self._redraw)
        self.viewer.dims.events.current_step.disconnect(self._on_slider)
        for event in (self.viewer.dims.events.order, self.viewer.dims.events.ndisplay):
            event.disconnect(self._on_turned)
        self._follow_layer(None)
        self.left()

    # ---- what the views ask

    @property
    def ready(self) -> bool:
        """Whether a volume is open."""
        return self._image is not None

    @property
    def image(self) -> Image:
        """The open volume."""
        assert self._image is not None
        return self._image

    @property
    def layer(self) -> ImageLayer:
        """The layer that shows it."""
        assert self._layer is not None
        return self._layer

    @property
    def shape(self) -> FloatArray:
        """Number of pixels along each axis, ``(3,)``."""
        return np.asarray(self.image.grid.shape, dtype=np.float64).astype(int)

    @property
    def spacing(self) -> FloatArray:
        """Millimetres between pixels along each axis ``(3,)``, or ones where nobody knows."""
        spacing = self.image.grid.spacing
        return np.ones(3) if spacing is None else np.asarray(spacing)

    @property
    def unit(self) -> str:
        """Of lengths: px where nobody knows how large a pixel is."""
        return self.image.grid.unit

    @property
    def has_bar(self) -> bool:
        """Whether a scale bar is wanted, as on the main canvas."""
        return bool(self.viewer.canvas.overlays.scale_bar.visible)

    @property
    def oriented(self) -> bool:
        """Whether it is known how the volume lies in the patient."""
        return is_oriented(self.image)

    @property
    def current(self) -> str | None:
        """The landmark that a click places."""
        return self.session.current

    @property
    def size_px(self) -> float:
        """Diameter of a point, in screen pixels."""
        return self.layers.size_px

    @property
    def names_visible(self) -> bool:
        """Whether names are written beside the points."""
        return self.layers.names_visible

    def placed(self) -> tuple[list[str], FloatArray]:
        """The landmarks that the main canvas draws and where they are, ``(N, 3)``; none while it hides them."""
        seen, drawn = self.layers.seen, set(self.layers.names)
        if seen is None or not self._visible:
            return [], np.empty((0, 3))
        rows = [row for row in np.flatnonzero(seen.placed) if seen.names[row] in drawn]
        return [seen.names[row] for row in rows], seen.points[rows]

    def guests(self, axis: int, at: int) -> list[Drawn]:
        """What else is drawn on the slice at an index of an axis."""
        return [drawn for guest in self.layers.guests for drawn in guest(axis, at)]

    def point(self, name: str) -> FloatArray:
        """Where a landmark is seen."""
        seen = self.layers.seen
        assert seen is not None
        return np.asarray(seen.point(name))

    def look_of(self, name: str) -> tuple[LandmarkStatus, str, bool]:
        """Status, colour (as on the main canvas, ``#aarrggbb``) and lock of a landmark."""
        seen, points = self.layers.seen, self.layers.points
        assert seen is not None
        assert points is not None
        color = QColor.fromRgbF(*map(float, points.face_color[self.layers.names.index(name)]))
        return seen.status_of(name), color.name(QColor.NameFormat.HexArgb), seen.locked_of(name)

    # ---- what the mouse does there

    def look_at(self, index: npt.ArrayLike) -> None:
        """Put the crosshair, and the slice of the main canvas, to index coordinates ``(3,)``; at most at the border."""
        if self.ready and np.isfinite(index).all():
            self._put(np.clip(np.asarray(index, dtype=np.float64), 0, self.shape - 1))
            self.layers.go_to(self.cross)

    def place(self, index: FloatArray) -> None:
        """Do what a click on the main canvas does there."""
        if self.ready:
            self.look_at(index)
            if self._visible:
                self._tool.place(index)

    def preview(self, name: str, index: FloatArray) -> None:
        """Draw a landmark there while it is dragged, if it may be moved."""
        if self.session.editable(name) is None:
            self.layers.preview(name, index)

    def move_landmark(self, name: str, index: FloatArray) -> None:
        """Move a landmark there."""
        self._tool.move(name, index)
        self.look_at(self.point(name))

    def choose(self, name: str) -> None:
        """Make a landmark the current one, and put the crosshair on it."""
        self.session.set_current(name)
        self.look_at(self.point(name))

    def hover(self, view: OrthoView, position: QPointF) -> None:
        """Keys mean what is drawn there, as long as the mouse is here."""
        self._mouse = (view, position)
        self.layers.other_mouse = self._landmark_here

    def left(self) -> None:
        """Keys mean what is under the mouse on the main canvas."""
        if self.layers.other_mouse == self._landmark_here:
            self.layers.other_mouse = None

    def pan(self, shift: FloatArray) -> None:
        """Move the picture by so many pixels of the image, ``(3,)``."""
        self.centre = np.clip(self.centre - shift, 0, self.shape - 1)
        self._redraw()

    def zoom_by(self, factor: float) -> None:
        """Show everything larger or smaller, about the crosshair; never smaller than to fit."""
        before, self.zoom = self.zoom, min(max(self.zoom * factor, 1.0), _MOST_ZOOM)
        self.centre = self.cross + (self.centre - self.cross) * before / self.zoom
        if self.zoom == 1.0:
            self.centre = (self.shape - 1) / 2
        self._redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Called by Qt: side by side where there is width for it, else one above the other."""
        wide = event.size().width() > event.size().height()
        self._row.setDirection(QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom)
        super().resizeEvent(event)

    # ---- following

    def _show_case(self) -> None:
        image, layer = self.session.image, self.layers.image
        volume = image is not None and image.grid.ndim == 3 and layer is not None
        same = self._image is not None and image is not None and self._image.grid.shape == image.grid.shape
        self._image = image if volume else None
        self._follow_layer(layer if volume else None)
        self.hint.setText(_HELP if volume else "A volume is seen here from three sides; this image has one slice.")
        if self.ready and not same:
            self.cross = self.centre = (self.shape - 1) / 2
            self.zoom = 1.0
        for view in self.views:
            view.drop()
        if self.ready:
            self._on_slider()
            any(self._go_to_here(name) for name in (self.session.current or "", *self.session.names))
        self._redraw()

    def _follow_layer(self, layer: ImageLayer | None) -> None:
        if layer is self._layer:
            return
        for own, act in ((self._layer, "disconnect"), (layer, "connect")):
            for look in _LOOKS if own is not None else ():
                getattr(getattr(own.events, look), act)(self._redraw)
        self._layer = layer

    def _on_slider(self, _: Any = None) -> None:
        """The main canvas went to another slice."""
        if not self.ready or self.layers.points is None:
            return
        index, hidden = np.array(self.cross), self.layers.hidden_axes
        at = self.layers.shown_index()[hidden]
        if np.array_equal(np.round(index[hidden]), np.round(at)):  # it is within that slice already
            return
        index[hidden] = at
        self._put(np.clip(index, 0, self.shape - 1))

    def _on_turned(self, _: Any = None) -> None:
        """The main canvas shows slices across another axis: those through the crosshair."""
        if self.ready:
            self.layers.go_to(self.cross)

    def _on_shown(self, name: str) -> None:
        if self.ready:
            self._put(self.point(name))

    def _on_landmarks(self, names: tuple[str, ...]) -> None:
        """The crosshair goes to a landmark that was put on the slice of the main canvas."""
        if len(names) == 1:
            self._go_to_here(names[0])
        self._redraw()

    def _on_current(self, name: str) -> None:
        """The crosshair goes to a landmark that was chosen on the slice of the main canvas."""
        if name:
            self._go_to_here(name)
        self._redraw()

    def _go_to_here(self, name: str) -> bool:
        """Put the crosshair on a landmark, if it is one of the slice of the main canvas; whether it is."""
        shown, here = self.session.shown, False
        if self.ready and shown is not None and name in shown.names and shown.status_of(name).has_point:
            point, hidden = shown.point(name), self.layers.hidden_axes
            here = bool((np.abs(point[hidden] - self.cross[hidden]) <= 0.5).all())
            if here:
                self._put(point)
        return here

    def _on_seen(self) -> None:
        if self.ready and self.layers.dragged is not None:
            self._put(np.clip(self.layers.dragged[1], 0, self.shape - 1))
        self._redraw()

    def _put(self, index: FloatArray) -> None:
        """Put the crosshair somewhere, and bring it into view."""
        self.cross = np.asarray(index, dtype=np.float64)
        middle = self.cross if self.zoom > 1 else (self.shape - 1) / 2
        for view in self.views:
            at = view.to_widget(self.cross)
            if not view.rect().adjusted(8, 8, -8, -8).contains(at.toPoint()):
                axes = [view.row, view.column]
                self.centre = np.array(self.centre)
                self.centre[axes] = middle[axes]
        self._redraw()

    def _redraw(self, _: Any = None) -> None:
        for view in self.views:
            view.update()

    @property
    def _visible(self) -> bool:
        """Whether the points are drawn; a person may have hidden their layer."""
        return self.layers.points is not None and self.layers.points.visible

    def _landmark_here(self) -> str | None:
        return None if self._mouse is None or not self.ready else self._mouse[0].name_near(self._mouse[1])
