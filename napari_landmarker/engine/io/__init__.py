"""Images and annotations on disk: one module per format, behind one dispatch each.

Importing this package is cheap: the libraries that decode images are imported when a file is read.
"""

from __future__ import annotations

from napari_landmarker.engine.io.annotations import read_landmarks, write_landmarks
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.images import (
    IMAGE_SUFFIXES,
    find_images,
    image_stem,
    is_image_file,
    read_geometry,
    read_image,
)
from napari_landmarker.engine.io.labelme import read_labelme, write_labelme
from napari_landmarker.engine.io.slicer import read_slicer, write_slicer
from napari_landmarker.engine.io.table import Table, TableRow, read_table, table_landmarks, write_table

__all__ = [
    "IMAGE_SUFFIXES",
    "Image",
    "ImageGeometry",
    "Table",
    "TableRow",
    "find_images",
    "image_stem",
    "is_image_file",
    "read_geometry",
    "read_image",
    "read_labelme",
    "read_landmarks",
    "read_slicer",
    "read_table",
    "table_landmarks",
    "write_labelme",
    "write_landmarks",
    "write_slicer",
    "write_table",
]
