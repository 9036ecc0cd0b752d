"""The main road with mouse and keys: place, drag, undo, redo, export, open elsewhere; in 2D and in 3D."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from export_steps import export
from qtpy.QtWidgets import QApplication
from window import NAMES, Canvas

from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.project_dialog import ProjectDialog
from napari_landmarker.gui.widget import LandmarkerWidget


def new_project(widget: LandmarkerWidget, images: Path, annotations: Path, folder: Path) -> Project:
    """Make a project in the dialog, as a person does."""
    dialog = ProjectDialog(widget)
    dialog.images.setText(str(images))
    dialog.landmarks.setPlainText("\n".join(NAMES))
    dialog.annotations.setText(str(annotations))
    dialog.folder.setText(str(folder))
    dialog.create.click()
    assert dialog.problem.text() == ""
    assert dialog.project is not None
    return dialog.project


def test_2d_place_drag_undo_redo_export_and_open_the_export_in_a_new_project(
    widget: LandmarkerWidget, canvas: Canvas, project_2d: Project, images_2d: list[Path], tmp_path: Path
) -> None:
    session = widget.session
    widget.open_project(project_2d.root)
    QApplication.processEvents()
    nasion = canvas.click((30.3, 40.7))
    sella = canvas.click((80.2, 100.6))
    np.testing.assert_allclose(session.shown.point("nasion"), nasion, atol=1e-6)
    np.testing.assert_allclose(session.shown.point("sella"), sella, atol=1e-6)
    assert session.current == "menton"

    grip = nasion - canvas.index_at(canvas.pixel(nasion))
    dragged = canvas.drag(nasion, nasion + 9, (50.4, 60.2)) + grip
    np.testing.assert_allclose(session.shown.point("nasion"), dragged, atol=1e-6)
    canvas.undo()
    np.testing.assert_allclose(session.shown.point("nasion"), nasion, atol=1e-6)
    canvas.redo()
    np.testing.assert_allclose(session.shown.point("nasion"), dragged, atol=1e-6)
    np.testing.assert_allclose(widget.layers.points.data, [dragged, sella], atol=1e-6)

    export(widget, "labelme", tmp_path / "export")
    assert [path.name for path in (tmp_path / "export").iterdir()] == ["head_0.json"]
    widget.session.open_project(new_project(widget, images_2d[0].parent, tmp_path / "export", tmp_path / "second"))
    assert session.case_id == "head_0"
    np.testing.assert_allclose(session.shown.point("nasion"), dragged, atol=1e-6)
    np.testing.assert_allclose(session.shown.point("sella"), sella, atol=1e-6)
    assert session.shown.status_of("menton") == LandmarkStatus.UNPLACED


def test_3d_place_drag_undo_redo_export_and_open_the_export_in_a_new_project(
    widget: LandmarkerWidget, canvas: Canvas, project_3d: Project, images_3d: list[Path], tmp_path: Path
) -> None:
    session, dims = widget.session, widget.viewer.dims
    widget.open_project(project_3d.root)
    dims.set_current_step(0, 2)
    QApplication.processEvents()
    nasion = canvas.click((2, 20.3, 30.7))
    dims.set_current_step(0, 6)
    sella = canvas.click((6, 40.2, 50.6))
    assert (nasion[0], sella[0]) == (2, 6)
    np.testing.assert_allclose(session.shown.points[:2], [nasion, sella], atol=1e-6)

    canvas.click(nasion)
    np.testing.assert_allclose(
        session.shown.point("menton")[0], 6, err_msg="a point of another slice was taken hold of"
    )
    canvas.undo()
    dims.set_current_step(0, 2)
    QApplication.processEvents()
    grip = nasion - canvas.index_at(canvas.pixel(nasion))
    dragged = canvas.drag(nasion, np.add(nasion, (0, 9, 9)), (2, 33.3, 44.4)) + grip
    np.testing.assert_allclose(session.shown.point("nasion"), dragged, atol=1e-6)
    assert dragged[0] == 2
    canvas.undo()
    np.testing.assert_allclose(session.shown.point("nasion"), nasion, atol=1e-6)
    canvas.redo()
    np.testing.assert_allclose(session.shown.point("nasion"), dragged, atol=1e-6)

    export(widget, "slicer", tmp_path / "export")
    assert [path.name for path in (tmp_path / "export").iterdir()] == ["scan_0.mrk.json"]
    widget.session.open_project(new_project(widget, images_3d[0].parent, tmp_path / "export", tmp_path / "second"))
    np.testing.assert_allclose(session.shown.points[:2], [dragged, sella], atol=1e-6)
    assert session.shown.status_of("menton") == LandmarkStatus.UNPLACED
