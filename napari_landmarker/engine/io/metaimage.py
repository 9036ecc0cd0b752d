"""MetaImage files of ITK, with their values in the same file (.mha) or in one beside it (.mhd).

Its world is LPS, as ours. What the file does not state is not known: without ElementSpacing measurements are in
pixels, without TransformMatrix a volume is shown as stored. Source: MetaIO documentation,
https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io.channels import require_colors, several_volumes
from napari_landmarker.engine.io.formats import ImageFormat
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.orient import StoredGeometry, oriented_grid
from napari_landmarker.engine.io.stream import Stream, ZlibStream, cut_off, read_values
from napari_landmarker.engine.io.units import mm_per_unit

_LONGEST_LINE = 1 << 16
_MOST_LINES = 10_000
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
#: Other names of fields, which MetaIO has had in the course of time.
_OLD_NAMES = {
    "Rotation": "TransformMatrix", "Orientation": "TransformMatrix", "Origin": "Offset", "Position": "Offset",
    "ElementByteOrderMSB": "BinaryDataByteOrderMSB",
}  # fmt: skip

Fields = dict[str, str]


def read_metaimage(path: Path) -> Image:
    """Read an image as ``(Y, X)`` or ``(Z, Y, X)``, colours behind it; volumes are turned to lie nearest to LPS.

    Raises:
        ImageError: if it is not one image or volume of grey values or colours, or its axes are sheared.
    """
    fields, end = _header(path)
    stored = _stored(fields, path)
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    array = _values(fields, path, end, channels)
    if channels > 1:
        return stored.image(array.reshape(*stored.grid.shape, channels)[..., :3])
    return stored.image(array.reshape(stored.grid.shape))


def read_metaimage_geometry(path: Path) -> ImageGeometry:
    """The geometry of a MetaImage file from its header; raises as `read_metaimage`."""
    return _stored(_header(path)[0], path).geometry()


def _header(path: Path) -> tuple[Fields, int]:
    """The fields, of which ElementDataFile is the last, and where they end in the file."""
    fields: Fields = {}
    with path.open("rb") as file:
        for _ in range(_MOST_LINES):
            line = file.readline(_LONGEST_LINE)
            name, equals, value = line.decode("utf-8", errors="surrogateescape").partition("=")
            if not equals and line.strip():
                raise ImageError(f"{path} is no MetaImage file: choose another, or export it again as .mha.")
            fields[_OLD_NAMES.get(name.strip(), name.strip())] = value.strip()
            if "ElementDataFile" in fields or not line:
                break
        end = file.tell()
    missing = [name for name in ("NDims", "DimSize", "ElementType", "ElementDataFile") if name not in fields]
    if missing:
        raise ImageError(f"{path} does not state {missing[0]}, which MetaImage files must: copy or export it again.")
    return fields, end


def _numbers(text: str, count: int, path: Path) -> npt.NDArray[np.float64]:
    out = np.array([float(n) for n in text.split()])
    if len(out) != count:
        raise ImageError(f"{path} states a geometry that does not fit its dimension: export it again.")
    return out


def _stored(fields: Fields, path: Path) -> StoredGeometry:
    """The geometry of the array as stored, in array order; further axes of length 1 are dropped."""
    sizes = tuple(int(n) for n in fields["DimSize"].split())
    count = int(fields["NDims"])
    if len(sizes) != count or min(sizes) < 1:
        raise ImageError(f"{path} states sizes that do not fit its dimension: export it again.")
    if any(n > 1 for n in sizes[3:]):
        raise several_volumes(path, sizes)
    if count < 2:
        raise ImageError(f"{path} holds no image (its sizes are {sizes}): choose one with 2 or 3 dimensions.")
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    if channels != 1:
        require_colors(channels, _dtype(fields, path), path)
    ndim = min(count, 3)
    unit = fields.get("DistanceUnits", "?")
    scale = 1.0 if unit in ("", "?") else mm_per_unit(unit)
    sized = "ElementSpacing" in fields and scale is not None
    spacing = _numbers(fields["ElementSpacing"], count, path)[:ndim] if sized else np.ones(ndim)
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise ImageError(f"{path} states no valid spacing: export it again from the program that made it.")
    oriented = "TransformMatrix" in fields
    rows = _numbers(fields["TransformMatrix"], count**2, path) if oriented else np.eye(count).ravel()
    origin = _numbers(fields["Offset"], count, path)[:ndim] if "Offset" in fields else np.zeros(ndim)
    axes = rows.reshape(count, count)[:ndim, :ndim].T * spacing * (scale or 1.0)  # a row of the matrix is an axis
    grid = oriented_grid(sizes[ndim - 1 :: -1], np.fliplr(axes), origin * (scale or 1.0), path, sized=sized)
    return StoredGeometry(grid, oriented)


def _dtype(fields: Fields, path: Path) -> np.dtype[np.generic]:
    code = _TYPES.get(fields["ElementType"].upper().removesuffix("_ARRAY"))
    if code is None:
        raise ImageError(f"{path} does not hold plain numbers: save it with 8 or 16 bits or as 32-bit float.")
    return np.dtype((">" if _is_true(fields, "BinaryDataByteOrderMSB") else "<") + code)


def _is_true(fields: Fields, name: str, otherwise: str = "False") -> bool:
    return fields.get(name, otherwise)[:1] in ("T", "t", "1", "Y", "y")


def _values(fields: Fields, header: Path, end: int, channels: int) -> npt.NDArray[Any]:
    """All values, ``(N,)``."""
    path, start = _data_path(fields, header), 0
    if path == header:
        start = end
    dtype = _dtype(fields, header)
    count = int(np.prod([int(n) for n in fields["DimSize"].split()], dtype=object)) * channels
    size = path.stat().st_size
    skipped = int(fields.get("HeaderSize", "0"))
    with path.open("rb") as file:
        if skipped < 0:
            start = max(0, size - count * dtype.itemsize)
        file.seek(start + max(0, skipped) * (path != header))
        if not _is_true(fields, "BinaryData", "True"):
            words = file.read().split(maxsplit=count)[:count]
            if len(words) < count:
                raise cut_off(path)
            return np.array(words, dtype=np.bytes_).astype(dtype.newbyteorder("="))
        packed = _is_true(fields, "CompressedData")
        stream: Stream = ZlibStream(file) if packed else file
        return read_values(stream, count, dtype, path, available=None if packed else size - file.tell())


def _data_path(fields: Fields, header: Path) -> Path:
    """The file that holds the values."""
    name = fields["ElementDataFile"]
    if name.upper() == "LOCAL":
        return header
    if name.upper().startswith("LIST") or "%" in name:
        raise ImageError(f"{header} has its values in several files: save it again as one .mha file.")
    path = header.parent / name
    if not path.is_file():
        raise ImageError(f"{header} has its values in {name}, which is not there: put it beside it.")
    return path


METAIMAGE = ImageFormat("MetaImage", (".mha", ".mhd"), read_metaimage, read_metaimage_geometry)
