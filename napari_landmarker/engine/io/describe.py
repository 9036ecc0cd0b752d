"""What was understood of a file, in words for a person and as data for a program; without names of patients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.annotations import is_annotation_name
from napari_landmarker.engine.io.describe_annotations import AnnotationDescription, describe_annotations
from napari_landmarker.engine.io.image import Image
from napari_landmarker.engine.io.images import FORMATS, is_image_file, read_image
from napari_landmarker.engine.io.orient import NO_ORIENTATION, Reorientation

#: Where world axes x, y and z (LPS) lead, and where they come from.
_TO, _FROM = ("Left", "Posterior", "Head"), ("Right", "Anterior", "Feet")
#: The same as the letters of axis orders such as RAS.
_TO_LETTERS, _FROM_LETTERS = "LPS", "RAI"
_UNKNOWN = "unknown: measurements will be in pixels"
#: An image that is turned by less is called straight.
_STRAIGHT_DEGREES = 0.05

Lines = list[tuple[str, str]]


@dataclass(frozen=True)
class ImageDescription:
    """What was understood of an image.

    Attributes:
        format: what a user calls its format.
        size: number of pixels per array axis, ``(Y, X)`` or ``(Z, Y, X)``.
        dtype: kind of number, such as ``"int16"``.
        is_color: whether it is red, green and blue.
        values: least and greatest finite value, None if there is none.
        spacing_mm: per array axis, None where the file does not state it.
        origin_mm: world coordinates (LPS, ``x, y[, z]``) of the first pixel; None without spacing.
        orientation: for each array axis where in the patient it leads; None where the file does not say.
        oblique_degrees: the greatest angle between an array axis and its axis of the patient; None as before.
        stored_axes: where the axes of the stored image lead, fastest first, such as ``"RAS"``; None as before.
        display_range: values that the file asks to be drawn black and white, if it does.
        notes: what a user should know of how the file was understood.
    """

    format: str
    size: tuple[int, ...]
    dtype: str
    is_color: bool
    values: tuple[float, float] | None
    spacing_mm: tuple[float, ...] | None
    origin_mm: tuple[float, ...] | None
    orientation: tuple[str, ...] | None
    oblique_degrees: float | None
    stored_axes: str | None
    display_range: tuple[float, float] | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as plain values, with axis names and the unit of measurements."""
        return {
            "kind": "image",
            "format": self.format,
            "axes": list("zyx"[-len(self.size) :]),
            "size": list(self.size),
            "dtype": self.dtype,
            "color": self.is_color,
            "values": _listed(self.values),
            "unit": "px" if self.spacing_mm is None else "mm",
            "spacing_mm": _listed(self.spacing_mm),
            "origin_mm": _listed(self.origin_mm),
            "orientation": _listed(self.orientation),
            "oblique_degrees": self.oblique_degrees,
            "stored_axes": self.stored_axes,
            "display_range": _listed(self.display_range),
            "notes": list(self.notes),
        }

    def lines(self) -> Lines:
        """Titles and texts, in the order in which a person reads them."""
        axes = "zyx"[-len(self.size) :]
        volume = len(self.size) == 3
        out = [
            ("Format", self.format),
            ("Size", f"{' x '.join(str(n) for n in self.size)} ({', '.join(axes)})"),
            ("Pixels", f"{'red, green, blue' if self.is_color else 'grey'}, {self.dtype}"),
            ("Values", "no finite value" if self.values is None else _span(self.values)),
            ("Spacing", _UNKNOWN if self.spacing_mm is None else f"{_numbers(self.spacing_mm)} mm ({', '.join(axes)})"),
        ]
        if self.origin_mm is not None:
            world = "x, y, z, LPS" if volume else "x, y"
            out.append(("Origin", f"{_numbers(self.origin_mm)} mm ({world})"))
        if volume and self.orientation is None:
            out.append(("Orientation", "unknown: shown as stored"))
        elif self.orientation is not None:
            leads = ", ".join(f"{axis} to {end}" for axis, end in zip(axes, self.orientation, strict=True))
            angle = self.oblique_degrees or 0.0
            oblique = f"oblique by {angle:.1f} degrees" if angle >= _STRAIGHT_DEGREES else "straight"
            out.append(("Orientation", f"{leads}; {oblique}"))
        if self.stored_axes is not None:
            out.append(("On disk", f"axes in the order {self.stored_axes}"))
        if self.display_range is not None:
            out.append(("Display range", _span(self.display_range)))
        return out + [("Note", note) for note in self.notes if note != NO_ORIENTATION]


def describe_image(path: Path | str) -> ImageDescription:
    """What is understood of an image file.

    Raises:
        ImageError: if it cannot be read as an image.
    """
    image = read_image(path)
    grid = image.grid
    orientation = oblique = stored = None
    if grid.ndim == 3 and NO_ORIENTATION not in image.notes:
        leads = _leads(grid)
        orientation = tuple((_TO if forward else _FROM)[world] for world, forward in leads)
        cosines = [abs(float(grid.direction[world, axis])) for axis, (world, _) in enumerate(leads)]
        oblique = math.degrees(math.acos(min(1.0, *cosines)))
        on_disk = reversed(_leads(image.stored.map_grid(grid)))
        stored = "".join((_TO_LETTERS if forward else _FROM_LETTERS)[world] for world, forward in on_disk)
    return ImageDescription(
        format=_format_name(Path(path)),
        size=grid.shape,
        dtype=image.array.dtype.name,
        is_color=image.is_color,
        values=_values(image),
        spacing_mm=grid.spacing,
        origin_mm=None if grid.spacing is None else tuple(float(n) for n in grid.origin),
        orientation=orientation,
        oblique_degrees=oblique,
        stored_axes=stored,
        display_range=image.display_range,
        notes=image.notes,
    )


def describe_file(path: Path | str) -> ImageDescription | AnnotationDescription:
    """What is understood of an image or an annotation file; raises a LandmarkerError if it is neither."""
    is_annotation = is_annotation_name(path) and not is_image_file(path) and not Path(path).is_dir()
    return describe_annotations(path) if is_annotation else describe_image(path)


def _format_name(path: Path) -> str:
    """What a user calls the format; of a family of formats, the one of the file's ending."""
    name = path.name.lower()
    family = next((family for family in FORMATS if name.endswith(family.suffixes)), None)
    if family is None:
        return "DICOM"
    return path.suffix[1:].upper() if "," in family.name else family.name


def _values(image: Image) -> tuple[float, float] | None:
    """The least and greatest finite value, a slice at a time."""
    low, high = np.inf, -np.inf
    for part in image.array:
        finite = part if part.dtype.kind != "f" else part[np.isfinite(part)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else None


def _leads(grid: Grid) -> list[tuple[int, bool]]:
    """For each array axis of a volume, which world axis (0 for x) it is nearest to, and whether it follows it."""
    turn = Reorientation.to_lps(grid)
    found = {axis: (grid.ndim - 1 - target, target not in turn.flips) for target, axis in enumerate(turn.axes)}
    return [found[axis] for axis in range(grid.ndim)]


def _listed(values: tuple[Any, ...] | None) -> list[Any] | None:
    return None if values is None else list(values)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _span(values: tuple[float, float]) -> str:
    return f"{values[0]:.6g} to {values[1]:.6g}"
