"""A small project, and a session in which it is open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from results import NAMES, SHAPE

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.session import Session


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Three images, three landmarks."""
    paths = [tmp_path / f"{letter}.png" for letter in "xyz"]
    for path in paths:
        PillowImage.fromarray(np.zeros(SHAPE, np.uint8)).save(path)
    project = create_project(tmp_path / "project", LandmarkSchema.from_names(NAMES), paths)
    model = project.models_dir / "m" / "configs"
    model.mkdir(parents=True)
    (model / "metadata.json").write_text("{}", encoding="utf-8")
    return project


@pytest.fixture
def session(project: Project) -> Session:
    """The project, open at its first case."""
    session = Session()
    session.open_project(project)
    return session
