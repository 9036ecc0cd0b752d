"""What a model that exists does with image files: what it writes, what it leaves alone, what it refuses."""

import json
import shutil

import numpy as np
import pytest
import tifffile
from synthetic import NAMES, make_project

from napari_landmarker.engine.errors import AnnotationError, LandmarkerError, ProjectError
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.predict import Predictor, evaluate_model
from napari_landmarker.engine.predict.batch import predict_files
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.train.config import TrainConfig, UNetConfig
from napari_landmarker.engine.train.fit import train_project

MODEL = UNetConfig(features_2d=(8, 8, 8, 8, 8), features_3d=(8, 8, 8, 8, 8), stride_2d=2)


@pytest.fixture(scope="module", params=[2, 3])
def trained(request, tmp_path_factory):
    """A project in millimetres with a model of one step."""
    root = tmp_path_factory.mktemp("trained")
    project, _ = make_project(root, ndim=request.param, count=8, spacing=(0.5,) * request.param)
    train_project(project, TrainConfig(max_minutes=1, max_steps=1, model=MODEL), lambda event: None)
    return project


def test_predictions_never_replace_what_a_person_placed(trained, tmp_path):
    predictor = Predictor.load(trained.model_path("fast-1"))
    case = trained.cases[0]
    image, spacing = trained.image_path(case.id), case.spacing
    before = trained.annotation_path(case.id).read_bytes()
    with pytest.raises(AnnotationError, match="placed by a person"):
        predict_files(predictor, [image], trained.annotation_path(case.id).parent, spacing=spacing)
    assert trained.annotation_path(case.id).read_bytes() == before
    for _ in range(2):  # predictions are replaced by predictions
        predict_files(predictor, [image], tmp_path, spacing=spacing)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_does_not_fit_is_said_with_the_file_before_anything_is_predicted(trained, tmp_path):
    predictor = Predictor.load(trained.model_path("fast-1"))
    ndim = predictor.info.ndim
    image = trained.image_path(trained.cases[0].id)
    tifffile.imwrite(tmp_path / "other.tif", np.zeros((9,) * (5 - ndim), np.uint8), photometric="minisblack")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (tmp_path / "file").write_text("")
    for images, out, spacing, named in (
        ([tmp_path / "other.tif"], "o", None, "other.tif"),
        ([image], "o", None, image.name),
        ([image], "o", (500,) * ndim, image.name),
        ([image], "o", (1,) * (5 - ndim), "positive numbers"),
        ([image, tmp_path / "bad.png"], "o", (0.5,) * ndim, "bad.png"),
        ([image], "file", (0.5,) * ndim, "could not be written"),
    ):
        with pytest.raises(LandmarkerError) as caught:
            predict_files(predictor, images, tmp_path / out, spacing=spacing)
        assert named in str(caught.value)
        assert not (tmp_path / "o").exists() or not list((tmp_path / "o").iterdir())


def test_a_model_keeps_its_figures_and_no_name_of_a_case(trained):
    evaluation = evaluate_model(trained, "fast-1", Split.TEST)
    folder = trained.model_path("fast-1")
    saved = json.loads((folder / "evaluations" / "test.json").read_text())
    assert saved["overall"] == evaluation.overall.to_dict()
    texts = [p.read_text() for p in folder.rglob("*") if p.suffix in (".json", ".csv", ".md")]
    assert len(texts) == 6
    for secret in (str(trained.root.parent), *(case.id for case in trained.cases)):
        assert not [text for text in texts if secret in text]


def test_a_model_from_elsewhere_is_not_changed_by_an_evaluation(trained, tmp_path):
    other, _ = make_project(
        tmp_path, ndim=trained.geometry("case00").grid.ndim, count=4, spacing=trained.cases[0].spacing
    )
    folder = trained.model_path("fast-1")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert evaluate_model(other, folder, Split.TEST).model == "fast-1"
    case = other.cases_in(Split.TEST)[0].id
    assert other.predictions(case, "fast-1") is not None
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_model_from_elsewhere_is_not_taken_for_the_projects_own_of_that_name(trained, tmp_path):
    spacing = trained.cases[0].spacing
    other, _ = make_project(tmp_path, ndim=len(spacing), count=4, spacing=spacing)
    shutil.copytree(trained.model_path("fast-1"), other.model_path("fast-1"))
    case = other.cases_in(Split.TEST)[0].id
    evaluate_model(other, trained.model_path("fast-1"), Split.TEST)
    assert other.predictions(case, "fast-1") is None
    evaluate_model(other, "fast-1", Split.TEST)
    assert other.predictions(case, "fast-1") is not None


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
    config = TrainConfig(max_minutes=1, max_steps=1, model=MODEL)
    assert train_project(project, config, lambda event: None) == "fast-1"


def test_where_one_image_has_no_spacing_every_error_is_in_pixels(tmp_path):
    project, truth = make_project(tmp_path, count=8)
    content = json.loads((project.root / "project.json").read_text())
    for case in content["cases"]:
        if case["split"] == "validation":
            case["spacing"] = [0.01, 0.01]
    (project.root / "project.json").write_text(json.dumps(content))
    project = Project.open(project.root)
    events = []
    train_project(project, TrainConfig(max_minutes=1, max_steps=1, model=MODEL), events.append)
    predictor = Predictor.load(project.model_path("fast-1"))
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
        train_project(project, TrainConfig(model=MODEL), events.append)
    assert not events


def test_two_runs_at_the_same_time_both_keep_their_model(tmp_path):
    project, _ = make_project(tmp_path, count=4)
    config = TrainConfig(max_minutes=1, max_steps=1, model=MODEL)
    names = []

    def other_run_first(event):
        if event.event == "started" and not names:
            names.append(None)
            names[0] = train_project(project, config, lambda event: None)

    assert train_project(project, config, other_run_first) == "fast-2"
    assert names == ["fast-1"]
    assert project.models == ("fast-1", "fast-2")


def test_a_flat_image_gets_points_on_it_and_no_status_of_a_person(trained):
    predictor = Predictor.load(trained.model_path("fast-1"))
    image = trained.image(trained.cases[0].id)
    landmarks = predictor.predict(type(image)(np.zeros_like(image.array), image.grid, image.stored)).landmarks
    assert not landmarks.by_person.any()
    assert landmarks.grid.contains(landmarks.points[landmarks.placed]).all()
    assert set(landmarks.status) <= {LandmarkStatus.PREDICTED, LandmarkStatus.UNPLACED}
