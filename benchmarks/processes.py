"""One process and two on a CPU, with the same images in every step: validation error and time of each, side by side.

Usage: python benchmarks/processes.py [--images 60] [--epochs 20] [--batch 8] [--threads 2] [--json FILE]

The images are the drawn heads of the tutorials. Both runs take the same steps from the same start; their threads are
shared out, so that a second process adds no cores. Ends with exit code 1 if the errors differ by more than noise: by
more than a fifth, and by more than 0.1 pixels or mm.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "tutorials"))

from drawn_images import draw_heads  # noqa: E402

from napari_landmarker.engine.datasets import load_isbi2015  # noqa: E402
from napari_landmarker.engine.exchange import create_project  # noqa: E402
from napari_landmarker.engine.landmarks import LandmarkSet  # noqa: E402
from napari_landmarker.engine.models.configs import UNetConfig  # noqa: E402
from napari_landmarker.engine.project import Project, Split  # noqa: E402
from napari_landmarker.engine.schema import LandmarkSchema  # noqa: E402
from napari_landmarker.engine.train.config import OptimiserConfig, TrainConfig  # noqa: E402
from napari_landmarker.engine.train.presets import write_config  # noqa: E402

#: What a run is called, by how many processes it has.
RUNS = {1: "alone", 2: "together"}
#: Errors that differ by no more than this share, or by this many mm or pixels, are the same.
SHARE, LEAST = 0.2, 0.1


def drawn_project(folder: Path, images: int) -> Project:
    """A project of drawn heads, a quarter of them to judge by."""
    heads = load_isbi2015(draw_heads(folder / "heads", {"train": images, "test1": images // 3}))
    splits = {path.name: Split.TRAIN for path in heads["train"].images}
    splits |= {path.name: Split.VALIDATION for path in heads["test1"].images}
    names, spacing = heads["train"].class_names, heads["train"].spacing
    paths = [*heads["train"].images, *heads["test1"].images]
    spaced = None if spacing is None else spacing[0]
    project = create_project(folder / "project", LandmarkSchema.from_names(names), paths, spacing=spaced, splits=splits)
    for part in heads.values():
        for path, points in zip(part.images, part.landmarks, strict=True):
            named = dict(zip(names, points, strict=True))
            project.save_annotations(path.stem, LandmarkSet.from_points(named, project.geometry(path.stem).grid))
    return project


def configuration(images: int, epochs: int, batch: int) -> TrainConfig:
    """A small network for so many epochs."""
    return TrainConfig(
        preset="benchmark",
        max_minutes=10,
        max_steps=max(1, epochs * images // batch),
        validations=4,
        precision="float32",
        model=UNetConfig(features_2d=(16, 16, 32, 32, 32), stride_2d=4),
        optimiser=OptimiserConfig(batch_size_2d=batch, learning_rate=5e-3, ema=0.95),
    )


def trained(project: Project, config: Path, processes: int, threads: int) -> dict[str, Any]:
    """Train by the command line; what it said last of its epochs, its steps and its error."""
    command = [sys.executable, "-m", "napari_landmarker", "train", str(project.root), "--config", str(config)]
    options = ["--devices", str(processes), "--run", RUNS[processes], "--events", "jsonl"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, threads // processes)), "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(
        [*command, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment, check=True
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    progress = [event for event in events if event["event"] == "progress"]
    judged = [event for event in events if event["event"] == "epoch"]
    # from the first step to the last: neither the start of the processes nor what a first step compiles is counted
    steps, seconds = (progress[-1][key] - progress[0][key] for key in ("step", "elapsed_s"))
    return {
        "processes": processes,
        "steps": judged[-1]["step"],
        "last_error": judged[-1]["validation_error"],
        "best_error": events[-1]["validation_error"],
        "unit": judged[-1]["unit"],
        "seconds_per_step": seconds / max(1, steps),
    }


def main() -> int:
    """Train with one and with two processes, and print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60, help="that are learnt from; a third as many are judged on")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8, help="images of a step, of all processes together")
    parser.add_argument("--threads", type=int, default=2, help="of all processes together")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = drawn_project(Path(folder), given.images)
        config = Path(folder) / "config.yaml"
        write_config(config, configuration(given.images, given.epochs, given.batch))
        rows = [trained(project, config, processes, given.threads) for processes in RUNS]
    unit = rows[0]["unit"]
    print(f"{given.images} images, {given.batch} in a step, {rows[0]['steps']} steps, {given.threads} threads in all")
    print(f"{'processes':>9}  {'last error':>12}  {'best error':>12}  {'s per epoch':>11}")
    for row in rows:
        row["seconds_per_epoch"] = row["seconds_per_step"] * given.images / given.batch
        errors = "  ".join(f"{row[key]:9.3f} {unit}" for key in ("last_error", "best_error"))
        print(f"{row['processes']:9}  {errors}  {row['seconds_per_epoch']:11.2f}")
    one, two = rows
    apart = abs(one["last_error"] - two["last_error"])
    print(f"difference of the last errors: {apart:.3f} {unit}; an epoch of two processes takes ", end="")
    print(f"{two['seconds_per_epoch'] / one['seconds_per_epoch']:.2f} times that of one")
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return int(apart > max(LEAST, SHARE * one["last_error"]))


if __name__ == "__main__":
    sys.exit(main())
