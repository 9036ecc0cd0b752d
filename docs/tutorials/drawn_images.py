"""Small sets of drawn images, of which the truth is known, to try the other tutorials on within a minute."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_landmarker.engine.io.isbi import ISBI_NAMES

Points = npt.NDArray[np.float64]

#: A cephalogram of the challenge, 15 times smaller: so its pixels are 1.5 mm.
HEAD = (160, 129)
FIELD = (96, 128)
#: A point has as many others at this distance as there can be, and none nearer.
APART_PX = 18.0


def blobs(shape: tuple[int, int], points: Points, widths: npt.ArrayLike, heights: npt.ArrayLike) -> Points:
    """Gaussians at ``points`` ``(N, 2)``."""
    index = np.indices(shape).reshape(2, -1)
    squared = np.square(index[None] - points[:, :, None]).sum(axis=1)
    drawn = np.exp(-squared / (2 * np.square(np.asarray(widths))[:, None]))
    return (np.asarray(heights)[:, None] * drawn).sum(axis=0).reshape(shape)


def draw_heads(folder: Path, counts: dict[str, int]) -> Path:
    """A set in the layout of ISBI 2015: a table of what two annotators placed, and a folder of images beside it.

    Args:
        folder: to be made.
        counts: how many images each part has.
    """
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    cells = np.stack(np.meshgrid(np.linspace(0.2, 0.8, 5), np.linspace(0.2, 0.8, 4), indexing="ij"), axis=-1)
    usual = (rng.permutation(cells.reshape(-1, 2))[: len(ISBI_NAMES)] + rng.uniform(-0.03, 0.03, (19, 2))) * HEAD
    widths, heights = rng.uniform(2, 5, len(ISBI_NAMES)), rng.choice([-80.0, 80.0], len(ISBI_NAMES))
    rows = []
    for number, part in enumerate((part for part, count in counts.items() for _ in range(count)), start=1):
        grown = (usual - np.array(HEAD) / 2) * rng.uniform(0.95, 1.05, 2) + np.array(HEAD) / 2
        true = grown + rng.normal(0, 4, 2) + rng.normal(0, 1, usual.shape)
        image = 120 + blobs(HEAD, true, widths, heights) + rng.normal(0, 4, HEAD)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"{number:03d}.png")
        for name, point in zip(ISBI_NAMES, true, strict=True):
            (senior_y, senior_x), (junior_y, junior_x) = point + rng.normal(0, 0.3, (2, 2))
            rows.append([f"{number:03d}", part, name, senior_x, senior_y, junior_x, junior_y])
    with (folder / "landmarks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "split", "landmark", "senior_x", "senior_y", "junior_x", "junior_y"])
        writer.writerows(rows)
    return folder


def draw_fields(folder: Path, count: int, most: int) -> dict[Path, Points]:
    """Fields seen from above: up to ``most`` wheat plants (bright) and weeds (dark) in each.

    Returns:
        The images with their points ``(2, most, 2)``, NaN where there is no further one.
    """
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    fields = {}
    for number in range(count):
        points = np.full((2, most, 2), np.nan)
        taken: list[Points] = []
        for of_class in points:
            for row in range(rng.integers(0, most + 1)):
                tries = rng.uniform(8, np.array(FIELD) - 9, (50, 2))
                free = [place for place in tries if all(np.linalg.norm(place - t) >= APART_PX for t in taken)]
                if free:
                    of_class[row] = free[0]
                    taken.append(free[0])
        placed = np.isfinite(points).all(axis=-1)
        heights = np.where(placed, [[70.0], [-70.0]], 0.0)[placed]
        image = 120 + blobs(FIELD, points[placed], np.full(placed.sum(), 3.0), heights) + rng.normal(0, 8, FIELD)
        path = folder / f"field{number:03d}.png"
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path)
        fields[path] = points
    return fields
