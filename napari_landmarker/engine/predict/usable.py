"""Which models can predict in a project: its own, and those that come with the program and know its landmarks."""

from __future__ import annotations

from pathlib import Path

from napari_landmarker.engine.errors import LandmarkerError, ModelError
from napari_landmarker.engine.model_folders import shipped_models
from napari_landmarker.engine.predict.bundle import read_info
from napari_landmarker.engine.project import Project


def usable_models(project: Project) -> tuple[str, ...]:
    """Names of the models that can predict in a project, which `Project.find_model` finds.

    Its own come first, oldest first. A model that comes with the program is named if it is for images of as many
    dimensions and has a landmark in common with the project, unless a model of the project has the same name.
    """
    own = project.models
    return (*own, *(name for name, folder in shipped_models().items() if name not in own and _fits(folder, project)))


def default_model(project: Project) -> str | None:
    """The model that a person most likely wants: the newest of the project, else one that comes with the program."""
    own = project.models
    return own[-1] if own else next(iter(usable_models(project)), None)


def _fits(folder: Path, project: Project) -> bool:
    """Whether a model that comes with the program can be of use; one that cannot be read is not."""
    try:
        info = read_info(folder)
    except ModelError:
        return False
    return bool(set(info.names) & set(project.schema.names)) and _ndim(project) == info.ndim


def _ndim(project: Project) -> int | None:
    """``D`` of the project's images, which all have it; None if none of them can be read."""
    for case in project.cases:
        try:
            return project.geometry(case.id).grid.ndim
        except LandmarkerError:
            continue
    return None
