"""Measures one row of `engine_speed.py` for one package, named by its import path.

Runs in either environment, so it stands on torch and the standard library alone. Prints one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

Work = Callable[[], object]
#: At most so many timed runs, and none is begun after so many seconds.
RUNS, SECONDS = 12, 12.0


def gaussian(package: str, batch: int, landmarks: int, space: tuple[int, ...], rotated: bool) -> tuple[Work, Work]:
    """Draw targets of sigma 3 (axis-aligned), or of different widths and turned (full covariance).

    The floor is writing the output once, in new memory, as the drawing does.
    """
    module = importlib.import_module(f"{package}.heatmap")
    ndim = len(space)
    points = torch.rand(batch, landmarks, ndim) * torch.tensor(space)
    options = {"sigmas": 3.0, "heatmap_size": space}
    if rotated:
        options |= {"sigmas": [[2.0, 3.0, 5.0][:ndim]] * landmarks, "rotation": [0.3, 0.5, 0.7] if ndim == 3 else 0.3}
        options["rotation"] = torch.tensor(options["rotation"])
    generator = module.GaussianHeatmapGenerator(landmarks, **options)
    return lambda: generator(points), lambda: torch.empty(batch, landmarks, *space).fill_(1.0)


def blobs(batch: int, landmarks: int, space: tuple[int, ...]) -> torch.Tensor:
    """Gaussian maps of sigma 3 with a little noise."""
    centres = torch.rand(batch, landmarks, len(space)) * torch.tensor(space)
    out = torch.ones(batch, landmarks, *space)
    for axis, size in enumerate(space):
        shape = [1] * len(space)
        shape[axis] = size
        profile = torch.exp(-0.5 * ((torch.arange(size) - centres[..., axis, None]) / 3.0) ** 2)
        out *= profile.view(batch, landmarks, *shape)
    return out + 0.01 * torch.rand_like(out)


def local_soft_argmax(package: str, maps: torch.Tensor) -> tuple[Work, Work]:
    """Decode maps by the soft-argmax about the maximum; the floor is reading the maps once."""
    decode = importlib.import_module(f"{package}.heatmap").coord_local_soft_argmax
    return lambda: decode(maps, spatial_dims=maps.ndim - 2), lambda: maps.amax()


def mean_and_covariance(package: str, maps: torch.Tensor) -> tuple[Work, Work]:
    """Weighted mean and covariance of maps; the floor is reading the maps once."""
    decode = importlib.import_module(f"{package}.heatmap").coord_weighted_spatial_mean_cov
    return lambda: decode(maps, spatial_dims=maps.ndim - 2), lambda: maps.amax()


def peaks(package: str, maps: torch.Tensor) -> tuple[Work, Work]:
    """All peaks above one half; the floor is reading the maps once."""
    find = importlib.import_module(f"{package}.heatmap").heatmap_to_multiple_coord
    return lambda: find(maps, window=11, threshold=0.5), lambda: maps.amax()


def matching(package: str, count: int) -> tuple[Work, Work]:
    """Pair predicted with true points of one landmark; the floor is the table of their distances."""
    error = importlib.import_module(f"{package}.metrics.metrics" if package == "landmarker" else f"{package}.metrics")
    truth = torch.rand(1, 1, count, 2) * 500
    predicted = truth[:, :, torch.randperm(count)] + torch.randn(1, 1, count, 2)
    return (
        lambda: error.multi_instance_point_error(truth, predicted),
        lambda: torch.cdist(truth[0], predicted[0]),
    )


ROWS: dict[str, Callable[[str], tuple[Work, Work]]] = {
    "Gaussian targets (4, 19, 512²)": lambda p: gaussian(p, 4, 19, (512, 512), False),
    "Gaussian targets, full covariance (4, 19, 512²)": lambda p: gaussian(p, 4, 19, (512, 512), True),
    "Gaussian targets (1, 14, 192³)": lambda p: gaussian(p, 1, 14, (192, 192, 192), False),
    "Gaussian targets, full covariance (1, 14, 192³)": lambda p: gaussian(p, 1, 14, (192, 192, 192), True),
    "Local soft-argmax (8, 14, 64³)": lambda p: local_soft_argmax(p, blobs(8, 14, (64, 64, 64))),
    "Mean and covariance (1, 14, 128³)": lambda p: mean_and_covariance(p, blobs(1, 14, (128, 128, 128))),
    "Peaks (4, 19, 512²)": lambda p: peaks(p, blobs(4, 19, (512, 512))),
    "Matching 200 points": lambda p: matching(p, 200),
}


def memory(field: str) -> int:
    """A field of the kernel's account of this process, in bytes: VmRSS (now) or VmHWM (highest); 0 elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def peak_extra(work: Work) -> int | None:
    """Bytes that one run takes at most, its result included; None where the system does not tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the highest mark begins anew
    except OSError:
        return None
    before = memory("VmRSS")
    result = work()
    extra = memory("VmHWM") - before
    del result
    return extra


def best_of(work: Work) -> float:
    """Shortest time of several runs, in seconds."""
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < RUNS and (not times or time.perf_counter() - begun < SECONDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Measure one row."""
    package, row = sys.argv[1:]
    torch.manual_seed(0)
    with torch.no_grad():
        work, floor = ROWS[row](package)
        extra = peak_extra(work)  # the first run, which also warms up
        seconds = best_of(work)
        result = {"seconds": seconds, "floor": best_of(floor), "extra": extra, "threads": torch.get_num_threads()}
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
