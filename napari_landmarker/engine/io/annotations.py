"""Annotation files of one image: which format a file is in, by its name and content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.atomic import read_json
from napari_landmarker.engine.io.labelme import read_labelme, write_labelme
from napari_landmarker.engine.io.slicer import read_slicer, write_slicer
from napari_landmarker.engine.landmarks import LandmarkSet

_SLICER_SUFFIX = ".mrk.json"


def read_landmarks(
    path: Path | str, grid: Grid, names: Sequence[str] | None = None, image_name: str | None = None
) -> LandmarkSet:
    """Read the landmarks of one image from a labelme or a 3D Slicer file.

    Args:
        path: a ``.mrk.json`` file (3D Slicer), or a ``.json`` file of either program.
        grid: geometry of the image.
        names: the landmarks there may be, in the order of the result; None takes those of the file.
        image_name: the image's file name, to check that the file belongs to it, where the format tells.

    Raises:
        AnnotationError: if the file cannot be read or does not belong to the image or its landmarks.
    """
    path = Path(path)
    _check_suffix(path)
    if path.name.lower().endswith(_SLICER_SUFFIX):
        return read_slicer(path, grid, names)
    content = read_json(path, "an annotation file of labelme or 3D Slicer", AnnotationError)
    if "shapes" in content:
        return read_labelme(path, grid, names, image_name)
    if "markups" in content:
        return read_slicer(path, grid, names)
    raise AnnotationError(
        f"{path} is neither a labelme nor a 3D Slicer file: choose an annotation file of one of them."
    )


def write_landmarks(landmarks: LandmarkSet, path: Path | str, image_path: Path | str) -> None:
    """Write the landmarks of one image: ``.mrk.json`` as 3D Slicer does, another ``.json`` as labelme does.

    Raises:
        AnnotationError: if the name ends otherwise, or the file that is there is damaged or of another image.
        ProjectError: if the file cannot be written.
    """
    path = Path(path)
    _check_suffix(path)
    if path.name.lower().endswith(_SLICER_SUFFIX):
        write_slicer(landmarks, path)
    else:
        write_labelme(landmarks, path, image_path)


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() != ".json":
        raise AnnotationError(f"{path} is no annotation file: its name must end in .json (2D) or .mrk.json (3D).")
