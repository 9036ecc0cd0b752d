"""napari, killed while a person annotates in it, loses nothing that was completed.

``LANDMARKER_KILLS`` sets how many windows are killed; 50 takes some minutes (``make faults``).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from qtpy.QtWidgets import QApplication
from test_faults import NAMES, expected_after, found, killed_run

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema

KILLS = int(os.environ.get("LANDMARKER_KILLS", "1"))
SCRIPT = Path(__file__).with_name("faults_window.py")
#: A window is killed so many seconds after its first edit at the latest.
LATEST_S = 3.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    paths = [folder / f"{letter}.png" for letter in "xyz"]
    for path in paths:
        PillowImage.fromarray(np.zeros((120, 160), np.uint8)).save(path)
    return create_project(folder / "project", LandmarkSchema.from_names(NAMES), paths).root


def same(first: list[str], second: list[str]) -> bool:
    """Whether two coordinates, or two words, are the same."""
    if len(first) == len(second) == 2:
        return np.allclose(np.array(first, float), np.array(second, float), rtol=0, atol=1e-5)
    return first == second


@pytest.mark.parametrize("seed", range(KILLS))
def test_every_edit_completed_in_the_window_is_on_disk_after_a_kill(qapp: QApplication, root: Path, seed: int) -> None:
    before = {(case.id, n): found(Project.open(root), case.id, n) for case in Project.open(root).cases for n in NAMES}
    lines = killed_run(SCRIPT, root, seed, LATEST_S)
    assert [line[0] for line in lines[:2]] == ["begin", "done"]
    expected, under_way = expected_after(before, lines)
    project = Project.open(root)
    for key, said in expected.items():
        now = found(project, *key)
        assert same(now, said) or same(now, under_way.get(key, said)), key
