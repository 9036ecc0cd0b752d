"""DICOM images: a single file, a series by any of its files or by its folder, a volume in one file.

A single file is 2D. The slices of a series, and the frames of an enhanced file, are one volume ``(slice, row,
column)`` in order of their positions, then turned to lie nearest to LPS as every volume; `dicom_series` says which
files belong together, `dicom_geometry` which stacks are accepted. Frames without positions are a film and are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.dicom_geometry import plane_of, stacked
from napari_landmarker.engine.io.dicom_header import DICOM_SUFFIXES, Header, functional_group, number, read_header, text
from napari_landmarker.engine.io.dicom_pixels import frame_values, is_inverted, window_of
from napari_landmarker.engine.io.dicom_series import Group, search_beside, search_folder
from napari_landmarker.engine.io.dicom_spacing import picture_spacing
from napari_landmarker.engine.io.formats import ImageFormat
from napari_landmarker.engine.io.image import Image, ImageGeometry
from napari_landmarker.engine.io.orient import StoredGeometry


@dataclass(frozen=True, eq=False)
class _Plan:
    """What to read and where it goes.

    Attributes:
        geometry: of the image as stored: ``(row, column)``, or ``(slice, row, column)`` in order of position.
        parts: the files, each with the array index of each of its frames.
    """

    geometry: StoredGeometry
    parts: tuple[tuple[Path, tuple[int, ...]], ...]


def read_dicom(path: Path) -> Image:
    """Read a DICOM image: ``(Y, X)`` or ``(Z, Y, X)`` grey, or the same with 3 colours.

    Grey values are those behind the modality LUT (CT in Hounsfield units), with high values bright: as stored where
    there is no such LUT, else int16 or int32 where whole, else float32.

    Args:
        path: a file, or the folder of one series.

    Raises:
        ImageError: if it is no DICOM image, a folder holds several, frames are over time, or slices do not make a
            regular volume.
    """
    plan = _plan(path)
    count = sum(len(indices) for _, indices in plan.parts)
    array: npt.NDArray[Any] | None = None
    window: tuple[float, float] | None = None
    for file, indices in plan.parts:
        header = read_header(file)
        for frame, values in enumerate(frame_values(header)):
            array = _with_room(array, count, values, file)
            array[indices[frame]] = values
            if indices[frame] == count // 2:
                window = window_of(header, frame)
    if array is None:
        raise ImageError(f"{path} holds no frames: export it again from the program that made it.")
    if plan.geometry.grid.ndim == 2:
        array = array[0]
    geometry = plan.geometry.geometry()
    turned = plan.geometry.turn.apply(array)
    return Image(turned, geometry.grid, geometry.stored, notes=geometry.notes, display_range=window)


def read_dicom_geometry(path: Path) -> ImageGeometry:
    """The geometry of a DICOM image from its headers; raises as `read_dicom`, except for damaged pixels."""
    return _plan(path).geometry.geometry()


def _with_room(array: npt.NDArray[Any] | None, count: int, values: npt.NDArray[Any], file: Path) -> npt.NDArray[Any]:
    """The array of all frames, in a dtype that can take ``values`` too; copied only where it could not yet."""
    if array is None:
        return np.empty((count, *values.shape), values.dtype)
    if values.shape != array.shape[1:]:
        raise ImageError(f"{file} differs from the other slices in size or colour: remove it from its folder.")
    if values.dtype == array.dtype:
        return array
    has_floats = "f" in (values.dtype.kind, array.dtype.kind)
    return array.astype(np.float32 if has_floats else np.result_type(values, array), copy=False)


def _plan(path: Path) -> _Plan:
    group, subject, notes = _chosen(path)
    if len(group.members) > 1:
        return _series_plan(group, subject, notes)
    header = read_header(group.members[0].path)
    return _frames_plan(header, notes) if header.frames > 1 else _picture_plan(header, notes)


def _chosen(path: Path) -> tuple[Group, str, tuple[str, ...]]:
    """The files that ``path`` means, what to call them in messages, and notes on files that were left out."""
    if not path.is_dir():
        group, damaged = search_beside(path)
        return group, f"{path.parent} (the series of {path.name})", _left_out(0, len(damaged))
    found = search_folder(path)
    group_or_none = found.only_volume or (found.shown[0] if len(found.shown) == 1 else None)
    if group_or_none is not None:
        return group_or_none, str(path), _left_out(len(found.groups) - 1, len(found.damaged))
    if not found.groups:
        damaged_too = "that can be read " if found.damaged else ""
        raise ImageError(
            f"{path} is a folder without DICOM images {damaged_too}in it: choose an image file, "
            "or the folder of one DICOM series."
        )
    volumes = sum(group.is_volume for group in found.shown)
    kind = "DICOM series" if volumes else "separate DICOM images"
    raise ImageError(
        f"{path} holds {volumes or len(found.shown)} {kind}: choose a file of the one you want instead of the folder."
    )


def _left_out(others: int, damaged: int) -> tuple[str, ...]:
    notes = []
    if others:
        notes.append(f"Further DICOM images in the folder that are no part of this one: {others}.")
    if damaged:
        notes.append(f"DICOM files in the folder that could not be read and were left out: {damaged}.")
    return tuple(notes)


def _picture_plan(header: Header, notes: tuple[str, ...]) -> _Plan:
    spacing, said = picture_spacing(header.dataset)
    notes = (*said, *_value_notes(header), *notes)
    return _Plan(StoredGeometry(Grid(header.shape, spacing), False, notes), ((header.path, (0,)),))


def _series_plan(group: Group, subject: str, notes: tuple[str, ...]) -> _Plan:
    stack = stacked([member.plane for member in group.members], subject)
    files = [group.members[i].path for i in stack.order]
    header = read_header(files[0])
    notes = (*_distance_note(header, stack.grid), *_value_notes(header), *notes)
    parts = tuple((file, (k,)) for k, file in enumerate(files))
    return _Plan(StoredGeometry(stack.grid, True, notes), parts)


def _frames_plan(header: Header, notes: tuple[str, ...]) -> _Plan:
    places = len(header.dataset.get("PerFrameFunctionalGroupsSequence") or ())
    planes = [plane_of(header.dataset, f"frame {frame + 1}", frame) for frame in range(min(places, header.frames))]
    if len(planes) < header.frames or all(plane.position is None for plane in planes):
        raise ImageError(
            f"{header.path} holds {header.frames} frames that state no places in the patient, as a film over time does "
            "(ultrasound, angiography): export one frame as an image of its own, or a volume as a series of slices."
        )
    stack = stacked(planes, str(header.path))
    place = np.empty(len(planes), dtype=int)
    place[list(stack.order)] = range(len(planes))
    notes = (*_distance_note(header, stack.grid), *_value_notes(header), *notes)
    return _Plan(StoredGeometry(stack.grid, True, notes), ((header.path, tuple(place.tolist())),))


def _distance_note(header: Header, grid: Grid) -> Sequence[str]:
    """That the distance between slices is measured, where the header's thickness would mislead."""
    thickness = number(functional_group(header.dataset, "PixelMeasuresSequence"), "SliceThickness")
    distance = (grid.spacing or (0.0,))[0]
    if thickness is None or thickness <= 0 or abs(thickness - distance) <= 0.01 * distance:
        return ()
    return (
        f"The distance between slices is {distance:.4g} mm, measured from their positions; "
        f"their thickness is {thickness:.4g} mm.",
    )


def _value_notes(header: Header) -> Sequence[str]:
    """What has become of the stored values."""
    notes = []
    if is_inverted(header):
        notes.append(
            "The file means high values to be dark (MONOCHROME1); here they are inverted, so bright is bright."
        )
    group = functional_group(header.dataset, "PixelValueTransformationSequence")
    rescaled_ct = text(header.dataset, "Modality") == "CT" and number(group, "RescaleIntercept") is not None
    if text(group, "RescaleType") == "HU" or (rescaled_ct and not text(group, "RescaleType")):
        notes.append("The values are Hounsfield units.")
    return notes


DICOM = ImageFormat("DICOM", DICOM_SUFFIXES, read_dicom, read_dicom_geometry)
