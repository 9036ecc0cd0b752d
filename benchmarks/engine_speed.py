"""How fast the engine is: each row as a ratio to the floor, the time to write its output once, in this one run.

Usage: python benchmarks/engine_speed.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from napari_landmarker.engine.heatmap import GaussianHeatmapGenerator, coord_local_soft_argmax


def best_of(work: Callable[[], object], runs: int = 5) -> float:
    """Shortest time of several runs, in seconds; the first, which warms up, does not count."""
    work()
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def gaussian_row(batch: int, landmarks: int, space: tuple[int, ...]) -> tuple[str, float, float]:
    """Drawing Gaussian targets; the floor is filling an array of that shape."""
    points = torch.rand(batch, landmarks, len(space)) * torch.tensor(space)
    generator = GaussianHeatmapGenerator(landmarks, 3.0, space)
    out = torch.empty(batch, landmarks, *space)
    with torch.inference_mode():
        return f"Gaussian targets {(batch, landmarks, *space)}", best_of(lambda: generator(points)), best_of(out.zero_)


def decoding_row(batch: int, landmarks: int, space: tuple[int, ...]) -> tuple[str, float, float]:
    """Decoding to sub-pixel points; the floor is reading the maps once."""
    maps = torch.randn(batch, landmarks, *space)
    with torch.inference_mode():
        return (
            f"Local soft-argmax {(batch, landmarks, *space)}",
            best_of(lambda: coord_local_soft_argmax(maps)),
            best_of(lambda: maps.amax()),
        )


def main() -> None:
    """Measure and print the table."""
    rows = [
        gaussian_row(4, 19, (512, 512)),
        gaussian_row(1, 14, (192, 192, 192)),
        decoding_row(4, 19, (512, 512)),
        decoding_row(8, 14, (64, 64, 64)),
    ]
    table = Table("operation", "ours", "floor", "times the floor", title=f"{torch.get_num_threads()} threads")
    for name, ours, floor in rows:
        table.add_row(name, f"{ours * 1000:.1f} ms", f"{floor * 1000:.1f} ms", f"{ours / floor:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
