"""`ExchangeButtons`: annotations into the project and out of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.exchange import read_annotations, read_what_fits
from napari_landmarker.gui.export_dialog import ExportDialog
from napari_landmarker.gui.file_choice import ANNOTATION_KINDS, choose_file, choose_folder
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.messages import reports, tell, tell_error, tell_warning
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
        now = project.snapshot()
        found = wait_for(
            self, "Reading annotations…", lambda job: read_annotations(now, path, case_id, progress=job.progress)
        )
        if found is None:
            tell(_STOPPED)
        elif self._session.project is project:
            count = self._session.apply_annotations(found)
            if count is None:
                tell(_STOPPED)
            else:
                taken = f"{_images(count)} got annotations from {path.name}. Undo takes them back."
                tell(taken if count else _NOTHING_NEW)

    def import_along(self, paths: Sequence[Path], images: str) -> None:
        """Take in annotations that came with images, as one step that can be undone, and say what was taken of both.

        Args:
            paths: annotation files, and folders in which they may lie among others; what does not fit is left out.
            images: what became of the images: a sentence without its full stop.
        """
        project = self._session.project
        if project is None:
            return
        now = project.snapshot()
        try:
            read = wait_for(self, "Reading annotations…", lambda job: read_what_fits(now, paths, progress=job.progress))
            if self._session.project is not project:
                return
            found, left_out = read or ({}, ())
            changed = None if read is None else self._session.apply_annotations(found) if found else 0
            if changed is None:
                tell_warning(f"{images}; their annotations were not taken, as that was stopped.")
            else:
                (tell_warning if left_out else tell)(_along(images, bool(found), changed, left_out))
        except LandmarkerError as error:
            tell_error(f"{images}, but their annotations were not taken: {error}")

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


_STOPPED = "Stopped: no annotations were imported."
_NOTHING_NEW = "There was nothing new to import: all of it is annotated here already."


def _along(images: str, found: bool, changed: int, left_out: Sequence[str]) -> str:
    """What was taken of images and of the annotations that came with them, in one sentence."""
    if not found and not left_out:
        return f"{images}."
    if changed:
        taken = f"{_images(changed).lower()} got annotations, which Undo takes back"
    else:
        taken = "there was nothing new to annotate them with" if found else "no annotations could be taken"
    rest = "nothing was left out."
    if left_out:
        rest = (
            "one file was left out: " if len(left_out) == 1 else f"{len(left_out)} files were left out, the first as "
        )
        rest += left_out[0]
    return f"{images}, and {taken}; {rest}"


def _images(count: int) -> str:
    return "One image" if count == 1 else f"{count} images"
