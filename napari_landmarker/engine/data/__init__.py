"""Datasets for torch: images with landmarks, heatmaps, masks and patches."""

from napari_landmarker.engine.data.heatmap_dataset import HeatmapDataset
from napari_landmarker.engine.data.landmark_dataset import LandmarkDataset
from napari_landmarker.engine.data.mask_dataset import MaskDataset
from napari_landmarker.engine.data.patch_dataset import PatchDataset, PatchMaskDataset

__all__ = ["HeatmapDataset", "LandmarkDataset", "MaskDataset", "PatchDataset", "PatchMaskDataset"]
