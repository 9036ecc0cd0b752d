"""The tutorials run, shortened."""

import csv
import json
import re
import runpy

import numpy as np
import pytest

from napari_landmarker.engine.datasets import SAMPLES
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.models.configs import UNetConfig
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.train.config import OptimiserConfig


@pytest.fixture
def tutorial(repository, monkeypatch):
    """The `main` of a tutorial, which finds its neighbours as it does on the command line."""
    folder = repository / "docs" / "tutorials"
    monkeypatch.syspath_prepend(str(folder))
    return lambda name: runpy.run_path(str(folder / f"{name}.py"))["main"]


def short(**optimiser):
    """Changes of a configuration with which a few steps are enough."""
    return {
        "max_minutes": 5,
        "validations": 2,
        "model": UNetConfig(features_2d=(16, 24, 32, 48, 48), features_3d=(16, 16, 32, 48, 64), stride_3d=2),
        "optimiser": OptimiserConfig(ema=0.8, batch_size_2d=4, **optimiser),
    }


def distances(project, model, split):
    """Distances in mm of what a model predicted and a person placed, by landmark, computed anew."""
    found = {name: [] for name in project.schema.names}
    for case in project.annotated_cases(split):
        truth, predicted = project.annotations(case.id), project.predictions(case.id, model)
        for name in truth.names:
            away = (truth.point(name) - predicted.point(name)) * truth.grid.spacing
            found[name].append(float(np.linalg.norm(away)))
    return {name: np.array(values) for name, values in found.items()}


def test_the_listings_of_the_paper(tutorial, tmp_path):
    error = tutorial("paper_listings")(epochs=6, size=(48, 72), channels=16, images=16, out=tmp_path)
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"inspection.png", "predictions.png", "errors.png", "report.txt", "summary.txt"}
    overall = re.search(r"^All landmarks +([\d.]+)", (tmp_path / "report.txt").read_text(), re.M)[1]
    assert float(overall) == round(error, 2)
    assert error < 75  # always saying the mean position of the learnt landmarks is 83 px off


def test_cephalograms(tutorial, tmp_path, capsys):
    evaluation = tutorial("cephalograms")(None, 1.0, tmp_path, max_steps=45, **short(learning_rate=5e-3))
    project = Project.open(tmp_path / "project")
    (model,) = project.models
    assert project.geometry("001").grid.spacing == pytest.approx((1.5, 1.5))
    assert [len(project.cases_in(split)) for split in Split] == [30, 0, 0, 10]
    away = distances(project, model, Split.TEST)
    assert len(away) == 19
    everything = np.concatenate(list(away.values()))
    assert evaluation.overall.n == len(everything) == 190
    assert evaluation.overall.mean == pytest.approx(everything.mean())
    assert evaluation.overall.sdr[2.0] == pytest.approx(100 * (everything <= 2).mean())
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["unit"] == "mm"
    assert list(report["overall"]["sdr"]) == ["2.0", "2.5", "3.0", "4.0"]
    printed = capsys.readouterr().out
    for name, values in away.items():
        assert report["landmarks"][name]["mean"] == pytest.approx(values.mean())
        assert f"{name:24}{values.mean():6.2f} mm" in printed
    assert (tmp_path / "errors.png").stat().st_size > 10_000
    assert evaluation.overall.median < 6  # a place at random is 80 mm off


def test_volumes_with_missing_landmarks(tutorial, tmp_path):
    evaluation = tutorial("volumes_with_missing_landmarks")(5.0, tmp_path, max_steps=16, **short())
    project = Project.open(tmp_path / "project")
    status = [project.annotations(case.id).status for case in project.annotated_cases(Split.TEST)]
    absent, unplaced = ((np.array(status) == s.value).sum() for s in (LandmarkStatus.ABSENT, LandmarkStatus.UNPLACED))
    assert absent + unplaced == evaluation.overall.missing > 0
    assert evaluation.overall.n == 5 * evaluation.n_images - evaluation.overall.missing
    away = np.concatenate(list(distances(project, project.models[0], Split.TEST).values()))
    assert evaluation.overall.mean == pytest.approx(np.nanmean(away))
    status = np.array([project.annotations(case.id).status for case in project.cases])
    gone = (status != LandmarkStatus.CONFIRMED.value).sum() - 5 * SAMPLES[3].unannotated
    assert 0.15 < gone / status.size < 0.25
    predicted = [project.predictions(case.id, project.models[0]) for case in project.annotated_cases(Split.TEST)]
    assert all(landmarks.placed.all() for landmarks in predicted)
    with (tmp_path / "report" / "report.csv").open(newline="") as file:
        rows = {row["landmark"]: row for row in csv.DictReader(file)}
    assert sum(int(row["missing"]) for name, row in rows.items() if name != "overall") == absent + unplaced
    assert evaluation.overall.mean < 8  # a place at random is 20 mm off


def test_several_instances(tutorial, tmp_path):
    total = tutorial("several_instances")(24, 1.0, tmp_path, max_steps=30, **short(learning_rate=5e-3))
    project = Project.open(tmp_path / "project")
    assert project.schema.instances == 4
    placed = sum(int(project.annotations(case.id).placed.sum()) for case in project.cases_in(Split.TEST))
    assert total.true_positives + total.false_negatives == placed > 0
    line = re.search(r"^All landmarks +(\d+) +(\d+) +(\d+)", (tmp_path / "report.txt").read_text(), re.M)
    counts = total.true_positives, total.false_positives, total.false_negatives
    assert tuple(map(int, line.groups())) == counts
    assert total.precision > 0.8
    assert total.recall > 0.8
    assert total.error < 2
