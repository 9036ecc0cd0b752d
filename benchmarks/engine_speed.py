"""How fast the engine is: each row beside the reference package, measured in this one run.

Usage: python benchmarks/engine_speed.py [--reference ENVIRONMENT] [--rows TEXT] [--json FILE]

Each row prints the seconds of both, their ratio, the most memory that one run of each took (its result included), and
the floor: writing the output once for what draws, reading the input once for what decodes, measured beside ours.
"""

from __future__ import annotations

from pathlib import Path

from beside import Columns, options, report, seconds
from speed_worker import ROWS

WORKER = Path(__file__).with_name("speed_worker.py")
COLUMNS: Columns = {
    "floor": lambda result: seconds(result["ours"]["floor"]),
    "ours / floor": lambda result: f"{result['ours']['seconds'] / result['ours']['floor']:.1f}",
}


def main() -> None:
    """Measure and print the table."""
    parser = options(__doc__)
    parser.add_argument("--rows", default="", help="only rows whose name holds this text")
    given = parser.parse_args()
    rows = [row for row in ROWS if given.rows in row]
    report(WORKER, rows, given, COLUMNS, first="operation", title="Ours beside the reference package")


if __name__ == "__main__":
    main()
