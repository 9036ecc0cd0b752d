"""Calibrated models: what is learnt, kept, refused and promised, from the command to the report."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from scipy import stats
from synthetic import make_project, small
from test_predict import MODEL
from typer.testing import CliRunner

from napari_landmarker.cli import app
from napari_landmarker.cli.project import SplitName
from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.losses.configs import L2Config
from napari_landmarker.engine.model_folders import shipped_models
from napari_landmarker.engine.models.configs import CoordinateRegressionConfig
from napari_landmarker.engine.predict import Predictor, evaluate_model
from napari_landmarker.engine.predict.batch import predict_files
from napari_landmarker.engine.predict.bundle import INFO, ModelInfo, save_bundle
from napari_landmarker.engine.predict.calibrate import calibrate_model
from napari_landmarker.engine.predict.calibration_file import NO_CALIBRATION, read_calibration, stored_calibration
from napari_landmarker.engine.predict.ensemble import save_ensemble
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.report import write_report
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.events import Calibrated, Calibrating, Control, Ending, Event, Finished
from napari_landmarker.engine.train.fit import train_project
from napari_landmarker.engine.train.folder import RECORD
from napari_landmarker.engine.train.frame import NetworkFrame
from napari_landmarker.engine.uncertainty import CalibrationConfig, EuclideanScore

NAMES = ("bright", "dark")
SPACING = {2: (0.5, 0.25), 3: (2.0, 0.5, 0.5)}


def save_model(project: Project, name: str, ndim: int, *, points: bool = False) -> None:
    """A model of random weights in a project."""
    changes: dict[str, Any] = {"model": MODEL}
    if points:
        changes = {"model": CoordinateRegressionConfig(features_2d=(8, 8)), "loss": L2Config(of="points")}
    config = TrainConfig(**changes)
    frame = NetworkFrame(
        shape=(64, 96) if ndim == 2 else (16, 32, 32), spacing_mm=0.5, multiple=config.model.multiple(ndim)
    )
    info = ModelInfo(
        name=name, landmarks=LandmarkSchema.from_names(NAMES), ndim=ndim, channels=1, frame=frame, config=config,
        n_train=4, n_validation=2, validation_error=9.0, minutes=0.1, steps=1,
    )  # fmt: skip
    torch.manual_seed(len(name))
    save_bundle(project.model_path(name), info, config.model.build(ndim, 1, len(NAMES)), [])


def move(project: Project, **counts: int) -> None:
    """The first cases to each of these splits, the others to none of them but train."""
    cases = iter(project.cases)
    for split, count in counts.items():
        for _ in range(count):
            project.set_split(next(cases).id, Split(split))
    for case in cases:
        project.set_split(case.id, Split.TRAIN)


@pytest.fixture(params=[2, 3])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """Ten cases to calibrate on, four to test on, with a model that has learnt nothing."""
    made, _ = make_project(tmp_path, ndim=request.param, count=15, spacing=SPACING[request.param])
    move(made, calibration=10, test=4)
    save_model(made, "m", request.param)
    return made


def by_hand(project: Project, predictor: Predictor, case: str) -> np.ndarray:
    """Mahalanobis distances ``(L,)`` of the true points of a case from the predicted ones, in plain algebra."""
    found, truth = predictor.predict(project.image(case)).landmarks, project.annotations(case)
    assert found.covariance is not None
    apart = truth.points - found.points
    return np.array([math.sqrt(d @ np.linalg.inv(c) @ d) for d, c in zip(apart, found.covariance, strict=True)])


def test_the_scores_are_those_of_the_kept_cases_and_come_back_from_the_file(project: Project) -> None:
    kept = [case.id for case in project.cases_in(Split.CALIBRATION)]
    bare = project.annotations(kept[0]).without_point("dark")
    project.save_annotations(kept[0], bare)  # a landmark that nobody placed is left out, and no other
    heard: list[tuple[int, int]] = []
    made = calibrate_model(project, "m", progress=lambda done, total: heard.append((done, total)))
    predictor = Predictor.load(project.model_path("m"))
    expected = np.stack([by_hand(project, predictor, case) for case in kept])
    np.testing.assert_allclose(made.scores[..., 0], expected, rtol=1e-6)
    assert np.isnan(made.scores[0, 1, 0])
    assert (heard[0], heard[-1]) == ((0, 10), (10, 10))
    for read in (read_calibration(project.model_path("m")), predictor.calibration):
        assert read is not None
        np.testing.assert_array_equal(read.scores, made.scores)
        assert read.names == NAMES
        assert read.made_from == "10 images of the calibration split"
    stored = (project.model_path("m") / "configs" / "calibration.json").read_text(encoding="utf-8")
    assert not any(case in stored for case in kept)


def test_the_model_folder_says_how_often_its_regions_cover(project: Project) -> None:
    scores = calibrate_model(project, "m").scores[..., 0]
    report = json.loads((project.model_path("m") / "evaluations" / "regions.json").read_text(encoding="utf-8"))
    # each of ten by the nine others: at 80 % the 8th smallest of them, at 95 % no nine are enough
    inside = sum(
        scores[i, row] <= np.sort(np.delete(scores[:, row], i))[7] for i in range(10) for row in range(len(NAMES))
    )
    assert dict(report["reliability"])[0.8] == pytest.approx(inside / 20)
    assert report["points"]["whole"] == report["points"]["covered"] == 20
    grid = project.geometry(project.cases[0].id).grid
    assert report["points"]["mean_size"] == pytest.approx(np.prod(grid.shape) * np.prod(grid.spacing))  # type: ignore[arg-type]
    assert report["unit"] == ("mm²" if grid.ndim == 2 else "mm³")
    card = (project.model_path("m") / "docs" / "README.md").read_text(encoding="utf-8")
    assert NO_CALIBRATION not in card
    assert "takes 19 images" in card


@pytest.mark.parametrize("project", [2], indirect=True)
def test_a_calibration_is_one_of_its_weights_and_views(project: Project) -> None:
    folder = project.model_path("m")
    assert "not calibrated" in stored_calibration(folder).reason
    assert NO_CALIBRATION in (folder / "docs" / "README.md").read_text(encoding="utf-8")
    calibrate_model(project, "m", views=2)
    assert read_calibration(folder, views=2) is not None
    assert read_calibration(folder) is None
    predictor = Predictor.load(folder)
    assert predictor.calibration is None
    assert "other views" in predictor.stored_calibration.reason
    predictor.views = 2
    assert predictor.calibration is not None
    moved = folder.rename(folder.with_name("renamed"))  # what a model is called is not what it is
    assert read_calibration(moved, views=2) is not None
    content = json.loads((moved / INFO).read_text(encoding="utf-8"))
    content["frame"]["shape"] = [32, 64]
    (moved / INFO).write_text(json.dumps(content), encoding="utf-8")
    assert read_calibration(moved, views=2) is None
    assert "has changed since" in stored_calibration(moved, views=2).reason
    path = moved / "configs" / "calibration.json"
    old = path.read_text(encoding="utf-8").replace('"version": 2', '"version": 1', 1)
    path.write_text(old, encoding="utf-8")
    assert "was calibrated by an older napari-landmarker" in stored_calibration(moved, views=2).reason
    for text in ("{", "[]", '{"format": "other"}', path.read_text(encoding="utf-8").replace('"ndim": 2', '"ndim": 7')):
        path.write_text(text, encoding="utf-8")
        stored = stored_calibration(moved, views=2)
        assert stored.calibration is None
        assert stored.reason.count(".") <= 3
        assert Predictor.load(moved).calibration is None


@pytest.mark.parametrize("project", [2], indirect=True)
def test_what_cannot_be_calibrated(project: Project, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="learnt from 'case14' of the train split"):
        calibrate_model(project, "m", split=Split.TRAIN)
    kept = project.cases_in(Split.CALIBRATION)[3].id
    record = {
        "model": "m", "train": ["case14", kept], "validation": [], "names": NAMES, "ndim": 2, "channels": 1,
        "frame": {"shape": [64, 96], "spacing_mm": 0.5, "multiple": 32},
    }  # fmt: skip
    run = project.runs_dir / "m"
    for place in (run, run / "fold-2-run"):
        place.mkdir(parents=True)
        (place / RECORD).write_text(json.dumps(record), encoding="utf-8")
        made = calibrate_model(project, "m")
        assert made.count == 9
        assert "9 images of the calibration split, without 1 that it, or the model it began with," in made.made_from
        (place / RECORD).unlink()
    record["validation"] = [case.id for case in project.cases_in(Split.CALIBRATION)]
    (run / RECORD).write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(CalibrationError, match="and 9 more of the calibration split, so its regions would be too"):
        calibrate_model(project, "m")
    (run / RECORD).unlink()
    with pytest.raises(CalibrationError, match="not one of this project"):
        calibrate_model(project, next(iter(shipped_models())))
    assert calibrate_model(project, "m", split=Split.TEST).count == 4
    move(project)
    with pytest.raises(CalibrationError) as caught:
        calibrate_model(project, "m")
    assert str(caught.value) == NO_CALIBRATION


@pytest.mark.parametrize("project", [2], indirect=True)
def test_an_ensemble_has_its_own_and_models_named_together_none(project: Project) -> None:
    save_model(project, "other", 2)
    calibrate_model(project, "m")
    both = Predictor.load([project.model_path("m"), project.model_path("other")])
    assert both.calibration is None
    assert "named together" in both.stored_calibration.reason
    save_ensemble(project.model_path("both"), [project.model_path("m"), project.model_path("other")], both.info)
    assert read_calibration(project.model_path("both")) is None  # that of a member is not that of all
    made = calibrate_model(project, "both")
    together = Predictor.load(project.model_path("both"))
    assert together.calibration is not None
    case = project.cases_in(Split.CALIBRATION)[0].id
    np.testing.assert_allclose(made.scores[0, :, 0], by_hand(project, together, case), rtol=1e-6)


@pytest.mark.parametrize("project", [2], indirect=True)
def test_points_without_covariances_are_calibrated_by_their_distance(project: Project) -> None:
    save_model(project, "points", 2, points=True)
    made = calibrate_model(project, "points")
    assert made.config.score == EuclideanScore()
    case = project.cases_in(Split.CALIBRATION)[0].id
    found = Predictor.load(project.model_path("points")).predict(project.image(case)).landmarks
    apart = (project.annotations(case).points - found.points) * SPACING[2]
    np.testing.assert_allclose(made.scores[0, :, 0], np.linalg.norm(apart, axis=1), rtol=1e-6)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_regions_of_predicted_files_in_pixels_as_stored(project: Project, tmp_path: Path) -> None:
    image = project.image_path(project.cases[0].id)
    folder, out = project.model_path("m"), tmp_path / "out"
    spacing = SPACING[project.geometry(project.cases[0].id).grid.ndim]
    predict_files(Predictor.load(folder), [image], out, spacing=spacing)
    assert not (out / "regions.csv").exists()
    calibration = calibrate_model(project, "m")
    predictor = Predictor.load(folder)
    done = predict_files(predictor, [image], out, spacing=spacing, confidence=0.8, resume=True)
    assert done.predicted == 1  # what has no regions yet is predicted again
    found = predictor.predict(project.image(project.cases[0].id)).landmarks
    assert found.covariance is not None
    rows = rows_of(out / "regions.csv")
    assert [row["landmark"] for row in rows] == list(NAMES)
    ndim, volume = found.grid.ndim, math.pi if found.grid.ndim == 2 else 4 / 3 * math.pi
    for row, point, covariance, scores in zip(
        rows, found.points, found.covariance, calibration.scores[..., 0].T, strict=True
    ):
        reach = np.sort(scores)[8]  # of ten, the 9th: ceil(11 * 0.8)
        assert (row["image"], row["confidence"]) == (image.name, "0.8")
        assert (row["shape"], row["unit"]) == (("ellipse", "mm²") if ndim == 2 else ("ellipsoid", "mm³"))
        size = volume * reach**ndim * math.sqrt(np.linalg.det(covariance)) * np.prod(spacing)
        assert float(row["size"]) == pytest.approx(size, rel=1e-4)
        for number, axis in enumerate("xyz"[:ndim]):
            half = reach * math.sqrt(covariance[-1 - number, -1 - number])
            assert float(row[f"min_{axis}"]) == pytest.approx(point[-1 - number] - half, rel=1e-4, abs=1e-3)
            assert float(row[f"max_{axis}"]) == pytest.approx(point[-1 - number] + half, rel=1e-4, abs=1e-3)
    again = predict_files(predictor, [image], out, spacing=spacing, confidence=0.8, resume=True)
    assert again.kept == 1
    assert rows_of(out / "regions.csv") == rows
    predict_files(predictor, [image], out, spacing=spacing, resume=True)
    assert [row["shape"] for row in rows_of(out / "regions.csv")] == ["whole image"] * 2
    with pytest.raises(CalibrationError, match="between 0 and 1"):
        predict_files(predictor, [image], out, confidence=1.0)


def put_at_score(project: Project, predictor: Predictor, case: str, score: float) -> None:
    """Say that the true points of a case lie so many standard deviations from the predicted ones."""
    found = predictor.predict(project.image(case)).landmarks
    assert found.covariance is not None
    away = np.stack([np.linalg.cholesky(c)[:, 0] for c in found.covariance])
    places = dict(zip(NAMES, found.points + score * away, strict=True))
    project.save_annotations(case, LandmarkSet.from_points(places, found.grid, names=NAMES))


def test_an_evaluation_counts_what_is_inside(project: Project, tmp_path: Path) -> None:
    """Calibrated at scores 1 to 10: at 80 % the regions reach to 9, and of four cases three lie inside."""
    predictor = Predictor.load(project.model_path("m"))
    for number, case in enumerate(project.cases_in(Split.CALIBRATION), start=1):
        put_at_score(project, predictor, case.id, number)
    for score, case in zip((0.5, 8.9, 9.1, 2.0), project.cases_in(Split.TEST), strict=True):
        put_at_score(project, predictor, case.id, score)
    np.testing.assert_allclose(calibrate_model(project, "m").threshold("dark", 0.8), [9.0], rtol=1e-6)
    evaluation = evaluate_model(project, "m", Split.TEST, confidence=0.8)
    report = evaluation.coverage
    assert report is not None
    for name in NAMES:
        assert (report.landmarks[name].n, report.landmarks[name].covered) == (4, 3)
        low, high = stats.binomtest(3, 4).proportion_ci(0.95, "exact")
        assert report.landmarks[name].interval == pytest.approx((low, high))
    assert (report.points.n, report.points.covered, report.images.covered) == (8, 6, 3)
    assert dict(report.reliability)[0.5] == 0.5  # reaches to the 6th of 11
    kept = json.loads((project.model_path("m") / "evaluations" / "test.json").read_text(encoding="utf-8"))
    assert kept["coverage"] == json.loads(json.dumps(report.to_dict()))
    files = write_report(evaluation, tmp_path / "report", project.schema, project.image)
    assert json.loads(files.json.read_text(encoding="utf-8"))["coverage"] == kept["coverage"]
    page = files.html.read_text(encoding="utf-8").replace("\u00a0", " ")
    assert "6 of 8 true points (75.0 %) lie inside their regions, which promise 80 %" in page
    assert 'id="regions"' in page
    assert "Reliability: how often" in page
    assert files.regions_csv is not None
    rows = rows_of(files.regions_csv)
    assert [row["landmark"] for row in rows] == [*NAMES, "overall", "all landmarks of an image"]
    assert [(row["n"], row["covered"]) for row in rows] == [("4", "3"), ("4", "3"), ("8", "6"), ("4", "3")]
    assert float(rows[0]["mean_size"]) == pytest.approx(report.landmarks["bright"].mean_size)
    # on the images that the regions were learnt from nothing is told, and an old table is gone
    own = evaluate_model(project, "m", Split.CALIBRATION)
    assert own.coverage is None
    page = write_report(own, tmp_path / "report", project.schema, project.image)
    assert page.regions_csv is None
    assert not files.regions_csv.exists()
    assert "learnt from the calibration split" in page.html.read_text(encoding="utf-8")


def trained(project: Project, control: Control | None = None, after: Any = None) -> tuple[str | None, list[Event]]:
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        if after is not None:
            after(event)

    return train_project(project, small(2), listen, control), events


def test_a_training_ends_with_the_calibration(tmp_path: Path) -> None:
    project, _ = make_project(tmp_path, count=25)
    move(project, calibration=20, validation=1)
    name, events = trained(project)
    assert name is not None
    assert isinstance(events[-1], Finished)
    assert isinstance(events[-2], Calibrated)
    assert [(e.done, e.total) for e in events if isinstance(e, Calibrating)][-1] == (20, 20)
    assert events[-2].count == 20
    assert "in 95 of 100 such images the true point lies inside the region" in events[-2].sentence
    calibration = read_calibration(project.model_path(name))
    assert calibration is not None
    assert calibration.enough_for("dark", 0.95)
    told = json.loads((project.runs_dir / name / RECORD).read_text(encoding="utf-8"))
    assert not {case.id for case in project.cases_in(Split.CALIBRATION)} & {*told["train"], *told["validation"]}


def test_a_training_without_such_cases_says_so(tmp_path: Path) -> None:
    project, _ = make_project(tmp_path, count=4)
    move(project)
    name, events = trained(project)
    assert name is not None
    assert [event for event in events if isinstance(event, Calibrated)] == [Calibrated(0, NO_CALIBRATION)]
    assert read_calibration(project.model_path(name)) is None


def test_a_person_who_wants_the_end_does_not_wait_for_the_calibration(tmp_path: Path) -> None:
    project, _ = make_project(tmp_path, count=8)
    move(project, calibration=4)
    control = Control()
    name, events = trained(
        project, control, lambda event: control.ask(Ending.STOP) if isinstance(event, Calibrating) else None
    )
    assert name is not None  # the model is kept
    (said,) = [event for event in events if isinstance(event, Calibrated)]
    assert (said.count, "left off" in said.sentence) == (0, True)
    assert isinstance(events[-1], Finished)


@pytest.mark.parametrize("project", [2], indirect=True)
def test_the_command(project: Project, tmp_path: Path) -> None:
    def run(*words: object) -> Any:
        return CliRunner().invoke(app, [str(word) for word in words])

    done = run("calibrate", project.root, "--model", "m", "--score", "euclidean", "--landmarks", "pooled")
    assert done.exit_code == 0, done.output
    assert "Calibrated on 10 images of the calibration split:" in done.output.replace("\n", " ")
    made = read_calibration(project.model_path("m"))
    assert made is not None
    assert made.config == CalibrationConfig(score=EuclideanScore(), landmarks="pooled")
    for words, choices in ((("--score", "round"), "'euclidean'"), (("--landmarks", "all"), "'pooled'")):
        wrong = run("calibrate", project.root, "--model", "m", *words)
        assert choices in str(wrong.exception)
    told = run("evaluate", project.root, "--model", "m", "--out", tmp_path / "r", "--confidence", "0.8")
    assert "of 8 true points" in told.output
    assert "evaluate" in run("--help").output
    assert "calibrate" in run("--help").output
    assert [split.value for split in SplitName] == [split.value for split in Split]


def test_the_scores_that_the_help_names_are_those_there_are() -> None:
    command = typer.main.get_command(app).commands["calibrate"]  # type: ignore[attr-defined]
    told = {option.name: option.help for option in command.params}
    for key, schema in (("score", "ScoreConfig"), ("landmarks", "")):
        known = CalibrationConfig.model_json_schema()["properties"][key]
        kinds = known["discriminator"]["mapping"] if schema else known["enum"]
        assert all(kind in told[key] for kind in kinds)


def test_copies_of_a_model_keep_their_calibration(tmp_path: Path) -> None:
    project, _ = make_project(tmp_path, count=4, spacing=SPACING[2])
    move(project, calibration=3)
    save_model(project, "m", 2)
    made = calibrate_model(project, "m")
    copy = shutil.copytree(project.model_path("m"), tmp_path / "elsewhere")
    read = read_calibration(copy)
    assert read is not None
    np.testing.assert_array_equal(read.scores, made.scores)


def test_the_listing_of_the_guide_prints_a_region_of_each_landmark(
    project: Project, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listings = (repository / "docs" / "models.md").read_text(encoding="utf-8").split("```python\n")[1:]
    (listing,) = (one.split("```")[0] for one in listings if "calibration.regions" in one)
    monkeypatch.chdir(project.models_dir)
    listing = listing.replace('"MODEL"', '"m"')
    image = project.image(project.cases[0].id)
    exec(compile(listing, "models.md", "exec"), {"image": image})
    assert "was not calibrated" in capsys.readouterr().out
    calibrate_model(project, "m")
    exec(compile(listing, "models.md", "exec"), {"image": image})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(NAMES)
