"""`ExchangeButtons`: annotations into the project and out of it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.exchange import export_annotations, export_table, read_annotations
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.file_choice import ANNOTATION_KINDS, choose_file, choose_folder, choose_new_file
from napari_landmarker.gui.messages import reports, tell
from napari_landmarker.state.session import Session


class ExchangeButtons(QWidget):
    """Two buttons with a menu each: import and export."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.take_in = QPushButton("Import…")
        self.take_in.setToolTip("Take in landmarks that were placed elsewhere. What is annotated here already stays.")
        menu = QMenu(self.take_in)
        menu.addAction("From a folder of labelme or Slicer files…").triggered.connect(self._import_folder)
        menu.addAction("From one file (CSV table, labelme, Slicer)…").triggered.connect(self._import_file)
        self.take_in.setMenu(menu)
        self.write = QPushButton("Export…")
        self.write.setToolTip("Write all annotations of this project as files that other programs can open.")
        menu = QMenu(self.write)
        self.files_action = menu.addAction("")
        self.files_action.triggered.connect(self._export_files)
        menu.addAction("As one table (CSV)…").triggered.connect(self._export_table)
        menu.aboutToShow.connect(self._name_format)
        self.write.setMenu(menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.take_in, 1)
        row.addWidget(self.write, 1)
        self._name_format()

    # ---- also for scripts

    @reports
    def import_from(self, path: Path) -> None:
        """Take annotations in from a folder or file, as one step that can be undone."""
        project = self._session.project
        if project is not None:
            count = self._session.apply_annotations(read_annotations(project, path))
            tell(f"{_images(count)} got annotations from {path.name}. Undo takes them back." if count else _NOTHING_NEW)

    @reports
    def export_files(self, folder: Path) -> None:
        """Write labelme files (2D) or Slicer markups (3D) into a folder."""
        project = self._saved_project()
        if project is not None:
            count = export_annotations(project, folder, "slicer" if self._is_3d() else "labelme")
            tell(f"Annotations of {_images(count).lower()} were written to {folder}." if count else _NOTHING_TO_EXPORT)

    @reports
    def export_csv(self, path: Path) -> None:
        """Write one CSV table."""
        project = self._saved_project()
        if project is not None:
            count = export_table(project, path)
            tell(f"Annotations of {_images(count).lower()} were written to {path}." if count else _NOTHING_TO_EXPORT)

    # ---- inside

    def _saved_project(self) -> Project | None:
        """The project once all is saved, because exports read the disk; ProjectError if an edit cannot be saved."""
        sentence = self._session.save()
        if sentence is not None:
            raise ProjectError(f"Nothing was exported, because the last annotations are not saved yet: {sentence}")
        return self._session.project

    def _import_folder(self) -> None:
        path = choose_folder(self, "Folder with annotations")
        if path is not None:
            self.import_from(path)

    def _import_file(self) -> None:
        path = choose_file(self, "File with annotations", ANNOTATION_KINDS)
        if path is not None:
            self.import_from(path)

    def _export_files(self) -> None:
        path = choose_folder(self, "Folder to write the annotations to")
        if path is not None:
            self.export_files(path)

    def _export_table(self) -> None:
        path = choose_new_file(self, "Write the annotations to", "annotations.csv", "Tables (*.csv)")
        if path is not None:
            self.export_csv(path)

    def _is_3d(self) -> bool:
        image = self._session.image
        return image is not None and image.grid.ndim == 3

    def _name_format(self) -> None:
        name = "3D Slicer" if self._is_3d() else "labelme"
        self.files_action.setText(f"As {name} files, one an image…")


_NOTHING_NEW = "There was nothing new to import: all of it is annotated here already."
_NOTHING_TO_EXPORT = "There is nothing to export yet: place a landmark first."


def _images(count: int) -> str:
    return "One image" if count == 1 else f"{count} images"
