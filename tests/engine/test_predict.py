"""What a model that exists does with image files: what it writes, what it leaves alone, what it refuses."""

import csv
import json
import os
import shutil

import numpy as np
import pytest
import tifffile
import torch
from image_files import write_image
from oracles import FixedPoints, member
from synthetic import NAMES, make_project

from napari_landmarker.engine.errors import ImageError, ModelError, ProjectError
from napari_landmarker.engine.io import read_landmarks
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.losses.configs import L2Config
from napari_landmarker.engine.models.configs import CoordinateRegressionConfig, UNetConfig
from napari_landmarker.engine.predict import Predictor, evaluate_model
from napari_landmarker.engine.predict.batch import predict_files
from napari_landmarker.engine.predict.bundle import ModelInfo, save_bundle
from napari_landmarker.engine.project import Split
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.frame import NetworkFrame

MODEL = UNetConfig(features_2d=(8, 8, 8, 8, 8), features_3d=(8, 8, 8, 8, 8), stride_2d=2)
MODEL_NAME = "auto-1"


@pytest.fixture(scope="module", params=[2, 3])
def trained(request, tmp_path_factory):
    """A project in millimetres with a model of random weights."""
    root, ndim = tmp_path_factory.mktemp("trained"), request.param
    project, _ = make_project(root, ndim=ndim, count=8, spacing=(0.5,) * ndim)
    config = TrainConfig(model=MODEL)
    frame = NetworkFrame(
        shape=(64, 96) if ndim == 2 else (16, 32, 32), spacing_mm=0.5, multiple=config.model.multiple(ndim)
    )
    info = ModelInfo(
        name=MODEL_NAME, landmarks=LandmarkSchema.from_names(NAMES), ndim=ndim, channels=1, frame=frame, config=config,
        n_train=4, n_validation=2, validation_error=9.0, minutes=0.1, steps=1,
    )  # fmt: skip
    torch.manual_seed(0)
    save_bundle(project.model_path(MODEL_NAME), info, config.model.build(ndim, 1, len(NAMES)), [])
    return project


@pytest.fixture
def predictor(trained):
    return Predictor.load(trained.model_path(MODEL_NAME))


def paths_of(project, count):
    return [project.image_path(case.id) for case in project.cases[:count]]


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_predictions_never_replace_what_a_person_placed(trained, predictor, tmp_path):
    case = trained.cases[0]
    image, spacing = trained.image_path(case.id), case.spacing
    before = trained.annotation_path(case.id).read_bytes()
    folder = tmp_path / "annotated"
    shutil.copytree(trained.annotation_path(case.id).parent, folder)
    done = predict_files(predictor, [image], folder, spacing=spacing)
    assert "placed by a person" in done.failures[0].sentence
    assert (folder / trained.annotation_path(case.id).name).read_bytes() == before
    for _ in range(2):  # predictions are replaced by predictions
        predict_files(predictor, [image], tmp_path / "out", spacing=spacing)
    assert len(list((tmp_path / "out").glob("[!.]*"))) == 3


def test_what_fails_is_said_with_the_file_and_the_others_go_on(trained, predictor, tmp_path):
    ndim = predictor.info.ndim
    good = paths_of(trained, 1)[0]
    other, bad = tmp_path / "other.tif", tmp_path / "bad.png"
    tifffile.imwrite(other, np.zeros((9,) * (5 - ndim), np.uint8), photometric="minisblack")
    bad.write_bytes(b"no picture")
    done = predict_files(predictor, [other, good, bad], tmp_path / "o", spacing=(0.5,) * ndim)
    assert (done.predicted, done.kept) == (1, 0)
    assert [failure.image for failure in done.failures] == [other, bad]
    for failure, name in zip(done.failures, ("other.tif", "bad.png"), strict=True):
        assert name in failure.sentence
        assert "\n" not in failure.sentence
    assert {row["image"] for row in rows_of(done.table)} == {good.name}
    listed = rows_of(tmp_path / "o" / "failures.csv")
    assert [row["image"] for row in listed] == ["other.tif", "bad.png"]
    assert str(tmp_path) not in (tmp_path / "o" / "failures.csv").read_text()
    for spacing, words in ((None, "states no pixel spacing"), ((500,) * ndim, "check its spacing")):
        done = predict_files(predictor, [good], tmp_path / "p", spacing=spacing)
        assert good.name in done.failures[0].sentence
        assert words in done.failures[0].sentence
        assert rows_of(done.table) == []
    assert predict_files(predictor, [good], tmp_path / "o", spacing=(0.5,) * ndim).failures == ()
    assert not (tmp_path / "o" / "failures.csv").exists()


def test_what_ends_a_whole_run_is_raised_before_anything_is_predicted(trained, predictor, tmp_path):
    (tmp_path / "file").write_text("")
    image = paths_of(trained, 1)[0]
    with pytest.raises(ProjectError, match="could not be written"):
        predict_files(predictor, [image], tmp_path / "file")
    with pytest.raises(ImageError, match="same name"):
        predict_files(predictor, [image, tmp_path / image.name], tmp_path / "o")


def test_a_run_that_was_ended_goes_on_where_it_was_and_lists_all(trained, predictor, tmp_path, monkeypatch):
    spacing = trained.cases[0].spacing
    images = paths_of(trained, 4)
    real, seen = Predictor.predict, []

    def counted(self, image, **options):
        seen.append(image)
        return real(self, image, **options)

    monkeypatch.setattr(Predictor, "predict", counted)

    def until(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_files(predictor, images, tmp_path, spacing=spacing, resume=True, progress=until)
    assert len(seen) == 2
    assert len({row["image"] for row in rows_of(tmp_path / "predictions.csv")}) == 2
    done = predict_files(predictor, images, tmp_path, spacing=spacing, resume=True)
    assert (done.predicted, done.kept, len(seen)) == (2, 2, 4)
    resumed = rows_of(done.table)
    fresh = predict_files(predictor, images, tmp_path / "fresh", spacing=spacing)
    for row, expected in zip(resumed, rows_of(fresh.table), strict=True):
        assert row.keys() == expected.keys()
        assert (row["image"], row["landmark"], row["status"]) == (
            expected["image"], expected["landmark"], expected["status"],
        )  # fmt: skip
        for key in ("x", "y", "score"):
            assert float(row[key]) == pytest.approx(float(expected[key]), abs=1e-6)
    again = predict_files(predictor, images, tmp_path, spacing=spacing, resume=True)
    assert (again.predicted, again.kept) == (0, 4)
    seen.clear()
    mark, predictor.fingerprint = predictor.fingerprint, "another model"
    assert predict_files(predictor, images, tmp_path, spacing=spacing, resume=True).kept == 0
    predictor.fingerprint = mark
    other = [0.7] * predictor.info.ndim
    assert predict_files(predictor, images, tmp_path, spacing=other, resume=True).kept == 0
    predictor.views = 2
    assert predict_files(predictor, images, tmp_path, spacing=other, resume=True).kept == 0
    predictor.views = 1
    predict_files(predictor, images, tmp_path, spacing=spacing)


def test_an_image_that_was_replaced_is_predicted_anew_be_it_by_an_older_one(trained, predictor, tmp_path):
    spacing = trained.cases[0].spacing
    first, other = paths_of(trained, 2)
    image, out = tmp_path / "images" / first.name, tmp_path / "out"
    image.parent.mkdir()
    written = first.stat().st_mtime

    def rows(**options):
        done = predict_files(predictor, [image], out, spacing=spacing, **options)
        return done.kept, [(row["x"], row["y"], row.get("z")) for row in rows_of(done.table)]

    shutil.copyfile(first, image)
    os.utime(image, (written, written))
    kept, at_first = rows()
    assert rows(resume=True) == (1, at_first)
    for source, age in ((other, -3600), (first, 3600), (other, 7200)):
        shutil.copyfile(source, image)
        os.utime(image, (written + age, written + age))
        kept, again = rows(resume=True)
        assert kept == 0
        assert (again == at_first) == (source is first)
        assert rows(resume=True) == (1, again)
    settings = (out / ".settings.json").read_text()
    assert str(tmp_path) not in settings
    for damage in ("[]", "{", "null", '{"settings": 1}'):  # as an older version left it, or none
        (out / ".settings.json").write_text(damage)
        assert rows(resume=True)[0] == 0


def test_an_older_prediction_of_an_image_that_fails_is_no_result_of_this_run(trained, predictor, tmp_path):
    spacing = trained.cases[0].spacing
    ending = ".json" if predictor.info.ndim == 2 else ".mrk.json"
    images, out = [], tmp_path / "out"
    for path in paths_of(trained, 2):
        images.append(tmp_path / path.name)
        shutil.copyfile(path, images[-1])
    predict_files(predictor, images, out, spacing=spacing)
    files = [out / f"{path.name.split('.')[0]}{ending}" for path in images]
    before = [file.read_bytes() for file in files]
    images[0].write_bytes(b"no picture any more")
    for resume in (True, False):
        done = predict_files(predictor, images, out, spacing=spacing, resume=resume)
        assert [failure.image for failure in done.failures] == images[:1]
        assert not files[0].exists()
        assert (out / "earlier" / files[0].name).read_bytes() == before[0]
        assert files[1].read_bytes() == before[1]
        assert {row["image"] for row in rows_of(done.table)} == {images[1].name}
    theirs = trained.annotation_path(trained.cases[0].id)
    shutil.copyfile(theirs, files[0])  # a person's work stays
    predict_files(predictor, images, out, spacing=spacing)
    assert files[0].read_bytes() == theirs.read_bytes()


def test_progress_is_told_within_an_image_too_and_may_end_the_work_there(trained, predictor, tmp_path):
    images, spacing, told = paths_of(trained, 2), trained.cases[0].spacing, []
    predict_files(predictor, images, tmp_path / "o", spacing=spacing, progress=lambda *now: told.append(now))
    assert told == [(0, 2), (0, 2), (1, 2), (1, 2), (2, 2)]

    def cancel(done, total):
        told.append((done, total))
        if told[-2:] == [(1, total)] * 2:
            raise KeyboardInterrupt

    for work in (
        lambda: predict_files(predictor, images, tmp_path / "c", spacing=spacing, progress=cancel),
        lambda: evaluate_model(trained, MODEL_NAME, Split.TRAIN, progress=cancel),
    ):
        told.clear()
        with pytest.raises(KeyboardInterrupt):
            work()
    assert len({row["image"] for row in rows_of(tmp_path / "c" / "predictions.csv")}) == 1


def test_a_score_that_is_not_known_is_left_empty(tmp_path):
    images = [tmp_path / f"{name}.png" for name in "xy"]
    for path in images:
        write_image(path, np.zeros((24, 24), np.uint8))
    points = torch.tensor([[10.0, 12.0], [torch.nan, torch.nan]])
    config = {"model": CoordinateRegressionConfig(), "loss": L2Config(of="points")}
    predictor = Predictor([member(FixedPoints(points), (24, 24), ("seen", "lost"), **config)])
    done = predict_files(predictor, images, tmp_path / "out")
    assert done.failures == ()
    rows = {(row["image"], row["landmark"]): row for row in rows_of(done.table)}
    assert rows["x.png", "seen"].get("score", "") == ""
    assert float(rows["x.png", "seen"]["y"]) == 10
    again = predict_files(predictor, images, tmp_path / "out", resume=True)
    assert (again.predicted, again.kept) == (0, 2)
    landmarks = read_landmarks(tmp_path / "out" / "x.json", names=("seen", "lost"))
    assert np.isnan(landmarks.score_of("seen"))
    assert landmarks.status_of("lost") == "unplaced"


def test_covariances_are_listed_and_stay_where_a_prediction_does(trained, predictor, tmp_path):
    spacing = trained.cases[0].spacing
    images, ndim = paths_of(trained, 2), predictor.info.ndim
    predict_files(predictor, images[:1], tmp_path, spacing=spacing)
    first = rows_of(tmp_path / "covariances.csv")
    assert list(first[0])[3:] == (
        ["cov_xx", "cov_xy", "cov_yy"] if ndim == 2 else ["cov_xx", "cov_xy", "cov_xz", "cov_yy", "cov_yz", "cov_zz"]
    )
    case = trained.cases[0].id
    own = predictor.predict(trained.image(case)).landmarks
    by_axis = {"x": -1, "y": -2, "z": -3}
    for row, covariance in zip(first, own.covariance, strict=True):
        for key in list(row)[3:]:
            a, b = by_axis[key[4]], by_axis[key[5]]
            assert float(row[key]) == pytest.approx(covariance[a, b], rel=1e-5, abs=1e-6)
    predict_files(predictor, images, tmp_path, spacing=spacing, resume=True)
    assert rows_of(tmp_path / "covariances.csv")[: len(first)] == first
    assert len(rows_of(tmp_path / "covariances.csv")) == 2 * len(first)


def test_a_file_that_was_predicted_reads_back_as_a_prediction(trained, predictor, tmp_path):
    image = paths_of(trained, 1)[0]
    predict_files(predictor, [image], tmp_path, spacing=trained.cases[0].spacing)
    written = next(path for path in tmp_path.glob("[!.]*.json"))
    found = read_landmarks(written, trained.geometry(trained.cases[0].id), image_name=image.name)
    assert set(found.status) == {LandmarkStatus.PREDICTED}
    own = predictor.predict(trained.image(trained.cases[0].id)).landmarks
    np.testing.assert_allclose(found.points, own.points, atol=1e-3)
    np.testing.assert_allclose(found.score, own.score, atol=1e-3)


def test_a_model_keeps_its_figures_and_no_name_of_a_case(trained):
    evaluation = evaluate_model(trained, MODEL_NAME, Split.TEST)
    folder = trained.model_path(MODEL_NAME)
    saved = (folder / "evaluations" / "test.json").read_bytes()
    assert json.loads(saved)["overall"] == evaluation.overall.to_dict()
    evaluate_model(trained, MODEL_NAME, Split.TEST, views=2)
    assert (folder / "evaluations" / "test.json").read_bytes() == saved
    texts = [p.read_text() for p in folder.rglob("*") if p.suffix in (".json", ".csv", ".md", ".yaml")]
    assert len(texts) >= 6
    for secret in (str(trained.root.parent), *(case.id for case in trained.cases)):
        assert not [text for text in texts if secret in text]


def test_a_model_from_elsewhere_is_not_changed_by_an_evaluation(trained, tmp_path):
    other, _ = make_project(
        tmp_path, ndim=trained.geometry("case00").grid.ndim, count=4, spacing=trained.cases[0].spacing
    )
    folder = trained.model_path(MODEL_NAME)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert evaluate_model(other, folder, Split.TEST).model == MODEL_NAME
    case = other.cases_in(Split.TEST)[0].id
    assert other.predictions(case, MODEL_NAME) is not None
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_model_from_elsewhere_is_not_taken_for_the_projects_own_of_that_name(trained, tmp_path):
    spacing = trained.cases[0].spacing
    other, _ = make_project(tmp_path, ndim=len(spacing), count=4, spacing=spacing)
    shutil.copytree(trained.model_path(MODEL_NAME), other.model_path(MODEL_NAME))
    case = other.cases_in(Split.TEST)[0].id
    evaluate_model(other, trained.model_path(MODEL_NAME), Split.TEST)
    assert other.predictions(case, MODEL_NAME) is None
    evaluate_model(other, MODEL_NAME, Split.TEST)
    assert other.predictions(case, MODEL_NAME) is not None


def test_a_flat_image_gets_points_on_it_and_no_status_of_a_person(trained, predictor):
    image = trained.image(trained.cases[0].id)
    landmarks = predictor.predict(type(image)(np.zeros_like(image.array), image.grid, image.stored)).landmarks
    assert not landmarks.by_person.any()
    assert landmarks.grid.contains(landmarks.points[landmarks.placed]).all()
    assert set(landmarks.status) <= {LandmarkStatus.PREDICTED, LandmarkStatus.UNPLACED}


def test_an_image_of_other_dimensions_is_refused_by_name(trained, predictor):
    image = trained.image(trained.cases[0].id)
    flat = type(image).from_array(np.zeros((9,) * (5 - predictor.info.ndim), np.uint8))
    with pytest.raises(ModelError, match="scan3: The model is for"):
        predictor.landmarks(flat, "scan3")
