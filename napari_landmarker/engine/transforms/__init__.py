"""Transforms that move an image and its landmarks by one and the same map."""

from napari_landmarker.engine.transforms.augment import Augmentation, AugmentationConfig
from napari_landmarker.engine.transforms.base import (
    IntensityTransform,
    LandmarkTransform,
    Moved,
    SampleTransform,
    SpatialTransform,
)
from napari_landmarker.engine.transforms.collimation import RandomCollimation
from napari_landmarker.engine.transforms.crop import CentreCrop, CropAround, RandomCrop, Resize
from napari_landmarker.engine.transforms.deform import Deformation
from napari_landmarker.engine.transforms.flip import RandomFlip
from napari_landmarker.engine.transforms.intensity import RandomIntensity, standardise, with_channels
from napari_landmarker.engine.transforms.monai import (
    MonaiTransform,
    UseOnlyFirstChannel,
    as_sample_transform,
    from_monai,
)
from napari_landmarker.engine.transforms.pipeline import Pipeline
from napari_landmarker.engine.transforms.resample import FloatImage, resample
from napari_landmarker.engine.transforms.resizing import (
    affine_landmarks,
    crop_landmarks,
    resize_landmarks,
    resize_with_pad,
)
from napari_landmarker.engine.transforms.spatial import RandomAffine, RandomElastic, RandomGridDeformation
from napari_landmarker.engine.transforms.warp import Warp

__all__ = [
    "Augmentation",
    "AugmentationConfig",
    "CentreCrop",
    "CropAround",
    "Deformation",
    "FloatImage",
    "IntensityTransform",
    "LandmarkTransform",
    "MonaiTransform",
    "Moved",
    "Pipeline",
    "RandomAffine",
    "RandomCollimation",
    "RandomCrop",
    "RandomElastic",
    "RandomFlip",
    "RandomGridDeformation",
    "RandomIntensity",
    "Resize",
    "SampleTransform",
    "SpatialTransform",
    "UseOnlyFirstChannel",
    "Warp",
    "affine_landmarks",
    "as_sample_transform",
    "crop_landmarks",
    "from_monai",
    "resample",
    "resize_landmarks",
    "resize_with_pad",
    "standardise",
    "with_channels",
]
