"""The spacing that ImageJ or OME metadata of a TIFF file state, where they name a metric unit.

Sources: ImageJ, ij.io.FileInfo and TiffEncoder; OME-TIFF, https://docs.openmicroscopy.org/ome-model/
(2016-06).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from napari_landmarker.engine.io.units import mm_per_unit

#: What the OME schema says a size without a unit is in.
_OME_UNIT = "\u00b5m"


def tiff_spacing(file: Any, page: Any, ndim: int) -> tuple[float, ...] | None:
    """Millimetres per array axis ``(D,)`` of an open `TiffFile`, or None where an axis has none stated."""
    if file.is_ome:
        return _ome(str(file.ome_metadata), ndim)
    if file.is_imagej:
        return _imagej(file.imagej_metadata or {}, page, ndim)
    return None


def _ome(text: str, ndim: int) -> tuple[float, ...] | None:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    for element in root.iter():
        if element.tag.rpartition("}")[2] == "Pixels":
            sizes = []
            for axis in "ZYX"[-ndim:]:
                size = element.get(f"PhysicalSize{axis}")
                unit = element.get(f"PhysicalSize{axis}Unit", _OME_UNIT)
                sizes.append(_number(size) * (mm_per_unit(unit) or math.nan))
            return _if_known(sizes)
    return None


def _imagej(metadata: dict[str, Any], page: Any, ndim: int) -> tuple[float, ...] | None:
    sizes = [_number(metadata.get("spacing"))] if ndim == 3 else []
    for name in ("YResolution", "XResolution"):  # pixels per unit, as a fraction
        tag = page.tags.get(name)
        pixels, length = tag.value if tag is not None else (0, 0)
        sizes.append(length / pixels if pixels else math.nan)
    units = [metadata.get(name, metadata.get("unit", "")) for name in ("zunit", "yunit", "unit")[-ndim:]]
    scales = [mm_per_unit(str(unit).replace("\\u00B5", "\u00b5")) or math.nan for unit in units]
    return _if_known([size * scale for size, scale in zip(sizes, scales, strict=True)])


def _number(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        return math.nan


def _if_known(sizes: Sequence[float]) -> tuple[float, ...] | None:
    return tuple(sizes) if all(math.isfinite(size) and size > 0 for size in sizes) else None
