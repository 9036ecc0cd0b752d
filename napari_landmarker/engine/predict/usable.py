"""Which models can predict in a project: its own, and those that come with the program and know all its landmarks."""

from __future__ import annotations

from pathlib import Path

from napari_landmarker.engine.errors import LandmarkerError, ModelError
from napari_landmarker.engine.model_folders import shipped_models
from napari_landmarker.engine.predict.bundle import read_info
from napari_landmarker.engine.project import Project


def usable_models(project: Project) -> tuple[str, ...]:
    """Names of the models that can predict in a project, which `Project.find_model` finds.

    Its own come first, oldest first. A model that comes with the program is named if it is for images of as many
    dimensions and finds every landmark of the project, unless a model of the project has the same name. One that shares
    only some names may mean something else by them: see `models_to_map`.
    """
    return (*project.models, *_shipped(project, whole=True))


def models_to_map(project: Project) -> dict[str, Path]:
    """Folders of the models that come with the program and could predict once a person says what their landmarks are.

    They are for images of as many dimensions, and find some of the project's landmarks or none by name; `stage_model`
    and `adopt_model` take one into the project.
    """
    return _shipped(project, whole=False)


def default_model(project: Project) -> str | None:
    """The model that a person most likely wants: the newest of the project, else one that comes with the program."""
    own = project.models
    return own[-1] if own else next(iter(usable_models(project)), None)


def _shipped(project: Project, *, whole: bool) -> dict[str, Path]:
    """Models that come with the program, for images like the project's, and whether they find all its landmarks."""
    found: dict[str, Path] = {}
    for name, folder in shipped_models().items():
        try:
            info = read_info(folder)
        except ModelError:  # damaged
            continue
        knows = set(project.schema.names) <= set(info.names)
        if name not in project.models and knows is whole and _ndim(project) == info.ndim:
            found[name] = folder
    return found


def _ndim(project: Project) -> int | None:
    """``D`` of the project's images, which all have it; None if none of them can be read."""
    for case in project.cases:
        try:
            return project.geometry(case.id).grid.ndim
        except LandmarkerError:
            continue
    return None
