"""`ViewTools`: contrast, zoom to a landmark, scale bar and magnifier: how the image is looked at."""

from __future__ import annotations

import numpy as np
from napari.viewer import Viewer
from psygnal import Signal

from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.state.session import Session

#: What the near view shows of the image's shorter side.
_NEAR = 0.15


class ViewTools:
    """How the image is looked at; nothing of it changes what is saved.

    Signals:
        changed: the magnifier, the three views or the scale bar were switched on or off.

    Attributes:
        magnifier: whether the pixels under the mouse are shown enlarged.
        three_views: whether three slices of a volume are shown beside the canvas.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer, session: Session, layers: CaseLayers) -> None:
        self.viewer = viewer
        self.session = session
        self.layers = layers
        self.magnifier = False
        self.three_views = False
        self._before: tuple[float, tuple[float, ...], str | None] | None = None
        session.case_changed.connect(self._case_changed)

    def close(self) -> None:
        """Follow the session no longer."""
        self.session.case_changed.disconnect(self._case_changed)

    # ---- magnifier and scale bar

    def set_magnifier(self, on: bool) -> None:
        """Show the pixels under the mouse enlarged, or no longer."""
        if on != self.magnifier:
            self.magnifier = on
            self.changed.emit()

    def set_three_views(self, on: bool) -> None:
        """Show three slices at right angles beside the canvas, or no longer."""
        if on != self.three_views:
            self.three_views = on
            self.changed.emit()

    @property
    def scale_bar(self) -> bool:
        """Whether the scale bar is drawn: in millimetres where the spacing is known, else in pixels."""
        return bool(self.viewer.canvas.overlays.scale_bar.visible)

    def set_scale_bar(self, on: bool) -> None:
        """Draw the scale bar, or not."""
        if on != self.scale_bar:
            self.viewer.canvas.overlays.scale_bar.visible = on
            self.changed.emit()

    # ---- contrast

    def change_contrast(self, factor: float, shift: float) -> None:
        """Make the range of values between black and white ``factor`` times as wide, and shift it.

        Args:
            factor: of the width; below 1 for more contrast.
            shift: as a share of the width; above 0 for a darker image.
        """
        layer = self.layers.image
        if layer is None:
            return
        low, high = layer.contrast_limits
        lowest, highest = layer.contrast_limits_range
        middle, half = (low + high) / 2 + shift * (high - low), (high - low) / 2 * factor
        half = max(half, (highest - lowest) * 1e-3)
        layer.contrast_limits_range = (min(lowest, middle - half), max(highest, middle + half))
        layer.contrast_limits = (middle - half, middle + half)
        self.layers.look_changed.emit()

    def reset_contrast(self) -> None:
        """Show the values that the image's file asks for, or all."""
        self.layers.reset_contrast()

    # ---- zoom

    def toggle_zoom(self) -> None:
        """Look at the current landmark, or what is under the mouse if it has no place, from near; again: as before."""
        camera, points = self.viewer.scene.camera, self.layers.points
        if points is None or self.viewer.dims.ndisplay == 3:
            return
        name = self.session.current
        if self._before is not None and self._before[2] == name:
            camera.zoom, camera.center = self._before[:2]
            self._before = None
            return
        before = (camera.zoom, tuple(camera.center)) if self._before is None else self._before[:2]
        seen = self.layers.seen
        placed = name is not None and seen is not None and seen.status_of(name).has_point
        if placed and name is not None and seen is not None:
            self.layers.bring_into_view(name)
            world = np.asarray(points.data_to_world(seen.point(name)))
        else:
            world = np.asarray(self.viewer.cursor.position)[-points.ndim :]
        first = self.viewer.dims.ndim - points.ndim
        y, x = (float(world[axis - first]) for axis in self.viewer.dims.displayed)
        camera.zoom = max(self._near_zoom(), before[0])
        camera.center = (0.0, y, x)
        self._before = (*before, name)

    def _near_zoom(self) -> float:
        """The zoom at which a small share of the image fills the canvas."""
        grid = self.layers.grid
        assert grid is not None
        first = self.viewer.dims.ndim - grid.ndim
        spacing = np.ones(grid.ndim) if grid.spacing is None else np.asarray(grid.spacing)
        size = (np.asarray(grid.shape) * spacing)[[axis - first for axis in self.viewer.dims.displayed]]
        return float(min(self.viewer.canvas.size)) / (float(size.min()) * _NEAR)

    # ---- inside

    def _case_changed(self) -> None:
        self._before = None
