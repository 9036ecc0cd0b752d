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
