"""Where what is shown in napari comes from: the image behind an image layer, the annotations behind a points layer.

Layers made by this plugin carry it in their metadata. Of images that were opened by others it is found out as far as
that is safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image as ImageLayer
from napari.layers import Layer
from napari.utils.transforms import Affine

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import AffineMap, FloatArray, Grid
from napari_landmarker.engine.io import ImageAnnotations, ImageGeometry, read_geometry
from napari_landmarker.engine.io.npy import NPY
from napari_landmarker.engine.io.raster import RASTER
from napari_landmarker.engine.io.tiff import TIFF

#: Where a layer's metadata hold its `ImageOrigin` or `PointsOrigin`.
IMAGE_KEY, POINTS_KEY = "landmarker_image", "landmarker_points"

#: Formats of which every reader gives the same array: their pixels have no place in a patient.
PLAIN_SUFFIXES = (*RASTER.suffixes, *TIFF.suffixes, *NPY.suffixes)

_PLACEMENT = ("scale", "translate", "rotate", "shear")


@dataclass(frozen=True, eq=False)
class ImageOrigin:
    """The image behind a layer.

    Attributes:
        path: its file or folder, or None if there is none.
        geometry: of the layer's array.
        files: all files of a DICOM series.
    """

    path: Path | None
    geometry: ImageGeometry
    files: frozenset[Path] = frozenset()


@dataclass(frozen=True, eq=False)
class PointsOrigin:
    """The annotations behind a layer of points.

    Attributes:
        annotations: as read from the file.
        image_path: their image, where it was at hand.
        matrix: ``(D+1, D+1)``, index coordinates to coordinates of the viewer, as the layer was placed.
    """

    annotations: ImageAnnotations
    image_path: Path | None
    matrix: FloatArray


@dataclass(frozen=True, eq=False)
class ShownImage:
    """An image that is open in the viewer.

    Attributes:
        layer: its layer.
        origin: where it comes from.
        matrix: ``(D+1, D+1)``, its index coordinates to coordinates of the viewer.
    """

    layer: ImageLayer
    origin: ImageOrigin
    matrix: FloatArray = field(repr=False)

    @property
    def placement(self) -> dict[str, Any]:
        """The arguments that put another layer right over this one."""
        layer = self.layer
        placed = {key: getattr(layer, key) for key in (*_PLACEMENT, "units", "axis_labels")}
        return {**placed, "affine": layer.affine.affine_matrix}


def shown_images(layers: Iterable[Layer]) -> list[ShownImage]:
    """The images among layers, the topmost first; those that this plugin draws over images are left out."""
    found = (_shown(layer) for layer in reversed(list(layers)) if isinstance(layer, ImageLayer))
    return [shown for shown in found if shown is not None]


def placement_matrix(arguments: Mapping[str, Any], ndim: int) -> FloatArray:
    """The matrix ``(D+1, D+1)`` from a layer's array coordinates to the viewer's, of the layer's arguments."""
    given = {key: np.asarray(arguments[key], dtype=np.float64) for key in _PLACEMENT if key in arguments}
    inner = Affine(ndim=ndim, **given).affine_matrix
    outer = np.asarray(arguments.get("affine", np.eye(ndim + 1)), dtype=np.float64)
    return np.asarray(outer @ inner, dtype=np.float64)


def _shown(layer: ImageLayer) -> ShownImage | None:
    if layer.multiscale or "landmarker" in layer.metadata:
        return None
    shape = layer.data.shape[:-1] if layer.rgb else layer.data.shape
    if len(shape) not in (2, 3):
        return None
    origin = layer.metadata.get(IMAGE_KEY)
    if not isinstance(origin, ImageOrigin) or origin.geometry.grid.shape != shape:
        origin = _foreign(layer, shape)
    if origin is None:
        return None
    placed = {key: getattr(layer, key) for key in _PLACEMENT}
    matrix = placement_matrix({**placed, "affine": layer.affine.affine_matrix}, len(shape))
    return ShownImage(layer, origin, matrix)


def _foreign(layer: ImageLayer, shape: tuple[int, ...]) -> ImageOrigin | None:
    """The origin of an image that another reader opened, None if it may lie otherwise than in this plugin."""
    pixels = ImageGeometry(Grid(shape), AffineMap.identity(shape))
    if layer.source.path is None:
        return ImageOrigin(None, pixels)
    path = Path(layer.source.path)
    if not path.name.lower().endswith(PLAIN_SUFFIXES):
        return None
    try:
        geometry = read_geometry(path)
    except ImageError:
        return ImageOrigin(path, pixels)
    return ImageOrigin(path, geometry) if geometry.grid.shape == shape else ImageOrigin(None, pixels)
