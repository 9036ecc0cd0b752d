"""Images of any format: which files are images, and reading them by the ending of their name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.io.dicom import DICOM
from napari_landmarker.engine.io.dicom_header import has_dicom_mark, may_be_dicom
from napari_landmarker.engine.io.dicom_series import image_paths
from napari_landmarker.engine.io.formats import ImageFormat, one_sentence
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.metaimage import METAIMAGE
from napari_landmarker.engine.io.nifti import NIFTI
from napari_landmarker.engine.io.npy import NPY
from napari_landmarker.engine.io.nrrd import NRRD
from napari_landmarker.engine.io.paths import natural_order
from napari_landmarker.engine.io.raster import RASTER
from napari_landmarker.engine.io.tiff import TIFF
from napari_landmarker.engine.progress import Progress

#: Every format that is read; a further one joins by standing here.
FORMATS: tuple[ImageFormat, ...] = (RASTER, TIFF, NIFTI, NRRD, METAIMAGE, NPY, DICOM)

#: Endings of image files, in lower case and with the dot.
IMAGE_SUFFIXES: tuple[str, ...] = tuple(suffix for family in FORMATS for suffix in family.suffixes)

_OTHER_SUFFIXES = tuple(suffix for suffix in IMAGE_SUFFIXES if suffix not in DICOM.suffixes)


def is_image_file(path: Path | str) -> bool:
    """Whether the ending of a file's name is one of `IMAGE_SUFFIXES`, in upper or lower case.

    A file of any other name is one if it is marked as DICOM inside.
    """
    path = Path(path)
    if path.name.lower().endswith(IMAGE_SUFFIXES):
        return True
    try:
        return path.is_file() and has_dicom_mark(path)
    except OSError:
        return False


def image_stem(path: Path | str) -> str:
    """The file's name without the ending that makes it an image: ``scan.v2`` of ``scan.v2.nii.gz``."""
    name = Path(path).name
    ending = max((s for s in IMAGE_SUFFIXES if name.lower().endswith(s)), key=len, default="")
    return name[: len(name) - len(ending)]


def read_image(path: Path | str) -> Image:
    """Read an image of any format.

    Args:
        path: a file, or the folder of one DICOM series. Any file of a DICOM series stands for the whole volume.

    Returns:
        The image: ``(*space)`` or ``(*space, 3)``, with its geometry. Volumes are turned to lie nearest to
            LPS.

    Raises:
        ImageError: if there is no such file, or it cannot be read as an image.
    """
    path = Path(path)
    with one_sentence(path, "an image"):
        family = _family(path)
    with one_sentence(path, family.name):
        return family.read(path)


def read_geometry(path: Path | str) -> ImageGeometry:
    """Read where an image's pixels are, from its header alone; raises as `read_image`."""
    path = Path(path)
    with one_sentence(path, "an image"):
        family = _family(path)
    with one_sentence(path, family.name):
        return family.read_geometry(path)


def find_images(folder: Path | str, progress: Progress | None = None) -> list[Path]:
    """All images in a folder and its subfolders, in natural order (``scan2`` before ``scan10``).

    Hidden files and folders, and files that are no images, are left out. A DICOM series is listed once: as its
    folder where that holds nothing else of DICOM, else as its first file; DICOM files need no ending.

    Args:
        folder: the folder.
        progress: is told how many files that may be DICOM were looked into, of how many; what it raises ends that.

    Raises:
        ImageError: if the folder does not exist, cannot be listed or holds no image.
    """
    folder = Path(folder)
    if not folder.exists():
        raise ImageError(f"{folder} does not exist: choose a folder with images.")
    if not folder.is_dir():
        raise ImageError(f"{folder} is a file: choose a folder with images.")
    found: list[Path] = []
    unsure: dict[Path, list[Path]] = {}
    try:
        for parent, folders, files in os.walk(folder, onerror=_raise):
            folders[:] = [name for name in folders if not name.startswith(".")]
            paths = [Path(parent, name) for name in files if not name.startswith(".")]
            found += [path for path in paths if path.name.lower().endswith(_OTHER_SUFFIXES)]
            unsure[Path(parent)] = [path for path in paths if _only_looks_like_dicom(path)]
    except OSError as error:
        raise ImageError(f"{folder} could not be searched ({error.strerror}): check its permissions.") from error
    found += _series_of(unsure, progress)
    if not found:
        raise ImageError(f"{folder} holds no images: it must hold files of the kinds {', '.join(IMAGE_SUFFIXES)}.")
    return sorted(found, key=lambda path: natural_order(path.relative_to(folder)))


def distinct_images(paths: Iterable[Path | str], progress: Progress | None = None) -> list[Path]:
    """One path for each image among files and folders that a person chose; DICOM comes last.

    Slices of one DICOM series are one image, and a folder stands for all images in it.

    Args:
        paths: files and folders.
        progress: as in `find_images`; counts anew for each folder.

    Raises:
        ImageError: if a folder holds no image.
    """
    unsure: dict[Path, list[Path]] = {}
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += find_images(path, progress)
        elif _only_looks_like_dicom(path) and is_image_file(path):
            unsure.setdefault(path.parent, []).append(path)
        else:
            found.append(path)
    found += [paths[0] for paths in unsure.values() if len(paths) == 1]
    return found + _series_of({folder: paths for folder, paths in unsure.items() if len(paths) > 1}, progress)


def _series_of(unsure: Mapping[Path, Sequence[Path]], progress: Progress | None) -> list[Path]:
    """The DICOM images among the files of folders, all of which are opened."""
    total, done = sum(map(len, unsure.values())), count(1)

    def told(paths: Iterable[Path]) -> Iterator[Path]:
        for path in paths:
            yield path
            if progress is not None:
                progress(next(done), total)

    return [image for folder, paths in unsure.items() if paths for image in image_paths(folder, told(paths))]


def _only_looks_like_dicom(path: Path) -> bool:
    """Whether it may be DICOM by its name, which also files without an ending may be, and nothing else."""
    return not path.name.lower().endswith(_OTHER_SUFFIXES) and may_be_dicom(path.name)


def _raise(error: OSError) -> None:
    raise error


def _family(path: Path) -> ImageFormat:
    """The format of a file that exists and is not empty, or of a folder."""
    if not path.exists():
        raise ImageError(f"{path} does not exist: check the name, or choose another image.")
    if path.is_dir():
        return DICOM
    name = path.name.lower()
    family = next((family for family in FORMATS if name.endswith(family.suffixes)), None)
    if family is None and has_dicom_mark(path):
        family = DICOM
    if family is None:
        raise ImageError(f"{path} is of no image format that is known here: use {', '.join(IMAGE_SUFFIXES)}.")
    if path.stat().st_size == 0:
        raise ImageError(f"{path} is empty: copy or export the image again.")
    return family
