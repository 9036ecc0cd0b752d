"""Images and annotations on disk: one module per format, behind one dispatch each.

Importing this package is cheap: the libraries that decode images are imported when a file is read.
"""

from __future__ import annotations

from napari_landmarker.engine.io.annotation_format import AnnotationFormat, Capabilities, ImageAnnotations
from napari_landmarker.engine.io.annotations import (
    ANNOTATION_FORMATS,
    ANNOTATION_SUFFIXES,
    find_format,
    read_annotation_file,
    read_landmarks,
    write_annotation_file,
    write_landmarks,
)
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.images import (
    IMAGE_SUFFIXES,
    distinct_images,
    find_images,
    image_stem,
    is_image_file,
    read_geometry,
    read_image,
)
from napari_landmarker.engine.io.labelme import read_labelme, write_labelme
from napari_landmarker.engine.io.slicer import read_slicer, write_slicer
from napari_landmarker.engine.io.table import read_table, write_table

__all__ = [
    "ANNOTATION_FORMATS",
    "ANNOTATION_SUFFIXES",
    "IMAGE_SUFFIXES",
    "AnnotationFormat",
    "Capabilities",
    "Image",
    "ImageAnnotations",
    "ImageGeometry",
    "distinct_images",
    "find_format",
    "find_images",
    "image_stem",
    "is_image_file",
    "read_annotation_file",
    "read_geometry",
    "read_image",
    "read_labelme",
    "read_landmarks",
    "read_slicer",
    "read_table",
    "write_annotation_file",
    "write_labelme",
    "write_landmarks",
    "write_slicer",
    "write_table",
]
