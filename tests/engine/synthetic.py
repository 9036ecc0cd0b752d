"""Small projects of drawn images, in which the truth is known exactly."""

from pathlib import Path

import numpy as np
import tifffile

from napari_landmarker.engine.exchange import create_project
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.models.configs import UNetConfig
from napari_landmarker.engine.project import Project, Split
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.train.config import OptimiserConfig, TrainConfig

NAMES = ("bright", "dark")


def small(steps, **changes):
    """A short run of a small network."""
    model = UNetConfig(features_2d=(8, 8, 16, 16, 16), features_3d=(8, 8, 16, 16, 16), stride_2d=2)
    optimiser = OptimiserConfig(batch_size_3d=4, ema=0.9, learning_rate=5e-3)
    return TrainConfig(max_minutes=2, max_steps=steps, **{"model": model, "optimiser": optimiser, **changes})


def draw(shape, points, rng):
    """A noisy image with a bright and a dark blob; a blob at NaN is not drawn."""
    index = np.indices(shape)
    image = rng.normal(100, 3, shape)
    for sign, point in zip((1, -1), points, strict=True):
        if np.isfinite(point).all():
            squared = sum((index[a] - point[a]) ** 2 for a in range(len(shape)))
            image += sign * 60 * np.exp(-0.5 * squared / 3.0**2)
    return np.clip(image, 0, 255).astype(np.uint8)


def make_project(
    root: Path, *, ndim: int = 2, count: int = 24, seed: int = 0, missing: float = 0.0, spacing=None
) -> tuple[Project, dict[str, np.ndarray]]:
    """A project with blobs as landmarks, and the true points of each case, ``(2, D)``."""
    rng = np.random.default_rng(seed)
    shape = (64, 80) if ndim == 2 else (16, 32, 32)
    images, truth = [], {}
    (root / "images").mkdir(parents=True)
    for number in range(count):
        points = np.array([[rng.uniform(0.2 * n, 0.8 * n) for n in shape] for _ in NAMES])
        points[rng.random(2) < missing] = np.nan
        path = root / "images" / f"case{number:02d}.tif"
        tifffile.imwrite(path, draw(shape, points, rng), photometric="minisblack")
        images.append(path)
        truth[path.stem] = points
    splits = (Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST)
    project = create_project(
        root / "project",
        LandmarkSchema.from_names(NAMES),
        images,
        spacing=spacing,
        splits={path.name: splits[i % 4] for i, path in enumerate(images)},
    )
    for case_id, points in truth.items():
        grid = project.geometry(case_id).grid
        named = dict(zip(NAMES, points, strict=True))
        project.save_annotations(case_id, LandmarkSet.from_points(named, grid, names=NAMES))
    return project, truth
