"""The models that come with the program: found by name, named where they are of use, never written to."""

import shutil

import numpy as np
import pytest
from plain_model import untrained
from synthetic import NAMES, make_project
from typer.testing import CliRunner

from napari_landmarker.cli import app
from napari_landmarker.engine import model_folders
from napari_landmarker.engine.datasets import SAMPLES, sample_project
from napari_landmarker.engine.errors import LandmarkerError, ProjectError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.model_folders import named_model, shipped_models
from napari_landmarker.engine.predict import evaluate_model, read_info
from napari_landmarker.engine.predict.usable import default_model, models_to_map, usable_models
from napari_landmarker.engine.project import Split
from napari_landmarker.engine.project_changes import change_schema
from napari_landmarker.engine.schema import LandmarkSchema

FLAT, VOLUME = Grid((64, 80)), Grid((16, 32, 32), (1.0, 1.0, 1.0))


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Two models that come with the program: ``blobs`` for flat images, ``lumps`` for volumes."""
    folder = tmp_path / "shipped"
    untrained(folder / "blobs", LandmarkSchema.from_names([*NAMES, "other"]), FLAT)
    untrained(folder / "lumps", LandmarkSchema.from_names(NAMES), VOLUME)
    monkeypatch.setattr(model_folders, "SHIPPED_DIR", folder)
    return folder


def content(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_shipped_models_are_found_by_name(shipped):
    (shipped / "notes").mkdir()
    shutil.copytree(shipped / "blobs", shipped / ".blobs.new")
    assert shipped_models() == {"blobs": shipped / "blobs", "lumps": shipped / "lumps"}
    assert read_info(named_model("lumps")).ndim == 3
    assert named_model("nothing") is None


def test_a_folder_is_meant_by_its_path_and_hides_no_model_unless_it_is_one(shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blobs").mkdir()
    assert named_model("blobs") == shipped / "blobs"
    (tmp_path / "blobs").rmdir()
    untrained(tmp_path / "blobs", LandmarkSchema.from_names(["mine"]), FLAT)
    assert named_model("blobs") == tmp_path / "blobs"
    assert named_model(shipped / "blobs") == shipped / "blobs"
    (tmp_path / "photos").mkdir()
    assert named_model("photos") == tmp_path / "photos", "its reader says that it is no model"


@pytest.mark.parametrize(("ndim", "name"), [(2, "blobs"), (3, "lumps")])
def test_a_project_lists_those_that_fit_its_images_and_landmarks(shipped, tmp_path, ndim, name):
    project, _ = make_project(tmp_path / "p", ndim=ndim, count=4)
    assert project.models == ()
    assert usable_models(project) == (name,)
    assert default_model(project) == name
    untrained(project.model_path("own-1"), project.schema, {2: FLAT, 3: VOLUME}[ndim])
    assert usable_models(project) == ("own-1", name)
    assert default_model(project) == "own-1"
    assert project.find_model(name) == shipped / name


def test_one_of_other_landmarks_one_that_is_damaged_and_one_of_the_projects_name_are_left_out(shipped, tmp_path):
    other, _ = make_project(tmp_path / "o", count=4)
    renamed = other.root / "project.json"
    renamed.write_text(renamed.read_text().replace('"bright"', '"left"').replace('"dark"', '"right"'))
    other = type(other).open(other.root)
    assert usable_models(other) == ()
    assert default_model(other) is None
    assert models_to_map(other) == {"blobs": shipped / "blobs"}
    project, _ = make_project(tmp_path / "p", count=4)
    own = untrained(project.model_path("blobs"), project.schema, FLAT)
    assert usable_models(project) == ("blobs",)
    assert models_to_map(project) == {}
    assert project.find_model("blobs") == own
    shutil.rmtree(own)
    (shipped / "blobs" / "configs" / "landmarker.json").write_text("{}")
    assert usable_models(project) == ()


def test_one_that_finds_only_some_landmarks_is_not_used_before_a_person_said_what_they_are(shipped, tmp_path):
    project, _ = make_project(tmp_path / "p", count=4)
    change_schema(project, LandmarkSchema.from_names([*project.schema.names, "one more"]))
    assert usable_models(project) == ()
    assert default_model(project) is None
    assert models_to_map(project) == {"blobs": shipped / "blobs"}


def test_images_that_are_gone_do_not_keep_a_project_from_being_opened(shipped, tmp_path):
    project, _ = make_project(tmp_path / "p", count=4)
    first, *rest = [project.image_path(case.id) for case in project.cases]
    first.unlink()
    assert usable_models(type(project).open(project.root)) == ("blobs",)
    for path in rest:
        path.unlink()
    assert usable_models(type(project).open(project.root)) == ()


def test_judging_a_shipped_model_keeps_predictions_in_the_project_and_writes_nothing_into_the_program(
    shipped, tmp_path
):
    project, _ = make_project(tmp_path / "p", count=4)
    before = content(shipped)
    evaluation = evaluate_model(project, "blobs", Split.TEST)
    assert evaluation.model == "blobs"
    (case,) = project.cases_in(Split.TEST)
    assert project.predictions(case.id, "blobs").placed.all()
    assert content(shipped) == before


def test_the_command_line_takes_their_names(shipped, tmp_path):
    project, _ = make_project(tmp_path / "p", count=4)
    image = project.image_path(project.cases[0].id)
    done = CliRunner().invoke(app, ["predict", "blobs", str(image), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "predictions.csv").exists()
    words = ["evaluate", str(project.root), "--model", "blobs", "--out", str(tmp_path / "report")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "1 test images, 2 points" in done.output
    for words in (["predict", "blob", str(image), "--out", str(tmp_path)], ["export", "blob", "--out", str(tmp_path)]):
        failed = CliRunner().invoke(app, words)
        assert isinstance(failed.exception, LandmarkerError)
        assert str(failed.exception).startswith(
            "There is no model 'blob': name the folder of a model, or a model that "
        )
        assert str(failed.exception).endswith("that comes with the program (blobs, lumps).")
    with pytest.raises(ProjectError, match="There is no model 'blob' in project: it has none yet"):
        project.find_model("blob")


@pytest.mark.parametrize(("ndim", "most"), [(2, 20.0), (3, 3.0)])
def test_what_ships_finds_the_landmarks_of_sample_images_it_never_saw(tmp_path, ndim, most):
    sample = SAMPLES[ndim]
    folder = shipped_models()[sample.name]
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 5_000_000
    assert {2: "CC BY 4.0", 3: "CC BY-SA 4.0"}[ndim] in (folder / "docs" / "README.md").read_text()
    project = sample_project(sample, tmp_path / "p")
    assert default_model(project) == sample.name
    for case in project.annotated_cases(Split.TEST)[6:]:
        project.save_annotations(case.id, project.annotations(case.id).without_point(sample.schema.names[0]))
    evaluation = evaluate_model(project, sample.name, Split.TEST)
    assert evaluation.overall.missed == 0
    assert evaluation.overall.median < most
    assert np.isfinite(evaluation.errors()).all()
    assert evaluation.coverage is not None, evaluation.uncovered
    points = evaluation.coverage.points
    assert points.whole == 0
    assert points.covered >= 0.8 * points.n
    assert evaluation.left_out == ""
