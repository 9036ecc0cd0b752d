"""Pixels of an image as a picture that Qt can draw, with the contrast and the colours of the image's layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image as ImageLayer
from qtpy.QtGui import QImage

from napari_landmarker.engine.io.image import Image

Pixels = npt.NDArray[np.uint8]


def drawn_pixels(pixels: npt.NDArray[Any], image: Image, layer: ImageLayer) -> Pixels:
    """Values of an image as they are drawn.

    Args:
        pixels: a part of its array, ``(h, w)`` or in colour ``(h, w, C)``.
        image: the image.
        layer: that shows it; its contrast, gamma and colour map are taken, of a colour image the contrast.

    Returns:
        ``(h, w)`` where the layer is grey, else ``(h, w, 3)``.
    """
    low, high = layer.contrast_limits
    pixels = pixels[..., :3] if image.is_color else pixels
    share = np.clip(np.nan_to_num((pixels.astype(np.float32) - low) / max(high - low, 1e-12)), 0, 1)
    if image.is_color:
        return np.asarray(share * 255, dtype=np.uint8)
    if layer.gamma != 1:
        share = share**layer.gamma
    levels = (share * 255).astype(np.uint8)
    if layer.colormap.name == "gray":
        return levels
    table = np.asarray(layer.colormap.map(np.linspace(0, 1, 256)))[:, :3]
    return np.asarray((table * 255).astype(np.uint8)[levels])


def picture(pixels: Pixels) -> QImage:
    """The picture of ``(h, w)`` grey or ``(h, w, 3)`` coloured pixels."""
    pixels = np.ascontiguousarray(pixels)
    kind = QImage.Format.Format_RGB888 if pixels.ndim == 3 else QImage.Format.Format_Grayscale8
    height, width = pixels.shape[:2]
    return QImage(pixels.tobytes(), width, height, pixels.strides[0], kind).copy()
