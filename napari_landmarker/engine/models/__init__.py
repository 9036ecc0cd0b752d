"""Networks. Each takes ``(B, C, *space)`` of any size and gives ``(B, L, *space / stride)`` logits."""

from napari_landmarker.engine.models.unet import HeatmapUNet

__all__ = ["HeatmapUNet"]
