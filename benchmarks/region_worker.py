"""Measures one row of `uncertainty_region.py` for one package, named by its import path.

Runs in either environment. Prints one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from speed_worker import best_of, blobs, peak_extra

CONFIDENCE = 0.9
#: Cells of at least this probability are in the region, as if nine calibration images had said so.
PROBABILITY = 0.001
CALIBRATED = 9

ROWS: dict[str, tuple[str, dict[str, bool]]] = {
    "likely, between cells (MR2CCP)": ("MR2CCP", {}),
    "likely cells (MR2C2R)": ("MR2C2R", {}),
    "cells that hold enough (MR2C2R, aps)": ("MR2C2R", {"aps": True}),
}


def reference_work(regressor: Any, heat: np.ndarray, **where: Any) -> Callable[[], list[float]]:
    """The volumes in px³ of the masks of the image."""
    landmarks = heat.shape[1]
    table = np.full((CALIBRATED, landmarks), -PROBABILITY)
    regressor.alphas = {CONFIDENCE: [CONFIDENCE] * landmarks} if regressor.__dict__.get("aps") else table
    return lambda: [float(mask.sum()) for mask in regressor.predict(heat, **where)[0]]


def our_work(regressor: Any, heat: np.ndarray, aps: bool, **where: Any) -> Callable[[], list[float]]:
    """The volumes in px³ of the regions, and their masks, cropped."""
    from napari_landmarker.engine.uncertainty import Calibration

    score = CONFIDENCE if aps else 1 - PROBABILITY
    table = np.full((CALIBRATED, heat.shape[1], 1), score)
    regressor.calibration = Calibration.from_scores(regressor.config, regressor.names, 3, table)

    def work() -> list[float]:
        made = [(region.size, region.mask()) for region in regressor.regions(heat, **where)[0]]
        return [size for size, _ in made]

    return work


def main() -> None:
    """Measure one row: the seconds and the memory that it takes to find the regions of an image and their volumes."""
    package, row, landmarks, *sizes = sys.argv[1:]
    space, image = (tuple(int(size) for size in text.split("x")) for text in sizes)
    torch.manual_seed(0)
    heat = blobs(1, int(landmarks), space).numpy() ** 4  # so that the noise between blobs is next to nothing
    heat /= heat.sum(axis=(2, 3, 4), keepdims=True)
    name, given = ROWS[row]
    regressor = getattr(importlib.import_module(f"{package}.uncertainty"), name)(3, int(landmarks), space, **given)
    where: dict[str, Any] = {"original_dims": np.array([image]), "padding": np.zeros((1, 3)), "confidence": CONFIDENCE}
    if package == "landmarker":
        work = reference_work(regressor, heat, **where)
    else:
        work = our_work(regressor, heat, bool(given), **where)
    volumes: list[float] = []
    extra = peak_extra(lambda: volumes.extend(work()))  # the first run, which also warms up
    result = {"seconds": best_of(work), "extra": extra, "volumes": volumes, "threads": torch.get_num_threads()}
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
