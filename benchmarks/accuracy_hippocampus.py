"""How accurate the default training is on the hippocampus volumes of the Medical Segmentation Decathlon, in 3D.

Usage: python benchmarks/accuracy_hippocampus.py [--data FOLDER] [--max-minutes 15]

Trains with ``auto`` on the first 160 volumes, of which 10 are held out to choose the best weights by, and judges on the
last 40. ``--part validation`` judges on 20 of the 160 instead, which are then not trained on.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from accuracy import Benchmark, options, run, show
from reference import ROOT

from napari_landmarker.engine.project import Split

DATA = ROOT.parent / "shared" / "data" / "hippocampus"
HELD_OUT = 40
RADII = (1.0, 2.0, 3.0, 4.0)


def read_set(folder: Path, part: str) -> Benchmark:
    """The volumes and their landmarks in world coordinates; the last 40 are looked at only to judge on them."""
    points: dict[str, dict[str, list[float]]] = {}
    with (folder / "landmarks.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            x, y, z = (float(row[f"{axis}_ras_mm"]) for axis in "xyz")
            points.setdefault(row["file"], {})[row["landmark"]] = [-x, -y, z]
    names = tuple(next(iter(points.values())))
    files = sorted(points)
    learnt, held_out = files[:-HELD_OUT], files[-HELD_OUT:]
    splits: dict[Split, dict[Path, np.ndarray]] = {split: {} for split in Split}
    for number, file in enumerate(learnt):
        if part == "validation" and number % 8 == 5:
            split = Split.TEST
        else:
            split = Split.VALIDATION if number % 16 == 0 else Split.TRAIN
        splits[split][(folder / "images" / file).resolve()] = np.array([points[file][name] for name in names])
    if part == "test":
        for file in held_out:
            splits[Split.TEST][(folder / "images" / file).resolve()] = np.array([points[file][n] for n in names])
    return Benchmark("Hippocampus", names, True, splits, None, RADII)


def main() -> None:
    """Train, judge and print."""
    parser = options(__doc__, 15.0, DATA)
    parser.add_argument("--part", choices=("test", "validation"), default="test")
    given = parser.parse_args()
    benchmark = read_set(given.data, given.part)
    show(f"{benchmark.name}, {given.part}, {given.max_minutes:g} minutes", [run(benchmark, given)], given)


if __name__ == "__main__":
    main()
