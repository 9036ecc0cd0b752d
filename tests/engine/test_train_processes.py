"""Two processes train exactly what one trains, by the first one's choice, and end together with one sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from planning_script import NOTES
from processes_script import runs, still
from synthetic import NAMES, make_project

from napari_landmarker.engine.errors import TrainingError
from napari_landmarker.engine.predict import read_info
from napari_landmarker.engine.predict.bundle import WEIGHTS, load_network
from napari_landmarker.engine.train.events import Judged
from napari_landmarker.engine.train.fit import train_project
from napari_landmarker.engine.train.word import RUN_VARIABLE, told

HERE = Path(__file__).parent
#: Weights differ less than this by rounding, and more than this by any step: of a learning rate of 1e-3, which falls.
NOTHING, STEP = 5e-5, 3e-4


def run_script(name, *arguments, **variables):
    """Run a script whose process starts another; nothing may go on after it."""
    own = {"PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    environment = {**os.environ, **own, **variables}
    command = [sys.executable, str(HERE / name), *map(str, arguments)]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=280, env=environment
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with a third of its points missing, in which two processes have trained; and what they found."""
    root = tmp_path_factory.mktemp("two")
    project, _ = make_project(root, count=24, missing=0.3)
    done = run_script("processes_script.py", project.root)
    assert done.returncode == 0, done.stderr
    return project, json.loads((root / "found.json").read_text())


def alone(project, config, name):
    """Train in this process; returns what was judged."""
    events = []
    train_project(project, config, events.append, name=name)
    return [[event.validation_error, event.train_loss] for event in events if isinstance(event, Judged)]


def apart(project, first, second):
    """The largest difference of two networks' weights.

    A bias in front of a normalisation, or of logits, changes no answer: its gradient is rounding alone, of which Adam
    makes steps as long as any. These are left out here, and seen in what the networks answer.
    """
    one, other = (torch.load(project.model_path(n) / WEIGHTS, weights_only=True) for n in (first, second))
    assert one.keys() == other.keys()
    return max(float((one[key] - other[key]).abs().max()) for key in one if not key.endswith("conv.bias"))


def answer(project, name):
    """What a network says of an image: its maps, those of a cascade's first stage, as a distribution."""
    folder = project.model_path(name)
    network = load_network(folder, read_info(folder)).eval()
    with torch.no_grad():
        said = network(torch.randn(1, 1, 64, 96, generator=torch.Generator().manual_seed(0)))
    return getattr(said, "maps", said).flatten(2).softmax(dim=-1)


@pytest.mark.parametrize("name", runs(5))
def test_two_processes_make_of_a_network_what_one_makes(trained, name):
    """Five images in a step, three here and two there, with unlike numbers of landmarks: the same loss and weights."""
    project, found = trained
    judged = alone(project, runs(5)[name], name)
    assert len(judged) == len(found[name])
    for own, theirs in zip(judged, found[name], strict=True):
        assert theirs == pytest.approx(own, rel=1e-5)
    assert apart(project, name, f"{name}-2") < NOTHING
    assert torch.allclose(answer(project, name), answer(project, f"{name}-2"), rtol=1e-3, atol=1e-6)


def test_half_a_batch_or_a_step_less_is_not_the_same(trained):
    """So that the test above can fail: what one of the two processes saw makes another network."""
    project, _ = trained
    alone(project, still(3, 3), "half")
    alone(project, still(2, 5), "less")
    for other in ("half", "less"):
        assert apart(project, other, "still-2") > STEP
        assert not torch.allclose(answer(project, other), answer(project, "still-2"), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("what", ["broken", "judged"])
def test_an_image_that_one_process_cannot_read_ends_both_with_its_name(trained, what):
    """In the second step of the second process, or among the cases that it judges: the first one says it."""
    project, found = trained
    case, said = found[what]
    assert said.startswith("ImageError: ")
    assert project.image_path(case).name in said
    assert what not in project.models


def test_the_command_plans_once_and_says_once_what_ends_both_processes(tmp_path):
    project, _ = make_project(tmp_path, count=12)
    path = project.image_path(project.annotated_cases("train")[3].id)
    path.write_bytes(path.read_bytes()[:-2000])  # its header still says what it was
    words = ["train", project.root, "--devices", 2, "--max-minutes", 2, "--max-steps", 6, "--run", "both"]
    notes = tmp_path / "planned.txt"
    done = run_script("planning_script.py", *words, "--events", "jsonl", **{NOTES: str(notes)})
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 2
    assert [event["event"] for event in events if event["event"] != "progress"] == ["started", "failed"]
    assert path.name in events[-1]["message"]
    assert done.stderr.count(events[-1]["message"]) == 1
    assert "Traceback" not in done.stderr
    assert notes.read_text().split() == ["0"]
    assert [folder.name for folder in project.runs_dir.iterdir()] == ["both"]
    assert not project.models


def test_processes_that_another_program_started_are_not_planned_for(tmp_path, monkeypatch):
    """Each would plan for itself, and they would train different networks."""
    from napari_landmarker.cli.training import train

    project, _ = make_project(tmp_path, count=4)
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert RUN_VARIABLE not in os.environ
    assert told() is None
    with pytest.raises(TrainingError, match="give it to each with --config"):
        train(project.root, devices=2)
    assert project.schema.names == NAMES
    assert not project.runs_dir.exists()
