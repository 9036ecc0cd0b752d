"""labelme's JSON files: points in 2D images.

labelme counts pixels from the corner of the top-left pixel, so its coordinates are index + 0.5. Several points of one
label are instances of that landmark, told apart by their ``group_id``. What a plain labelme file cannot say stands in
keys of our own, which labelme keeps: ``status``, ``score`` and ``covariance`` (``[[xx, xy], [xy, yy]]`` in px²) of a
point, and ``absent_landmarks`` of the file (names,
or objects where more is to be said: the number of the instance, or that it is locked). Format:
labelme 5.7, https://github.com/wkentaro/labelme.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import Grid
from napari_landmarker.engine.io.annotation_format import (
    AnnotationFormat,
    Capabilities,
    GeometryOf,
    ImageAnnotations,
)
from napari_landmarker.engine.io.atomic import has_key, read_json
from napari_landmarker.engine.io.covariance import COVARIANCE, as_covariance, covariance_rows
from napari_landmarker.engine.io.fields import (
    Entry,
    as_name,
    as_numbers,
    as_score,
    as_status,
    entries_of,
    only_image,
    other_keys,
    require_pixels,
    save_json,
    with_gaps,
)
from napari_landmarker.engine.io.image_names import portable_name
from napari_landmarker.engine.io.labelme_points import (
    absent_items,
    absent_landmarks,
    instances_of,
    match,
    point_shapes,
)
from napari_landmarker.engine.io.paths import file_name, seen_from
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus

#: The version of labelme whose layout is written; labelme refuses nothing of the same major version.
LABELME_VERSION = "5.7.0"
_WHAT = "a labelme file"
_ABSENT = "absent_landmarks"
_CORNER = 0.5
#: Keys of a file and of a point that are read, or say nothing of the image; others belong to other programs.
_KEYS = ("version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth", _ABSENT)
_POINT_KEYS = (
    "label", "points", "group_id", "description", "shape_type", "flags", "status", "score", COVARIANCE, "locked",
)  # fmt: skip


def read_labelme(
    path: Path | str,
    grid: Grid | None = None,
    names: Sequence[str] | None = None,
    image_name: str | None = None,
    instances: int | None = None,
) -> LandmarkSet:
    """Read the points of a labelme file; shapes of other kinds are left alone.

    Args:
        path: the file.
        grid: geometry of the image, 2D; None for the size that the file states.
        names: the landmarks there may be, in the order of the result; None takes those of the file.
        image_name: the image's file name, to check that the file belongs to it.
        instances: how many points a landmark may have; where it is more than one, points of one label need no group.

    Raises:
        AnnotationError: if the file is damaged, is of another image, names an unknown landmark or one twice.
    """
    path = Path(path)
    repeats = instances is not None and instances > 1
    content = _content(path, grid)
    if image_name is not None:
        check_image_name(content.get("imagePath"), image_name, path)
    entries = _entries(content, path, repeats)
    return ImageAnnotations(None, _grid(content, path, grid), entries).landmarks(names, instances, path)


def write_labelme(landmarks: LandmarkSet, path: Path | str, image_path: Path | str | None = None) -> None:
    """Write the landmarks of a 2D image as labelme does; what else is in the file already stays.

    Args:
        landmarks: the landmarks. Points in the file whose landmark is no longer placed are removed; landmarks that are
            not in the set are not touched.
        path: the file.
        image_path: the image, named in the file by a relative path; None keeps the one named there, or takes the
            file's own name without its ending.

    Raises:
        AnnotationError: if the file is there and is damaged or of another image, or the landmarks are not 2D.
        ProjectError: if the file cannot be written.
    """
    path = Path(path)
    image = None if image_path is None else seen_from(path.parent, Path(image_path))
    _save(path, entries_of(landmarks), landmarks.grid, image, landmarks.status.ndim == 2)


def _read(
    path: Path, geometry_of: GeometryOf, _names: Sequence[str] | None, repeats: bool = False
) -> list[ImageAnnotations]:
    content = _content(path, None)
    image = content.get("imagePath")
    image = image.replace("\\", "/") if isinstance(image, str) and image else None
    geometry = geometry_of(image)
    if geometry is not None and geometry.grid.ndim != 2:
        raise _not_flat(path)
    grid = _grid(content, path, None if geometry is None else geometry.grid)
    return [ImageAnnotations(image, grid, _entries(content, path, repeats), geometry, _unread(content))]


def _write(path: Path, annotations: Sequence[ImageAnnotations]) -> None:
    only_image(len(annotations), path)
    (one,) = annotations
    image = None if one.image is None else portable_name(one.image)
    _save(path, one.entries, one.grid, image, any(len(given) > 1 for given in one.entries.values()))


LABELME = AnnotationFormat(
    name="labelme",
    read_by="labelme and what trains on its files; one file for each image.",
    suffixes=(".json",),
    capabilities=Capabilities(
        dimensions=(2,),
        coordinates=("px",),
        absent=True,
        status=True,
        score=True,
        instances=True,
        description=True,
        locked=True,
        covariance=True,
        states_size=True,
    ),
    recognises=partial(has_key, key="shapes"),
    read=_read,
    write=_write,
    read_repeats=partial(_read, repeats=True),
)


def _content(path: Path, grid: Grid | None) -> dict[str, Any]:
    if grid is not None and grid.ndim != 2:
        raise _not_flat(path)
    content = read_json(path, _WHAT, AnnotationError)
    shapes = content.get("shapes")
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise AnnotationError(f"{path} is not a labelme file: it has no list of shapes.")
    return content


def _not_flat(path: Path) -> AnnotationError:
    return AnnotationError(f"{path} is a labelme file, which holds 2D points only: use a .mrk.json file for a volume.")


def _grid(content: dict[str, Any], path: Path, grid: Grid | None) -> Grid:
    """The image's grid, which the size in the file must fit; without it, one of that size."""
    height, width = content.get("imageHeight"), content.get("imageWidth")
    if grid is not None and grid.has_image:
        if (height is not None and height != grid.shape[0]) or (width is not None and width != grid.shape[1]):
            raise AnnotationError(
                f"{path} was made for an image of {width} x {height} pixels, but this one has "
                f"{grid.shape[1]} x {grid.shape[0]}: choose the annotation that belongs to the image."
            )
        return grid
    if grid is not None or height is None or width is None:
        return Grid.without_image(2) if grid is None else grid
    if not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in (height, width)):
        raise AnnotationError(f"{path} states no sensible size of its image: correct imageHeight and imageWidth.")
    return Grid((height, width))


def _unread(content: dict[str, Any]) -> tuple[str, ...]:
    """What the file holds besides points, in words."""
    others = sum(shape.get("shape_type") != "point" for shape in content["shapes"])
    flagged = [content, *content["shapes"]]
    flags = sum(bool(item["flags"]) for item in flagged if isinstance(item.get("flags"), dict))
    found = [f"{others} shape{'s' * (others != 1)} that {'are' if others != 1 else 'is'} no point"] if others else []
    found += ["the flags of the image or its points"] if flags else []
    found += ["the copy of the image in the file"] if content.get("imageData") else []
    points = [shape for shape in content["shapes"] if shape.get("shape_type") == "point"]
    return (*found, *other_keys((content, _KEYS), *((point, _POINT_KEYS) for point in points)))


def _entries(content: dict[str, Any], path: Path, repeats: bool) -> dict[str, tuple[Entry, ...]]:
    found = {
        name: {i: _entry(shape, name, path) for i, shape in shapes.items()}
        for name, shapes in instances_of(point_shapes(content["shapes"], path), path, repeats).items()
    }
    for name, instance, locked in absent_landmarks(content.get(_ABSENT), path):
        entries = found.setdefault(name, {})
        if instance in entries and instance == 0:
            raise AnnotationError(f"{path} says that '{name}' is absent but also places it: remove one of the two.")
        while instance in entries:
            instance += 1
        entries[instance] = Entry(None, LandmarkStatus.ABSENT, locked=locked)
    return {name: with_gaps(entries) for name, entries in found.items()}


def _entry(shape: dict[str, Any], name: str, path: Path) -> Entry:
    corner = as_numbers(shape["points"][0], 2, name, path)
    status = as_status(shape.get("status"), LandmarkStatus.CONFIRMED, name, path)
    text = shape.get("description")
    covariance = as_covariance(shape.get(COVARIANCE), 2, name, path)
    return Entry(
        corner[::-1] - _CORNER,
        status,
        as_score(shape.get("score"), name, path),
        text if isinstance(text, str) else "",
        shape.get("locked") is True,
        None if covariance is None else covariance[::-1, ::-1],
    )


def _save(path: Path, entries: Mapping[str, Sequence[Entry]], grid: Grid, image: str | None, repeats: bool) -> None:
    """Write a file, or change the one that is there; ``image`` as it is to be named, or None to keep its name."""
    before: dict[str, Any] = {"shapes": []}
    if grid.ndim != 2:
        raise _not_flat(path)
    require_pixels(grid, path)
    if path.exists():
        before = _content(path, grid)
        _grid(before, path, grid)
        if image is not None:
            check_image_name(before.get("imagePath"), image, path)
    stated = before.get("imagePath")
    if image is None:
        image = stated if isinstance(stated, str) and stated else path.stem
    size = dict(zip(("imageHeight", "imageWidth"), grid.shape if grid.has_image else (None, None), strict=True))
    content: dict[str, Any] = {
        "version": LABELME_VERSION,
        "flags": {},
        "shapes": _shapes(before["shapes"], entries, path, repeats),
        "imagePath": "",
        "imageData": None,
        "imageHeight": None,
        "imageWidth": None,
    }
    content |= {key: value for key, value in before.items() if key not in ("shapes", _ABSENT)}
    content |= {"imagePath": image} | {key: n for key, n in size.items() if n is not None}
    absent = absent_items(before.get(_ABSENT), entries, path)
    if absent:
        content[_ABSENT] = absent
    save_json(path, content)


def check_image_name(stated: object, image: str, path: Path) -> None:
    """AnnotationError if the file states another image; nothing where it states none."""
    if stated and file_name(str(stated)) != file_name(image):
        raise AnnotationError(
            f"{path} is of another image: it was made for {file_name(str(stated))}, not for {file_name(image)}."
        )


def _shapes(
    before: Sequence[dict[str, Any]], entries: Mapping[str, Sequence[Entry]], path: Path, repeats: bool
) -> list[dict[str, Any]]:
    """The shapes of the file with the points of ``entries``; shapes of other kinds and landmarks stay."""
    known = point_shapes(before, path)
    of_landmarks = instances_of({n: known[n] for n in entries if n in known}, path, repeats)
    kept: list[int] = []
    added: list[dict[str, Any]] = []
    for name, given in entries.items():
        placed = {i: _corner(entry) for i, entry in enumerate(given) if entry.point is not None}
        shapes, groups = match(of_landmarks.get(name, {}), placed)
        for i, corner in placed.items():
            shape = shapes.get(i)
            if shape is None:
                shape = _new_shape(as_name(name, path))
                added.append(shape)
            else:
                kept.append(id(shape))
            if len(placed) > 1 or i > 0:
                shape["group_id"] = groups[i]
            _fill(shape, given[i], corner)
    gone = {id(shape) for shapes in of_landmarks.values() for shape in shapes.values()} - set(kept)
    return [shape for shape in before if id(shape) not in gone] + added


def _corner(entry: Entry) -> tuple[float, float]:
    assert entry.point is not None
    y, x = (float(value) + _CORNER for value in entry.point)
    return x, y


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


def _fill(shape: dict[str, Any], entry: Entry, corner: tuple[float, float]) -> None:
    """Set position, status, score, covariance, description and lock of a point shape."""
    shape["points"] = [list(corner)]
    if entry.description:
        shape["description"] = entry.description
    if entry.locked:
        shape["locked"] = True
    elif entry.locked is False:
        shape.pop("locked", None)  # labelme states it only where it is true
    extra = {
        "status": None if entry.status is LandmarkStatus.CONFIRMED else entry.status.value,
        "score": None if math.isnan(entry.score) else entry.score,
        COVARIANCE: None if entry.covariance is None else covariance_rows(entry.covariance[::-1, ::-1]),
    }
    for key, value in extra.items():
        if value is None:
            shape.pop(key, None)
        else:
            shape[key] = value
