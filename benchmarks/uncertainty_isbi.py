"""Whether regions keep their word on the cephalograms of ISBI 2015, and how small they are.

Usage: python benchmarks/uncertainty_isbi.py [--data FOLDER] [--max-minutes 30] [--project FOLDER]

Trains with ``auto`` on 100 of the 150 images of ``train``; 10 choose the best weights, and 40 are kept apart to
calibrate on. The 150 images of ``test1`` judge: how many of their points lie in the regions of 95 %, and how large
these are. The truth is the mean of both annotators, at 0.25 mm per pixel.

The composition to compare is chosen without ``test1``: the one whose regions are smallest on the calibration images.
"""

from __future__ import annotations

import json
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import Benchmark, options, train
from accuracy_isbi import DATA, read_set
from rich.console import Console
from rich.table import Table

from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.predict import Predictor
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.uncertainty import Calibration, CalibrationConfig

CONFIDENCE = 0.95
#: Of each 15 images of ``train`` in the order of their numbers, these are kept apart.
CALIBRATION = (2, 6, 10, 13)
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
    for landmarks in ("each", "pooled")
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


def items(project: Project, predictor: Predictor, split: Split) -> Iterator[tuple[Prediction, LandmarkSet]]:
    """What the model says of the images of a split, and the truth."""
    for case in project.annotated_cases(split):
        yield predictor.predict(project.image(case.id)), project.annotations(case.id)


def judge(project: Project, predictor: Predictor) -> dict[str, Judged]:
    """Calibrate all compositions, and judge them on the test split."""
    scores: dict[str, list[np.ndarray]] = {name: [] for name in COMPOSITIONS}
    for prediction, truth in items(project, predictor, Split.CALIBRATION):
        for name, config in COMPOSITIONS.items():
            scores[name].append(config.scores_of(prediction, truth))
    calibrations = {
        name: Calibration.from_scores(
            config, predictor.info.names, 2, scores[name], "mm" if config.score.physical else None
        )
        for name, config in COMPOSITIONS.items()
    }
    own_sizes: dict[str, list[float]] = {name: [] for name in COMPOSITIONS}
    for prediction, _ in items(project, predictor, Split.CALIBRATION):  # once more, as heatmaps are large
        for name, made in calibrations.items():
            own_sizes[name] += [region.size for region in made.regions(prediction, CONFIDENCE).values()]
    found: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {name: [] for name in COMPOSITIONS}
    for prediction, truth in items(project, predictor, Split.TEST):
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


def show(judged: dict[str, Judged], given: Namespace) -> None:
    """Print the figures, and write them where that is asked for."""
    table = Table(title=f"ISBI 2015, test1: regions of {CONFIDENCE:.0%}, calibrated on 40 images")
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
    if given.json is not None:
        given.json.write_text(json.dumps({name: vars(own) for name, own in judged.items()}, indent=2), encoding="utf-8")


def main() -> None:
    """Train, calibrate, judge and print."""
    parser = options(__doc__, 30.0, DATA)
    parser.add_argument("--project", type=Path, help="a project that --keep left, instead of training")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        if given.project is None:
            project = splits_of(given.data).project(given.keep or Path(temporary) / "project")
            model = train(project, given)
        else:
            project = Project.open(given.project)
            model = project.models[-1]
        show(judge(project, Predictor.load(project.model_path(model))), given)


if __name__ == "__main__":
    main()
