"""labelme's JSON files: points in 2D images.

labelme counts pixels from the corner of the top-left pixel, so its coordinates are index + 0.5. What a plain
labelme file cannot say stands in keys of our own, which labelme keeps: ``status`` and ``score`` of a point,
and ``absent_landmarks`` of the file. Format: labelme 5.7, https://github.com/wkentaro/labelme.
"""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.atomic import read_json
from napari_landmarker.engine.io.fields import (
    Entry,
    as_name,
    as_numbers,
    as_score,
    as_status,
    entries_of,
    landmark_set,
    save_json,
)
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

#: The version of labelme whose layout is written; labelme refuses nothing of the same major version.
LABELME_VERSION = "5.7.0"
_ABSENT = "absent_landmarks"
_CORNER = 0.5


def read_labelme(
    path: Path | str, grid: Grid, names: Sequence[str] | None = None, image_name: str | None = None
) -> LandmarkSet:
    """Read the points of a labelme file; shapes of other kinds are left alone.

    Args:
        path: the file.
        grid: geometry of the image, 2D.
        names: the landmarks there may be, in the order of the result; None takes those of the file.
        image_name: the image's file name, to check that the file belongs to it.

    Raises:
        AnnotationError: if the file is damaged, is of another image, names an unknown landmark or one twice.
    """
    path = Path(path)
    content = _content(path, grid)
    _check_image(content, path, grid, image_name)
    entries = {}
    for name, shape in _points(content, path).items():
        corner = as_numbers(shape["points"][0], 2, name, path)
        status = as_status(shape.get("status"), LandmarkStatus.CONFIRMED, name, path)
        entries[name] = Entry(corner[::-1] - _CORNER, status, as_score(shape.get("score"), name, path))
    for name in _absent(content, path):
        if name in entries:
            raise AnnotationError(f"{path} says that '{name}' is absent but also places it: remove one of the two.")
        entries[name] = Entry(None, LandmarkStatus.ABSENT)
    return landmark_set(entries, grid, names, path)


def write_labelme(landmarks: LandmarkSet, path: Path | str, image_path: Path | str) -> None:
    """Write the landmarks of a 2D image as labelme does; what else is in the file already stays.

    Args:
        landmarks: one point a landmark. Points in the file whose landmark is no longer placed are removed;
            landmarks that are not in the set are not touched.
        path: the file.
        image_path: the image, named in the file by a relative path.

    Raises:
        AnnotationError: if the file is there and is damaged or of another image, or the landmarks are not 2D.
        ProjectError: if the file cannot be written.
    """
    path, image_path = Path(path), Path(image_path)
    grid = landmarks.grid
    entries = entries_of(landmarks, path)
    before: dict[str, Any] = {"shapes": []}
    if path.exists():
        before = _content(path, grid)
        _check_image(before, path, grid, image_path.name)
    elif grid.ndim != 2:
        raise _not_flat(path)
    known = _points(before, path)
    absent = [name for name in _absent(before, path) if name not in entries]
    absent += [name for name, entry in entries.items() if entry.status is LandmarkStatus.ABSENT]
    gone = [id(known[n]) for n, e in entries.items() if e.point is None and n in known]
    shapes = [shape for shape in before["shapes"] if id(shape) not in gone]
    for name, entry in entries.items():
        if entry.point is not None:
            shape = known.get(name)
            if shape is None:
                shape = _new_shape(name)
                shapes.append(shape)
            _fill(shape, entry)
    content: dict[str, Any] = {
        "version": LABELME_VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": "",
        "imageData": None,
        "imageHeight": grid.shape[0],
        "imageWidth": grid.shape[1],
    }
    content |= {key: value for key, value in before.items() if key not in ("shapes", _ABSENT)}
    content |= {
        "imagePath": _relative(path, image_path),
        "imageHeight": grid.shape[0],
        "imageWidth": grid.shape[1],
    }
    if absent:
        content[_ABSENT] = absent
    save_json(path, content)


def _content(path: Path, grid: Grid) -> dict[str, Any]:
    if grid.ndim != 2:
        raise _not_flat(path)
    content = read_json(path, "a labelme file", AnnotationError)
    shapes = content.get("shapes")
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise AnnotationError(f"{path} is not a labelme file: it has no list of shapes.")
    return content


def _not_flat(path: Path) -> AnnotationError:
    return AnnotationError(f"{path} is a labelme file, which holds 2D points only: use a .mrk.json file for a volume.")


def _check_image(content: dict[str, Any], path: Path, grid: Grid, image_name: str | None) -> None:
    """The file belongs to the image, as far as it says so."""
    stated = content.get("imagePath")
    if image_name is not None and stated:
        other = str(stated).replace("\\", "/").rpartition("/")[2]
        if unicodedata.normalize("NFC", other) != unicodedata.normalize("NFC", Path(image_name).name):
            raise AnnotationError(
                f"{path} is of another image: it was made for {other}, not for {Path(image_name).name}."
            )
    height, width = content.get("imageHeight"), content.get("imageWidth")
    if (height is not None and height != grid.shape[0]) or (width is not None and width != grid.shape[1]):
        raise AnnotationError(
            f"{path} was made for an image of {width} x {height} pixels, but this one has "
            f"{grid.shape[1]} x {grid.shape[0]}: choose the annotation that belongs to the image."
        )


def _points(content: dict[str, Any], path: Path) -> dict[str, dict[str, Any]]:
    """The point shapes by landmark; each is sure to have one position."""
    found: dict[str, dict[str, Any]] = {}
    for shape in content["shapes"]:
        if shape.get("shape_type") != "point":
            continue
        name = as_name(shape.get("label"), path)
        if name in found:
            raise AnnotationError(f"{path} has '{name}' twice: keep one point for each landmark.")
        positions = shape.get("points")
        if not isinstance(positions, list) or len(positions) != 1:
            raise AnnotationError(f"{path} gives '{name}' no position: place it again.")
        found[name] = shape
    return found


def _absent(content: dict[str, Any], path: Path) -> list[str]:
    value = content.get(_ABSENT)
    if value is None:
        return []
    if not isinstance(value, list):
        raise AnnotationError(f"{path} has '{_ABSENT}' that is no list of names: correct or remove it.")
    return [as_name(item, path) for item in value]


def _new_shape(name: str) -> dict[str, Any]:
    return {
        "label": name,
        "points": [],
        "group_id": None,
        "description": "",
        "shape_type": "point",
        "flags": {},
        "mask": None,
    }


def _fill(shape: dict[str, Any], entry: Entry) -> None:
    """Set position, status and score of a point shape."""
    if entry.point is not None:
        y, x = (float(value) + _CORNER for value in entry.point)
        shape["points"] = [[x, y]]
    extra = {
        "status": None if entry.status is LandmarkStatus.CONFIRMED else entry.status.value,
        "score": None if math.isnan(entry.score) else entry.score,
    }
    for key, value in extra.items():
        if value is None:
            shape.pop(key, None)
        else:
            shape[key] = value


def _relative(path: Path, image_path: Path) -> str:
    """The image as seen from the file's folder; only its name where the way leads through a user's folder."""
    folder, image = path.parent.resolve(), image_path.parent.resolve() / image_path.name
    try:
        common = Path(os.path.commonpath([folder, image]))
    except ValueError:  # another drive
        return image.name
    home = Path(os.path.expanduser("~")).resolve()
    homes = home if home.parent == Path(home.anchor) else home.parent
    if image.is_relative_to(homes) and common in home.parents:
        return image.name
    return Path(os.path.relpath(image, folder)).as_posix()
