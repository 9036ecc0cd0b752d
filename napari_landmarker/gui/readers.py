"""Opening files in napari itself: images and annotations that are dropped on it or chosen in *File > Open*.

**Images** are opened as in the plugin's own window. Claimed are the medical formats, whose geometry napari does not
read: NIfTI, NRRD, MetaImage and DICOM, by its ending or, without one, by its content; a folder is claimed if it holds
DICOM files. PNG, JPEG, BMP, TIFF and NumPy files are left to napari and its other plugins, which show them alike: if
this plugin claimed them too, napari would ask at every photograph who shall open it.

**Annotations** are claimed by their content: a JSON file must be of labelme, 3D Slicer or COCO keypoints, a table must
name landmarks, and a text must be one of the ISBI 2015 challenge. Each image's landmarks are a layer of points that
lies right over the image, if it is open or lies beside the file. Millimetres without an image are shown at their place
in the world, in the order ``(z, y, x)``; since an image is shown with its first pixel at the origin, it must be open
before (see `looks`).

What goes wrong is told in a notification, and nothing is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Layer

from napari_landmarker.engine.errors import LandmarkerError
from napari_landmarker.engine.geometry import apply_matrix
from napari_landmarker.engine.io import find_format, image_stem, read_image
from napari_landmarker.engine.io.dicom_header import DICOM_SUFFIXES, has_dicom_mark, may_be_dicom
from napari_landmarker.engine.io.dicom_series import search_beside
from napari_landmarker.engine.io.metaimage import METAIMAGE
from napari_landmarker.engine.io.nifti import NIFTI
from napari_landmarker.engine.io.nrrd import NRRD
from napari_landmarker.gui.landmark_layers import LayerData, landmark_layers
from napari_landmarker.gui.looks import image_arguments
from napari_landmarker.gui.messages import tell, tell_error
from napari_landmarker.gui.origin import IMAGE_KEY, POINTS_KEY, ImageOrigin, shown_images

ReaderFunction = Callable[[Any], list[Any]]

#: Endings by which an image is claimed without a look inside.
_CLAIMED = (*NIFTI.suffixes, *NRRD.suffixes, *METAIMAGE.suffixes, ".dcm", ".dicom")
#: So many files of a folder are looked at to see whether it holds DICOM.
_LOOKED_AT = 100
#: How a reader tells napari that there is nothing to show, and no error to report.
_NOTHING: list[Any] = [(None,)]


def image_reader(path: str | list[str]) -> ReaderFunction | None:
    """The reader of an image, or None if it is none of those that are claimed; napari calls it.

    Args:
        path: a file or folder, or files that are to be one stack, which must be slices of one DICOM series.
    """
    paths = [Path(path)] if isinstance(path, str) else [Path(one) for one in path]
    try:
        ours = bool(paths) and _is_image(paths[0]) and (isinstance(path, str) or _is_series(paths))
    except (OSError, ValueError, LandmarkerError):  # not there, not to be opened, or no path at all
        return None
    return partial(_told, image_layers, paths[0]) if ours else None


def annotation_reader(path: str | list[str]) -> ReaderFunction | None:
    """The reader of an annotation file, or None if it is no such file; napari calls it."""
    if not isinstance(path, str):
        return None
    try:
        if not find_format(path).recognises(Path(path)):
            return None
    except (LandmarkerError, ValueError):
        return None
    return partial(_told, _landmarks_on_screen, Path(path))


def image_layers(path: Path) -> list[LayerData]:
    """An image of any format as a layer; none if it is a slice of a DICOM series that is open already.

    Raises:
        ImageError: if it cannot be read.
    """
    if any(path in shown.origin.files and path != shown.origin.path for shown in shown_images(_open_layers())):
        return []
    image = read_image(path)
    files = _series_of(path)
    name = path.parent.name if files else image_stem(path)
    origin = ImageOrigin(path, image.geometry, files)
    arguments = {
        "name": name or path.name,
        "metadata": {IMAGE_KEY: origin, "notes": list(image.notes)},
        **image_arguments(image),
    }
    return [(image.array, arguments, "image")]


def _told(read: Callable[[Path], list[LayerData]], path: Path, _: object) -> list[Any]:
    """What a reader makes of a path, or nothing where that fails, which is told."""
    try:
        return read(path) or _NOTHING
    except LandmarkerError as error:
        tell_error(str(error))
        return _NOTHING


def _landmarks_on_screen(path: Path) -> list[LayerData]:
    """The landmarks of a file over what is open; the sliders go to the first if the slice that is shown has none."""
    viewer = napari.current_viewer()
    selected = None if viewer is None else viewer.layers.selection.active
    layers, remark = landmark_layers(path, _open_layers(), selected)
    if remark:
        tell(remark)
    points, arguments, _ = layers[0]
    if viewer is None or viewer.dims.ndim != points.shape[1] or not viewer.layers:
        return layers
    hidden = list(viewer.dims.not_displayed)
    places = apply_matrix(arguments["metadata"][POINTS_KEY].matrix, points)[:, hidden]
    half = np.array([viewer.dims.range[axis].step / 2 for axis in hidden])
    if not (np.abs(places - np.array(viewer.dims.point)[hidden]) <= half).all(axis=1).any():
        for axis, place in zip(hidden, places[0], strict=True):
            viewer.dims.set_point(axis, place)
    return layers


def _open_layers() -> list[Layer]:
    viewer = napari.current_viewer()
    return [] if viewer is None else list(viewer.layers)


def _is_image(path: Path) -> bool:
    """Whether an image is claimed; OSError if it is not there."""
    if path.is_dir():
        with os.scandir(path) as entries:
            files = islice((Path(e.path) for e in entries if e.is_file() and may_be_dicom(e.name)), _LOOKED_AT)
            return any(has_dicom_mark(file) for file in files)
    return path.is_file() and (path.name.lower().endswith(_CLAIMED) or has_dicom_mark(path))


def _is_series(paths: list[Path]) -> bool:
    """Whether all files are slices of one DICOM series."""
    group, _ = search_beside(paths[0])
    return {member.path for member in group.members}.issuperset(paths)


def _series_of(path: Path) -> frozenset[Path]:
    """The files of the DICOM series that a file is a slice of; none if it is no file of DICOM, or stands alone."""
    if path.is_dir() or not (path.name.lower().endswith(DICOM_SUFFIXES) or has_dicom_mark(path)):
        return frozenset()
    group, _ = search_beside(path)
    return frozenset(member.path for member in group.members) if len(group.members) > 1 else frozenset()
