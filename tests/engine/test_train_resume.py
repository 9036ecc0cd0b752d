"""A run that was cut off goes on as if nothing had happened, and what cannot be gone on with is said in a sentence."""

import os
import signal
import subprocess
import sys

import pytest
import torch
from synthetic import make_project, small

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.models.configs import CascadeConfig, UNetConfig
from napari_landmarker.engine.predict import read_info
from napari_landmarker.engine.predict.bundle import WEIGHTS, read_curve
from napari_landmarker.engine.train.events import Finished, Judged
from napari_landmarker.engine.train.fit import resume_project, train_project
from napari_landmarker.engine.train.folder import RunFolder
from napari_landmarker.engine.train.presets import write_config

COARSE = UNetConfig(features_2d=(8, 8, 8, 8, 8), stride_2d=1)
CASCADE = CascadeConfig(coarse=COARSE, downsample_2d=2, patch_2d=16, features_2d=(8, 8))


class Cut(Exception):
    """The power failed."""


def cut_at(step):
    """A listener that cuts the run off when it is judged at this step or later."""

    def listen(event):
        if isinstance(event, Judged) and event.step >= step:
            raise Cut

    return listen


def weights(project, name):
    return torch.load(project.model_path(name) / WEIGHTS, weights_only=True)


@pytest.mark.parametrize(("model", "cuts"), [(None, (4,)), (CASCADE, (3, 7))], ids=["network", "cascade"])
def test_a_run_that_was_cut_off_ends_as_one_that_was_not(tmp_path, model, cuts):
    changes = {"validations": 4, "precision": "float32", **({} if model is None else {"model": model})}
    curves, saved = [], []
    for place in ("whole", "cut"):
        project, _ = make_project(tmp_path / place, count=12, missing=0.2)
        config = small(10, **changes)
        if place == "whole":
            name = train_project(project, config, lambda event: None)
        else:
            with pytest.raises(Cut):
                train_project(project, config, cut_at(cuts[0]))
            for cut in cuts[1:]:
                with pytest.raises(Cut):
                    resume_project(project, cut_at(cut))
            assert not project.models
            name = resume_project(project, lambda event: None)
        saved.append(weights(project, name))
        curves.append([(p.step, p.train_loss, p.validation_error) for p in read_curve(project.model_path(name))])
    assert [p[0] for p in curves[0]] == [p[0] for p in curves[1]]
    for whole, cut in zip(*curves, strict=True):
        assert cut == pytest.approx(whole, rel=1e-6)
    assert all(torch.allclose(value, saved[1][key], atol=1e-6) for key, value in saved[0].items())
    assert not (project.runs_dir / name / "checkpoint.pt").exists()


def test_after_a_kill_the_command_goes_on_and_ends_within_two_percent(tmp_path):
    losses = []
    for place in ("whole", "killed"):
        project, _ = make_project(tmp_path / place, count=12)
        write_config(tmp_path / place / "c.yaml", small(16, validations=8, precision="float32"))
        command = [sys.executable, "-m", "napari_landmarker", "train", str(project.root), "--events", "jsonl"]
        begin = [*command, "--config", str(tmp_path / place / "c.yaml")]
        if place == "killed":
            with subprocess.Popen(begin, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
                judged = (line for line in process.stdout if '"epoch"' in line and '"event": "epoch"' in line)
                for _ in range(3):
                    next(judged)
                os.kill(process.pid, signal.SIGKILL)
            assert not project.models
            begin = [*command, "--resume"]
        done = subprocess.run(begin, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        losses.append(read_curve(project.model_path(project.models[0]))[-1].train_loss)
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_a_run_that_was_cut_off_at_its_very_end_takes_no_step_more(tmp_path):
    project, _ = make_project(tmp_path, count=8)
    with pytest.raises(Cut):
        train_project(project, small(4, validations=2), cut_at(4))
    name = resume_project(project, lambda event: None)
    assert read_info(project.model_path(name)).steps == 4


def test_only_an_unfinished_run_can_be_gone_on_with(tmp_path):
    project, _ = make_project(tmp_path, count=8)
    with pytest.raises(TrainingError, match="no unfinished run"):
        resume_project(project, lambda event: None)
    train_project(project, small(1), lambda event: None)
    with pytest.raises(TrainingError, match="no unfinished run"):
        resume_project(project, lambda event: None)


def test_a_state_of_another_network_or_a_damaged_one_is_one_sentence(tmp_path):
    project, _ = make_project(tmp_path, count=8)
    with pytest.raises(Cut):
        train_project(project, small(8, validations=4), cut_at(1))
    folder = RunFolder(next(project.runs_dir.iterdir()))
    record, config = folder.read()
    folder.begin(record, config.changed(model=UNetConfig(features_2d=(8, 8, 8, 8, 8), stride_2d=2)))
    with pytest.raises(TrainingError, match="another network"):
        resume_project(project, lambda event: None)
    folder.begin(record, config)
    state = folder.state()
    (folder.path / "checkpoint.pt").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt"):
        resume_project(project, lambda event: None)
    torch.save({"stage": 0}, folder.path / "checkpoint.pt")
    with pytest.raises(TrainingError, match="another network"):
        resume_project(project, lambda event: None)
    folder.keep(state, [])
    assert resume_project(project, lambda event: None) == record.model


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 5 bytes")])
def test_too_little_memory_is_one_sentence_and_the_last_state_stays(tmp_path, monkeypatch, error):
    from napari_landmarker.engine.train.stages import WholeStage

    project, _ = make_project(tmp_path, count=8)
    real, calls = WholeStage.loss, []

    def hungry(self, *batch):
        calls.append(1)
        if len(calls) == 5:
            raise error
        return real(self, *batch)

    monkeypatch.setattr(WholeStage, "loss", hungry)
    with pytest.raises(TrainingError, match="more memory than"):
        train_project(project, small(8, validations=4), lambda event: None)
    assert resume_project(project, lambda event: None) == "auto-1"
    assert read_info(project.model_path("auto-1")).steps == 8


def test_an_image_that_breaks_on_the_way_is_named_and_the_last_state_stays(tmp_path, monkeypatch):
    from napari_landmarker.engine.errors import ImageError

    project, _ = make_project(tmp_path, count=8)
    path = project.image_path(project.cases[0].id)
    whole = path.read_bytes()
    monkeypatch.setattr("napari_landmarker.engine.train.cost.KEPT_BYTES", 0)  # images are read again and again

    def listen(event):
        if isinstance(event, Judged) and event.step == 4:
            path.write_bytes(b"broken")

    with pytest.raises(ImageError, match=path.name):
        train_project(project, small(8, validations=4), listen)
    path.write_bytes(whole)
    events = []
    resume_project(project, events.append)
    assert isinstance(events[-1], Finished)


def test_a_run_has_the_name_that_a_person_gives_it_and_is_gone_on_with_by_it(tmp_path):
    project, _ = make_project(tmp_path, count=8)
    for name in ("first", "second"):
        with pytest.raises(Cut):
            train_project(project, small(4, validations=2), cut_at(1), name=name)
    for name in ("first", "second"):
        with pytest.raises(TrainingError, match=f"a run or a model '{name}' already: choose another name, or go on"):
            train_project(project, small(1), lambda event: None, name=name)
    with pytest.raises(TrainingError, match="no unfinished run 'third'"):
        resume_project(project, lambda event: None, name="third")
    assert resume_project(project, lambda event: None, name="first") == "first"  # though the other is the last
    assert project.models == ("first",)
    assert read_info(project.model_path("first")).name == "first"
    with pytest.raises(TrainingError, match="a run or a model 'first' already"):
        train_project(project, small(1), lambda event: None, name="first")
    assert not (project.runs_dir / "first" / "checkpoint.pt").exists()
    assert (project.runs_dir / "second" / "checkpoint.pt").exists()


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a\\b", "../up", " a", "a\n", "."])
def test_a_name_that_no_folder_can_have_is_refused(tmp_path, name):
    project, _ = make_project(tmp_path, count=4)
    with pytest.raises(TrainingError, match="choose a name that a folder can have"):
        train_project(project, small(1), lambda event: None, name=name)
    assert not project.runs_dir.exists()


def test_the_command_refuses_a_name_that_is_taken_before_it_plans(tmp_path, monkeypatch):
    from napari_landmarker.cli.training import train
    from napari_landmarker.engine.train import planner

    project, _ = make_project(tmp_path, count=8)
    with pytest.raises(Cut):
        train_project(project, small(4, validations=2), cut_at(1), name="mine")
    monkeypatch.setattr(planner, "plan", lambda *given: pytest.fail("It planned."))
    with pytest.raises(TrainingError, match="a run or a model 'mine' already"):
        train(project.root, run="mine")
    train(project.root, run="mine", resume=True)
    assert project.models == ("mine",)
