"""`ExchangeButtons`: annotations into the project and out of it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.exchange import read_annotations
from napari_landmarker.gui.export_dialog import ExportDialog
from napari_landmarker.gui.file_choice import ANNOTATION_KINDS, choose_file, choose_folder
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.messages import reports, tell
from napari_landmarker.gui.waiting import wait_for
from napari_landmarker.state.session import Session


class ExchangeButtons(QWidget):
    """Two buttons: import, with a menu, and export, with a dialog.

    Attributes:
        dialog: the last dialog of an export, None before the first.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.dialog: ExportDialog | None = None
        self.take_in = QPushButton("Import…")
        self.take_in.setToolTip(
            "Take in landmarks that were placed elsewhere, from files of every format that can be exported.\n"
            "What is annotated here already stays."
        )
        menu = QMenu(self.take_in)
        self.folder_action = menu.addAction("For all images, from a folder of files…")
        self.folder_action.triggered.connect(self._import_folder)
        self.file_action = menu.addAction("For all images, from one file…")
        self.file_action.triggered.connect(self._import_file)
        self.this_action = menu.addAction("For this image only, from one file…")
        self.this_action.triggered.connect(self._import_for_this)
        self.take_in.setMenu(menu)
        self.write = QPushButton("Export…")
        self.write.setToolTip("Write landmarks of this image or of all as files that other programs can open.")
        self.write.clicked.connect(lambda _=False: self.open_export())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.take_in, 1)
        row.addWidget(self.write, 1)
        follow(self, session.case_changed, self._refresh)
        self._refresh()

    # ---- also for scripts

    @reports
    def import_from(self, path: Path, case_id: str | None = None) -> None:
        """Take annotations in from a folder or file, as one step that can be undone; None is for all images."""
        project = self._session.project
        if project is None:
            return
        if path.is_dir():
            found = wait_for(
                self, "Reading annotations…", lambda job: read_annotations(project, path, progress=job.progress)
            )
        else:
            found = read_annotations(project, path, case_id)
        if found is not None and self._session.project is project:
            count = self._session.apply_annotations(found)
            tell(f"{_images(count)} got annotations from {path.name}. Undo takes them back." if count else _NOTHING_NEW)

    @reports
    def open_export(self) -> None:
        """Ask what is to be exported, and do it."""
        session = self._session
        if session.project is None or (self.dialog is not None and self.dialog.isVisible()):
            return
        sentence = session.save()  # exports read the disk
        if sentence is not None:
            raise ProjectError(f"Nothing was exported, because the last annotations are not saved yet: {sentence}")
        first = session.project.cases[0].id
        grid = session.project.geometry(first).grid if session.image is None else session.image.grid
        if self.dialog is not None:
            self.dialog.deleteLater()
        self.dialog = ExportDialog(session, grid, self.window())
        self.dialog.exported.connect(tell)
        self.dialog.open()

    # ---- inside

    def _import_folder(self) -> None:
        path = choose_folder(self, "Folder with annotations")
        if path is not None:
            self.import_from(path)

    def _import_file(self) -> None:
        path = choose_file(self, "File with annotations", ANNOTATION_KINDS)
        if path is not None:
            self.import_from(path)

    def _import_for_this(self) -> None:
        path = choose_file(self, "File with annotations of this image", ANNOTATION_KINDS)
        if path is not None:
            self.import_from(path, self._session.case_id)

    def _refresh(self) -> None:
        self.this_action.setEnabled(self._session.case_id is not None)


_NOTHING_NEW = "There was nothing new to import: all of it is annotated here already."


def _images(count: int) -> str:
    return "One image" if count == 1 else f"{count} images"
