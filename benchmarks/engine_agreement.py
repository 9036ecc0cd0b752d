"""Whether the engine gives the reference package's values, on random inputs, wherever those are right.

Usage: python benchmarks/engine_agreement.py [--reference ENVIRONMENT]

Both sides get the same inputs. A difference counts relative to the largest value of a case, or to 1 where that is
smaller. Where the reference is known to be wrong nothing is compared: maps of missing landmarks, decoding at the
border, resizing, several instances near the border, in 3D or whose pairs are in doubt, Laplacian maps and windows in
3D. Exit code 1 where values differ.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from reference import reference_python, run_worker
from rich.console import Console
from rich.table import Table

WORKER = Path(__file__).with_name("agreement_worker.py")
TOLERANCE = 1e-5


def main() -> None:
    """Compare and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, help="environment that holds landmarker 0.4.1; made where missing")
    python = reference_python(parser.parse_args().reference)
    table = Table("case", "shape", "largest difference", "", title="Ours against landmarker 0.4.1")
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        files = {side: Path(folder, f"{side}.npz") for side in ("ours", "reference")}
        names = {side: run_worker(WORKER, side, str(file), python=python) for side, file in files.items()}
        if names["ours"] != names["reference"]:
            raise SystemExit("The two sides did not compute the same cases.")
        ours, reference = np.load(files["ours"]), np.load(files["reference"])
        for name in names["ours"]:
            mine, theirs = ours[name].squeeze(), reference[name].squeeze()
            if mine.shape == theirs.shape:
                difference = float(np.abs(mine - theirs).max() / max(1.0, float(np.abs(theirs).max())))
            else:
                difference = float("nan")
            agrees = difference <= TOLERANCE
            differ += not agrees
            table.add_row(name, str(ours[name].shape), f"{difference:.1e}", "" if agrees else "DIFFERS")
    Console(width=130).print(table)
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
