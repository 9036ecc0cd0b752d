"""Cross-validation, and fine-tuning with other landmarks."""

import json

import numpy as np
import pytest
import torch
from synthetic import NAMES, make_project, small

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.models.configs import (
    CascadeConfig,
    HourglassConfig,
    OriginalSCNConfig,
    ResidualUNetConfig,
    UNetConfig,
)
from napari_landmarker.engine.predict import Predictor, read_info
from napari_landmarker.engine.project import Split
from napari_landmarker.engine.train.adopt import adopt_weights
from napari_landmarker.engine.train.events import (
    Calibrated,
    Calibrating,
    Control,
    Ending,
    Finished,
    Judged,
    Progress,
    Started,
)
from napari_landmarker.engine.train.fit import train_project
from napari_landmarker.engine.train.folder import RunFolder
from napari_landmarker.engine.train.folds import resume_folds, train_folds, unfinished_folds


def test_folds_are_judged_on_what_they_never_saw_and_become_one_model(tmp_path):
    project, truth = make_project(tmp_path, count=12)
    events = []
    name, evaluation = train_folds(project, small(60), 3, events.append)
    assert name == "auto-folds-1"
    assert project.models == (name,)
    assert sum(isinstance(event, Started) for event in events) == 3
    assert [isinstance(event, Finished) for event in events].count(True) == 1
    assert evaluation.n_images == 9
    # the figures are those of each fold's own model on what it did not learn from
    members = json.loads((project.model_path(name) / "configs" / "ensemble.json").read_text())["members"]
    errors = []
    for member in members:
        folder = project.model_path(name) / member
        record = json.loads((project.runs_dir / name / f"{member}-run" / "run.json").read_text())
        assert read_info(folder).n_train == len(record["train"]) == 6
        predictor = Predictor.load(folder)
        for case in record["validation"]:
            found = predictor.predict(project.image(case)).landmarks.points
            errors.extend(np.linalg.norm(found - truth[case], axis=1))
    assert evaluation.overall.mean == pytest.approx(np.mean(errors))
    assert read_info(project.model_path(name)).validation_error == pytest.approx(np.mean(errors))
    case = project.cases_in(Split.TEST)[0].id
    assert Predictor.load(project.model_path(name)).predict(project.image(case)).landmarks.placed.all()


def test_a_cross_validation_that_was_stopped_goes_on_with_the_folds_that_are_left(tmp_path):
    project, _ = make_project(tmp_path, count=8)
    control, started = Control(), []

    def listen(event):
        started.append(isinstance(event, Started))
        if sum(started) == 2 and isinstance(event, Progress):
            control.ask(Ending.STOP)

    assert unfinished_folds(project) is None
    assert train_folds(project, small(4), 2, listen, control) is None
    assert not project.models
    name = unfinished_folds(project)
    plan = json.loads((project.runs_dir / name / "folds.json").read_text())
    project.set_split(project.cases_in(Split.TEST)[0].id, Split.TRAIN)  # what was held out stays held out
    events = []
    assert resume_folds(project, name, events.append)[1].n_images == sum(map(len, plan["held_out"]))
    assert project.models == (name,)
    assert sum(isinstance(event, Started) for event in events) == 1
    assert unfinished_folds(project) is None


def test_a_crash_between_the_ensemble_and_its_figures_does_not_lose_them(tmp_path, monkeypatch):
    from napari_landmarker.engine.train import folds

    class Crashed(Exception):
        pass

    project, _ = make_project(tmp_path, count=8)
    real, figures = folds.write_json, []

    def crashing(path, content):
        if path.name == "cross-validation.json" and not figures:
            figures.append(content)
            raise Crashed
        real(path, content)

    monkeypatch.setattr(folds, "write_json", crashing)
    with pytest.raises(Crashed):
        train_folds(project, small(4), 2, lambda event: None, name="heads")
    assert project.models == ("heads",)
    assert unfinished_folds(project) == unfinished_folds(project, "heads") == "heads"
    assert unfinished_folds(project, "others") is None
    events = []
    name, evaluation = resume_folds(project, "heads", events.append)
    assert name == "heads"
    told = [type(event) for event in events if not isinstance(event, Calibrating)]
    assert told == [Calibrated, Finished]  # no fold is trained again
    saved = json.loads((project.model_path("heads") / "evaluations" / "cross-validation.json").read_text())
    assert saved == json.loads(json.dumps(figures[0]))
    assert saved["overall"]["mean"] == pytest.approx(evaluation.overall.mean)
    assert unfinished_folds(project) is None


def test_all_folds_train_what_was_planned_once_for_their_share_of_the_minutes(tmp_path, monkeypatch):
    from napari_landmarker.cli.training import train
    from napari_landmarker.engine.train import planner

    project, _ = make_project(tmp_path, count=8)
    planned = []

    def plan(facts, machine, minutes):
        planned.append(minutes)
        return small(4).changed(max_minutes=minutes, reasons=(f"plan {len(planned)}",))

    monkeypatch.setattr(planner, "plan", plan)
    train(project.root, folds=2, max_minutes=3, max_steps=4, run="heads")
    assert planned == [1.5]
    assert project.models == ("heads",)
    configs = [RunFolder(project.runs_dir / "heads" / f"fold-{fold}-run").read()[1] for fold in (1, 2)]
    assert configs[0] == configs[1]
    assert (configs[0].max_minutes, configs[0].max_steps, configs[0].reasons) == (1.5, 2, ("plan 1",))
    with pytest.raises(TrainingError, match="a run or a model 'heads' already"):
        train(project.root, folds=2, run="heads")


UNET = UNetConfig(features_2d=(8,) * 5, features_3d=(8,) * 5, stride_2d=2)
SCN = OriginalSCNConfig(la_channels_2d=8, la_depth=2, sp_channels_2d=8, sp_kernel_size_2d=3, sp_downsample_2d=8)


@pytest.mark.parametrize(
    "model",
    [
        UNET,
        ResidualUNetConfig(features_2d=(8, 8, 8), stride_2d=1),
        CascadeConfig(coarse=UNET, downsample_2d=1, patch_2d=16, features_2d=(8, 8)),
        SCN,
        HourglassConfig(channels_2d=(8, 8)),
    ],
    ids=lambda model: model.kind,
)
def test_what_belongs_to_a_landmark_is_taken_over_by_its_name(tmp_path, model):
    """The maps of a landmark that both know are the same; those of a new one are not."""
    from napari_landmarker.engine.predict.bundle import ModelInfo, save_bundle
    from napari_landmarker.engine.schema import LandmarkSchema
    from napari_landmarker.engine.train.frame import NetworkFrame

    torch.manual_seed(0)
    old = model.build(2, 1, 3).eval()
    info = ModelInfo(
        name="old",
        landmarks=LandmarkSchema.from_names(["a", "b", "c"]),
        ndim=2,
        channels=1,
        frame=NetworkFrame(shape=(64, 64), spacing_mm=None, multiple=32),
        config=small(1).changed(model=model),
        n_train=1,
        n_validation=0,
        validation_error=None,
        minutes=1,
        steps=1,
    )
    save_bundle(tmp_path / "old", info, old, [])
    new = model.build(2, 1, 4).eval()
    adopt_weights(new, tmp_path / "old", ("c", "new", "a", "b"))
    if model.kind in ("original_scn", "residual_unet"):  # they join all landmarks: the new one changes every map
        alone = model.build(2, 1, 2).eval()
        adopt_weights(alone, tmp_path / "old", ("c", "a"))
        for key, value in alone.state_dict().items():
            known, own = old.state_dict()[key], value
            for axis in range(value.ndim):
                if own.shape[axis] != known.shape[axis]:
                    known = known.index_select(axis, torch.tensor([2, 0]))
            assert torch.equal(own, known)
        return
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        before, after = old(image), new(image)
    before, after = (answer.maps if model.kind == "cascade" else answer for answer in (before, after))
    assert torch.allclose(after[:, [2, 3, 0]], before, atol=1e-5)
    assert not torch.allclose(after[:, 1], before[:, 0], atol=1e-2)
    alike = model.build(2, 1, 3).eval()
    adopt_weights(alike, tmp_path / "old", ("a", "b", "c"))
    assert all(torch.equal(value, old.state_dict()[key]) for key, value in alike.state_dict().items())


def test_a_model_with_other_landmarks_gives_a_run_a_start(tmp_path):
    project, _ = make_project(tmp_path / "old", count=12)
    name = train_project(project, small(100), lambda event: None)
    base = project.model_path(name)
    other, _ = make_project(tmp_path / "new", count=8, seed=1)
    for case in other.cases:
        grid = other.geometry(case.id).grid
        points = other.annotations(case.id)
        other.save_annotations(case.id, LandmarkSet.from_points({"dark": points.point("dark")}, grid, names=NAMES))
    starts = []
    for start in (None, base):
        name = train_project(other, small(2), lambda event: None, base=start)
        assert read_info(other.model_path(name)).names == ("dark",)
        starts.append(read_info(other.model_path(name)).validation_error)
    assert starts[1] < 0.5 * starts[0]


def test_a_model_of_other_images_is_no_start(tmp_path):
    project, _ = make_project(tmp_path / "flat", count=4)
    name = train_project(project, small(1), lambda event: None)
    volumes, _ = make_project(tmp_path / "deep", ndim=3, count=4)
    with pytest.raises(TrainingError, match="begin with another model"):
        train_project(volumes, small(1), lambda event: None, base=project.model_path(name))


def test_early_stopping_ends_a_run_that_gets_no_better(tmp_path):
    project, _ = make_project(tmp_path, count=8)
    events = []
    from napari_landmarker.engine.train.config import OptimiserConfig

    still = OptimiserConfig(learning_rate=1e-12, ema=0.0)
    train_project(project, small(40, validations=20, patience=2, optimiser=still), events.append)
    assert sum(isinstance(event, Judged) for event in events) <= 5
