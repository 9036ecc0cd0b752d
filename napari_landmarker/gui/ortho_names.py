"""What the slices of a volume are called, and where their borders lie in the patient; only as far as it is known."""

from __future__ import annotations

import numpy as np

from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.io.orient import NO_ORIENTATION

_PLANES = ("Axial", "Coronal", "Sagittal")
#: To which side of the patient the first and the last pixel of each axis lie.
_ENDS = (("I", "S"), ("A", "P"), ("R", "L"))
#: Slices that lean further than this over the patient's axes are oblique, degrees.
_OBLIQUE_DEG = 10.0


def is_oriented(image: Image) -> bool:
    """Whether it is known how a volume lies in the patient; its axes then lie nearest to head, back and left."""
    return NO_ORIENTATION not in image.notes


def plane_name(image: Image, axis: int) -> str:
    """What the slices across an axis are called: after the patient where that is known, else after the axis."""
    if not is_oriented(image):
        return f"Across {'zyx'[axis]}"
    along = abs(float(image.grid.direction[2 - axis, axis]))
    leans = np.degrees(np.arccos(min(along, 1.0))) > _OBLIQUE_DEG
    return f"Oblique {_PLANES[axis].lower()}" if leans else _PLANES[axis]


def ends(image: Image, axis: int) -> tuple[str, str]:
    """The sides of the patient at the first and the last pixel of an axis; empty where they are not known."""
    return _ENDS[axis] if is_oriented(image) else ("", "")
