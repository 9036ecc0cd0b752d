"""What benchmarks of speed share: the same rows done by ours and by the reference package, in one run, as a table."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from reference import reference_python, run_worker
from rich.console import Console
from rich.table import Table

#: What a column of the table says of a row.
Columns = dict[str, Callable[[dict[str, Any]], str]]


def options(description: str | None) -> argparse.ArgumentParser:
    """The options that all of them have: ``--reference`` and ``--json``."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, help="environment that holds landmarker 0.4.1; made where missing")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser


def measure(worker: Path, row: str, arguments: Sequence[str], python: Path) -> dict[str, Any]:
    """One row: ours, the reference, and ours again, of which the faster counts (the machine is shared).

    Args:
        worker: the script that measures one row for one package.
        row: the row.
        arguments: more for the script.
        python: interpreter of the reference's environment.
    """
    ours = run_worker(worker, "ours", row, *arguments, python=python)
    reference = run_worker(worker, "reference", row, *arguments, python=python)
    again = run_worker(worker, "ours", row, *arguments, python=python)
    ours, other = sorted((ours, again), key=lambda result: float(result["seconds"]))
    if "floor" in ours:
        ours["floor"] = min(ours["floor"], other["floor"])
    return {"row": row, "ours": ours, "reference": reference, "ratio": reference["seconds"] / ours["seconds"]}


def report(
    worker: Path,
    rows: Iterable[str],
    given: argparse.Namespace,
    columns: Columns,
    *,
    first: str,
    title: str,
    arguments: Sequence[str] = (),
) -> None:
    """Measure all rows, print the table, and write the figures where that is asked for.

    Args:
        worker: see `measure`.
        rows: see `measure`.
        given: see `options`.
        columns: those after the ones that all tables have.
        first: name of the column of the rows.
        title: of the table; the threads and the reference's version are added.
        arguments: see `measure`.
    """
    python = reference_python(given.reference)
    results = [measure(worker, row, arguments, python) for row in rows]
    out = Table(title=f"{title}, {results[0]['ours']['threads']} threads, landmarker 0.4.1")
    out.add_column(first)
    shown: Columns = {
        "reference": lambda result: seconds(result["reference"]["seconds"]),
        "ours": lambda result: seconds(result["ours"]["seconds"]),
        "ratio": lambda result: f"{result['ratio']:.0f}x",
        "reference memory": lambda result: mebibytes(result["reference"]["extra"]),
        "ours memory": lambda result: mebibytes(result["ours"]["extra"]),
        **columns,
    }
    for column in shown:
        out.add_column(column, justify="right")
    for result in results:
        out.add_row(result["row"], *(text(result) for text in shown.values()))
    Console(width=160).print(out)
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def seconds(value: float) -> str:
    """A time with a unit that fits it."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.2f} ms"


def mebibytes(value: int | None) -> str:
    """A size in MiB."""
    return "unknown" if value is None else f"{value / 2**20:.0f} MiB"
