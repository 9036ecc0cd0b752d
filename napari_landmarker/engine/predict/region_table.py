"""The table of regions: where each point may be, at the confidence that a calibrated model promises."""

from __future__ import annotations

import numpy as np

from napari_landmarker.engine.errors import CalibrationError
from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.io.image_names import portable_name
from napari_landmarker.engine.io.table_text import number_text, safe_text
from napari_landmarker.engine.predict.prediction import Prediction
from napari_landmarker.engine.uncertainty import Box, Calibration, Ellipsoid, Region

_FIRST, _LAST = ("image", "landmark", "confidence", "shape", "size", "unit"), "reason"


def region_rows(
    image: str, prediction: Prediction, geometry: ImageGeometry, calibration: Calibration, confidence: float
) -> list[list[str]]:
    """The rows of one image: what its regions are like, and the box around each in pixels of the image as stored.

    Of an image that the calibration does not fit, such as one without spacing where others have one, the rows say why
    there is no region, in the last column; it also says why a region is the whole image.

    Args:
        image: its name.
        prediction: what the model says of it.
        geometry: where its pixels are.
        calibration: of the model.
        confidence: what is promised.
    """
    first = safe_text(portable_name(image))
    try:
        regions = calibration.regions(prediction, confidence)
    except CalibrationError as error:
        unknown = ["none", *[""] * (len(region_header(prediction.landmarks.grid.ndim)) - len(_FIRST) + 1)]
        return [[first, safe_text(name), f"{confidence:g}", *unknown, str(error)] for name in prediction.names]
    return [
        [
            *(first, safe_text(name), f"{confidence:g}", _shape(region), number_text(region.size), region.unit),
            *(number_text(value) for value in _bounds(region, geometry.stored)),
            region.reason,
        ]
        for name, region in regions.items()
    ]


def region_header(ndim: int) -> tuple[str, ...]:
    """The names of the columns; the ends of a box are ``min_x, max_x`` and so on."""
    return (*_FIRST, *(f"{end}_{axis}" for axis in "xyz"[:ndim] for end in ("min", "max")), _LAST)


def _shape(region: Region) -> str:
    if region.whole:
        return "whole image"
    if isinstance(region, Ellipsoid):
        return "ellipse" if region.grid.ndim == 2 else "ellipsoid"
    return "box" if isinstance(region, Box) else "set"


def _bounds(region: Region, stored: AffineMap) -> list[float]:
    """``min_x, max_x, min_y, ...`` of the box around a region, as stored; the axes of an image are only reordered."""
    ends = np.sort(stored.apply(np.stack(region.bounds())), axis=0)
    return [float(value) for axis in ends.T[::-1] for value in axis]
