"""How accurate the default training is on the cephalograms of ISBI 2015, beside the reference package's own recipe.

Usage: python benchmarks/accuracy_isbi.py [--data FOLDER] [--max-minutes 30] [--reference ENVIRONMENT | --no-reference]

Trains with ``auto`` on the 150 images of ``train``, from scratch, and judges on the 150 of ``test1``; the truth is the
mean of both annotators, at 0.25 mm per pixel. 10 of the 150 are held out of training to choose the best weights by.
``--part validation`` judges on 15 images of ``train`` instead, which are then not trained on: choices are made on
those, as ``test1`` is looked at by this benchmark alone.

The reference is the tutorial's recipe of ``landmarker`` 0.4.1 (spatial configuration network, learnt widths,
Gaussian heatmap loss, Adam) at 192 x 240 pixels with 64 channels, the most that its time allows on two cores.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import Benchmark, options, run, show
from reference import ROOT, reference_python, run_worker

from napari_landmarker.engine.project import Split

DATA = ROOT.parent / "shared" / "data" / "isbi2015"
WORKER = Path(__file__).with_name("accuracy_worker.py")
SPACING_MM = 0.25
RADII = (2.0, 2.5, 3.0, 4.0)


def read_set(folder: Path, part: str) -> Benchmark:
    """The images of ``train``, and of the part to judge on; no other image or landmark is looked at."""
    points: dict[str, dict[str, dict[str, np.ndarray]]] = {"train": {}, "test1": {}}
    with (folder / "landmarks.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] == "train" or (part == "test1" and row["split"] == part):
                mean = [(float(row[f"senior_{axis}"]) + float(row[f"junior_{axis}"])) / 2 for axis in ("y", "x")]
                points[row["split"]].setdefault(row["image"], {})[row["landmark"]] = np.array(mean)
    names = tuple(next(iter(points["train"].values())))
    splits: dict[Split, dict[Path, np.ndarray]] = {split: {} for split in Split}
    for number, (image, own) in enumerate(points["train"].items()):
        if part == "validation" and number % 10 == 5:
            split = Split.TEST
        else:
            split = Split.VALIDATION if number % 15 == 0 else Split.TRAIN
        splits[split][_path(folder, image)] = np.array([own[name] for name in names])
    for image, own in points["test1"].items():
        splits[Split.TEST][_path(folder, image)] = np.array([own[name] for name in names])
    return Benchmark("ISBI 2015", names, False, splits, (SPACING_MM, SPACING_MM), RADII)


def reference(benchmark: Benchmark, python: Path, minutes: float, out: Path) -> dict[str, Any]:
    """The reference's figures, by its own environment."""
    work = {
        split.value: [[str(path), own.tolist()] for path, own in images.items()]
        for split, images in benchmark.splits.items()
    }
    out.write_text(json.dumps({"minutes": minutes, "spacing": SPACING_MM, "radii": RADII, **work}), encoding="utf-8")
    found: dict[str, Any] = run_worker(WORKER, "reference", str(out), python=python)
    found["landmarks"] = dict(zip(benchmark.names, found["landmarks"], strict=True))
    return found


def _path(folder: Path, image: str) -> Path:
    return (folder / "images" / f"{image}.jpg").resolve()


def main() -> None:
    """Train, judge and print."""
    parser = options(__doc__, 30.0, DATA)
    parser.add_argument("--part", choices=("test1", "validation"), default="test1")
    parser.add_argument("--reference", type=Path, help="environment that holds landmarker 0.4.1; made where missing")
    parser.add_argument("--no-reference", action="store_true", help="ours alone")
    parser.add_argument("--no-ours", action="store_true", help="the reference alone")
    given = parser.parse_args()
    benchmark = read_set(given.data, given.part)
    results = [] if given.no_ours else [run(benchmark, given)]
    if not given.no_reference:
        import tempfile

        with tempfile.TemporaryDirectory() as temporary:
            python = reference_python(given.reference)
            results.append(reference(benchmark, python, given.max_minutes, Path(temporary) / "work.json"))
    show(f"{benchmark.name}, {given.part}, {given.max_minutes:g} minutes", results, given)


if __name__ == "__main__":
    main()
