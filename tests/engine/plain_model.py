"""Models that have learnt nothing, for tests that need no more than a model."""

from pathlib import Path

import torch

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.models.configs import UNetConfig
from napari_landmarker.engine.predict.bundle import ModelInfo, save_bundle
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.frame import plan_frame


def untrained(folder: Path, schema: LandmarkSchema, grid: Grid, channels: int = 1) -> Path:
    """Save a small network with its first weights as a model for images of a grid."""
    torch.manual_seed(0)
    config = TrainConfig(model=UNetConfig(features_2d=(8,) * 5, features_3d=(8,) * 5))
    info = ModelInfo(
        name=folder.name, landmarks=schema, ndim=grid.ndim, channels=channels, frame=plan_frame([grid], 8_000, 64),
        config=config, n_train=2, n_validation=1, validation_error=12.345, minutes=1.0, steps=3,
    )  # fmt: skip
    save_bundle(folder, info, config.model.build(grid.ndim, channels, len(schema.names)), [])
    return folder
