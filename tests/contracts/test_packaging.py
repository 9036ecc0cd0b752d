"""The manifest is found however the package is installed, and the wheel carries all that it needs."""

import re
import subprocess
import sys
import zipfile
from importlib.metadata import metadata

import npe2
import pytest
from npe2 import PluginManifest

import napari_landmarker

LOOK = """
import json, sys
sys.path.insert(0, {place!r})
from npe2 import PluginManifest
import napari_landmarker
manifest = PluginManifest.from_distribution("napari-landmarker")
assert napari_landmarker.__file__.startswith({place!r}), napari_landmarker.__file__
from napari_landmarker.engine.datasets import SAMPLES
images = [path for sample in SAMPLES.values() for path in sample.images]
assert all(path.exists() for path in images)
print(json.dumps([manifest.name, [len(sample.images) for sample in SAMPLES.values()]]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory, repository):
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=repository, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


def test_the_editable_install_has_the_manifest():
    manifest = PluginManifest.from_distribution("napari-landmarker")
    assert manifest.name == metadata("napari-landmarker")["Name"] == "napari-landmarker"
    assert all(command.id.startswith("napari-landmarker.") for command in manifest.contributions.commands)
    manifest.validate_imports()


def test_npe2_finds_the_manifest_valid(repository):
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", str(repository / "napari_landmarker" / "napari.yaml")],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wheel_install_has_the_manifest_and_the_samples(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOOK.format(place=str(tmp_path))],
        capture_output=True, text=True, cwd=tmp_path, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == '["napari-landmarker", [100, 44]]'


def test_the_wheel_carries_data_and_licences_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    inside = [n for n in names if n.startswith("napari_landmarker/")]
    for wanted in (
        "napari_landmarker/napari.yaml",
        "napari_landmarker/py.typed",
        "napari_landmarker/engine/report/templates/report.html.j2",
        "napari_landmarker/engine/datasets/sample/fundus/LICENSE.txt",
        "napari_landmarker/engine/datasets/sample/hippocampus/ATTRIBUTION.md",
    ):
        assert wanted in names
    assert all(n.startswith(("napari_landmarker/", "napari_landmarker-")) for n in names)
    assert len(inside) > 100
    assert not any("__pycache__" in n for n in names)


def test_the_sample_data_is_small_and_attributed(repository):
    folder = repository / "napari_landmarker" / "engine" / "datasets" / "sample"
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) < 6_000_000
    assert "CC BY 4.0" in (folder / "fundus" / "ATTRIBUTION.md").read_text()
    assert "CC BY-SA 4.0" in (folder / "hippocampus" / "ATTRIBUTION.md").read_text()


def test_the_manifest_at_the_top_is_the_one_in_the_package(repository):
    top, inside = repository / "napari.yaml", repository / "napari_landmarker" / "napari.yaml"
    text = top.read_text()
    assert text in (inside.read_text(), "napari_landmarker/napari.yaml")
    assert npe2.PluginManifest.from_file(inside).name == "napari-landmarker"


def test_no_window_toolkit_is_a_dependency():
    required = [r for r in metadata("napari-landmarker").get_all("Requires-Dist") if "extra ==" not in r]
    assert required
    assert not [r for r in required if re.match(r"(?i)(pyqt|pyside|napari\[)", r)]
    assert metadata("napari-landmarker")["Version"] == napari_landmarker.__version__


def test_everything_an_install_needs_is_pinned(repository):
    lines = (repository / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!]+", line) for line in pins)
    names = {re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in pins}
    required = metadata("napari-landmarker").get_all("Requires-Dist")
    wanted = {re.sub(r"[-_.]+", "-", re.match(r"[A-Za-z0-9._-]+", r)[0]).lower() for r in required}
    assert wanted - {"napari-landmarker"} <= names
    assert "torch==2.13.0" in pins
