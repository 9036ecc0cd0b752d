"""What a family of image formats must offer to be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari_landmarker.engine.io.image import Image, ImageGeometry


@dataclass(frozen=True)
class ImageFormat:
    """One family of image formats.

    Attributes:
        name: what a user calls it, such as ``"NIfTI"``.
        suffixes: endings of file names in lower case, with the dot.
        read: the image of a file.
        read_geometry: its geometry from the header alone.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Image]
    read_geometry: Callable[[Path], ImageGeometry]
