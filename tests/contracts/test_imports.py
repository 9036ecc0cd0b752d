"""Dependencies run one way, and what a person waits for is loaded late."""

import json
import subprocess
import sys
import time

import pytest
from machine import slowness

WINDOW = ("napari", "qtpy", "superqt", "magicgui", "vispy", "PyQt5", "PyQt6", "PySide2", "PySide6")
HEAVY = ("torch", "monai", "pytorch_lightning", "SimpleITK", "matplotlib", "nibabel")

WALK = """
import importlib, json, pkgutil, sys
package = importlib.import_module({package!r})
names = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    importlib.import_module(name)
print(json.dumps([names, sorted({{m.split(".")[0] for m in sys.modules}})]))
"""


def fresh(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("package", ["napari_landmarker.engine", "napari_landmarker.state"])
def test_all_modules_load_no_window_library(package):
    names, loaded = fresh(WALK.format(package=package))
    assert len(names) > 5
    assert not set(WINDOW) & set(loaded)


@pytest.mark.parametrize(
    "module",
    [
        "cli",
        "engine.project",
        "engine.io",
        "engine.exchange",
        "engine.train",
        "engine.predict",
        "engine.metrics",
        "engine.uncertainty",
    ],
)
def test_what_opens_a_project_loads_no_heavy_library(module):
    loaded = fresh(
        f"import json, sys, napari_landmarker.{module}; print(json.dumps([m.split('.')[0] for m in sys.modules]))"
    )
    assert not set(HEAVY) & set(loaded)


def test_import_linter_keeps_its_contracts(repository):
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()"],
        cwd=repository, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept, 0 broken" in done.stdout


def test_help_answers_within_a_second():
    best = float("inf")
    for _ in range(3):
        begin = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "napari_landmarker", "--help"], capture_output=True, text=True)
        best = min(best, time.monotonic() - begin)
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("open", "demo", "init", "train", "predict", "evaluate"))
    assert best < slowness()
