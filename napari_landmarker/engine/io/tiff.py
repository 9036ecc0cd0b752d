"""TIFF images and stacks, through tifffile (and Pillow for compression that tifffile alone cannot undo).

The spacing is known only where ImageJ or OME metadata give a size with a metric unit. Plain TIFF resolution
(dots per inch) is a size on paper and is not used.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.io.formats import ImageFormat
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.tiff_spacing import tiff_spacing

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # its remarks on odd files are not for the terminal

#: tifffile's letters for an axis along which slices lie: depth, a sequence of pages, not stated.
_DEPTH = "ZIQ"
_WHITE_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 2, 3, 6
_ALPHA = (1, 2)


def read_tiff(path: Path) -> Image:
    """Read the first image of a TIFF file: ``(Y, X)`` or ``(Z, Y, X)`` grey, or the same with 3 colours.

    Raises:
        ImageError: if it has several channels or time points, or is compressed in a way that cannot be
            undone.
    """
    import tifffile

    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        grid = _grid(file, series, path)
        array, axes = _decode(series, path)
        page = series.keyframe
        samples = int(page.samplesperpixel)
        array = _levels(array, page)
        colormap = page.colormap if page.photometric == _PALETTE else None
    if samples > 1:
        array = np.moveaxis(array, axes.index("S"), -1).reshape(*grid.shape, samples)
        array = array[..., :3] if samples > 2 else array[..., 0]
    else:
        array = array.reshape(grid.shape)
    if colormap is not None:
        array = np.moveaxis(_eight_bits(colormap)[:, array], 0, -1)
    array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False))
    return Image(array, grid, AffineMap.identity(grid.shape))


def read_tiff_geometry(path: Path) -> ImageGeometry:
    """The geometry of the first image of a TIFF file from its tags; raises as `read_tiff`."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        grid = _grid(file, file.series[0], path)
    return ImageGeometry(grid, AffineMap.identity(grid.shape))


def _grid(file: Any, series: Any, path: Path) -> Grid:
    """The grid of a series of pages that is one grey or colour image or stack."""
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
    is_color = photometric in (_RGB, _YCBCR) and samples >= 3
    has_alpha = samples == 2 and all(int(kind) in _ALPHA for kind in page.extrasamples)
    if samples > 1 and not (is_color or has_alpha):
        raise ImageError(f"{path} has {samples} channels that are not red, green and blue: save one of them alone.")
    if series.dtype is None or series.dtype.kind not in "buif":
        raise ImageError(f"{path} does not hold plain numbers: save it with 8 or 16 bits or as 32-bit float.")
    shape = tuple(n for _, n in space)
    return Grid(shape, tiff_spacing(file, page, len(shape)))


def _decode(series: Any, path: Path) -> tuple[npt.NDArray[Any], str]:
    """The pixels of a series and its axes."""
    try:
        return series.asarray(), str(series.axes)
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        return _decode_with_pillow(series, path, error), str(series.axes).replace("S", "") + "S"


def _decode_with_pillow(series: Any, path: Path, cause: Exception) -> npt.NDArray[Any]:
    """The pixels of a series, page by page; samples come last."""
    import PIL.Image

    try:
        with PIL.Image.open(path, formats=("TIFF",)) as picture:
            frames = []
            for page in series.pages:
                picture.seek(page.index)
                frames.append(np.array(picture))
    except PIL.UnidentifiedImageError:
        raise ImageError(
            f"{path} is compressed in a way that cannot be read here: save it without compression."
        ) from cause
    array = np.stack(frames)
    if int(series.keyframe.photometric) == _WHITE_IS_ZERO and array.dtype.itemsize == 1:
        array = ~array  # Pillow has made 0 black already in these; `_levels` does it for all
    samples = int(series.keyframe.samplesperpixel)
    sizes = [n for axis, n in zip(series.axes, series.shape, strict=True) if axis != "S"]
    return array.reshape(*sizes, samples)


def _levels(array: npt.NDArray[Any], page: Any) -> npt.NDArray[Any]:
    """The values with 0 as black, in a dtype of numbers."""
    if array.dtype.kind == "b":
        array = array.astype(np.uint8) * np.uint8(255)
        return 255 - array if int(page.photometric) == _WHITE_IS_ZERO else array
    if int(page.photometric) == _WHITE_IS_ZERO and array.dtype.kind == "u":
        bits = int(page.bitspersample)
        highest = (1 << bits) - 1 if bits > 8 else 255
        return np.asarray(array.dtype.type(highest) - array)
    return array


def _eight_bits(colormap: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """A TIFF colour map ``(3, N)`` of 16 bits as 8 bits; some writers fill only the lower 8."""
    colormap = np.asarray(colormap)
    return (colormap >> 8 if colormap.max() > 255 else colormap).astype(np.uint8)


TIFF = ImageFormat("TIFF", (".tif", ".tiff"), read_tiff, read_tiff_geometry)
