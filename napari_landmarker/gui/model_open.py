"""`ModelOpener`: the buttons that bring a model from elsewhere into the project."""

from __future__ import annotations

import functools
from pathlib import Path

from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from napari_landmarker.engine.errors import LandmarkerError, ModelError
from napari_landmarker.engine.predict.importing import StagedModel, adopt_model, discard, stage_model
from napari_landmarker.engine.project import Project
from napari_landmarker.gui.file_choice import choose_file, choose_folder
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.messages import tell
from napari_landmarker.gui.model_dialog import ask_landmarks
from napari_landmarker.gui.preload import preload_engine
from napari_landmarker.gui.tasks import Job, Task
from napari_landmarker.state.session import Session


def bring_model(job: Job, project: Project, path: Path) -> StagedModel:
    """Copy a model into the project and look at all of it; ModelError if it cannot be used."""
    job.check()
    preload_engine()
    return stage_model(project, path)


class ModelOpener(QWidget):
    """Opens a model folder or zip; a person looks at it before it is one of the project's.

    Args:
        session: what is open.
        parent: as in Qt.

    Attributes:
        ask: shows a person what a model is and asks which landmarks belong together.
        task: the copying.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.ask = ask_landmarks
        self.task: Task | None = None
        self.folder = QPushButton("Folder…")
        self.folder.setToolTip("Add a model from its folder; it is copied into the project.")
        self.folder.clicked.connect(self._choose_folder)
        self.zip = QPushButton("Zip…")
        self.zip.setToolTip("Add a model from a zip; it is copied into the project.")
        self.zip.clicked.connect(self._choose_zip)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Add a model from a"))
        layout.addWidget(self.folder)
        layout.addWidget(self.zip)
        layout.addStretch(1)
        follow(self, session.project_changed, self._refresh)
        self._refresh()

    def open_model(self, path: Path) -> None:
        """Bring a model into the project that is open."""
        project = self.session.project
        if project is None or self.task is not None:
            return
        sentence = self.session.why_not_ready()
        if sentence is not None:
            self.session.failed.emit(sentence)
            return
        self.task = task = Task(functools.partial(bring_model, project=project, path=path))
        task.returned.connect(functools.partial(self._staged, project))
        task.failed.connect(self.session.failed.emit)
        task.finished.connect(self._finished)
        task.start()
        self._refresh()

    def _staged(self, project: Project, staged: StagedModel) -> None:
        image = self.session.image
        try:
            if self.session.project is not project:
                return
            if image is not None and image.grid.ndim != staged.info.ndim:
                raise ModelError(
                    f"The model '{staged.name}' is for {staged.info.ndim}D images, and those of this project are "
                    f"{image.grid.ndim}D: choose another model."
                )
            known = image is not None and image.grid.spacing is not None
            landmarks = self.ask(staged, self.session.names, known, self)
            if landmarks is not None:
                name = adopt_model(project, staged, landmarks)
                self.session.refresh_models(name)
                tell(f"The model '{name}' is in the project now.")
        except LandmarkerError as error:
            self.session.failed.emit(str(error))
        finally:
            discard(staged.folder)

    def _finished(self) -> None:
        self.task = None
        self._refresh()

    def _refresh(self) -> None:
        for button in (self.folder, self.zip):
            button.setEnabled(self.session.project is not None and self.task is None)

    def _choose_folder(self) -> None:
        path = choose_folder(self, "Choose the folder of a model")
        if path is not None:
            self.open_model(path)

    def _choose_zip(self) -> None:
        path = choose_file(self, "Choose the zip of a model", "Zipped models (*.zip)")
        if path is not None:
            self.open_model(path)
