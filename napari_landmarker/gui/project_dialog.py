"""`ProjectDialog`: a new project from a folder of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_landmarker.engine.errors import GeometryError, LandmarkerError, ProjectError
from napari_landmarker.engine.exchange import create_project, parse_schema
from napari_landmarker.engine.io import find_images, read_geometry
from napari_landmarker.engine.io.images import distinct_images
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.gui.file_choice import ANNOTATION_KINDS, choose_file, choose_folder
from napari_landmarker.gui.problem_label import ProblemLabel
from napari_landmarker.gui.tasks import Job
from napari_landmarker.gui.waiting import wait_for


class ProjectDialog(QDialog):
    """Asks for what a project needs and makes it. What is wrong stands in the dialog, which stays open.

    Args:
        parent: as in Qt.
        chosen: the images, if they are chosen already; a person may still name a folder instead.
        annotations: what came with them: files, or folders in which there may be annotations.

    Attributes:
        project: the project that was made, None until then.
        along: where annotations may lie that came with the images and are still to be taken in.
    """

    def __init__(
        self, parent: QWidget | None = None, chosen: Sequence[Path] = (), annotations: Sequence[Path] = ()
    ) -> None:
        super().__init__(parent)
        self.project: Project | None = None
        self.along: tuple[Path, ...] = ()
        self._making = False
        self._chosen, self._came_along = tuple(chosen), tuple(annotations)
        self.setWindowTitle("New project")
        self.setMinimumWidth(560)
        self.images, self.annotations, self.folder, self.spacing = (QLineEdit() for _ in range(4))
        self.landmarks = QPlainTextEdit()
        self.landmarks.setPlaceholderText("One name a line, in the order in which you want to place them")
        self.landmarks.setTabChangesFocus(True)
        self.landmarks.setMinimumHeight(120)
        self.landmarks.setStyleSheet("QPlainTextEdit { border: 1px solid #868e93; border-radius: 2px; }")
        self.images.setPlaceholderText("Folder with the images; they stay where they are")
        self.annotations.setPlaceholderText("Empty: those that lie with the images")
        self.annotations.setToolTip(
            "Landmarks that were placed already, in a folder or file. All of it must fit then.\n"
            "Where nothing is chosen, what fits is taken from the folder of the images, if there is anything."
        )
        self.folder.setPlaceholderText("New folder for landmarks, models and reports")
        self.spacing.setPlaceholderText("Millimetres per pixel, such as 0.25; empty if unknown")
        self.spacing.setToolTip(
            "One number for all directions, or one for each: rows, columns in 2D; slices, rows, columns in 3D.\n"
            "It replaces what the files state. Without it, distances are in pixels where the files state nothing."
        )
        self.problem = ProblemLabel()
        self.images.textChanged.connect(self._suggest_folder)
        self._suggested = ""
        self._lay_out()
        if chosen:
            self._take_chosen()

    def _lay_out(self) -> None:
        names = QWidget()
        column = QVBoxLayout(names)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.landmarks)
        column.addWidget(_button("Read names from a file…", self._choose_names), 0, Qt.AlignmentFlag.AlignLeft)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("Images", _with_buttons(self.images, ("Browse…", self._choose_images)))
        form.addRow("Landmarks", names)
        form.addRow("Pixel size", self.spacing)
        buttons = (("Folder…", self._choose_annotations), ("File…", self._choose_annotation_file))
        form.addRow("Annotations", _with_buttons(self.annotations, *buttons))
        form.addRow("Project folder", _with_buttons(self.folder, ("Browse…", self._choose_folder)))
        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.create = box.addButton("Create project", QDialogButtonBox.ButtonRole.AcceptRole)
        box.accepted.connect(self.accept)
        box.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.problem)
        layout.addWidget(box)

    # ---- making it

    def accept(self) -> None:
        """Make the project; on a problem, say it and stay open. Called by Qt."""
        if self._making:
            return
        self._making = True
        self.problem.hide()
        try:
            self.project = self._make()
            if self.project is None:
                self.problem.say("Stopped: no project was made.")
        except LandmarkerError as error:
            self.problem.say(str(error))
        finally:
            self._making = False
        if self.project is not None:
            super().accept()

    def reject(self) -> None:
        """Close, unless a project is being made. Called by Qt."""
        if not self._making:
            super().reject()

    def _make(self) -> Project | None:
        """Make the project beside the window; None where a person stopped it."""
        images_folder = None if self._are_chosen() else _path(self.images)
        if images_folder is None and not self._are_chosen():
            raise ProjectError("Choose the folder with the images first.")
        folder, annotations = _path(self.folder), _path(self.annotations)
        if folder is None:
            raise ProjectError("Choose a folder for the project.")
        names = [line.strip() for line in self.landmarks.toPlainText().splitlines() if line.strip()]
        schema = LandmarkSchema.from_names(names)
        chosen, pixel_size, made = self._chosen, self.spacing.text(), list[Project]()

        def work(job: Job) -> None:
            report = job.progress
            images = distinct_images(chosen, report) if images_folder is None else find_images(images_folder, report)
            spacing = _parse_spacing(pixel_size, images)
            made.append(
                create_project(folder, schema, images, annotations=annotations, spacing=spacing, progress=report)
            )

        wait_for(self, "Making the project…", work)
        if not made:
            return None
        if annotations is None:
            self.along = self._came_along if images_folder is None else (images_folder,)
        return made[0]

    def _are_chosen(self) -> bool:
        """Whether the images are those that were chosen one by one, and not a folder."""
        return bool(self._chosen) and self.images.text() == self._chosen_words()

    # ---- choosing

    def _take_chosen(self) -> None:
        """Show which images were chosen, and suggest a project beside them."""
        beside = self._chosen[0].parent
        self._suggest_folder(str(beside if beside.name else self._chosen[0]))
        self.images.setText(self._chosen_words())
        self.landmarks.setFocus()

    def _chosen_words(self) -> str:
        """What stands in the field for images that were chosen one by one; no path looks like it."""
        first, more = self._chosen[0].name, len(self._chosen) - 1
        return f"<{first}>" if not more else f"<{first} and {more} more>"

    def _suggest_folder(self, images: str) -> None:
        if self._are_chosen():
            return
        path = Path(images.strip())
        if self.folder.text() != self._suggested or not path.name:
            return
        self._suggested = str(path.with_name(f"{path.name}-landmarks"))
        self.folder.setText(self._suggested)

    def _choose_images(self) -> None:
        _fill(self.images, choose_folder(self, "Folder with images"))

    def _choose_folder(self) -> None:
        _fill(self.folder, choose_folder(self, "Folder for the project"))

    def _choose_annotations(self) -> None:
        _fill(self.annotations, choose_folder(self, "Folder with annotations"))

    def _choose_annotation_file(self) -> None:
        _fill(self.annotations, choose_file(self, "File with annotations", ANNOTATION_KINDS))

    def _choose_names(self) -> None:
        path = choose_file(self, "File with the names of the landmarks", "Names (*.txt *.csv *.json)")
        if path is None:
            return
        try:
            self.landmarks.setPlainText("\n".join(parse_schema(str(path)).names))
            self.problem.hide()
        except LandmarkerError as error:
            self.problem.say(str(error))


def _parse_spacing(text: str, images: list[Path]) -> tuple[float, ...] | None:
    """Millimetres in array order; one number counts for all axes. GeometryError for anything else."""
    parts = text.replace(";", ",").replace("×", ",").replace("x", ",").split(",")
    parts = [part for part in parts if part.strip()]
    if not parts:
        return None
    ndim = read_geometry(images[0]).grid.ndim
    try:
        numbers = tuple(float(part) for part in parts)
    except ValueError as error:
        raise GeometryError(f"The pixel size '{text}' is no number of millimetres: type one such as 0.25.") from error
    if len(numbers) not in (1, ndim):
        raise GeometryError(f"The pixel size needs one number, or {ndim} with commas between, for {ndim}D images.")
    return numbers * ndim if len(numbers) == 1 else numbers


def _path(line: QLineEdit) -> Path | None:
    """The path in a field, None for an empty one; ProjectError for the home folder of a user who does not exist."""
    text = line.text().strip()
    try:
        return Path(text).expanduser() if text else None
    except RuntimeError as error:
        raise ProjectError(f"There is no folder '{text}': give its full path.") from error


def _fill(line: QLineEdit, path: Path | None) -> None:
    if path is not None:
        line.setText(str(path))


def _button(text: str, action: Callable[[], None]) -> QPushButton:
    button = QPushButton(text)
    button.setAutoDefault(False)
    button.clicked.connect(lambda _=False: action())
    return button


def _with_buttons(line: QLineEdit, *buttons: tuple[str, Callable[[], None]]) -> QWidget:
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(line, 1)
    for text, action in buttons:
        row.addWidget(_button(text, action))
    return box
