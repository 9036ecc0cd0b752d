"""Losses."""

from napari_landmarker.engine.losses.cross_entropy import HeatmapCrossEntropyLoss

__all__ = ["HeatmapCrossEntropyLoss"]
