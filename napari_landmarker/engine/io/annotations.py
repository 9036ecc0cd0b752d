"""Annotation files of any format: which format a file is in, by its name and content, and reading and writing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.io.annotation_format import AnnotationFormat, GeometryOf, ImageAnnotations
from napari_landmarker.engine.io.atomic import read_json
from napari_landmarker.engine.io.coco import COCO
from napari_landmarker.engine.io.fcsv import FCSV
from napari_landmarker.engine.io.fields import Entry, entries_of
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.image_names import find_image
from napari_landmarker.engine.io.isbi import ISBI
from napari_landmarker.engine.io.labelme import LABELME, write_labelme
from napari_landmarker.engine.io.paths import file_name, natural_order
from napari_landmarker.engine.io.slicer import SLICER, write_slicer
from napari_landmarker.engine.io.table import CSV_LONG
from napari_landmarker.engine.io.table_text import read_sheet
from napari_landmarker.engine.io.table_wide import CSV_WIDE
from napari_landmarker.engine.io.tps import TPS
from napari_landmarker.engine.landmarks import LandmarkSet

#: Every format that is read and written, by the name it is asked for with; a further one joins by standing here. Of
#: formats with one ending, the first is written.
ANNOTATION_FORMATS: dict[str, AnnotationFormat] = {
    "labelme": LABELME,
    "slicer": SLICER,
    "fcsv": FCSV,
    "csv": CSV_LONG,
    "csv-wide": CSV_WIDE,
    "coco": COCO,
    "tps": TPS,
    "isbi": ISBI,
}

#: Endings of annotation files, in lower case and with the dot.
ANNOTATION_SUFFIXES: tuple[str, ...] = tuple(
    dict.fromkeys(suffix for known in ANNOTATION_FORMATS.values() for suffix in known.suffixes)
)

#: Endings of files that often are no annotations; in a folder they are taken only where their content says so.
_OFTEN_OTHER = (".csv", ".tsv", ".txt")


def read_landmarks(
    path: Path | str,
    grid: Grid | ImageGeometry | Image | None = None,
    names: Sequence[str] | None = None,
    image_name: str | None = None,
    instances: int | None = None,
) -> LandmarkSet:
    """Read the landmarks of one image from an annotation file of any format.

    Args:
        path: the file.
        grid: geometry of the image. An `Image` or an `ImageGeometry` also tells how the image is stored, without which
            tables of voxels are refused; of a `Grid`, their millimetres are read. Without it, points are in the frame
            that the file itself gives: pixels, or the world in mm (then `LandmarkSet.world` is right).
        names: the landmarks there may be, in the order of the result; None takes those of the file.
        image_name: the image's file name: which image of a file of many, and a check that the file belongs to it.
        instances: how many points a landmark may have, ``M``; None takes as many as the file has.

    Raises:
        AnnotationError: if the file cannot be read or does not belong to the image or its landmarks.
    """
    path = Path(path)
    known = find_format(path)
    volume = grid if isinstance(grid, Grid) and grid.ndim == 3 and known.capabilities.as_stored else None
    geometry = _geometry(grid) if volume is None else None
    repeats = instances is not None and instances > 1
    asked: set[str | None] = set()

    def geometry_of(name: str | None) -> ImageGeometry | None:
        asked.add(name)
        if image_name is None and len(asked) > 1:
            raise _several(path)
        return geometry if None in (name, image_name) or _same_image(str(name), str(image_name)) else None

    one = _one_of(_read(known, path, geometry_of, names, repeats), image_name, path)
    one = one if volume is None or not volume.has_image else _in_volume(one, volume, path)
    return one.landmarks(names, instances, path)


def write_landmarks(landmarks: LandmarkSet, path: Path | str, image_path: Path | str | None = None) -> None:
    """Write the landmarks of one image; the ending of the file's name says in which format.

    ``.json`` is written as labelme does (or, where the file is there and is of another kind, as that), ``.mrk.json`` as
    3D Slicer, ``.csv`` as a long table. Other shapes, points and keys in a file of labelme or 3D Slicer stay, and in
    one of COCO or TPS other images too: these are merged with what is in the file. A table or ISBI text is replaced
    (of the text, the classes stay).

    Args:
        landmarks: the landmarks.
        path: the file.
        image_path: the image, where the format names it.

    Raises:
        AnnotationError: if no format has this ending, the format cannot hold the landmarks, or the file that is there
            is damaged or of another image.
        ProjectError: if the file cannot be written.
    """
    path = Path(path)
    known = format_to_write(path)
    if known is LABELME:
        write_labelme(landmarks, path, image_path)
    elif known is SLICER:
        write_slicer(landmarks, path)
    else:
        name = None if image_path is None else Path(image_path).name
        known.write(path, [ImageAnnotations(name, landmarks.grid, entries_of(landmarks))])


def read_annotation_file(
    path: Path | str,
    geometry_of: GeometryOf | None = None,
    names: Sequence[str] | None = None,
    repeats: bool = False,
) -> list[ImageAnnotations]:
    """Read all images of an annotation file of any format.

    Args:
        path: the file.
        geometry_of: the images' geometry by their name in the file, as far as they are at hand.
        names: the landmarks in order, for formats without names.
        repeats: whether a landmark may have several points in an image with nothing to tell them apart.

    Raises:
        AnnotationError: if the file cannot be read.
    """
    path = Path(path)
    return _read(find_format(path), path, geometry_of or (lambda _: None), names, repeats)


def write_annotation_file(
    path: Path | str, annotations: Sequence[ImageAnnotations], fmt: AnnotationFormat | None = None
) -> None:
    """Write images to a file; the ending of its name says in which format, if ``fmt`` does not.

    Raises:
        AnnotationError: if the format cannot hold them.
        ProjectError: if the file cannot be written.
    """
    path = Path(path)
    (format_to_write(path) if fmt is None else fmt).write(path, annotations)


def find_format(path: Path | str) -> AnnotationFormat:
    """The format of a file that is there, by the ending of its name and, where several have that, by its content.

    Raises:
        AnnotationError: if there is no such file, or it is of no format that is known here.
    """
    path = Path(path)
    candidates = formats_named(path)
    try:
        if path.is_dir():
            raise AnnotationError(f"{path} is a folder: choose an annotation file in it.")
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise AnnotationError(f"{path} does not exist: choose an annotation file.") from error
    except OSError as error:
        raise AnnotationError(f"{path} could not be read ({error.strerror}): check its permissions.") from error
    if empty:
        raise AnnotationError(f"{path} is empty: save the annotations again.")
    if len(candidates) == 1:
        return candidates[0]
    found = next((known for known in candidates if known.recognises(path)), None)
    if found is not None:
        return found
    if path.suffix.lower() == ".json":
        read_json(path, "an annotation file", AnnotationError)
    elif CSV_LONG in candidates:
        read_sheet(path, bool)
        raise AnnotationError(
            f"{path} is no table of landmarks: its first line must name the columns image, landmark, x, y, "
            "or image, <name>_x, <name>_y for each landmark."
        )
    kinds = ", ".join(known.name for known in candidates)
    raise AnnotationError(f"{path} is none of {kinds}: choose an annotation file of one of these kinds.")


def format_to_write(path: Path | str) -> AnnotationFormat:
    """The format in which a file is to be written: by the ending of its name; a file that is there keeps its own.

    Raises:
        AnnotationError: if no format has this ending.
    """
    path = Path(path)
    candidates = formats_named(path)
    there = len(candidates) > 1 and path.is_file()
    return next((known for known in candidates if there and known.recognises(path)), candidates[0])


def formats_named(path: Path | str) -> list[AnnotationFormat]:
    """The formats with the ending of a file's name, that which is written first; AnnotationError if there is none."""
    path = Path(path)
    suffix = _suffix(path.name)
    if not suffix:
        endings = ", ".join(ANNOTATION_SUFFIXES)
        raise AnnotationError(f"{path} is no annotation file: its name must end in {endings}.")
    return [known for known in ANNOTATION_FORMATS.values() if suffix in known.suffixes]


def annotation_stem(path: Path | str) -> str:
    """The file's name without the ending that makes it an annotation file: ``scan.v2`` of ``scan.v2.mrk.json``."""
    name = Path(path).name
    return name[: len(name) - len(_suffix(name))]


def is_annotation_name(path: Path | str) -> bool:
    """Whether the ending of a file's name is one of `ANNOTATION_SUFFIXES`, in upper or lower case."""
    return bool(_suffix(Path(path).name))


def find_annotations(folder: Path | str) -> list[Path]:
    """All annotation files in a folder and its subfolders, in natural order; other tables and texts are left out.

    Raises:
        AnnotationError: if there is none, or the folder cannot be searched.
    """
    folder = Path(folder)
    try:
        files = [p for p in folder.rglob("*") if _suffix(p.name) and p.is_file()]
    except OSError as error:
        raise AnnotationError(f"{folder} could not be searched ({error.strerror}): check its permissions.") from error
    files = [p for p in files if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    files = [p for p in files if _suffix(p.name) not in _OFTEN_OTHER or any(f.recognises(p) for f in formats_named(p))]
    if not files:
        kinds = ", ".join(known.name for known in ANNOTATION_FORMATS.values())
        raise AnnotationError(f"{folder} holds no annotations: choose a folder with files of the kinds {kinds}.")
    return sorted(files, key=lambda path: natural_order(path.relative_to(folder)))


def _suffix(name: str) -> str:
    return max((s for s in ANNOTATION_SUFFIXES if name.lower().endswith(s)), key=len, default="")


def _read(
    known: AnnotationFormat, path: Path, geometry_of: GeometryOf, names: Sequence[str] | None, repeats: bool
) -> list[ImageAnnotations]:
    read = known.read_repeats if repeats and known.read_repeats is not None else known.read
    return read(path, geometry_of, names)


def _one_of(read: Sequence[ImageAnnotations], image_name: str | None, path: Path) -> ImageAnnotations:
    """The annotations of one image; see `read_landmarks`."""
    stated = [one.image for one in read]
    if len(read) == 1 and (image_name is None or not stated[0] or _same_image(stated[0], image_name)):
        return read[0]
    if image_name is None:
        raise _several(path) if read else AnnotationError(f"{path} holds no image: choose another annotation file.")
    at = find_image(image_name, [name or "" for name in stated])
    if at is not None:
        return read[at]
    if len(read) == 1:
        raise AnnotationError(
            f"{path} is of another image: it was made for {file_name(str(stated[0]))}, not for {file_name(image_name)}."
        )
    raise AnnotationError(f"{path} has nothing on {file_name(image_name)}: choose the file of that image.")


def _in_volume(one: ImageAnnotations, grid: Grid, path: Path) -> ImageAnnotations:
    """Points of a table in the world as index coordinates of a volume.

    Raises:
        AnnotationError: if they are voxels as stored, as a grid tells only how the volume is shown.
    """
    placed = any(entry.point is not None for given in one.entries.values() for entry in given)
    if placed and one.grid.ndim != grid.ndim:
        raise AnnotationError(
            f"{path} has points in {one.grid.ndim}D, but its image is a volume: choose its own image."
        )
    if placed and one.grid.spacing is None:
        raise AnnotationError(
            f"{path} counts voxels as the image file stores them, which a grid does not tell: "
            "give what read_image or read_geometry returns."
        )
    if placed and grid.spacing is None:
        raise AnnotationError(f"{path} is in millimetres, but its image states no spacing: set the spacing first.")

    def moved(entry: Entry) -> Entry:
        if entry.point is None:
            return entry
        return replace(entry, point=grid.world_to_index(one.grid.index_to_world(entry.point)))

    return replace(one, grid=grid, entries={name: tuple(map(moved, given)) for name, given in one.entries.items()})


def _several(path: Path) -> AnnotationError:
    return AnnotationError(f"{path} holds several images: name the one whose landmarks are to be read.")


def _same_image(a: str, b: str) -> bool:
    return file_name(a) == file_name(b)


def _geometry(grid: Grid | ImageGeometry | Image | None) -> ImageGeometry | None:
    if isinstance(grid, Image):
        return grid.geometry
    if isinstance(grid, Grid):
        return ImageGeometry(grid, AffineMap.identity(grid.shape)) if grid.has_image else None
    return grid
