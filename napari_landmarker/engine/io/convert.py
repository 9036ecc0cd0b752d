"""From one format of annotations to another, of one image or many, and what is lost on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.io.annotation_format import AnnotationFormat, ImageAnnotations
from napari_landmarker.engine.io.annotations import (
    ANNOTATION_FORMATS,
    annotation_stem,
    find_annotations,
    find_format,
    formats_named,
    is_annotation_name,
    read_annotation_file,
)
from napari_landmarker.engine.io.fields import Entry
from napari_landmarker.engine.io.file_set import new_files, one_point_each
from napari_landmarker.engine.io.image import ImageGeometry
from napari_landmarker.engine.io.image_names import ImageIndex
from napari_landmarker.engine.io.images import find_images, image_stem, read_geometry
from napari_landmarker.engine.io.labelme import LABELME
from napari_landmarker.engine.io.losses import doubts, losses
from napari_landmarker.engine.io.paths import file_name, seen_from
from napari_landmarker.engine.landmarks import LandmarkStatus


@dataclass(frozen=True)
class ConversionResult:
    """What a conversion did.

    Attributes:
        n_images: images that were written.
        n_points: points that were written.
        lost: what the new format could not carry, one sentence for each kind of thing; empty if nothing is lost.
        doubts: what looks wrong in the source, one sentence each, such as points outside of their image.
    """

    n_images: int
    n_points: int
    lost: tuple[str, ...]
    doubts: tuple[str, ...] = ()


def convert(
    source: Path | str,
    target: Path | str,
    *,
    to: str | None = None,
    image: Path | str | None = None,
    images: Path | str | None = None,
    names: Sequence[str] | None = None,
    several: bool = False,
    overwrite: bool = False,
) -> ConversionResult:
    """Write annotations in another format; all is read and checked before the first file is written.

    Args:
        source: an annotation file, or a folder of annotation files.
        target: the file to write, or a folder for one file for each image.
        to: the format, one of `ANNOTATION_FORMATS`; None takes that of the ending of ``target``.
        image: the image, of a source of one image; it is needed between millimetres and pixels, and gives image sizes.
        images: folder of the images instead, which are found by their names.
        names: the landmarks in order; of formats without names it gives the names.
        several: whether a landmark may have several points in an image with nothing but their order to tell them apart.
        overwrite: whether to replace what is there.

    Raises:
        AnnotationError: if the source is damaged, the format cannot hold what is in it, or the target is there already.
        ImageError: for an image that cannot be read.
        ProjectError: if the target cannot be written.
    """
    source, target = Path(source), Path(target)
    choice, to_folder = formats_for(target, to)
    if target.exists() and not overwrite and not (target.is_dir() and not any(target.iterdir())):
        raise AnnotationError(f"{target} is there already: choose another name, or replace it with --overwrite.")
    at_hand = _Images(image, images)
    found = _read(source, target, at_hand, names, several)
    fmt = fitting_format({one.grid.ndim for one in found}, choice, source)
    if len(found) > 1 and not to_folder and not fmt.capabilities.several_images:
        raise AnnotationError(
            f"{target} would hold one image ({fmt.name}), but {source} has {len(found)}: give a folder to write to."
        )
    if not fmt.capabilities.names:
        found = _alike(found, names)
    lost = losses(found, fmt)
    ready = [_fitting(one, fmt, at_hand, target if to_folder else target.parent) for one in found]
    files: Mapping[str, Sequence[ImageAnnotations]] = _files(ready, fmt, source) if to_folder else {target.name: ready}
    with new_files(target, to_folder) as write:
        for name, of_file in files.items():
            write(name, of_file, fmt)
    points = sum(entry.point is not None for one in ready for given in one.entries.values() for entry in given)
    return ConversionResult(len(ready), points, lost, (*at_hand.doubts, *doubts(found)))


class _Images:
    """The images that are at hand, by the names that annotation files have for them.

    Attributes:
        single: whether there is one image, whatever the files call it.
        doubts: what looks wrong, in sentences.
    """

    def __init__(self, image: Path | str | None, folder: Path | str | None) -> None:
        if image is not None and folder is not None:
            raise AnnotationError("Give either one image or the folder of the images, not both.")
        self.single = image is not None
        self.doubts: list[str] = []
        root = Path() if folder is None else Path(folder)
        self._paths = [Path(image)] if image is not None else [] if folder is None else find_images(folder)
        names = [path if image is not None else path.relative_to(root) for path in self._paths]
        self._by_name = ImageIndex(str(name) for name in names)
        self._by_stem = ImageIndex(str(name.parent / image_stem(name)) for name in names)
        self._geometry: dict[Path, ImageGeometry] = {}

    def path(self, name: str) -> Path | None:
        """The image of that name, with or without its ending; None if it is not at hand."""
        if self.single:
            return self._paths[0]
        stem = name[: len(name) - len(file_name(name))] + image_stem(file_name(name))
        found = self._by_name.find_moved(name) or self._by_stem.find_moved(name) or self._by_stem.find_moved(stem)
        if len(found) > 1:
            raise AnnotationError(
                f"'{name}' may be {self._paths[found[0]]} or {self._paths[found[1]]}: rename one of the two."
            )
        return self._paths[found[0]] if found else None

    def geometry(self, name: str | None, stem: str) -> ImageGeometry | None:
        """Where the pixels of an image are, of a file that names it or has only its own stem; None if not at hand."""
        path = self.path(name or stem)
        if path is None:
            return None
        if self.single and name and image_stem(file_name(name)) != image_stem(file_name(path)):
            doubt = f"The annotations name the image {file_name(name)}, but {path.name} was taken, as it was given."
            self.doubts += [doubt] if doubt not in self.doubts else []
        if path not in self._geometry:
            self._geometry[path] = read_geometry(path)
        return self._geometry[path]


def formats_for(target: Path, to: str | None) -> tuple[list[AnnotationFormat], bool]:
    """The formats that may be written, the usual one first, and whether the target is a folder of files.

    Raises:
        AnnotationError: if the target's name gives no format, or does not fit the one that is asked for.
    """
    to_folder = target.is_dir() or not is_annotation_name(target)
    if to is None:
        if to_folder:
            known = ", ".join(ANNOTATION_FORMATS)
            raise AnnotationError(
                f"{target} is to be a folder, so its name gives no format: say one of {known} with --to."
            )
        return formats_named(target), False
    if to not in ANNOTATION_FORMATS:
        raise AnnotationError(f"There is no format '{to}': choose one of {', '.join(ANNOTATION_FORMATS)}.")
    fmt = ANNOTATION_FORMATS[to]
    if not to_folder and not target.name.lower().endswith(fmt.suffixes):
        raise AnnotationError(f"{target} is to be {fmt.name}: its name must end in {' or '.join(fmt.suffixes)}.")
    return [fmt], to_folder


def _read(
    source: Path, target: Path, at_hand: _Images, names: Sequence[str] | None, several: bool
) -> list[ImageAnnotations]:
    """All images of the source; each has a name, if need be that of its file."""
    files = find_annotations(source) if source.is_dir() else [source]
    if source.is_dir():
        own = target.resolve()
        files = [file for file in files if file.resolve() != own and own not in file.resolve().parents]
    found: dict[str, ImageAnnotations] = {}
    for file in files:
        stem = annotation_stem(file)
        for one in read_annotation_file(file, partial(at_hand.geometry, stem=stem), names, several):
            if one.geometry is None and one.grid.ndim == 3 and one.grid.unit == "px":
                _require_stored(file)
            name = one.image or _name(at_hand.path(stem), stem)
            if name in found:
                raise AnnotationError(f"{file} is of {name}, which another file is of too: convert them one by one.")
            entries = one.entries if names is None else _in_order(one.entries, names, file)
            found[name] = replace(one, image=name, entries=entries)
    if not found:
        raise AnnotationError(f"{source} holds no annotations: choose another file or folder.")
    if at_hand.single and len(found) > 1:
        raise AnnotationError(f"{source} holds {len(found)} images: give the folder of the images, not one image.")
    return list(found.values())


def _require_stored(file: Path) -> None:
    """Make sure that voxels without their volume are those of the volume as stored, as only these can be written."""
    if not find_format(file).capabilities.as_stored:
        raise AnnotationError(f"{file} counts voxels of the volume as it is shown: give the volume with --image.")


def _name(path: Path | None, stem: str) -> str:
    return stem if path is None else path.name


def _in_order(
    entries: Mapping[str, tuple[Entry, ...]], names: Sequence[str], file: Path
) -> dict[str, tuple[Entry, ...]]:
    unknown = next((name for name in entries if name not in names), None)
    if unknown is not None:
        raise AnnotationError(f"{file} has a landmark '{unknown}', which is none of {', '.join(names)}: name it too.")
    return {name: entries[name] for name in names if name in entries}


def _alike(found: Sequence[ImageAnnotations], names: Sequence[str] | None) -> list[ImageAnnotations]:
    """The same landmarks in the same order for each image, as a format without names tells them apart by that alone."""
    order = names or list(dict.fromkeys(name for one in found for name in one.entries))
    unplaced = (Entry(None, LandmarkStatus.UNPLACED),)
    return [replace(one, entries={name: one.entries.get(name) or unplaced for name in order}) for one in found]


def fitting_format(given: set[int], choice: Sequence[AnnotationFormat], source: Path) -> AnnotationFormat:
    """The first format that holds points of these dimensions; AnnotationError if none does."""
    for fmt in choice:
        if given <= set(fmt.capabilities.dimensions):
            return fmt
    which = " or ".join(f"{n}D" for n in choice[0].capabilities.dimensions)
    raise AnnotationError(
        f"{source} has points in {' and '.join(f'{n}D' for n in sorted(given))}, but {choice[0].name} holds {which} "
        "points: choose another format."
    )


def _fitting(one: ImageAnnotations, fmt: AnnotationFormat, at_hand: _Images, folder: Path) -> ImageAnnotations:
    """What of an image's annotations the format can hold, and the image's name as seen from the new file's folder."""
    name = one.image or ""
    if fmt is LABELME:
        path = at_hand.path(name)
        name = file_name(name) if path is None else seen_from(folder, path)
    return one_point_each(replace(one, image=name), fmt)


def _files(
    ready: Sequence[ImageAnnotations], fmt: AnnotationFormat, source: Path
) -> dict[str, Sequence[ImageAnnotations]]:
    """The images by the names of the files to write."""
    out: dict[str, Sequence[ImageAnnotations]] = {}
    for one in ready:
        stem = image_stem(file_name(one.image or ""))
        if not stem.strip(". "):
            raise AnnotationError(f"{source} has an image called '{one.image}', which makes no file name: rename it.")
        if stem + fmt.suffixes[0] in out:
            raise AnnotationError(f"{source} has two images called {stem}: write a file of many images, or rename one.")
        out[stem + fmt.suffixes[0]] = [one]
    return out
