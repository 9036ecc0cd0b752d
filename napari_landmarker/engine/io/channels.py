"""Which channels of an image are colours, and which are vectors that cannot be shown as one image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError


def require_colors(channels: int, dtype: npt.DTypeLike, path: Path) -> None:
    """Make sure that several numbers per pixel are red, green, blue (and perhaps transparency).

    They are where they are three or four unsigned whole numbers of 8 or 16 bits; real or signed numbers are vectors,
    such as a displacement field.

    Raises:
        ImageError: if they are not.
    """
    kind = np.dtype(dtype)
    if channels not in (3, 4) or kind.kind != "u" or kind.itemsize > 2:
        raise ImageError(
            f"{path} holds {channels} numbers ({kind.name}) at each pixel and no grey value or colour: "
            "save one of them alone, or their length, as a new image and choose that."
        )


def several_volumes(path: Path, sizes: tuple[int, ...]) -> ImageError:
    """The error for a time series or any other image of more than three dimensions."""
    text = " x ".join(str(n) for n in sizes)
    return ImageError(f"{path} holds several volumes ({text}): save one of them as a 3D file and choose that.")
