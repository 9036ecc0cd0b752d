"""What the accuracy benchmarks share: a project of a set, a training by `auto`, and figures on held-out images."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.metrics import Evaluation
from napari_landmarker.engine.predict import evaluate_model
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.events import Event, Judged
from napari_landmarker.engine.train.fit import train_project
from napari_landmarker.engine.train.folds import train_folds
from napari_landmarker.engine.train.planner import preset_config
from napari_landmarker.engine.train.presets import read_config


@dataclass(frozen=True)
class Benchmark:
    """A set of images with landmarks, of which some are never seen in training.

    Attributes:
        name: for people.
        names: the landmarks, ``L`` of them.
        world: whether points are world coordinates (LPS, mm) instead of index coordinates in array order.
        splits: images by split, and the points ``(L, D)`` of each.
        spacing: millimetres per pixel, where images do not state it.
        radii: of the success rates, mm.
    """

    name: str
    names: tuple[str, ...]
    world: bool
    splits: Mapping[Split, Mapping[Path, npt.NDArray[np.float64]]]
    spacing: tuple[float, ...] | None
    radii: tuple[float, ...]

    def project(self, root: Path) -> Project:
        """The set as a project."""
        images = [path for of_split in self.splits.values() for path in of_split]
        splits = {path.name: split for split, of_split in self.splits.items() for path in of_split}
        schema = LandmarkSchema.from_names(self.names)
        project = create_project(root, schema, images, spacing=self.spacing, splits=splits)
        points = {path: own for of_split in self.splits.values() for path, own in of_split.items()}
        sets = {}
        for case in project.cases:
            grid = project.geometry(case.id).grid
            own = points[project.image_path(case.id)]
            own = grid.world_to_index(own) if self.world else own
            sets[case.id] = LandmarkSet.from_points(dict(zip(self.names, own, strict=True)), grid, names=self.names)
        for case_id, landmarks in sets.items():
            project.save_annotations(case_id, landmarks)
        return project


def options(description: str | None, minutes: float, data: Path) -> argparse.ArgumentParser:
    """What every accuracy benchmark can be told."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=data, help="folder of the set")
    parser.add_argument("--max-minutes", type=float, default=minutes, help="of the training")
    parser.add_argument("--preset", default="auto")
    parser.add_argument("--config", type=Path, help="a configuration instead of a preset")
    parser.add_argument("--views", type=int, default=1, help="test-time views that are averaged")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--keep", type=Path, help="folder for the project, which is thrown away otherwise")
    return parser


def run(benchmark: Benchmark, given: argparse.Namespace) -> dict[str, Any]:
    """Train on the train split, judge on the test split, print and return the figures."""
    with tempfile.TemporaryDirectory() as temporary:
        project = benchmark.project(given.keep or Path(temporary) / "project")
        begin = time.monotonic()
        name = train(project, given)
        minutes = (time.monotonic() - begin) / 60
        begin = time.monotonic()
        evaluation = evaluate_model(project, name, Split.TEST, radii=benchmark.radii, views=given.views)
        seconds = (time.monotonic() - begin) / evaluation.n_images
    return figures("ours", evaluation, minutes, seconds)


def train(project: Project, given: argparse.Namespace) -> str:
    """Train as the benchmark was told, print why so, and return the model's name."""
    config = _config(project, given)
    for reason in config.reasons:
        print(f"- {reason}")
    name = train_project(project, config, _listen)
    assert name is not None
    return name


def train_ensemble(project: Project, given: argparse.Namespace, folds: int) -> str:
    """Train folds as the benchmark was told, in its minutes all together, and return the ensemble's name."""
    share = argparse.Namespace(**{**vars(given), "max_minutes": given.max_minutes / folds})
    trained = train_folds(project, _config(project, share).changed(max_minutes=given.max_minutes), folds, _listen)
    assert trained is not None
    return trained[0]


def figures(who: str, evaluation: Evaluation, minutes: float, seconds: float) -> dict[str, Any]:
    """The figures of one side."""
    own = evaluation.overall
    low_high = own.intervals.to_dict()
    return {
        "who": who,
        "images": evaluation.n_images,
        "points": own.n,
        "unit": evaluation.unit,
        "mean": own.mean,
        "median": own.median,
        "std": own.std,
        "sdr": own.to_dict()["sdr"],
        "intervals": low_high,
        "landmarks": {name: summary.mean for name, summary in evaluation.landmarks.items()},
        "minutes": minutes,
        "seconds_per_image": seconds,
    }


def show(title: str, results: Sequence[dict[str, Any]], given: argparse.Namespace) -> None:
    """Print the figures, and write them where that is asked for."""
    table = Table(title=title)
    table.add_column("")
    radii = list(results[0]["sdr"])
    unit = results[0]["unit"]
    for column in (f"mean ({unit})", "median", *(f"% within {r} {unit}" for r in radii), "training (min)", "s / image"):
        table.add_column(column, justify="right")
    for own in results:
        rates = [f"{own['sdr'][radius]:.1f}" for radius in radii]
        middle = [f"{own['mean']:.3f}", f"{own['median']:.3f}"]
        table.add_row(own["who"], *middle, *rates, f"{own['minutes']:.1f}", f"{own['seconds_per_image']:.2f}")
    Console(width=140).print(table)
    first = results[0]
    print(f"{first['images']} images, {first['points']} points that the model never saw.")
    worst = sorted(first["landmarks"].items(), key=lambda item: -(item[1] or 0))
    print("By landmark: " + ", ".join(f"{name} {mean:.2f}" for name, mean in worst if mean is not None))
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _config(project: Project, given: argparse.Namespace) -> TrainConfig:
    if given.config is not None:
        return read_config(given.config).changed(max_minutes=given.max_minutes, seed=given.seed)
    return preset_config(given.preset, project, given.max_minutes).changed(seed=given.seed)


def _listen(event: Event) -> None:
    if isinstance(event, Judged):
        sys.stderr.write(
            f"{event.elapsed_s / 60:6.1f} min  {event.stage:13s} step {event.step:6d}  loss {event.train_loss:.4f}  "
            f"validation {event.validation_error:.3f} {event.unit}\n"
        )
