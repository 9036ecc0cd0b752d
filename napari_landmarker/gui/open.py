"""Opens napari with the widget docked, for the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_landmarker.engine.project import Project

if TYPE_CHECKING:
    import napari

    from napari_landmarker.gui.widget import LandmarkerWidget

#: Width of the dock widget at first, in screen pixels.
DOCK_WIDTH_PX = 440
#: A window that is narrower leaves less room for the image than for what stands beside it.
_NARROW_PX = 1200
#: What such a window is made, as far as the screen allows.
_ROOMY_PX = (1440, 900)


def open_window(project_path: Path | str | None = None, case_id: str | None = None) -> None:
    """Open the napari window with the widget docked, and return when it is closed.

    Args:
        project_path: the project to open, or None to begin with the start page.
        case_id: the case to open first, or None for the first of the project.

    Raises:
        ProjectError: if there is no project at that path; no window opens then.
    """
    project = None if project_path is None else Project.open(project_path)
    import napari

    viewer = napari.Viewer(title="napari-landmarker")
    widget = dock(viewer)
    make_room(viewer)
    if project is not None:
        widget.open_project(project.root, case_id)
    napari.run()


def dock(viewer: napari.Viewer) -> LandmarkerWidget:
    """Dock the widget in a viewer, on the right."""
    from qtpy.QtCore import Qt

    from napari_landmarker.gui.widget import LandmarkerWidget

    widget = LandmarkerWidget(viewer)
    dock_widget = viewer.window.add_dock_widget(widget, name="Landmarker", area="right")
    window = dock_widget.window()
    window.resizeDocks([dock_widget], [DOCK_WIDTH_PX], Qt.Orientation.Horizontal)
    return widget


def make_room(viewer: napari.Viewer) -> None:
    """Make a window that leaves too little room for the image larger; napari's is so at first, and keeps its size."""
    from qtpy.QtGui import QGuiApplication

    screen = QGuiApplication.primaryScreen().availableSize()
    _, _, width, height = viewer.window.geometry()
    if width < _NARROW_PX:
        roomy = min(_ROOMY_PX[0], screen.width()), min(_ROOMY_PX[1], screen.height())
        viewer.window.resize(max(width, roomy[0]), max(height, roomy[1]))
