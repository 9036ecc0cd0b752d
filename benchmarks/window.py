"""How fast the window is: what a person waits for, measured in the real window on synthetic data.

Usage: python benchmarks/window.py [--quick] [NAME ...]

It needs a screen, or ``xvfb-run`` in front. All data are made in a temporary folder. Each line has the median, the
95th percentile, how often was measured, and where there is one what the 95th percentile must not be above:

- ``open``: opening the project of 5,000 images with 40 landmarks, until it is drawn;
- ``place``: a click on the image that places or moves one of 40 landmarks in a project of 5,000 images, from the
  release of the mouse until the file is saved and the table of landmarks holds it, and until canvas, table and list of
  images are painted with it too; and how much that is of what it is in a project of 10;
- ``next``: stepping to the next cephalogram of 2400 x 1935, which was read ahead, until it is drawn;
- ``review``: ticking an image off in the review, until the next one to look at is drawn at its landmark;
- ``heatmaps``: from a prediction to its points and its 19 heatmaps of 512 x 512 on the screen;
- ``volume``: opening a CT of 512 x 512 x 400 (int16), beyond reading its bytes once, and stepping through all of its
  slices with 300 landmarks;
- ``block``: the longest that the event loop stands still while a model predicts one image and many, and while one is
  trained.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtTest import QTest
from window_bench import Bench, Canvas, Line
from window_blocks import block
from window_clicks import open_large, place
from window_images import heatmaps, review, step, volume

from napari_landmarker.gui.open import dock

MEASURED: dict[str, Callable[[Bench], list[Line]]] = {
    "open": open_large,
    "place": place,
    "next": step,
    "review": review,
    "heatmaps": heatmaps,
    "volume": volume,
    "block": block,
}


def main() -> None:
    """Measure what is named, or all, and print the lines."""
    parser = argparse.ArgumentParser(description="How fast the window is.")
    parser.add_argument("names", nargs="*", choices=[*MEASURED, []], help="what to measure; all by default")
    parser.add_argument("--quick", action="store_true", help="measure a few times only")
    arguments = parser.parse_args()
    viewer = napari.Viewer(show=True, show_welcome_screen=False)
    viewer.window.resize(1400, 900)
    canvas = Canvas(viewer, dock(viewer))
    QTest.qWait(500)
    print(f"{'':44} {'median':>9} {'95 %':>9} {'':5} {'n':>4}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(canvas, Path(folder), arguments.quick)
        for name in arguments.names or MEASURED:
            for line in MEASURED[name](bench):
                print(line, flush=True)
        bench.widget.session.close_project(discard=True)
        viewer.close()


if __name__ == "__main__":
    main()
