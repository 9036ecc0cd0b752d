"""A model is trained on drawn images, in 2D and 3D, with missing landmarks, and finds what was drawn."""

import json
import math
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from synthetic import NAMES, make_project, small

from napari_landmarker.engine.errors import ModelError, TrainingError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.predict import Predictor, evaluate_model, read_info
from napari_landmarker.engine.predict.bundle import WEIGHTS, load_network, read_curve
from napari_landmarker.engine.project import Split
from napari_landmarker.engine.train.choice import choose_cases
from napari_landmarker.engine.train.clock import learning_rate
from napari_landmarker.engine.train.config import OptimiserConfig
from napari_landmarker.engine.train.events import Cancelled, Control, Ending, Event, Finished, Judged, Progress, Started
from napari_landmarker.engine.train.fit import train_project
from napari_landmarker.engine.train.frame import plan_frame
from napari_landmarker.engine.train.stages import WholeStage


def run(project, config, control=None):
    events: list[Event] = []
    name = train_project(project, config, events.append, control)
    return name, events


@pytest.mark.parametrize(("ndim", "spacing"), [(2, None), (3, (2.0, 1.0, 1.0))])
def test_a_model_finds_drawn_landmarks_though_some_are_missing(tmp_path, ndim, spacing):
    project, truth = make_project(tmp_path, ndim=ndim, missing=0.2, spacing=spacing, count=32)
    name, events = run(project, small(120))
    assert name == "auto-1"
    assert project.models == (name,)
    started, finished = events[0], events[-1]
    assert isinstance(started, Started)
    assert (started.n_train, started.n_validation) == tuple(
        len(project.annotated_cases(split)) for split in (Split.TRAIN, Split.VALIDATION)
    )
    assert started.unit == ("px" if spacing is None else "mm")
    assert isinstance(finished, Finished)
    assert not finished.stopped
    evaluation = evaluate_model(project, name, Split.TEST)
    missing = sum(int(np.isnan(truth[c.id]).any(axis=1).sum()) for c in project.annotated_cases(Split.TEST))
    assert evaluation.overall.missing == missing > 0
    assert evaluation.overall.median < 1.0
    saved = json.loads((project.model_path(name) / "evaluations" / "test.json").read_text())
    assert saved["overall"]["n"] == evaluation.overall.n
    curve = read_curve(project.model_path(name))
    judged = [e for e in events if isinstance(e, Judged)]
    assert [p.step for p in curve] == [e.step for e in judged]
    assert min(e.validation_error for e in judged) == finished.validation_error


def test_the_saved_model_scores_what_the_run_said(tmp_path):
    project, truth = make_project(tmp_path)
    name, events = run(project, small(30))
    predictor = Predictor.load(project.model_path(name))
    cases = project.cases_in(Split.VALIDATION)
    found = [predictor.predict(project.image(c.id)).landmarks.points for c in cases]
    errors = np.linalg.norm(np.array(found) - np.array([truth[c.id] for c in cases]), axis=-1)
    assert events[-1].validation_error == pytest.approx(errors.mean(), rel=1e-2)


def test_judging_more_often_does_not_change_the_training(tmp_path):
    project, _ = make_project(tmp_path, count=8)
    curves = []
    for validations in (1, 1000):
        name, _ = run(project, small(12, validations=validations, precision="float32"))
        curves.append(read_curve(project.model_path(name)))
    seldom, often = curves
    assert len(often) > len(seldom)
    assert often[-1].step == seldom[-1].step == 12
    assert often[-1].train_loss == seldom[-1].train_loss
    assert often[-1].validation_error == seldom[-1].validation_error


def test_a_step_without_a_gradient_is_left_out_and_too_many_end_the_run(tmp_path, monkeypatch):
    project, _ = make_project(tmp_path, count=8)
    real, calls = WholeStage.loss, []

    def broken(every):
        def loss(self, network, image, landmark):
            calls.append(1)
            return real(self, network, image, landmark) * (math.nan if len(calls) % every == 0 else 1)

        return loss

    monkeypatch.setattr(WholeStage, "loss", broken(3))
    name, events = run(project, small(9))
    folder = project.model_path(name)
    assert all(torch.isfinite(w).all() for w in load_network(folder, read_info(folder)).parameters())
    assert math.isfinite(events[-1].validation_error)
    monkeypatch.setattr(WholeStage, "loss", broken(1))
    with pytest.raises(TrainingError, match="no longer a number"):
        run(project, small(100))


def test_a_missing_landmark_changes_nothing_for_the_others(tmp_path):
    project, _ = make_project(tmp_path / "a", count=8)
    for case in project.cases:
        project.save_annotations(case.id, project.annotations(case.id).without_point("dark"))
    name, _ = run(project, small(2))
    assert read_info(project.model_path(name)).names == ("bright",)


def test_predictions_are_not_learnt_from(tmp_path):
    project, _ = make_project(tmp_path, count=8)
    for case in project.cases:
        landmarks = project.annotations(case.id)
        for landmark in NAMES:
            landmarks = landmarks.with_status(landmark, LandmarkStatus.PREDICTED)
        project.save_annotations(case.id, landmarks)
    with pytest.raises(TrainingError, match="annotate some first"):
        run(project, small(1))
    assert not list(project.models_dir.glob("*"))


def test_without_validation_cases_some_training_cases_are_held_out(tmp_path):
    project, _ = make_project(tmp_path, count=12)
    for case in project.cases_in(Split.VALIDATION):
        grid = project.geometry(case.id).grid
        project.save_annotations(case.id, LandmarkSet.empty(NAMES, grid))
    train, validation = choose_cases(project)
    assert len(train) + len(validation) == 6
    assert validation
    assert not {c.id for c in train} & {c.id for c in validation}
    assert {c.split for c in validation} == {Split.TRAIN}


@pytest.mark.parametrize("ending", list(Ending))
def test_stop_keeps_the_best_so_far_and_cancel_keeps_nothing(tmp_path, ending):
    project, _ = make_project(tmp_path, count=8)
    control, events = Control(), []

    def listen(event):
        events.append(event)
        if isinstance(event, Progress):
            control.ask(ending)

    name = train_project(project, small(10_000), listen, control)
    if ending is Ending.STOP:
        assert events[-1].stopped
        assert Predictor.load(project.model_path(name)).info.steps < 100
    else:
        assert name is None
        assert isinstance(events[-1], Cancelled)
        assert not list(project.models_dir.glob("*"))


def test_the_command_line_says_events_and_stops_when_told(tmp_path):
    project, _ = make_project(tmp_path, count=8)
    command = [sys.executable, "-m", "napari_landmarker", "train", str(project.root), "--max-minutes", "5"]
    process = subprocess.Popen(
        [*command, "--events", "jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    begin = time.monotonic()
    for line in process.stdout:
        lines.append(json.loads(line))
        if lines[-1]["event"] == "progress":
            process.stdin.write("stop\n")
            process.stdin.flush()
    process.stdin.close()
    assert process.wait(60) == 0, process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    assert lines[0]["event"] == "started"
    assert lines[-1]["event"] == "finished"
    assert lines[-1]["stopped"] is True
    assert time.monotonic() - begin < 120
    assert project.models == (lines[-1]["model"],)


def test_a_model_refuses_what_does_not_fit(tmp_path):
    project, _ = make_project(tmp_path, spacing=(0.5, 0.5), count=8)
    name, _ = run(project, small(1))
    folder = project.model_path(name)
    predictor = Predictor.load(folder)
    with pytest.raises(ModelError, match="spacing"):
        predictor.predict(Image.from_array(np.zeros((64, 80), np.uint8)))
    with pytest.raises(ModelError, match="2D"):
        predictor.predict(Image.from_array(np.zeros((8, 64, 80), np.uint8), Grid((8, 64, 80), (1, 1, 1))))
    (folder / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(ModelError, match=r"model\.pt"):
        Predictor.load(folder)
    with pytest.raises(ModelError, match="is no model"):
        Predictor.load(tmp_path)


def test_weights_that_would_run_code_are_refused(tmp_path):
    project, _ = make_project(tmp_path, count=8)
    name, _ = run(project, small(1))
    touched = tmp_path / "touched"

    class Evil:
        def __reduce__(self):
            return (type(touched).touch, (touched,))

    torch.save({"evil": Evil()}, project.model_path(name) / WEIGHTS)
    with pytest.raises(ModelError):
        Predictor.load(project.model_path(name))
    assert not touched.exists()


def test_heatmaps_lie_over_the_image(tmp_path):
    project, truth = make_project(tmp_path)
    name, _ = run(project, small(80))
    case = project.cases_in(Split.TEST)[0]
    prediction = Predictor.load(project.model_path(name)).predict(project.image(case.id))
    assert prediction.heatmaps.shape[0] == 2
    assert prediction.heatmaps.max(axis=(1, 2)) == pytest.approx([1, 1])
    peak = np.array([np.unravel_index(m.argmax(), m.shape) for m in prediction.heatmaps])
    np.testing.assert_allclose(prediction.to_heatmap.inverse.apply(peak), truth[case.id], atol=4)
    assert ((prediction.landmarks.score > 0) & (prediction.landmarks.score <= 1)).all()


def test_the_frame_follows_millimetres_or_fits_the_image():
    grids = [Grid((40, 100, 80), (2.0, 1.0, 1.0)), Grid((40, 90, 80), (2.0, 1.0, 1.0))]
    frame = plan_frame(grids, 10**7, 16)
    assert frame.spacing_mm == 1.0
    assert frame.shape == (80, 112, 80)
    corner = frame.map_for(grids[1])
    np.testing.assert_allclose(corner.apply(np.array(grids[1].shape) / 2 - 0.5), np.array(frame.shape) / 2 - 0.5)
    assert frame.map_for(Grid((40, 300, 80), (2.0, 1.0, 1.0))).target_shape == (80, 304, 80)
    coarse = plan_frame(grids, 10_000, 16)
    assert coarse.spacing_mm == pytest.approx((80 * 99.5 * 80 / 10_000) ** (1 / 3), rel=0.01)
    pixels = plan_frame([Grid((356, 536))], 200_000, 64)
    assert (pixels.spacing_mm, pixels.shape) == (None, (384, 576))


def test_the_learning_rate_warms_up_and_ends_low():
    config = OptimiserConfig()
    rates = [learning_rate(f, config.learning_rate, config) for f in np.linspace(0, 1, 101)]
    assert rates[0] < 0.02 * config.learning_rate
    assert max(rates) == pytest.approx(config.learning_rate, rel=1e-3)
    assert rates[-1] == pytest.approx(config.final * config.learning_rate)
    assert math.isclose(rates[6], max(rates), rel_tol=1e-3)
