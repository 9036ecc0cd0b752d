"""What every annotation format offers, and what a file says of one image.

A format reads a file into `ImageAnnotations`, one for each image the file speaks of, and writes them back. Where a
format speaks of pixels, millimetres or both stands in its `Capabilities`, from which the table in the documentation and
the list of what a conversion loses are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.fields import Entry, landmark_set
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.landmarks import LandmarkSet

#: Where an image lies that a file names (None: the one the file belongs to), or None if it is not at hand.
GeometryOf = Callable[[str | None], ImageGeometry | None]


@dataclass(frozen=True)
class Capabilities:
    """What a format can carry.

    Attributes:
        dimensions: numbers of spatial dimensions, of 2 and 3.
        coordinates: ``"px"`` of the image, or ``"mm"`` in the world, or both.
        names: whether each point has a name; else landmarks are told apart by their order.
        unplaced: whether a landmark can be listed without a point.
        absent: whether *absent* is told from *not placed yet*.
        status: whether *predicted*, *edited* and *confirmed* are told apart.
        score: whether a point has a score.
        instances: whether a landmark can have several points in an image.
        several_images: whether one file holds many images.
        description: whether a point can have a description.
        locked: whether a point can be locked.
        covariance: whether a predicted point can say how unsure it is along each direction.
        image_size: whether the image's size must be known to write (and, without an image, to read) it.
        states_size: whether the file itself states the image's size.
        as_stored: whether voxels are those of the volume as its file stores them, and not as it is shown.
        needs_spacing: numbers of dimensions in which the image's spacing must be known to write it.
        landmarks: exactly how many landmarks an image must have, each with a point; None for any number.
    """

    dimensions: tuple[int, ...]
    coordinates: tuple[str, ...]
    names: bool = True
    unplaced: bool = False
    absent: bool = False
    status: bool = False
    score: bool = False
    instances: bool = False
    several_images: bool = False
    description: bool = False
    locked: bool = False
    covariance: bool = False
    image_size: bool = False
    states_size: bool = False
    as_stored: bool = False
    needs_spacing: tuple[int, ...] = ()
    landmarks: int | None = None


@dataclass(frozen=True, eq=False)
class ImageAnnotations:
    """What a file says of one image.

    Attributes:
        image: the image's file name as the file gives it, or None where it gives none.
        grid: the frame of the points: the image's as it is shown, or one without an image (`Grid.without_image`).
        entries: by landmark, one `Entry` for each of its instances; points are index coordinates of ``grid``.
        geometry: of the image, where it is at hand; tells how the image as stored lies to ``grid``.
        unread: what else the file says, which is no landmark, in words such as ``"3 shapes that are no points"``.
    """

    image: str | None
    grid: Grid
    entries: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    geometry: ImageGeometry | None = None
    unread: tuple[str, ...] = ()

    def landmarks(
        self, names: Sequence[str] | None = None, instances: int | None = None, source: Path | str = "The file"
    ) -> LandmarkSet:
        """The landmarks as a set: of ``names`` in their order, or of all there are.

        Args:
            names: the landmarks there may be.
            instances: how many points one may have, ``M``; None takes as many as there are.
            source: the file, for messages.

        Raises:
            AnnotationError: for a landmark that is none of ``names``, or has more points than ``instances``.
        """
        return landmark_set(self.entries, self.grid, names, source, instances)


@dataclass(frozen=True)
class AnnotationFormat:
    """One format of annotation files.

    Attributes:
        name: what a user calls it, such as ``"3D Slicer markups"``.
        read_by: one plain line for a person who has to choose: which programs read it.
        suffixes: endings of file names in lower case, with the dot; what is written has the first.
        capabilities: what it can carry.
        recognises: whether a file with one of the suffixes is of this format, by its content; never raises.
        read: all images of a file. The names, where given, are the landmarks in order, for formats without names.
        write: images to a file, atomically; keys of other programs in a file that is there survive where the format
            has such keys.
        read_repeats: as ``read``, for a file in which a landmark has several points with nothing to tell them apart:
            they are its instances in the order of the file. None where ``read`` allows that.
    """

    name: str
    read_by: str
    suffixes: tuple[str, ...]
    capabilities: Capabilities
    recognises: Callable[[Path], bool]
    read: Callable[[Path, GeometryOf, Sequence[str] | None], list[ImageAnnotations]]
    write: Callable[[Path, Sequence[ImageAnnotations]], None]
    read_repeats: Callable[[Path, GeometryOf, Sequence[str] | None], list[ImageAnnotations]] | None = None
