"""A model is judged where a landmark may have several points in an image: by the points that belong together."""

import csv

import numpy as np
import pytest
import tifffile
from oracles import Fixed, gaussian, member
from plain_model import untrained

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.losses.configs import L2Config
from napari_landmarker.engine.predict import Predictor, evaluate_model
from napari_landmarker.engine.project import Split
from napari_landmarker.engine.report import write_report
from napari_landmarker.engine.schema import LandmarkSchema

NAMES = ("plant", "weed", "stone")
SIDE = 32


@pytest.fixture(params=[2, 3])
def field(request, tmp_path, monkeypatch):
    """A project of one image, and a model that finds three plants of two, and no weed."""
    ndim = request.param
    rest = (16,) * (ndim - 2)
    schema = LandmarkSchema.from_names(NAMES, instances=3)
    image = tmp_path / "field.tif"
    tifffile.imwrite(image, np.zeros((SIDE,) * ndim, np.uint8), photometric="minisblack")
    project = create_project(tmp_path / "p", schema, [image], splits={"field.tif": Split.TEST})
    points = np.full((3, 3, ndim), np.nan)
    points[0, 0], points[0, 1] = (*rest, 10, 10), (*rest, 20, 24)
    points[1, 0] = (*rest, 6, 25)
    status = np.where(np.isfinite(points).all(axis=-1), "confirmed", "unplaced")
    project.save_annotations("field", LandmarkSet(NAMES, points, status, project.geometry("field").grid))
    untrained(project.model_path("finder"), schema, project.geometry("field").grid)
    maps = gaussian((SIDE,) * ndim, (*rest, 20, 25), np.eye(ndim))[None].repeat(3, *[1] * ndim)
    maps[0] += 0.8 * gaussian((SIDE,) * ndim, (*rest, 10, 12), np.eye(ndim))
    maps[0] += 0.6 * gaussian((SIDE,) * ndim, (*rest, 4, 4), np.eye(ndim))
    maps[1] = 0
    finder = member(Fixed(maps), (SIDE,) * ndim, NAMES, instances=3, loss=L2Config(), name="finder")
    monkeypatch.setattr(Predictor, "load", classmethod(lambda cls, *_, **__: cls([finder])))
    return project


def test_predictions_are_matched_with_the_points_of_their_landmark(field, tmp_path):
    evaluation = evaluate_model(field, "finder", Split.TEST, radii=[1.5])
    (case,) = evaluation.cases
    assert case.errors == {
        "plant #1": pytest.approx(2, abs=0.02),
        "plant #2": pytest.approx(1, abs=0.02),
        "weed #1": None,
    }
    assert (case.n, case.missed, case.missing) == (3, 1, 1)
    plant, weed, stone = (evaluation.landmarks[name] for name in NAMES)
    assert (plant.n, plant.missed, plant.missing, plant.mean) == (2, 0, 0, pytest.approx(1.5, abs=0.02))
    assert (weed.n, weed.missed, weed.mean) == (1, 1, None)
    assert (stone.n, stone.missing) == (0, 1)  # what is found of it is neither right nor wrong
    assert evaluation.overall.sdr[1.5] == pytest.approx(100 / 3)
    assert evaluation.errors("plant").tolist() == pytest.approx([2, 1], abs=0.02)
    saved = field.predictions("field", "finder")
    assert saved is not None
    assert saved.placed.sum(axis=1).tolist() == [3, 0, 1]
    files = write_report(evaluation, tmp_path / "report", field.schema, field.image)
    with files.cases_csv.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["error of plant"]) == pytest.approx(1.5, abs=0.02)
    assert (row["error of weed"], row["error of stone"]) == ("missed", "")
