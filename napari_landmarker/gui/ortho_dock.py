"""`OrthoDock`: the three views beside the main canvas, made when they are wanted."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_landmarker.gui.canvas import CanvasTool
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.ortho_views import OrthoViews
from napari_landmarker.state.session import Session


class OrthoDock:
    """Docks the three views between the main canvas and our panel as long as they are switched on.

    Args:
        viewer: the viewer.
        session: what is open.
        layers: the layers that show it.
        tool: the mouse on the main canvas.
        panel: our panel.

    Attributes:
        views: the views, None while they are off.
    """

    def __init__(self, viewer: Viewer, session: Session, layers: CaseLayers, tool: CanvasTool, panel: QWidget) -> None:
        self._panel = panel
        self._viewer, self._session, self._layers, self._tool = viewer, session, layers, tool
        self._view = tool.actions.view
        self.views: OrthoViews | None = None
        self._dock: Any = None
        self._view.changed.connect(self._follow)

    def close(self) -> None:
        """Take the views away, and follow no longer."""
        self._view.changed.disconnect(self._follow)
        self._take_away()

    def _follow(self) -> None:
        if self._view.three_views and self.views is None:
            whole = self._is_seen_whole()
            self.views = OrthoViews(self._viewer, self._session, self._layers, self._tool)
            self._dock = self._viewer.window.add_dock_widget(
                self.views, name="Three views", area="right", add_vertical_stretch=False, tabify=False
            )
            self._lay_beside()
            self.views.destroyed.connect(self._closed)
            if whole:
                once = QTimer(self.views, singleShot=True)  # the canvas has its new size only then
                once.timeout.connect(self._viewer.reset_view)
                once.start(0)
        elif not self._view.three_views:
            self._take_away()

    def _is_seen_whole(self) -> bool:
        """Whether all of the image fits on the main canvas, which gets narrower with the views."""
        layer, dims = self._layers.image, self._viewer.dims
        if layer is None or dims.ndisplay == 3:
            return False
        low, high = layer.extent.world[:, [axis - dims.ndim for axis in dims.displayed]]
        size = (high - low) * self._viewer.scene.camera.zoom
        return bool((size <= self._viewer.canvas.size).all())

    def _lay_beside(self) -> None:
        """Put the views to the left of our panel, where that is docked."""
        window, place = self._dock.window(), self._panel
        while place is not None and not isinstance(place, QDockWidget):
            place = place.parentWidget()
        if place is not None and isinstance(window, QMainWindow) and place.window() is window:
            widths = [self._panel.fontMetrics().averageCharWidth() * 40, place.width()]
            window.splitDockWidget(self._dock, place, Qt.Orientation.Horizontal)
            window.resizeDocks([self._dock, place], widths, Qt.Orientation.Horizontal)

    def _take_away(self) -> None:
        """Undock the views and delete them."""
        views, dock, self.views, self._dock = self.views, self._dock, None, None
        if views is not None:
            views.destroyed.disconnect(self._closed)
            views.close_links()
            with suppress(AttributeError, RuntimeError):  # a window that is closing takes its docks along
                self._viewer.window.remove_dock_widget(dock)
                views.deleteLater()

    def _closed(self) -> None:
        """A person closed the dock, which deletes what is in it."""
        views, self.views, self._dock = self.views, None, None
        if views is not None:
            views.close_links()
        self._view.set_three_views(False)
