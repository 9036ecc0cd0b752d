"""Transforms that move an image and its landmarks by one and the same map."""

from napari_landmarker.engine.transforms.augment import Augmentation, AugmentationConfig
from napari_landmarker.engine.transforms.intensity import standardise, with_channels
from napari_landmarker.engine.transforms.resample import FloatImage, resample

__all__ = ["Augmentation", "AugmentationConfig", "FloatImage", "resample", "standardise", "with_channels"]
