"""Datasets for torch."""

from napari_landmarker.engine.data.landmark_dataset import LandmarkDataset

__all__ = ["LandmarkDataset"]
