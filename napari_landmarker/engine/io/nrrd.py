"""NRRD images, with their values in the same file (.nrrd) or in one beside it (.nhdr).

What the file does not state is not known: without a space of the patient a volume is shown as stored, without
spacings in a unit of length its measurements are in pixels. Source: Definition of NRRD File Format,
https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.channels import require_colors, several_volumes
from napari_landmarker.engine.io.formats import ImageFormat
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.nrrd_header import NrrdHeader, Vector
from napari_landmarker.engine.io.orient import NO_UNIT, StoredGeometry, oriented_grid
from napari_landmarker.engine.io.stream import Stream, cut_off, read_values, skip
from napari_landmarker.engine.io.units import mm_per_unit

_SPATIAL = ("domain", "space", "???", "none")
_COLORS = ("rgb-color", "rgba-color", "3-color", "4-color")
_TEXT = ("txt", "text", "ascii")
_NO_PLACE = "The slice's place in the patient is left out: a single image has no depth."


def read_nrrd(path: Path) -> Image:
    """Read an image as ``(Y, X)`` or ``(Z, Y, X)``, colours behind it; volumes are turned to lie nearest to LPS.

    Raises:
        ImageError: if it is not one image or volume of grey values or colours, or its axes are sheared.
    """
    header = NrrdHeader.read(path)
    spatial, color = _axes(header)
    stored = _stored(header, spatial)
    array = _values(header).reshape(header.sizes[::-1])
    count = len(header.sizes)
    if color is not None:
        array = np.moveaxis(array, count - 1 - color, -1)
        return stored.image(array.reshape(*stored.grid.shape, array.shape[-1])[..., :3])
    return stored.image(array.reshape(stored.grid.shape))


def read_nrrd_geometry(path: Path) -> ImageGeometry:
    """The geometry of an NRRD file from its header; raises as `read_nrrd`."""
    header = NrrdHeader.read(path)
    return _stored(header, _axes(header)[0]).geometry()


def _axes(header: NrrdHeader) -> tuple[tuple[int, ...], int | None]:
    """The axes of space, fastest first, and the axis of colours, if any; others have a length of 1."""
    sizes, kinds, directions = header.sizes, header.kinds, header.directions
    spatial, color = [], None
    for axis, (size, kind) in enumerate(zip(sizes, kinds, strict=True)):
        if kind in _SPATIAL if directions is None else directions[axis] is not None:
            spatial.append(axis)
        elif size > 1 and (kind in ("time", "list") or color is not None):
            raise several_volumes(header.path, sizes)
        elif size > 1:
            color = axis
            require_colors(size, header.dtype if kind not in _COLORS or header.dtype.kind != "u" else "u1", header.path)
    if len(spatial) > 3:
        raise several_volumes(header.path, sizes)
    if len(spatial) < 2:
        raise ImageError(f"{header.path} holds no image (its sizes are {sizes}): choose one with 2 or 3 dimensions.")
    return tuple(spatial), color


def _stored(header: NrrdHeader, spatial: tuple[int, ...]) -> StoredGeometry:
    """The geometry of the array as stored, in array order."""
    shape = tuple(header.sizes[axis] for axis in reversed(spatial))
    if header.directions is not None:
        steps = [step for step in header.directions if step is not None]
        return _placed(header, shape, steps)
    spacings = [header.spacings[axis] for axis in reversed(spatial)]
    if any(np.isinf(s) or s <= 0 for s in spacings):
        raise ImageError(f"{header.path} states no valid spacing: export it again from the program that made it.")
    units = header.units("units", len(header.sizes))
    scales = [_scale(units[axis]) for axis in reversed(spatial)]
    sizes = [s * scale for s, scale in zip(spacings, scales, strict=True)]
    if not np.isfinite(sizes).all():
        return StoredGeometry(Grid(shape), False)
    return StoredGeometry(Grid(shape, tuple(sizes)), False, () if all(units) else (NO_UNIT,))


def _placed(header: NrrdHeader, shape: tuple[int, ...], steps: list[Vector]) -> StoredGeometry:
    """The geometry from a step ``(S,)`` per axis of space, fastest first, in a space of S dimensions."""
    ndim, dims = len(shape), len(steps[0])
    if dims > 3:
        raise ImageError(f"{header.path} lies in a space of {dims} dimensions, as over time: save it as a 3D volume.")
    signs, units = header.to_lps, header.units("spaceunits", dims)
    scales = np.array([_scale(unit) for unit in units])
    sized = bool(np.isfinite(scales).all())
    scales = np.where(np.isfinite(scales), scales, 1.0)
    notes = (NO_UNIT,) if sized and signs is None and not all(units) else ()
    origin = np.array(header.origin or (0.0,) * dims)
    if origin.shape != (dims,) or dims < ndim or (signs is not None and dims != 3):
        raise ImageError(f"{header.path} states a space that does not fit its dimension: export it again.")
    axes = np.array(steps[::-1]).T * scales[:, None]
    if dims > ndim:
        sizes = np.linalg.norm(axes, axis=0)
        flat = oriented_grid(shape, np.fliplr(np.diag(sizes[::-1])), np.zeros(ndim), header.path, sized=sized)
        return StoredGeometry(flat, False, (*notes, _NO_PLACE))
    to_lps = np.ones(dims) if signs is None else signs
    grid = oriented_grid(shape, axes * to_lps[:, None], origin * scales * to_lps, header.path, sized=sized)
    return StoredGeometry(grid, signs is not None, notes)


def _scale(unit: str) -> float:
    """Millimetres in a unit; 1 where none is named, NaN for one that is no length."""
    return 1.0 if not unit else mm_per_unit(unit) or np.nan


def _values(header: NrrdHeader) -> npt.NDArray[Any]:
    """All values, ``(N,)``."""
    path = _data_path(header)
    encoding, dtype, count = header.encoding, header.dtype, int(np.prod(header.sizes, dtype=object))
    skipped = int(header.fields.get("byteskip", "0"))
    with path.open("rb") as file:
        file.seek(header.end if path == header.path else 0)
        for _ in range(int(header.fields.get("lineskip", "0"))):
            file.readline()
        if encoding in _TEXT:
            skip(file, skipped, path)
            words = file.read().split(maxsplit=count)[:count]
            if len(words) < count:
                raise cut_off(path)
            return np.array(words, dtype=np.bytes_).astype(dtype.newbyteorder("="))
        if encoding == "raw":
            size = path.stat().st_size
            file.seek(max(0, size - count * dtype.itemsize) if skipped < 0 else file.tell() + skipped)
            return read_values(file, count, dtype, path, available=size - file.tell())
        stream: Stream
        if encoding in ("gz", "gzip"):
            stream = gzip.GzipFile(fileobj=file)
        elif encoding in ("bz2", "bzip2"):
            stream = bz2.BZ2File(file)
        else:
            raise ImageError(f"{header.path} is written in the encoding {encoding}: save it again as raw or gzip.")
        skip(stream, skipped, path)
        return read_values(stream, count, dtype, path)


def _data_path(header: NrrdHeader) -> Path:
    """The file that holds the values."""
    name = header.fields.get("datafile", "")
    if not name or name.upper() == "LOCAL":
        return header.path
    if name.upper().startswith("LIST") or "%" in name:
        raise ImageError(f"{header.path} has its values in several files: save it again as one .nrrd file.")
    path = header.path.parent / name
    if not path.is_file():
        raise ImageError(f"{header.path} has its values in {name}, which is not there: put it beside it.")
    return path


NRRD = ImageFormat("NRRD", (".nrrd", ".nhdr"), read_nrrd, read_nrrd_geometry)
