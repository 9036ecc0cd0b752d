"""Heatmaps: from landmarks to maps (generators) and from maps to landmarks (decoders)."""

from napari_landmarker.engine.heatmap.decoder import DecodedPoints, coord_argmax, coord_local_soft_argmax
from napari_landmarker.engine.heatmap.generator import GaussianHeatmapGenerator

__all__ = ["DecodedPoints", "GaussianHeatmapGenerator", "coord_argmax", "coord_local_soft_argmax"]
