"""TIFF images and stacks, through tifffile (and others for compression that tifffile alone cannot undo).

The spacing is known only where ImageJ or OME metadata give a size with a metric unit. Plain TIFF resolution
(dots per inch) is a size on paper and is not used. Of several images in a file, or several resolutions of one, the
first and full one is read.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.formats import ImageFormat
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.itk import itk_pixels
from napari_landmarker.engine.io.orient import StoredGeometry
from napari_landmarker.engine.io.stream import cut_off
from napari_landmarker.engine.io.tiff_spacing import tiff_spacing

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # its remarks on odd files are not for the terminal

#: tifffile's letters for an axis along which slices lie: depth, a sequence of pages, not stated.
_DEPTH = "ZIQ"
_WHITE_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 2, 3, 6
_ALPHA = (1, 2)
#: Compressions that are undone to red, green and blue; what else states YCbCr holds just that.
_JPEG = (6, 7)


def read_tiff(path: Path) -> Image:
    """Read the first image of a TIFF file: ``(Y, X)`` or ``(Z, Y, X)`` grey, or the same with 3 colours.

    Raises:
        ImageError: if it has several channels or time points, spreads over files that are not there, or is
            compressed in a way that cannot be undone.
    """
    import tifffile

    with tifffile.TiffFile(path) as file:
        _require_all_pages(file, path)
        series = file.series[0]
        stored = _stored(file, series, path)
        array, axes = _decode(series, path)
        page = series.keyframe
        samples = int(page.samplesperpixel)
        array = _levels(array, page)
        colormap = page.colormap if page.photometric == _PALETTE else None
    shape = stored.grid.shape
    if samples > 1:
        array = np.moveaxis(array, axes.index("S"), -1).reshape(*shape, samples)
        array = array[..., :3] if samples > 2 else array[..., 0]
    else:
        array = array.reshape(shape)
    if colormap is not None:
        array = _eight_bits(colormap).T[array]
    return stored.image(_native(array))


def read_tiff_geometry(path: Path) -> ImageGeometry:
    """The geometry of the first image of a TIFF file from its tags; raises as `read_tiff`."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        _require_all_pages(file, path)
        return _stored(file, file.series[0], path).geometry()


def _require_all_pages(file: Any, path: Path) -> None:
    """Follow the pages to the last: tifffile takes the rest of a file that is cut off for all there is."""
    kind, handle, seen = file.tiff, file.filehandle, set[int]()
    order: Literal["little", "big"] = "little" if file.byteorder == "<" else "big"
    if file.is_ndpi:
        return  # that format puts something else behind a page

    def number(at: int, size: int) -> int:
        handle.seek(at)
        raw = handle.read(size)
        if len(raw) < size:
            raise cut_off(path)
        return int.from_bytes(raw, order)

    page = number(kind.offsetsize, kind.offsetsize)
    while page:
        if page in seen:
            raise ImageError(f"{path} is damaged: its pages run in a circle; export it again.")
        seen.add(page)
        page = number(page + kind.tagnosize + number(page, kind.tagnosize) * kind.tagsize, kind.offsetsize)


def _stored(file: Any, series: Any, path: Path) -> StoredGeometry:
    """The geometry of a series of pages that is one grey or colour image or stack."""
    page = series.keyframe
    samples, photometric = int(page.samplesperpixel), int(page.photometric)
    kept = [(axis, int(n)) for axis, n in zip(series.axes, series.shape, strict=True) if axis in "YX" or n > 1]
    space = [(axis, n) for axis, n in kept if axis != "S"]
    letters = "".join(axis for axis, _ in space)
    if letters not in ("YX", *(f"{depth}YX" for depth in _DEPTH)):
        raise ImageError(
            f"{path} is not one image or stack of slices but has the axes {series.axes} "
            f"({' x '.join(str(n) for n in series.shape)}): save one channel and one time point of it."
        )
    is_color = samples >= 3 and (photometric == _RGB or (photometric == _YCBCR and int(page.compression) in _JPEG))
    has_alpha = samples == 2 and all(int(kind) in _ALPHA for kind in page.extrasamples)
    if samples > 1 and not (is_color or has_alpha):
        raise ImageError(f"{path} has {samples} channels that are not red, green and blue: save one of them alone.")
    if series.dtype is None or series.dtype.kind not in "buif":
        raise ImageError(f"{path} does not hold plain numbers: save it with 8 or 16 bits or as 32-bit float.")
    if any(part is None for part in series.pages):
        raise ImageError(
            f"{path} is one part of an image in several files, and others are missing: put them beside it, "
            "or save the image as one file."
        )
    shape = tuple(n for _, n in space)
    count = len(file.series)
    notes = (f"The file holds {count} images, of which this is the first.",) if count > 1 else ()
    return StoredGeometry(Grid(shape, tiff_spacing(file, page, len(shape))), False, notes)


def _decode(series: Any, path: Path) -> tuple[npt.NDArray[Any], str]:
    """The pixels of a series and its axes."""
    try:
        return series.asarray(), str(series.axes)
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        return _decode_with_others(series, path, error), str(series.axes).replace("S", "") + "S"


def _decode_with_others(series: Any, path: Path, cause: Exception) -> npt.NDArray[Any]:
    """The pixels of a series, samples last: through Pillow, or SimpleITK where Pillow would lose bits."""
    import PIL.Image

    refused = ImageError(f"{path} is compressed in a way that cannot be read here: save it without compression.")
    samples = int(series.keyframe.samplesperpixel)
    sizes = [int(n) for axis, n in zip(series.axes, series.shape, strict=True) if axis != "S"]
    if samples > 1 and series.dtype.itemsize > 1:
        pixels = itk_pixels(path)
        if pixels is None or pixels.size != series.size or pixels.dtype != series.dtype:
            raise refused from cause
        return pixels.reshape(*sizes, samples)
    array: npt.NDArray[Any] | None = None
    try:
        with PIL.Image.open(path, formats=("TIFF",)) as picture:
            for number, page in enumerate(series.pages):
                picture.seek(page.index)
                frame = np.asarray(picture)
                if array is None:
                    array = np.empty((len(series.pages), *frame.shape), frame.dtype)
                array[number] = frame
    except PIL.UnidentifiedImageError:
        raise refused from cause
    if array is None or array.dtype.itemsize < series.dtype.itemsize:
        raise refused from cause
    if int(series.keyframe.photometric) == _WHITE_IS_ZERO and array.dtype.itemsize == 1:
        array = ~array  # Pillow has made 0 black already in these; `_levels` does it for all
    return array.reshape(*sizes, samples)


def _levels(array: npt.NDArray[Any], page: Any) -> npt.NDArray[Any]:
    """The values with 0 as black, in a dtype of numbers; changes ``array``."""
    bits = int(page.bitspersample)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
        array *= np.uint8(255)
        bits = 8
    if int(page.photometric) == _WHITE_IS_ZERO and array.dtype.kind == "u":
        array = _native(array)
        highest = (1 << bits) - 1 if bits > 8 else 255
        np.subtract(array.dtype.type(highest), array, out=array)
    return array


def _native(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The values in the machine's byte order, in the same memory, which can be written to."""
    if not array.flags.writeable:
        array = array.copy()
    if not array.dtype.isnative:
        array = array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))
    return array


def _eight_bits(colormap: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """A TIFF colour map ``(3, N)`` of 16 bits as 8 bits; some writers fill only the lower 8."""
    colormap = np.asarray(colormap)
    return (colormap >> 8 if colormap.max() > 255 else colormap).astype(np.uint8)


TIFF = ImageFormat("TIFF", (".tif", ".tiff"), read_tiff, read_tiff_geometry)
