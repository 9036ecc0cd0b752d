"""How fast the regions of one image are found from its heatmaps, and their volumes: beside the reference package.

Usage: python benchmarks/uncertainty_region.py [--reference ENVIRONMENT] [--landmarks N] [--heat ZxYxX] [--image ZxYxX]

Each row prints the seconds of both, their ratio, the most memory that one run of each took (its result included), and
the volumes of all regions together. Both are given the same thresholds. Ours makes the regions, their volumes and a
mask of the pixels around each; the reference makes a mask of the size of the image for each landmark and leaves out the
last cell of those that hold enough; between cells, it interpolates the heat.
"""

from __future__ import annotations

from pathlib import Path

from beside import Columns, options, report
from region_worker import ROWS

WORKER = Path(__file__).with_name("region_worker.py")
COLUMNS: Columns = {
    "reference volume": lambda result: f"{sum(result['reference']['volumes']):.0f} px³",
    "ours volume": lambda result: f"{sum(result['ours']['volumes']):.0f} px³",
}


def main() -> None:
    """Measure and print the table."""
    parser = options(__doc__)
    parser.add_argument("--landmarks", default="14")
    parser.add_argument("--heat", default="128x128x64", help="size of a heatmap")
    parser.add_argument("--image", default="512x512x256", help="size of the image")
    given = parser.parse_args()
    sizes = (given.landmarks, given.heat, given.image)
    title = f"{given.landmarks} landmarks, heat {given.heat}, image {given.image}"
    report(WORKER, ROWS, given, COLUMNS, first="region", title=title, arguments=sizes)


if __name__ == "__main__":
    main()
