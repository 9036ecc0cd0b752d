"""The command line: what it makes, what it prints, and how it says what is wrong."""

import csv
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from synthetic import make_project

from napari_landmarker.cli.training import _interrupts_to
from napari_landmarker.engine.io import ANNOTATION_FORMATS
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.train.events import Control, Ending


def run(*words, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "napari_landmarker", *map(str, words)],
        capture_output=True, text=True, cwd=cwd, stdin=subprocess.DEVNULL, timeout=200,
    )  # fmt: skip


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_help_of_init_names_every_format_there_is():
    told = " ".join(run("init", "--help").stdout.replace("│", " ").split())
    assert [known.name for known in ANNOTATION_FORMATS.values() if known.name not in told] == []
    assert "{" not in told.replace("{PROJECT}", "")


@pytest.mark.parametrize("ndim", [2, 3])
def test_init_train_predict_evaluate_from_files_to_report(tmp_path, ndim):
    _, truth = make_project(tmp_path / "made", ndim=ndim, count=12)
    images = tmp_path / "made" / "images"
    axes = "xyz"[:ndim]
    with (tmp_path / "truth.csv").open("w") as file:
        file.write(f"image,landmark,{','.join(axes)}\n")
        for case, points in truth.items():
            for name, point in zip(("bright", "dark"), points, strict=True):
                file.write(f"{case}.tif,{name},{','.join(str(v) for v in point[::-1])}\n")
    project = tmp_path / "p"
    spacing = ",".join(["0.5"] * ndim)
    made = run("init", project, "--images", images, "--landmarks", "bright,dark",
               "--annotations", tmp_path / "truth.csv", "--spacing", spacing)  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert "12 of them annotated" in made.stdout
    np.testing.assert_allclose(Project.open(project).annotations("case00").points, truth["case00"], atol=1e-9)
    trained = run("train", project, "--max-minutes", "1", "--max-steps", "3", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    model = tmp_path / trained.stdout.strip().splitlines()[-1].removeprefix("Model: ")
    assert model == project / "models" / "auto-1"

    files = [images / "case00.tif", images / "case01.tif"]
    predicted = run("predict", model, *files, "--out", tmp_path / "out", "--spacing", spacing)
    assert predicted.returncode == 0, predicted.stderr
    suffix = ".json" if ndim == 2 else ".mrk.json"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        ".settings.json", f"case00{suffix}", f"case01{suffix}", "covariances.csv", "predictions.csv",
    ]  # fmt: skip
    rows = read_csv(tmp_path / "out" / "predictions.csv")
    assert list(rows[0]) == ["image", "landmark", *axes, "score", "status"]
    assert [(r["image"], r["landmark"]) for r in rows] == [(f.name, n) for f in files for n in ("bright", "dark")]
    document = json.loads((tmp_path / "out" / f"case00{suffix}").read_text())
    if ndim == 2:
        x, y = document["shapes"][0]["points"][0]
        assert (float(rows[0]["x"]), float(rows[0]["y"])) == pytest.approx((x - 0.5, y - 0.5))
    else:
        place = document["markups"][0]["controlPoints"][0]["position"]
        assert [float(rows[0][a]) * 0.5 for a in axes] == pytest.approx(place)

    judged = run("evaluate", project, "--model", "auto-1", "--split", "test", "--out", tmp_path / "report")
    assert judged.returncode == 0, judged.stderr
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    opened = Project.open(project)
    assert report["unit"] == "mm"
    assert report["n_images"] == len(opened.cases_in(Split.TEST))
    assert report["split"] == "test"
    assert list(report["overall"]["sdr"]) == ["2.0", "2.5", "3.0", "4.0"]
    assert {p.name for p in (tmp_path / "report").iterdir()} == {
        "report.html",
        "report.csv",
        "report.json",
        "report_cases.csv",
    }
    errors = []
    for case in opened.cases_in(Split.TEST):
        found, own = opened.predictions(case.id, "auto-1"), opened.annotations(case.id)
        errors.extend(own.grid.distance(own.points, found.points))
    assert report["overall"]["mean"] == pytest.approx(np.mean(errors), rel=1e-6)


def test_the_demo_does_the_whole_job(tmp_path):
    done = run("demo", "--out", tmp_path / "demo", "--max-minutes", "0.05", "--no-gui", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "report.html" in done.stdout
    report = json.loads((tmp_path / "demo" / "reports" / "auto-1-test" / "report.json").read_text())
    assert report["unit"] == "px"
    assert list(report["overall"]["sdr"]) == ["5.0", "10.0", "20.0", "35.0"]
    assert (tmp_path / "demo" / "predicted" / "auto-1" / "predictions.csv").exists()
    project = Project.open(tmp_path / "demo")
    held_out = project.cases_in(Split.TEST)
    assert report["n_images"] == len(project.annotated_cases(Split.TEST)) == len(held_out) - 5
    assert all(project.predictions(case.id, "auto-1") is not None for case in held_out)


def test_mistakes_are_one_sentence_and_exit_code_2(tmp_path):
    (tmp_path / "empty").mkdir()
    made, _ = make_project(tmp_path / "made", count=4)
    images = tmp_path / "made" / "images"
    for words, named in (
        (("init", tmp_path / "p", "--images", tmp_path / "empty", "--landmarks", "a"), "empty"),
        (("init", tmp_path / "p", "--images", tmp_path / "nowhere", "--landmarks", "a"), "nowhere"),
        (("init", tmp_path / "p", "--images", images, "--landmarks", "a,b,a"), "'a'"),
        (("init", tmp_path / "p", "--images", images, "--landmarks", "a", "--spacing", "1;2"), "1;2"),
        (("train", tmp_path / "nowhere"), "nowhere"),
        (("train", made.root, "--preset", "best"), "best"),
        (("open", tmp_path / "nowhere"), "nowhere"),
        (("open", "n" * 300), "n" * 300),
        (("train", "~no-such-user"), "~no-such-user"),
        (("init", tmp_path / "p", "--images", images, "--landmarks", "a", "--annotations", "n" * 300), "n" * 300),
        (("init", tmp_path / "p", "--images", images, "--landmarks", tmp_path / "nowhere.txt"), "nowhere.txt"),
        (("predict", tmp_path / "nowhere", images / "case00.tif", "--out", tmp_path / "o"), "nowhere"),
        (("evaluate", made.root, "--model", "none-1", "--out", tmp_path / "o"), "none-1"),
    ):
        done = run(*words)
        assert done.returncode == 2, (words, done.stderr)
        assert "Traceback" not in done.stderr
        assert named in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert not (tmp_path / "p").exists()


def test_a_closed_input_is_no_word_to_a_training(tmp_path):
    project, _ = make_project(tmp_path, count=4)
    words = ["train", project.root, "--max-steps", "1", "--max-minutes", "1", "--events", "jsonl"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "napari_landmarker", *map(str, words)],
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()][-1] == "finished"


def test_ctrl_c_ends_a_training_and_keeps_the_best_so_far(tmp_path):
    project, _ = make_project(tmp_path, count=4)
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_landmarker", "train", str(project.root), "--max-minutes", "5"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert any("Learning from" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert out.splitlines()[-1].startswith("Model: ")
    assert project.models == ("auto-1",)


def test_ctrl_c_counts_while_a_training_runs_and_is_given_back_afterwards():
    before, control = signal.getsignal(signal.SIGINT), Control()
    asked = []
    with _interrupts_to(control):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
            asked.append(control.ending)
    assert asked == [Ending.STOP, Ending.CANCEL]
    assert signal.getsignal(signal.SIGINT) is before
