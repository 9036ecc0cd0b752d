"""``predict`` on the command line: several models, views, and images that fail."""

import csv

import numpy as np
import pytest
import tifffile
import torch
import typer
from oracles import info_of
from typer.testing import CliRunner

from napari_landmarker.cli.prediction import predict
from napari_landmarker.engine.models.configs import UNetConfig
from napari_landmarker.engine.predict.bundle import save_bundle

TINY = UNetConfig(features_2d=(8, 8, 8, 8, 8), stride_2d=2)


@pytest.fixture
def run(tmp_path):
    """The command, run with words on two models (``m1``, ``m2``) and three images of which one is none."""
    for number in (1, 2):
        info = info_of(("a", "b"), (64, 64), channels=1, multiple=32, model=TINY)
        torch.manual_seed(number)
        save_bundle(tmp_path / f"m{number}", info, TINY.build(2, 1, 2), [])
    (tmp_path / "images").mkdir()
    for name in ("one", "two"):
        array = np.random.default_rng(0).integers(0, 255, (50, 60), dtype=np.uint8)
        tifffile.imwrite(tmp_path / "images" / f"{name}.tif", array, photometric="minisblack")
    app = typer.Typer()
    app.command()(predict)

    def invoke(*words, out="out"):
        given = [str(tmp_path / "m1"), str(tmp_path / "images"), "--out", str(tmp_path / out), *words]
        return CliRunner().invoke(app, given)

    return invoke


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_images_that_fail_are_one_line_each_and_exit_code_1(run, tmp_path):
    (tmp_path / "images" / "bad.png").write_bytes(b"no picture")
    done = run()
    assert done.exit_code == 1
    assert "Predicted 2 images" in done.stdout
    said = done.stderr.strip().splitlines()
    assert [line for line in said if "bad.png" in line] == said[-2:-1]
    assert "failures.csv" in said[-1]
    assert [row["image"] for row in rows_of(tmp_path / "out" / "failures.csv")] == ["bad.png"]
    (tmp_path / "images" / "bad.png").unlink()
    again = run("--resume")
    assert again.exit_code == 0
    assert "Predicted 0 images, 2 kept from before" in again.stdout
    assert len(rows_of(tmp_path / "out" / "predictions.csv")) == 4


def test_several_models_and_views_are_averaged(run, tmp_path):
    also = ("--also", str(tmp_path / "m2"))
    tables = {}
    for name, words in (("plain", ()), ("both", also), ("views", ("--views", "3")), ("cpu", ("--device", "cpu"))):
        done = run(*words, out=name)
        assert done.exit_code == 0, done.stderr
        tables[name] = [(row["x"], row["y"]) for row in rows_of(tmp_path / name / "predictions.csv")]
    assert tables["cpu"] == tables["plain"]
    assert tables["both"] != tables["plain"] != tables["views"]
    assert run("--views", "0", out="no").exit_code == 2
