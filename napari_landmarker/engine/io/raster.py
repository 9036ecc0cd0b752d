"""PNG, JPEG and BMP images, through Pillow (and SimpleITK for 16-bit colour, which Pillow rounds to 8 bits).

These formats state no physical size: their spacing is unknown. An EXIF orientation is applied, and the turned
image counts as the image as stored. Transparency is dropped, not blended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.io.formats import ImageFormat
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.itk import itk_pixels

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    Pixels = npt.NDArray[Any]

_CONTENTS = ("PNG", "JPEG", "BMP", "DIB")
_EXIF_ORIENTATION = 0x0112
_ROUNDED = "The file's 16-bit values are read with 8 bits."

#: What to do with the pixels for each EXIF orientation (EXIF 2.32, section 4.6.4).
_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
_SIDEWAYS = (5, 6, 7, 8)

_PNG_START, _PNG_BITS, _PNG_KIND = b"\x89PNG\r\n\x1a\n", 24, 25
#: Kinds of colour of PNG files that have more than one channel.
_PNG_GREY_ALPHA, _PNG_COLORS = 4, (2, 6)


def read_raster(path: Path) -> Image:
    """Read a PNG, JPEG or BMP image as ``(Y, X)`` grey or ``(Y, X, 3)`` colour.

    Raises:
        ImageError: if it has more pixels than Pillow deems safe.
    """
    kind = _deep_kind(path)
    with _opened(path) as picture:
        upright = _UPRIGHT[_orientation(picture)]
        array = _deep_colors(path, picture.size) if kind in _PNG_COLORS else None
        notes = (_ROUNDED,) if kind is not None and array is None else ()
        if array is None:
            array = np.array(picture.convert("L") if kind == _PNG_GREY_ALPHA else _plain(picture))
    array = upright(array.astype(array.dtype.newbyteorder("="), copy=False))
    grid = Grid(array.shape[:2])
    return Image(array, grid, AffineMap.identity(grid.shape), notes=notes)


def read_raster_geometry(path: Path) -> ImageGeometry:
    """The size of a PNG, JPEG or BMP image, from its header."""
    with _opened(path) as picture:
        width, height = picture.size
        shape = (width, height) if _orientation(picture) in _SIDEWAYS else (height, width)
    notes = (_ROUNDED,) if _deep_kind(path) == _PNG_GREY_ALPHA else ()
    return ImageGeometry(Grid(shape), AffineMap.identity(shape), notes=notes)


def _deep_kind(path: Path) -> int | None:
    """The kind of colour of a PNG file with 16 bits for each of several channels, which Pillow rounds."""
    with path.open("rb") as file:
        start = file.read(_PNG_KIND + 1)
    deep = len(start) > _PNG_KIND and start.startswith(_PNG_START) and start[_PNG_BITS] == 16
    return start[_PNG_KIND] if deep and start[_PNG_KIND] in (_PNG_GREY_ALPHA, *_PNG_COLORS) else None


def _deep_colors(path: Path, size: tuple[int, int]) -> Pixels | None:
    """The 16-bit colours ``(Y, X, 3)`` of a PNG file of ``(width, height)``, or None where they cannot be had."""
    array = itk_pixels(path)
    if array is None or array.dtype != np.uint16 or array.ndim != 3 or array.shape[1::-1] != size:
        return None
    return array[..., :3]


@contextmanager
def _opened(path: Path) -> Iterator[Picture]:
    import PIL.Image

    try:
        with PIL.Image.open(path, formats=_CONTENTS) as picture:
            yield picture
    except PIL.Image.DecompressionBombError as error:
        raise ImageError(f"{path} has too many pixels to be opened: crop it or make it smaller.") from error


def _orientation(picture: Picture) -> int:
    """The EXIF orientation as far as it stands before the pixels, so that header and image always agree."""
    from PIL.Image import Image as Base

    # Pillow's own method for PNG would decode all pixels to look for EXIF data behind them
    value: int = Base.getexif(picture).get(_EXIF_ORIENTATION, 1)
    return value if value in _UPRIGHT else 1


def _plain(picture: Picture) -> Picture:
    """The picture in a mode that is one grey channel or RGB; transparency is dropped, not blended."""
    mode = picture.mode
    if mode in ("L", "I", "F", "RGB") or mode.startswith("I;16"):
        return picture
    if mode in ("1", "LA"):
        return picture.convert("L")
    if mode in ("P", "PA", "RGBa"):
        return picture.convert("RGBA").convert("RGB")
    return picture.convert("RGB")


RASTER = ImageFormat("PNG, JPEG or BMP", (".png", ".jpg", ".jpeg", ".bmp"), read_raster, read_raster_geometry)
