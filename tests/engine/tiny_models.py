"""Model folders of tiny networks that have learnt nothing: what they answer is as good as any for a comparison."""

from pathlib import Path

import numpy as np
import torch
from image_files import write_image

from napari_landmarker.engine.losses.configs import WingConfig
from napari_landmarker.engine.models.configs import (
    CascadeConfig,
    CoordinateRegressionConfig,
    ResidualUNetConfig,
    StackedCholeskyHourglassConfig,
)
from napari_landmarker.engine.predict.bundle import CurvePoint, ModelInfo, save_bundle
from napari_landmarker.engine.schema import LandmarkSchema
from napari_landmarker.engine.train.config import TrainConfig
from napari_landmarker.engine.train.frame import NetworkFrame

NAMES = ("left tip", "right tip", "middle")
CURVE = [CurvePoint(1, 0.5, 3.0, 2.5, 9.0), CurvePoint(7, 3.0, 1.0, 1.25, 1.234)]
MAPS = ResidualUNetConfig(features_2d=(8, 8), features_3d=(8, 8), num_res_units=0, stride_2d=2, stride_3d=2)
POINTS = CoordinateRegressionConfig(features_2d=(8, 8), features_3d=(8, 8))
COVARIANCES = StackedCholeskyHourglassConfig(channels_2d=(8,), channels_3d=(8,), stride_2d=2)
CASCADE = CascadeConfig(coarse=MAPS, patch_2d=8, patch_3d=8, features_2d=(8,), features_3d=(8,), context=1)
NETWORKS = {"maps": MAPS, "points": POINTS, "covariances": COVARIANCES, "cascade": CASCADE}


def info_of(model, ndim, *, spacing_mm=None, channels=1) -> ModelInfo:
    """What a model of this network says of itself."""
    changes = {"loss": WingConfig(of="points")} if model.answer == "points" else {}
    return ModelInfo(
        name="tiny",
        landmarks=LandmarkSchema.from_names(NAMES),
        ndim=ndim,
        channels=channels,
        frame=NetworkFrame(
            shape=(32, 48) if ndim == 2 else (16, 32, 24), spacing_mm=spacing_mm, multiple=model.multiple(ndim)
        ),
        config=TrainConfig(preset="own", reasons=("The images are small.",), model=model, **changes),
        n_train=5,
        n_validation=3,
        validation_error=1.234,
        minutes=0.5,
        steps=7,
    )


def make_model(folder: Path, model, ndim, *, seed=0, **options) -> ModelInfo:
    """Save a model folder."""
    info = info_of(model, ndim, **options)
    torch.manual_seed(seed)
    save_bundle(folder, info, model.build(ndim, info.channels, len(NAMES)).eval(), CURVE)
    return info


def noise_images(folder: Path, ndim, count=2) -> list[Path]:
    """Images of smooth noise, PNG in 2D and NIfTI with a spacing in 3D."""
    folder.mkdir()
    rng, paths = np.random.default_rng(0), []
    for number in range(count):
        rough = rng.integers(0, 256, (6, 8) if ndim == 2 else (3, 6, 4)).astype(np.uint8)
        array = np.kron(rough, np.ones((7,) * ndim, np.uint8))
        paths.append(write_image(folder / f"scan{number}{'.png' if ndim == 2 else '.nii.gz'}", array))
    return paths
