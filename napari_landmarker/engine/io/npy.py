"""NumPy arrays (.npy) and archives of them (.npz).

An array is ``(Y, X)`` or ``(Z, Y, X)``, or has colours behind it, ``(Y, X, 3)`` or ``(Z, Y, X, 3)``. It is in colour
where its last of three or four axes has a length of 3 and its numbers are unsigned with 8 or 16 bits, or real;
every other array of three axes is a volume. In an archive a stated spacing decides: it has a number for each axis of
space.

An archive holds one image, under any name, or under ``image`` or ``array`` where there are several arrays, and may
hold ``spacing`` (mm, array order), ``origin`` (mm, LPS, ``x, y[, z]``) and ``direction`` (``(D, D)``, column ``a`` the
world direction of array axis ``a``). Pickled objects are never loaded. Source: numpy.lib.format.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy_format

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import Grid, reversed_axes
from napari_landmarker.engine.io.channels import several_volumes
from napari_landmarker.engine.io.formats import ImageFormat
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.orient import StoredGeometry, oriented_grid
from napari_landmarker.engine.io.stream import Stream, read_values

_GEOMETRY = ("spacing", "origin", "direction")
_NAMES = ("image", "array")
_COLORS = 3
#: No array of geometry has more numbers.
_MOST_NUMBERS = 9


@dataclass(frozen=True)
class _Header:
    """What stands before the numbers of an array."""

    shape: tuple[int, ...]
    columns_first: bool
    dtype: np.dtype[Any]

    @property
    def count(self) -> int:
        return int(np.prod(self.shape, dtype=object))


def read_npy(path: Path) -> Image:
    """Read an array as an image.

    Raises:
        ImageError: if it is not two- or three-dimensional, holds no plain numbers, or the archive holds no
            image or several.
    """
    with _opened(path) as (stream, header, given, notes):
        stored = _stored(header, given, notes, path)
        size = path.stat().st_size if path.suffix.lower() == ".npy" else None
        kept, convert = _conversion(header.dtype)
        values = read_values(stream, header.count, header.dtype, path, available=size, kept=kept, convert=convert)
    array = values.reshape(header.shape[::-1]).T if header.columns_first else values.reshape(header.shape)
    return stored.image(array)


def read_npy_geometry(path: Path) -> ImageGeometry:
    """The geometry of an array from its header; raises as `read_npy`."""
    with _opened(path) as (_, header, given, notes):
        return _stored(header, given, notes, path).geometry()


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Stream, _Header, dict[str, npt.NDArray[np.float64]], tuple[str, ...]]]:
    """The stream at the image's numbers, its header, the geometry that is given with it, and notes."""
    if path.suffix.lower() == ".npy":
        with path.open("rb") as file:
            yield cast(Stream, file), _header(file, path), {}, ()
        return
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        given = {name: _numbers(archive, name, path) for name in _GEOMETRY if name in names}
        name, others = _image_name([name for name in names if name not in _GEOMETRY], path)
        notes = (f"The archive's other arrays are left out: {', '.join(others)}.",) if others else ()
        with archive.open(f"{name}.npy") as member:
            yield cast(Stream, member), _header(member, path), given, notes


def _header(file: Any, path: Path) -> _Header:
    """Read the header of an array; the file then stands at its numbers."""
    version = npy_format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise _no_numbers(path)  # later versions are for arrays with named fields
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of files that Python 2 wrote, which are as good
        shape, columns_first, dtype = read(file)
    if dtype.kind not in "buif":
        raise _no_numbers(path)
    return _Header(tuple(int(n) for n in shape), bool(columns_first), dtype)


def _no_numbers(path: Path) -> ImageError:
    return ImageError(f"{path} does not hold plain numbers: save a real array, of 8 or 16 bits or float32.")


def _numbers(archive: zipfile.ZipFile, name: str, path: Path) -> npt.NDArray[np.float64]:
    """A small array of an archive."""
    with archive.open(f"{name}.npy") as member:
        header = _header(member, path)
        if header.count > _MOST_NUMBERS:
            raise _unfit(path, name)
        values = read_values(cast(Stream, member), header.count, header.dtype, path).astype(np.float64)
    return values.reshape(header.shape[::-1]).T if header.columns_first else values.reshape(header.shape)


def _image_name(names: list[str], path: Path) -> tuple[str, list[str]]:
    """Which array of an archive is the image, and which others there are."""
    chosen = names if len(names) == 1 else [name for name in names if name in _NAMES]
    if len(chosen) != 1:
        found = f"the arrays {', '.join(names)}" if names else "no array"
        raise ImageError(f"{path} holds {found}: save one image in it, under the name image.")
    return chosen[0], [name for name in names if name != chosen[0]]


def _unfit(path: Path, name: str) -> ImageError:
    return ImageError(f"{path} holds a {name} that does not fit its image: give the numbers the image has axes for.")


def _stored(
    header: _Header, given: dict[str, npt.NDArray[np.float64]], notes: tuple[str, ...], path: Path
) -> StoredGeometry:
    """The geometry of the array as stored."""
    shape = header.shape
    if header.count < 1 or len(shape) < 2:
        raise ImageError(f"{path} holds no image (its shape is {shape}): save an array with 2 or 3 dimensions.")
    spacing = given.get("spacing")
    can_be_color = len(shape) in (3, 4) and shape[-1] == _COLORS and _may_be_color(header.dtype)
    is_color = can_be_color and not (spacing is not None and spacing.shape == (len(shape),))
    space = shape[:-1] if is_color else shape
    if len(space) > 3:
        raise several_volumes(path, shape)
    if is_color and len(shape) == 3 and spacing is None:
        notes = (*notes, f"An array of {' x '.join(map(str, shape))} is taken for a colour picture.")
    ndim = len(space)
    for name, sizes in (("spacing", (ndim,)), ("origin", (ndim,)), ("direction", (ndim, ndim))):
        if name in given and given[name].shape != sizes:
            raise _unfit(path, name)
    if not given:
        return StoredGeometry(Grid(space), False, notes)
    direction = given.get("direction", reversed_axes(ndim))
    is_unit = np.allclose(np.linalg.norm(direction, axis=0), 1, atol=1e-3)
    if not is_unit or (spacing is not None and not (spacing > 0).all()):
        raise ImageError(
            f"{path} holds no valid spacing or direction: give positive millimetres, and axes of length 1."
        )
    axes = direction * (1.0 if spacing is None else spacing)
    grid = oriented_grid(space, axes, given.get("origin", np.zeros(ndim)), path, sized=spacing is not None)
    return StoredGeometry(grid, "direction" in given, notes)


def _may_be_color(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "f" or (dtype.kind == "u" and dtype.itemsize <= 2)


def _conversion(dtype: np.dtype[Any]) -> tuple[npt.DTypeLike | None, Any]:
    """The dtype that is kept and how to come to it: black and white become 0 and 255, and 64 bits are enough."""
    if dtype.kind == "b":
        return np.uint8, lambda piece: piece.astype(np.uint8) * np.uint8(255)
    return (np.float64 if dtype.itemsize > 8 else None), None


NPY = ImageFormat("NumPy", (".npy", ".npz"), read_npy, read_npy_geometry)
