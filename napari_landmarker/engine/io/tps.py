"""TPS files of tpsDig and other programs of geometric morphometrics: landmarks by their order.

Pixels are counted from the **bottom** of the image: x to the right, y upwards. Where exactly zero is, F. J. Rohlf's
tpsDig (https://www.sbmorphometrics.org) states only as the lower left corner; other programs that read its files, such
as ml-morph, take ``x`` for the column and ``height - y`` for the row of the pixel's centre, and so do we: the centre of
the top left pixel is ``(0, height)``. The image's height must be known, so a 2D file is read with its image only.

``-1 -1`` (both coordinates negative) and ``NA NA`` are missing landmarks. Several specimens of one image are instances
of the landmarks. ``SCALE=`` is units a pixel in a unit that is nowhere stated: it is kept, but never taken for
millimetres. ``CURVES=`` and other lines are not landmarks: they stay in the file when it is written anew.

3D points (``LM3=``) are read where a line ``COMMENT=LPS mm`` or ``COMMENT=RAS mm`` says what they are, as we write it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.io.annotation_format import (
    AnnotationFormat,
    Capabilities,
    GeometryOf,
    ImageAnnotations,
)
from napari_landmarker.engine.io.atomic import write_text
from napari_landmarker.engine.io.fields import Entry, require_pixels, require_world, with_gaps
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.io.image_names import ImageIndex, as_image_name, portable_name
from napari_landmarker.engine.io.tps_text import Specimen, read_specimens, specimens_text
from napari_landmarker.engine.landmarks import LandmarkStatus

#: What a comment says of 3D points, and the signs that make them LPS.
_FRAMES: Mapping[str, tuple[float, float, float]] = {"LPS mm": (1.0, 1.0, 1.0), "RAS mm": (-1.0, -1.0, 1.0)}
_WRITTEN_FRAME = "LPS mm"


def read_tps(path: Path | str, geometry_of: GeometryOf, names: Sequence[str] | None) -> list[ImageAnnotations]:
    """Read a TPS file.

    Args:
        path: the file.
        geometry_of: the images' geometry, as far as they are at hand; needed for 2D.
        names: the landmarks in order; None calls them 1, 2, ...

    Raises:
        AnnotationError: if the file is damaged, has another number of landmarks than there are names, or needs an image
            that is not at hand.
    """
    specimens = read_specimens(Path(path))
    images = _images(specimens)
    found: dict[str | None, list[Specimen]] = {}
    for image, specimen in zip(images, specimens, strict=True):
        found.setdefault(image, []).append(specimen)
    return [_annotations(image, of, geometry_of(image), names) for image, of in found.items()]


def write_tps(path: Path | str, images: Iterable[ImageAnnotations]) -> None:
    """Write landmarks to a TPS file, atomically, in one order for all images.

    Where the file is there, its specimens of these images get new points and keep their other lines; specimens of other
    images stay.

    Raises:
        AnnotationError: if the file that is there is damaged, or an image's size or spacing is not known.
        ProjectError: if the file cannot be written.
    """
    path, images = Path(path), list(images)
    specimens = read_specimens(path) if path.exists() else []
    of_image: dict[str, list[Specimen]] = {}
    for label, specimen in zip(_images(specimens), specimens, strict=True):
        of_image.setdefault(label or "", []).append(specimen)
    there, index = list(of_image.values()), ImageIndex(of_image)
    names = list(dict.fromkeys(name for image in images for name in image.entries))
    gone: set[int] = set()
    for image in images:
        label = portable_name(image.image or "")
        at = index.to_write(label, path)
        before = [] if at is None else there[at]
        count = max((len(entries) for entries in image.entries.values()), default=1)
        for instance in range(count):
            if instance >= len(before):
                rest = ([f"IMAGE={label}"] if label else []) + [f"ID={len(specimens)}"]
                before.append(Specimen("", image.grid.ndim, [], rest))
                specimens.append(before[-1])
            _fill(before[instance], image, names, instance, path)
        for instance in range(count, len(before)):
            placed = any(point is not None for point in before[instance].points)
            if placed and not {"CURVES", "OUTLINES"} & before[instance].keys:
                gone.add(id(before[instance]))
            elif placed:  # the curves stay
                _fill(before[instance], image, names, instance, path)
    specimens = [specimen for specimen in specimens if id(specimen) not in gone]
    _images(specimens)
    write_text(path, specimens_text(specimens))


def from_bottom(xy: FloatArray, geometry: ImageGeometry | None, image: str | None, place: str) -> FloatArray:
    """Index coordinates ``(y, x)`` of a point of tpsDig.

    Raises:
        AnnotationError: if the image is not at hand, or is a volume.
    """
    if geometry is None:
        raise AnnotationError(
            f"{place} counts pixels from the bottom of the image{f' {image}' if image else ''}, "
            "whose height is not known: give the image."
        )
    if geometry.grid.ndim != 2:
        raise AnnotationError(f"{place} has points of a 2D image, but {image or 'the image'} is a volume.")
    return (xy * (1, -1) + (0, geometry.grid.shape[0]))[::-1]


def given_names(names: Sequence[str] | None, numbers: Sequence[str], source: Path | str) -> list[str]:
    """Names for landmarks that are told apart by order: the given ones, or the numbers.

    Raises:
        AnnotationError: if there are not as many names as landmarks.
    """
    if names is None or list(names) == list(numbers):
        return list(numbers)
    if len(names) != len(numbers):
        raise AnnotationError(
            f"{source} has {len(numbers)} landmarks in order, but there are {len(names)} names: give one for each."
        )
    return list(names)


def _images(specimens: Sequence[Specimen]) -> list[str | None]:
    """The image of each specimen: as it states, or by its ID; None for a single one that states none."""
    out: list[str | None] = []
    for specimen in specimens:
        name = specimen.value("IMAGE") or (specimen.value("ID") if len(specimens) > 1 else None)
        if name is None and len(specimens) > 1:
            raise AnnotationError(f"{specimen.place} begins a specimen without an image: add a line IMAGE= to it.")
        out.append(None if name is None else as_image_name(name, specimen.place))
    return out


def _annotations(
    image: str | None, specimens: Sequence[Specimen], geometry: ImageGeometry | None, names: Sequence[str] | None
) -> ImageAnnotations:
    """What the specimens of one image say."""
    grid = geometry.grid if geometry is not None else Grid.without_image(specimens[0].ndim, world=True)
    found: dict[str, dict[int, Entry]] = {}
    for instance, specimen in enumerate(specimens):
        place = specimen.place.rstrip(",")
        if specimen.ndim != grid.ndim:
            raise AnnotationError(
                f"{place} has points in {specimen.ndim}D, but the image or others are in {grid.ndim}D."
            )
        numbers = [str(i + 1) for i in range(len(specimen.points))]
        for name, point in zip(given_names(names, numbers, place), specimen.points, strict=True):
            index = None if point is None else _index(point, specimen, geometry, grid, image)
            status = LandmarkStatus.UNPLACED if index is None else LandmarkStatus.CONFIRMED
            found.setdefault(name, {})[instance] = Entry(index, status)
    if grid.ndim == 2 and geometry is None:  # no point was in need of the image
        grid = Grid.without_image(2)
    other = {"curves": "CURVES", "outlines": "OUTLINES", "the scale": "SCALE", "comments": "COMMENT"}
    unread = [words for words, key in other.items() if any(_says(specimen, key) for specimen in specimens)]
    keys = {key for specimen in specimens for key in specimen.keys} - {*other.values(), "IMAGE", "ID", "POINTS"}
    unread += [f"the lines {', '.join(f'{key}=' for key in sorted(keys))}"] if keys else []
    return ImageAnnotations(image, grid, {name: with_gaps(of) for name, of in found.items()}, geometry, tuple(unread))


def _says(specimen: Specimen, key: str) -> bool:
    """Whether a specimen has a line with that key, other than the comment on its frame."""
    return any(value not in ("", "0", *_FRAMES) for value in specimen.values(key))


def _index(
    point: FloatArray, specimen: Specimen, geometry: ImageGeometry | None, grid: Grid, image: str | None
) -> FloatArray:
    """Index coordinates of a point, ``(D,)``."""
    if specimen.ndim == 2:
        return from_bottom(point, geometry, image, specimen.place)
    place = specimen.place.rstrip(",")
    signs = next((signs for frame, signs in _FRAMES.items() if frame in specimen.values("COMMENT")), None)
    if signs is None:
        raise AnnotationError(
            f"{place} does not say which way its 3D points run: add a line 'COMMENT=LPS mm' or 'COMMENT=RAS mm' to it."
        )
    if grid.spacing is None:
        raise AnnotationError(f"{place} is in millimetres, but the image states no spacing: set its spacing first.")
    return grid.world_to_index(point * signs)


def _fill(specimen: Specimen, image: ImageAnnotations, names: Sequence[str], instance: int, path: Path) -> None:
    """Put the points of one instance into a specimen."""
    grid = image.grid
    if grid.ndim == 2:
        require_pixels(grid, path)
        if not grid.has_image:
            raise AnnotationError(f"{path} counts pixels from the bottom of the image: give the image.")
    else:
        require_world(grid, path)
        others = [line for line in specimen.rest if line.upper().replace(" ", "") != "COMMENT=RASMM"]
        comment = f"COMMENT={_WRITTEN_FRAME}"
        specimen.rest = others if comment in others else [*others, comment]
    specimen.ndim, specimen.points, specimen.block = grid.ndim, [], []
    for name in names:
        entries = image.entries.get(name, ())
        point = entries[instance].point if instance < len(entries) else None
        if point is not None:
            point = grid.index_to_world(point) if grid.ndim == 3 else point[::-1] * (1, -1) + (0, grid.shape[0])
            if grid.ndim == 2 and max(point) < 0:
                raise AnnotationError(
                    f"{path} would take '{name}' for missing, as it lies left of and below its image: move it first."
                )
        specimen.points.append(point)


def _recognises(path: Path) -> bool:
    try:
        return bool(read_specimens(path))
    except AnnotationError:
        return False


#: TPS of tpsDig.
TPS = AnnotationFormat(
    name="TPS (tpsDig)",
    read_by="tpsDig, MorphoJ, geomorph (shape analysis); one file for all.",
    suffixes=(".tps",),
    capabilities=Capabilities(
        dimensions=(2, 3),
        coordinates=("px", "mm"),
        names=False,
        unplaced=True,
        instances=True,
        several_images=True,
        image_size=True,
        needs_spacing=(3,),
    ),
    recognises=_recognises,
    read=read_tps,
    write=write_tps,
)
