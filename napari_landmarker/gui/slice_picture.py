"""Pixels of an image as a picture that Qt can draw, with the contrast and the colours of the image's layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image as ImageLayer
from qtpy.QtGui import QImage

from napari_landmarker.engine.io.image import Image

Pixels = npt.NDArray[np.uint8]
#: By the number of channels.
_KINDS = {1: QImage.Format.Format_Grayscale8, 3: QImage.Format.Format_RGB888, 4: QImage.Format.Format_RGBA8888}


def drawn_pixels(pixels: npt.NDArray[Any], image: Image, layer: ImageLayer) -> Pixels:
    """Values of an image as they are drawn.

    Args:
        pixels: a part of its array, ``(h, w)`` or in colour ``(h, w, C)``.
        image: the image.
        layer: that shows it; its contrast, gamma and colour map are taken, of a colour image the contrast.

    Returns:
        ``(h, w)`` where the layer is grey, else ``(h, w, 3)``.
    """
    if image.is_color:
        return np.asarray(_shares(pixels[..., :3], layer) * 255, dtype=np.uint8)
    return _levels(pixels, layer) if layer.colormap.name == "gray" else veil_pixels(pixels, layer)[..., :3]


def veil_pixels(values: npt.NDArray[Any], layer: ImageLayer) -> Pixels:
    """Values ``(h, w)`` of a layer in its colours ``(h, w, 4)``, the last of which says how much they cover."""
    table = np.asarray(layer.colormap.map(np.linspace(0, 1, 256)))
    return np.asarray((table * 255).astype(np.uint8)[_levels(values, layer)])


def picture(pixels: Pixels) -> QImage:
    """The picture of ``(h, w)`` grey, ``(h, w, 3)`` coloured or ``(h, w, 4)`` translucent pixels."""
    pixels = np.ascontiguousarray(pixels)
    kind = _KINDS[pixels.shape[2] if pixels.ndim == 3 else 1]
    height, width = pixels.shape[:2]
    made = QImage(pixels.tobytes(), width, height, pixels.strides[0], kind).copy()
    return made.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied) if made.hasAlphaChannel() else made


def _levels(values: npt.NDArray[Any], layer: ImageLayer) -> Pixels:
    """From 0 to 255, by the contrast and the gamma of a layer."""
    share = _shares(values, layer)
    return np.asarray((share if layer.gamma == 1 else share**layer.gamma) * 255).astype(np.uint8)


def _shares(values: npt.NDArray[Any], layer: ImageLayer) -> npt.NDArray[np.float32]:
    """From 0 to 1, by the contrast of a layer."""
    low, high = layer.contrast_limits
    share = (values.astype(np.float32) - low) / max(high - low, 1e-12)
    return np.asarray(np.clip(np.nan_to_num(share), 0, 1), dtype=np.float32)
