"""What images and folders do to a training run, as seen by predicting with its model."""

import json

import numpy as np
import pytest
import tifffile
from synthetic import NAMES, make_project, small

from napari_landmarker.engine.errors import ProjectError
from napari_landmarker.engine.predict import Predictor
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.train.fit import train_project


@pytest.mark.parametrize("ndim", [2, 3])
def test_images_of_very_different_sizes_in_millimetres_are_trained_on_together(tmp_path, ndim):
    project, _ = make_project(tmp_path, ndim=ndim, count=8, spacing=(1.0,) * ndim)
    for number, case in enumerate(project.cases):
        shape = [20 * (number + 1)] + [40] * (ndim - 1)
        path = project.image_path(case.id)
        tifffile.imwrite(path, np.full(shape, 7, np.uint8), photometric="minisblack")
        project.annotation_path(case.id).unlink()
    project = Project.open(project.root)
    for case in project.cases:
        landmarks = project.annotations(case.id)
        project.save_annotations(case.id, landmarks.with_point(NAMES[0], (19, *[39] * (ndim - 1))))
    assert train_project(project, small(1), lambda event: None) == "auto-1"


def test_where_one_image_has_no_spacing_every_error_is_in_pixels(tmp_path):
    project, truth = make_project(tmp_path, count=8)
    content = json.loads((project.root / "project.json").read_text())
    for case in content["cases"]:
        if case["split"] == "validation":
            case["spacing"] = [0.01, 0.01]
    (project.root / "project.json").write_text(json.dumps(content))
    project = Project.open(project.root)
    events = []
    train_project(project, small(1), events.append)
    predictor = Predictor.load(project.model_path("auto-1"))
    cases = project.cases_in(Split.VALIDATION)
    found = np.array([predictor.predict(project.image(case.id)).landmarks.points for case in cases])
    errors = np.linalg.norm(found - [truth[case.id] for case in cases], axis=-1)
    assert events[-1].unit == predictor.info.unit == "px"
    assert events[-1].validation_error == pytest.approx(errors.mean(), rel=1e-2)


def test_a_run_that_could_not_save_its_model_does_not_begin(tmp_path):
    project, _ = make_project(tmp_path, count=4)
    project.models_dir.write_text("in the way")
    events = []
    with pytest.raises(ProjectError, match="models could not be written"):
        train_project(project, small(1), events.append)
    assert not events


def test_two_runs_at_the_same_time_both_keep_their_model(tmp_path):
    project, _ = make_project(tmp_path, count=4)
    names = []

    def other_run_first(event):
        if event.event == "started" and not names:
            names.append(None)
            names[0] = train_project(project, small(1), lambda event: None)

    own = train_project(project, small(1), other_run_first)
    assert {own, *names} == {"auto-1", "auto-2"}
    assert sorted(project.models) == ["auto-1", "auto-2"]
