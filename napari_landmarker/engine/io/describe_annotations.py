"""What was understood of an annotation file, in words for a person and as data for a program."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import AnnotationError, ImageError
from napari_landmarker.engine.io.annotation_format import AnnotationFormat, ImageAnnotations
from napari_landmarker.engine.io.annotations import find_format, read_annotation_file
from napari_landmarker.engine.io.fcsv import FCSV
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.io.images import read_geometry
from napari_landmarker.engine.io.paths import file_name
from napari_landmarker.engine.landmarks import LandmarkStatus

#: So many names of images are written out.
_MOST_NAMES = 5
#: How a point list of 3D Slicer, a TPS file or a table states its coordinate system, and what numbers mean.
_SYSTEM = re.compile(
    r'coordinateSystem"?\s*[:=]\s*"?(LPS|RAS|0|1)\b|^COMMENT=(LPS|RAS) mm|[xyz]\W*_?(LPS|RAS)[_\W]*mm',
    re.IGNORECASE | re.MULTILINE,
)
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
        system: ``"LPS"`` or ``"RAS"``, as which its coordinates are read; None in pixels and in 2D.
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
    dimensions = max((one.grid.ndim for one in read), default=known.capabilities.dimensions[0])
    unit = "mm" if any(one.grid.spacing is not None and one.geometry is None for one in read) else "px"
    return AnnotationDescription(
        format=known.name,
        n_images=len(read),
        images=tuple(file_name(one.image) for one in read if one.image),
        dimensions=dimensions,
        unit=unit,
        system=_system(path, known) if unit == "mm" and dimensions == 3 else None,
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


def _system(path: Path, known: AnnotationFormat) -> str:
    """The coordinate system that a file states, or what its format means without a word."""
    with path.open(encoding="utf-8", errors="replace") as file:
        found = _SYSTEM.search(file.read(_HEAD))
    if found is None:
        return "RAS" if known is FCSV else "LPS"
    said = str(found[found.lastindex or 0])
    return _SYSTEM_CODES.get(said, said.upper())


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
