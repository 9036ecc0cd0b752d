"""A process that is killed while it annotates loses nothing that was completed.

``LANDMARKER_KILLS`` sets how many processes are killed; 50 takes a minute or two (``make faults``).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.state.session import Session

KILLS = int(os.environ.get("LANDMARKER_KILLS", "3"))
NAMES = ("a", "b", "c", "d", "e")
#: A case and a landmark of it.
Key = tuple[str, str]
SCRIPT = Path(__file__).with_name("faults_script.py")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    paths = [folder / f"{letter}.png" for letter in "xyz"]
    for path in paths:
        PillowImage.fromarray(np.zeros((20, 20), np.uint8)).save(path)
    return create_project(folder / "project", LandmarkSchema.from_names(NAMES), paths).root


def killed_run(script: Path, root: Path, seed: int, latest_s: float = 0.4) -> list[list[str]]:
    """Let a process make one edit, and then more for a random time until it is killed; the lines it wrote."""
    wait_s = np.random.default_rng(seed).uniform(0.0, latest_s)
    with subprocess.Popen([sys.executable, str(script), str(root), str(seed)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]  # the first edit is done: now the time begins
        time.sleep(wait_s)
        process.kill()
        lines += process.stdout.readlines()
    assert process.returncode != 0
    return [line.decode().split() for line in lines if line.endswith(b"\n")]


def expected_after(
    before: dict[Key, list[str]], lines: list[list[str]]
) -> tuple[dict[Key, list[str]], dict[Key, list[str]]]:
    """What must be on disk of each landmark after a run that wrote these lines, and what may be: an edit under way."""
    expected = dict(before)
    for word, case_id, name, *said in lines:
        if word == "done":
            expected[case_id, name] = said
    word, case_id, name, *said = lines[-1]
    return expected, {(case_id, name): said} if word == "begin" else {}


def found(project: Project, case_id: str, name: str) -> list[str]:
    """What a project has of a landmark, in the words of the script."""
    landmarks = project.annotations(case_id)
    status = landmarks.status_of(name)
    if status is LandmarkStatus.ABSENT:
        return ["absent"]
    return [str(value) for value in landmarks.point(name)] if status.has_point else ["none"]


@pytest.mark.parametrize("seed", range(KILLS))
def test_every_completed_edit_is_on_disk_after_a_kill(root: Path, seed: int) -> None:
    before = {(case.id, n): found(Project.open(root), case.id, n) for case in Project.open(root).cases for n in NAMES}
    lines = killed_run(SCRIPT, root, seed)
    assert [line[0] for line in lines[:2]] == ["begin", "done"]
    expected, under_way = expected_after(before, lines)
    project = Project.open(root)
    differing = {key: now for key in expected if (now := found(project, *key)) != expected[key]}
    assert all(under_way.get(key) == now for key, now in differing.items())


def test_a_project_whose_process_was_killed_opens_for_work_at_once(root: Path) -> None:
    killed_run(SCRIPT, root, 1234)
    session = Session()
    session.open_project(Project.open(root))
    assert not session.read_only
    session.set_current("a")
    session.remove("a")
    assert session.place((3, 4))
    assert found(Project.open(root), str(session.case_id), "a") == ["3.0", "4.0"]
    for case in Project.open(root).cases:
        assert session.progress(case.id)[0] == sum(found(session.project, case.id, name) != ["none"] for name in NAMES)
    session.leave()
