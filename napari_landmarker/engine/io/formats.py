"""What a family of image formats must offer to be read, and how what goes wrong is said."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from napari_landmarker.engine.errors import ImageError, LandmarkerError
from napari_landmarker.engine.io.image import Image, ImageGeometry

_READERS_WARNINGS = r"(PIL|tifffile|nibabel|pydicom)(\.|$)"


@dataclass(frozen=True)
class ImageFormat:
    """One family of image formats.

    Attributes:
        name: what a user calls it, such as ``"NIfTI"``.
        suffixes: endings of file names in lower case, with the dot.
        read: the image of a file.
        read_geometry: its geometry from the header alone.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Image]
    read_geometry: Callable[[Path], ImageGeometry]


@contextmanager
def one_sentence(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a decoding library raises into one sentence, and keep its warnings to itself.

    A damaged file makes these libraries raise nearly anything (struct.error, zlib.error, IndexError,
    SyntaxError ...), so here, and only here, every `Exception` is taken for a damaged file; its cause stays
    attached.

    Args:
        path: the file that is read.
        kind: what it is read as, such as ``"NIfTI"``.

    Raises:
        ImageError: for any exception inside.
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
            f"{path} could not be read as {kind}: it seems damaged or of another kind; "
            "export it again from the program that made it."
        ) from error
