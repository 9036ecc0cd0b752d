"""`WholeView`: the whole image is seen until a person zooms or moves it."""

from __future__ import annotations

from napari.viewer import Viewer


class WholeView:
    """Shows all there is, and goes on to do so when the canvas gets another size, as when a panel is docked beside it.

    Once a person has zoomed, turned or moved the view, it stays as it is.
    """

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._shown: tuple[object, ...] | None = None
        viewer.canvas.events.size.connect(self._resized)

    def close(self) -> None:
        """Follow the canvas no longer."""
        self.viewer.canvas.events.size.disconnect(self._resized)

    def show(self) -> None:
        """Show all there is, as napari does."""
        self.viewer.reset_view()
        self._shown = self._now()

    def _now(self) -> tuple[object, ...]:
        camera, dims = self.viewer.scene.camera, self.viewer.dims
        return camera.zoom, tuple(camera.center), tuple(camera.angles), dims.ndisplay, tuple(dims.order)

    def _resized(self, _: object) -> None:
        if self._now() == self._shown:
            self.show()
