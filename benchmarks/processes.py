"""One process and two on a CPU, with the same images in every step: validation error and time of each, side by side.

Usage: python benchmarks/processes.py [--images 60] [--epochs 20] [--batch 8] [--threads 2] [--seeds 4] [--json FILE]

The images are the drawn heads of the tutorials. From each seed, both runs take the same steps from the same start;
their threads are shared out, so that a second process adds no cores. What noise is, the seeds say: ends with exit code
1 if the mean errors of one process and of two differ at a significance of 1 % (Welch's test).
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

import numpy as np

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
#: Differences that chance makes less often than this are none of noise.
SIGNIFICANCE = 0.01


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


def configuration(images: int, epochs: int, batch: int, seed: int) -> TrainConfig:
    """A small network for so many epochs."""
    return TrainConfig(
        preset="benchmark",
        seed=seed,
        max_minutes=10,
        max_steps=max(1, epochs * images // batch),
        validations=4,
        precision="float32",
        model=UNetConfig(features_2d=(16, 16, 32, 32, 32), stride_2d=4),
        optimiser=OptimiserConfig(batch_size_2d=batch, learning_rate=5e-3, ema=0.95),
    )


def trained(project: Project, config: Path, seed: int, processes: int, threads: int) -> dict[str, Any]:
    """Train by the command line; what it said last of its epochs, its steps and its error."""
    command = [sys.executable, "-m", "napari_landmarker", "train", str(project.root), "--config", str(config)]
    options = ["--devices", str(processes), "--run", f"{RUNS[processes]}-{seed}", "--events", "jsonl"]
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
        "seed": seed,
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
    parser.add_argument("--seeds", type=int, default=4, help="pairs of runs, at least 2")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    given = parser.parse_args()
    if given.seeds < 2:
        parser.error("one pair of runs does not say what noise is: give --seeds 2 or more")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        project = drawn_project(Path(folder), given.images)
        print(f"{'seed':>4}  {'processes':>9}  {'last error':>12}  {'best error':>12}  {'s per epoch':>11}")
        for seed in range(given.seeds):
            config = Path(folder) / f"config-{seed}.yaml"
            write_config(config, configuration(given.images, given.epochs, given.batch, seed))
            for processes in RUNS:
                row = trained(project, config, seed, processes, given.threads)
                row["seconds_per_epoch"] = row["seconds_per_step"] * given.images / given.batch
                errors = "  ".join(f"{row[key]:9.3f} {row['unit']}" for key in ("last_error", "best_error"))
                print(f"{seed:4}  {processes:9}  {errors}  {row['seconds_per_epoch']:11.2f}", flush=True)
                rows.append(row)
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return judged(rows, given)


def judged(rows: list[dict[str, Any]], given: argparse.Namespace) -> int:
    """Print what both came to on average; 1 if their errors differ by more than those of seeds do."""
    from scipy import stats

    one, two = ([row for row in rows if row["processes"] == processes] for processes in RUNS)
    alone, together = (np.array([row["last_error"] for row in own]) for own in (one, two))
    chance = float(stats.ttest_ind(alone, together, equal_var=False).pvalue)
    times = [np.mean([row["seconds_per_epoch"] for row in own]) for own in (one, two)]
    print(f"{given.images} images, {given.batch} in a step, {one[0]['steps']} steps, {given.threads} threads in all")
    for name, own in (("one process ", alone), ("two processes", together)):
        print(f"{name:13}: {own.mean():.3f} {one[0]['unit']}, standard deviation over seeds {own.std(ddof=1):.3f}")
    print(f"by chance, such seeds differ by as much in {chance:.0%} of such runs; ", end="")
    print(f"an epoch of two processes takes {times[1] / times[0]:.2f} times that of one")
    return int(chance < SIGNIFICANCE)


if __name__ == "__main__":
    sys.exit(main())
