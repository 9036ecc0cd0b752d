"""Whether regions keep their word on the cephalograms of ISBI 2015, and how small they are.

Usage: python benchmarks/uncertainty_isbi.py [--data FOLDER] [--folds 4] [--max-minutes 96] [--project FOLDER]

Trains with ``auto`` an ensemble of as many folds on the 150 images of ``train``, in all these minutes together; each
image calibrates by the answer of the one fold that has not learnt from it. With ``--folds 0``, one model learns from
100 of the images; 10 choose the best weights, and 40 are kept apart to calibrate on.

The 150 images of ``test1`` judge: how many of their points lie in the regions of 95 %, and how large these are. The
truth is the mean of both annotators, at 0.25 mm per pixel.

The composition to compare is chosen without ``test1``: the one whose regions are smallest on the calibration images.

A model that knew every place exactly would still need regions, as large as the truth is uncertain: the last line says
how large.
"""

from __future__ import annotations

import csv
import json
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import Benchmark, options, train, train_ensemble
from accuracy_isbi import DATA, SPACING_MM, read_set
from rich.console import Console
from rich.table import Table

from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict import Predictor
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.train.folds_plan import FoldsPlan
from napari_landmarker.engine.uncertainty import Calibration, CalibrationConfig
from napari_landmarker.engine.uncertainty.configs import TEMPERATURE_EVERY
from napari_landmarker.engine.uncertainty.crossed import crossed

CONFIDENCE = 0.95
#: Of each 15 images of ``train`` in the order of their numbers, these are kept apart.
CALIBRATION = (2, 6, 10, 13)
LANDMARKS = ("each", "pooled")
SCORES = {
    "distance": {"kind": "euclidean"},
    "Mahalanobis": {"kind": "mahalanobis"},
    "each axis": {"kind": "per_axis"},
    "relative density": {"kind": "density"},
    "density": {"kind": "density", "relative": False},
    "rank": {"kind": "rank"},
    "rank, in one piece": {"kind": "rank", "connected": True},
}
COMPOSITIONS = {
    f"{name}; {landmarks}": CalibrationConfig.model_validate({"score": score, "landmarks": landmarks})
    for name, score in SCORES.items()
    for landmarks in LANDMARKS
} | {
    f"{name} with typical errors; {landmarks}": CalibrationConfig.model_validate(
        {"score": SCORES[name], "landmarks": landmarks, "temperature": "scatter"}
    )
    for name in ("Mahalanobis", "each axis")
    for landmarks in LANDMARKS
}


@dataclass(frozen=True, eq=False)
class Judged:
    """How a composition did: share of points inside on ``test1``, and sizes in mm²."""

    coverage: float
    mean_size: float
    median_size: float
    adaptivity: float | None
    calibration_size: float


def splits_of(folder: Path) -> Benchmark:
    """The set with part of ``train`` kept apart."""
    whole = read_set(folder, "test1")
    learnt = {**whole.splits[Split.TRAIN], **whole.splits[Split.VALIDATION]}
    splits: dict[Split, dict[Path, Any]] = {split: {} for split in Split}
    splits[Split.TEST] = dict(whole.splits[Split.TEST])
    for number, path in enumerate(sorted(learnt)):
        place = number % 15
        split = Split.VALIDATION if place == 0 else Split.CALIBRATION if place in CALIBRATION else Split.TRAIN
        splits[split][path] = learnt[path]
    return Benchmark(whole.name, whole.names, whole.world, splits, whole.spacing, whole.radii)


Item = tuple[Prediction, LandmarkSet]
Items = Callable[[], Iterator[Item]]


def of_split(project: Project, predictor: Predictor, split: Split) -> Iterator[tuple[Prediction, LandmarkSet]]:
    """What a model says of the images of a split, and the truth."""
    for case in project.annotated_cases(split):
        yield predictor.predict(project.image(case.id)), project.annotations(case.id)


def of_folds(project: Project, model: str, views: int) -> Iterator[tuple[Prediction, LandmarkSet]]:
    """What each fold of a cross-validation says of the images that it has not met, and the truth."""
    plan = FoldsPlan.read(project.runs_dir / model)
    for member, cases in zip(plan.members, plan.held_out, strict=True):
        predictor = Predictor.load(project.model_path(model) / member, views=views)
        for case in cases:
            yield predictor.predict(project.image(case)), project.annotations(case)


def calibrate(items: Items, names: tuple[str, ...], folds: Sequence[int]) -> dict[str, Calibration]:
    """All compositions; those with typical errors take these from the other folds, or from every third image."""
    scores: dict[str, list[np.ndarray]] = {
        name: [] for name, config in COMPOSITIONS.items() if config.temperature == "none"
    }
    points: list[Item] = []
    for prediction, truth in items():
        for name, own in scores.items():
            own.append(COMPOSITIONS[name].scores_of(prediction, truth))
        points.append((replace(prediction, heatmaps=prediction.heatmaps[:, :1, :1]), truth))  # heatmaps are large
    thirds = [points[first::TEMPERATURE_EVERY] for first in reversed(range(TEMPERATURE_EVERY))]
    dealt = [one for third in thirds for one in third]
    made = {}
    for name, config in COMPOSITIONS.items():
        if name in scores:
            unit = "mm" if config.score.physical else None
            made[name] = Calibration.from_scores(config, names, 2, scores[name], unit)
        elif folds:
            ends = np.cumsum([0, *folds]).tolist()
            made[name] = crossed(config, [points[low:high] for low, high in pairwise(ends)])
        else:
            made[name] = Calibration.fit(config, *zip(*dealt, strict=True))
    return made


def judge(calibrations: dict[str, Calibration], calibration: Items, test: Items) -> dict[str, Judged]:
    """Judge all compositions on the test split."""
    own_sizes: dict[str, list[float]] = {name: [] for name in COMPOSITIONS}
    for prediction, _ in calibration():  # once more, as heatmaps are large
        for name, made in calibrations.items():
            own_sizes[name] += [region.size for region in made.regions(prediction, CONFIDENCE).values()]
    found: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {name: [] for name in COMPOSITIONS}
    for prediction, truth in test():
        spacing = np.asarray(truth.grid.spacing)
        error = np.linalg.norm((prediction.landmarks.points - truth.points) * spacing, axis=1)
        for name, made in calibrations.items():
            size = np.array([region.size for region in made.regions(prediction, CONFIDENCE).values()])
            found[name].append((made.covers(prediction, truth, CONFIDENCE), size, error))
    return {name: _judged(np.array(own), float(np.mean(own_sizes[name]))) for name, own in found.items()}


def _judged(found: np.ndarray, calibration_size: float) -> Judged:
    """Of ``(images, 3, L)``: inside, size, error."""
    from scipy import stats

    inside, size, error = found.swapaxes(0, 1)
    ranks = stats.spearmanr(size.ravel(), error.ravel()).statistic
    return Judged(float(inside.mean()), float(size.mean()), float(np.median(size)), float(ranks), calibration_size)


def annotators(folder: Path) -> float:
    """Mean size in mm² of regions that hold nothing but what the truth of ``test1`` is wrong by at random.

    The truth is the mean of two annotators. If they err alike and apart from each other, it is wrong by half of what
    they differ by, less what all differences at a landmark have in common. The regions are those of the Mahalanobis
    distance with typical errors, pooled: ellipses that know this scatter of each landmark.
    """
    half: dict[str, list[list[float]]] = {}
    with (folder / "landmarks.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] == "test1":
                apart = [float(row[f"senior_{axis}"]) - float(row[f"junior_{axis}"]) for axis in ("y", "x")]
                half.setdefault(row["landmark"], []).append([SPACING_MM * one / 2 for one in apart])
    errors = np.array(list(half.values()))
    errors -= errors.mean(axis=1, keepdims=True)
    scatter = np.einsum("lni,lnj->lij", errors, errors) / (errors.shape[1] - 1)
    distances = np.einsum("lni,lij,lnj->ln", errors, np.linalg.inv(scatter), errors)
    return float(np.pi * np.quantile(distances, CONFIDENCE) * np.sqrt(np.linalg.det(scatter)).mean())


def show(judged: dict[str, Judged], given: Namespace) -> None:
    """Print the figures, and write them where that is asked for."""
    images = "150 images of a cross-validation" if given.folds else "40 images"
    table = Table(title=f"ISBI 2015, test1: regions of {CONFIDENCE:.0%}, calibrated on {images}")
    table.add_column("score; landmarks")
    for column in ("% inside", "mean mm²", "median mm²", "rank correlation with the error", "mean mm², calibration"):
        table.add_column(column, justify="right")
    best = min(judged, key=lambda name: judged[name].calibration_size)
    for name, own in judged.items():
        figures = (own.mean_size, own.median_size, own.adaptivity, own.calibration_size)
        cells = [f"{100 * own.coverage:.1f}", *(f"{value:.2f}" for value in figures if value is not None)]
        table.add_row(name, *cells, style="bold" if name == best else "")
    Console(width=140).print(table)
    print(f"Smallest on the calibration images: {best}. On test1 it holds {judged[best].coverage:.1%} of 2850 points ")
    print(
        f"in regions of {judged[best].mean_size:.1f} mm² on average (published on another split: 12.1 mm² at 94.6 %)."
    )
    print(f"What the two annotators differ by at random needs {annotators(given.data):.1f} mm² alone.")
    if given.json is not None:
        given.json.write_text(json.dumps({name: vars(own) for name, own in judged.items()}, indent=2), encoding="utf-8")


def main() -> None:
    """Train, calibrate, judge and print."""
    parser = options(__doc__, 96.0, DATA)
    parser.add_argument("--folds", type=int, default=4, help="of the cross-validation; 0 for a calibration split")
    parser.add_argument("--project", type=Path, help="a project that --keep left, instead of training")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = given.keep or Path(temporary) / "project"
        if given.project is not None:
            project = Project.open(given.project)
            model = project.models[-1]
        elif given.folds:
            project = read_set(given.data, "test1").project(root)
            model = train_ensemble(project, given, given.folds)
        else:
            project = splits_of(given.data).project(root)
            model = train(project, given)
        predictor = Predictor.load(project.model_path(model), views=given.views)
        calibration: Items = partial(of_split, project, predictor, Split.CALIBRATION)
        folds = [len(cases) for cases in FoldsPlan.read(project.runs_dir / model).held_out] if given.folds else []
        if folds:
            calibration = partial(of_folds, project, model, given.views)
        test = partial(of_split, project, predictor, Split.TEST)
        show(judge(calibrate(calibration, predictor.info.names, folds), calibration, test), given)


if __name__ == "__main__":
    main()
