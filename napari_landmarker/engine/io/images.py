"""Images of any format: which files are images, and reading them by the ending of their name."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_landmarker.engine.errors import ImageError, LandmarkerError
from napari_landmarker.engine.io.formats import ImageFormat
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.nifti import NIFTI
from napari_landmarker.engine.io.raster import RASTER
from napari_landmarker.engine.io.tiff import TIFF

#: Every format that is read; a further one joins by standing here.
FORMATS: tuple[ImageFormat, ...] = (RASTER, TIFF, NIFTI)

#: Endings of image files, in lower case and with the dot.
IMAGE_SUFFIXES: tuple[str, ...] = tuple(suffix for family in FORMATS for suffix in family.suffixes)

_READERS_WARNINGS = r"(PIL|tifffile|nibabel)(\.|$)"


def is_image_file(path: Path | str) -> bool:
    """Whether the ending of a file's name is one of `IMAGE_SUFFIXES`, in upper or lower case."""
    return Path(path).name.lower().endswith(IMAGE_SUFFIXES)


def image_stem(path: Path | str) -> str:
    """The file's name without the ending that makes it an image: ``scan.v2`` of ``scan.v2.nii.gz``."""
    name = Path(path).name
    ending = max((s for s in IMAGE_SUFFIXES if name.lower().endswith(s)), key=len, default="")
    return name[: len(name) - len(ending)]


def read_image(path: Path | str) -> Image:
    """Read an image of any format.

    Returns:
        The image: ``(*space)`` or ``(*space, 3)``, with its geometry. Volumes are turned to lie nearest to
            LPS.

    Raises:
        ImageError: if there is no such file, or it cannot be read as an image.
    """
    path = Path(path)
    family = _family(path)
    with _one_sentence(path, family):
        return family.read(path)


def read_geometry(path: Path | str) -> ImageGeometry:
    """Read where an image's pixels are, from its header alone; raises as `read_image`."""
    path = Path(path)
    family = _family(path)
    with _one_sentence(path, family):
        return family.read_geometry(path)


def find_images(folder: Path | str) -> list[Path]:
    """All images in a folder and its subfolders, in natural order (``scan2`` before ``scan10``).

    Hidden files and folders, and files that are no images, are left out.

    Raises:
        ImageError: if the folder does not exist, cannot be listed or holds no image.
    """
    folder = Path(folder)
    if not folder.exists():
        raise ImageError(f"{folder} does not exist: choose a folder with images.")
    if not folder.is_dir():
        raise ImageError(f"{folder} is a file: choose a folder with images.")
    found: list[Path] = []
    try:
        for parent, folders, files in os.walk(folder, onerror=_raise):
            folders[:] = [name for name in folders if not name.startswith(".")]
            found += [Path(parent, name) for name in files if not name.startswith(".") and is_image_file(name)]
    except OSError as error:
        raise ImageError(f"{folder} could not be searched ({error.strerror}): check its permissions.") from error
    if not found:
        raise ImageError(f"{folder} holds no images: it must hold files of the kinds {', '.join(IMAGE_SUFFIXES)}.")
    return sorted(found, key=lambda path: _natural(path.relative_to(folder)))


def _raise(error: OSError) -> None:
    raise error


def _natural(path: Path) -> list[tuple[list[str | int], str]]:
    """A sort key, part by part, in which numbers count as numbers."""
    return [([int(s) if s.isdecimal() else s for s in re.split(r"(\d+)", p.casefold())], p) for p in path.parts]


def _family(path: Path) -> ImageFormat:
    """The format of a file that exists and is not empty."""
    if not path.exists():
        raise ImageError(f"{path} does not exist: check the name, or choose another image.")
    if path.is_dir():
        raise ImageError(f"{path} is a folder: choose an image file in it.")
    name = path.name.lower()
    for family in FORMATS:
        if name.endswith(family.suffixes):
            break
    else:
        raise ImageError(f"{path} is of no image format that is known here: use {', '.join(IMAGE_SUFFIXES)}.")
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty: copy or export the image again.")
    return family


@contextmanager
def _one_sentence(path: Path, family: ImageFormat) -> Iterator[None]:
    """Turn whatever a decoding library raises into one sentence, and keep its warnings to itself.

    A damaged file makes these libraries raise nearly anything (struct.error, zlib.error, IndexError,
    SyntaxError ...), so here, and only here, every `Exception` is taken for a damaged file; its cause stays
    attached.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=_READERS_WARNINGS)
            yield
    except ImageError:
        raise
    except LandmarkerError as error:
        raise ImageError(f"{path} cannot be used: {error}") from error
    except MemoryError as error:
        raise ImageError(f"{path} does not fit into this computer's memory: crop it or make it smaller.") from error
    except PermissionError as error:
        raise ImageError(f"{path} could not be opened (permission denied): check its permissions.") from error
    except Exception as error:
        raise ImageError(
            f"{path} could not be read as {family.name}: it seems damaged or of another kind; "
            "export it again from the program that made it."
        ) from error
