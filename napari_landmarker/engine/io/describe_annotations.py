"""What was understood of an annotation file, in words for a person and as data for a program."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import AnnotationError, ImageError
from napari_landmarker.engine.io.annotation_format import ImageAnnotations
from napari_landmarker.engine.io.annotations import find_format, read_annotation_file
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.io.images import read_geometry
from napari_landmarker.engine.io.paths import file_name
from napari_landmarker.engine.landmarks import LandmarkStatus

#: So many names of images are written out.
_MOST_NAMES = 5
#: Where a point list of 3D Slicer states its coordinate system, and what its numbers mean.
_SYSTEM = re.compile(r'coordinateSystem"?\s*[:=]\s*"?(LPS|RAS|0|1)\b', re.IGNORECASE)
_SYSTEM_CODES = {"0": "RAS", "1": "LPS"}
#: It stands within so many characters.
_HEAD = 1 << 16


@dataclass(frozen=True)
class AnnotationDescription:
    """What was understood of an annotation file.

    Attributes:
        format: what a user calls its format.
        n_images: how many images it speaks of.
        images: the file names of those it names, without folders.
        dimensions: number of spatial dimensions.
        unit: ``"px"`` or ``"mm"``, of its coordinates.
        system: ``"LPS"`` or ``"RAS"``, where its coordinates are millimetres and it says so.
        names: the landmarks, in its order.
        counts: how many points there are of each status, over all images; a landmark that one image has and another
            does not mention is unplaced there.
    """

    format: str
    n_images: int
    images: tuple[str, ...]
    dimensions: int
    unit: str
    system: str | None
    names: tuple[str, ...]
    counts: dict[LandmarkStatus, int]

    @property
    def n_placed(self) -> int:
        """How many points have a place."""
        return sum(count for status, count in self.counts.items() if status.has_point)

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "kind": "annotations",
            "format": self.format,
            "n_images": self.n_images,
            "images": list(self.images),
            "dimensions": self.dimensions,
            "unit": self.unit,
            "coordinate_system": self.system,
            "landmarks": list(self.names),
            "placed": self.n_placed,
            **{status.value: self.counts.get(status, 0) for status in LandmarkStatus},
        }

    def lines(self) -> list[tuple[str, str]]:
        """Titles and texts, in the order in which a person reads them."""
        images = _some(self.images) if self.images else "not named"
        if self.n_images > 1:
            images = f"{self.n_images}: {images}"
        placed = [status for status in LandmarkStatus if status.has_point and self.counts.get(status)]
        kinds = ", ".join(f"{self.counts[status]} {status.value}" for status in placed)
        points = f"{self.n_placed} placed" + (f" ({kinds})" if kinds else "")
        for status in (LandmarkStatus.ABSENT, LandmarkStatus.UNPLACED):
            points += f", {self.counts[status]} {status.value}" if self.counts.get(status) else ""
        return [
            ("Format", self.format),
            ("Images" if self.n_images > 1 else "Image", images),
            ("Landmarks", f"{len(self.names)}: {', '.join(self.names)}" if self.names else "none"),
            ("Points", points),
            ("Coordinates", f"{self.dimensions}D, {self._coordinates}"),
        ]

    @property
    def _coordinates(self) -> str:
        if self.unit == "px":
            return "pixels of the image"
        return f"millimetres of the patient{f', {self.system}' if self.system else ''}"


def describe_annotations(path: Path | str) -> AnnotationDescription:
    """What is understood of an annotation file; the images it names are looked for beside it where it needs them.

    Raises:
        AnnotationError: if it cannot be read.
    """
    path = Path(path)
    known = find_format(path)
    read = _read(path)
    names = tuple(dict.fromkeys(name for one in read for name in one.entries))
    counts: Counter[LandmarkStatus] = Counter()
    for one in read:
        counts.update(entry.status for entries in one.entries.values() for entry in entries)
        counts[LandmarkStatus.UNPLACED] += len(set(names) - one.entries.keys())
    unit = "mm" if any(one.grid.spacing is not None and one.geometry is None for one in read) else "px"
    return AnnotationDescription(
        format=known.name,
        n_images=len(read),
        images=tuple(file_name(one.image) for one in read if one.image),
        dimensions=max((one.grid.ndim for one in read), default=known.capabilities.dimensions[0]),
        unit=unit,
        system=_system(path) if unit == "mm" else None,
        names=names,
        counts=dict(counts),
    )


def _read(path: Path) -> list[ImageAnnotations]:
    """All images of a file, in the frame that the file itself gives; in that of the images where it needs them."""

    def beside(name: str | None) -> ImageGeometry | None:
        image = path.parent / file_name(name or "")
        try:
            return read_geometry(image) if name and image.is_file() else None
        except ImageError:
            return None

    try:
        return read_annotation_file(path, repeats=True)
    except AnnotationError:
        return read_annotation_file(path, beside, repeats=True)


def _system(path: Path) -> str | None:
    """The coordinate system that a point list of 3D Slicer states."""
    with path.open(encoding="utf-8", errors="replace") as file:
        found = _SYSTEM.search(file.read(_HEAD))
    return None if found is None else _SYSTEM_CODES.get(found[1], found[1].upper())


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
