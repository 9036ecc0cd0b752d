"""Saving a points layer of napari as landmarks: *File > Save Selected Layers*.

Written are labelme, 3D Slicer (``.mrk.json`` and ``.fcsv``) and tables (``.csv``); every other ending of an annotation
file that is typed works too. Landmarks are named by the layer's feature ``name``, ``landmark`` or ``label``, and
without any of these they are called 1, 2, ...; ``status``, ``score``, ``instance`` and ``description`` count as well.
A prediction that was moved counts as edited.

A layer that was opened from an annotation file belongs to the image of that file. Any other layer belongs to the image
that is visible under it; without one, its coordinates are pixels. What is in the file already stays as far as it is
not of these landmarks: other shapes, other landmarks, other images of a table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import napari
import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import FloatArray, Grid, apply_matrix
from napari_landmarker.engine.io import (
    AnnotationFormat,
    ImageAnnotations,
    read_annotation_file,
    write_annotation_file,
)
from napari_landmarker.engine.io.annotations import format_to_write, is_annotation_name
from napari_landmarker.engine.io.coco import COCO
from napari_landmarker.engine.io.fields import Entry, as_instance, as_name, as_score, as_status, with_gaps
from napari_landmarker.engine.io.image_names import find_image
from napari_landmarker.engine.io.labelme import LABELME
from napari_landmarker.engine.io.losses import losses
from napari_landmarker.engine.io.paths import seen_from
from napari_landmarker.engine.io.tps import TPS
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.gui.messages import tell_warning
from napari_landmarker.gui.origin import POINTS_KEY, PointsOrigin, ShownImage, placement_matrix, shown_images

#: Features that may hold the landmarks' names; the first that is there counts.
NAME_FEATURES = ("name", "landmark", "label")
_OTHER_FEATURES = ("status", "score", "instance", "description")
#: A point that is nearer than this to where the file has it was not moved, in pixels.
_UNMOVED_PX = 1e-6
#: Formats that keep the other images of a file by themselves.
_MERGING = (COCO, TPS)

Attributes = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class _Frame:
    """Where points are: the annotations they come from, or empty ones, and how these are placed in the viewer."""

    annotations: ImageAnnotations
    image_path: Path | None
    matrix: FloatArray


def write_points(path: str, data: Any, attributes: Attributes, suffix: str = ".csv") -> list[str]:
    """Write a points layer; the ending of the file's name says in which format.

    What the format cannot carry of the landmarks is told in a notification.

    Args:
        path: the file.
        data: coordinates, ``(N, D)``.
        attributes: of the layer: features, scale, translate, metadata and so on.
        suffix: what is added to a name without the ending of an annotation file.

    Returns:
        The file, as napari asks for it.

    Raises:
        AnnotationError: if a point has no name, or the format cannot hold these points.
        ProjectError: if the file cannot be written.
    """
    target = Path(path if is_annotation_name(path) else path + suffix)
    known = format_to_write(target)
    points = np.asarray(data, dtype=np.float64)
    source = f"The layer '{attributes.get('name', 'Points')}'"
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise AnnotationError(f"{source} does not lie in two or three dimensions: put its points on one image.")
    frame = _frame(points.shape[1], attributes, source)
    to_frame = np.linalg.inv(frame.matrix) @ placement_matrix(attributes, points.shape[1])
    before = frame.annotations
    entries = _entries(apply_matrix(to_frame, points), attributes.get("features"), before, source)
    name = before.image
    if frame.image_path is not None and (name is None or known is LABELME):
        name = seen_from(target.parent, frame.image_path) if known is LABELME else frame.image_path.name
    now = replace(before, image=name, entries=entries, unread=() if target.exists() else before.unread)
    write_annotation_file(target, _with_others(target, known, now), known)
    lost = losses([now], known)
    if lost:
        tell_warning(f"{target.name} was saved, but {known.name} cannot hold all. Not in the file: {' '.join(lost)}")
    return [str(target)]


def write_labelme(path: str, data: Any, attributes: Attributes) -> list[str]:
    """Write a points layer as labelme does, where the name has no other ending; see `write_points`."""
    return write_points(path, data, attributes, ".json")


def write_slicer(path: str, data: Any, attributes: Attributes) -> list[str]:
    """Write a points layer as 3D Slicer does, where the name has no other ending; see `write_points`."""
    return write_points(path, data, attributes, ".mrk.json")


def write_fcsv(path: str, data: Any, attributes: Attributes) -> list[str]:
    """Write a points layer as an older list of 3D Slicer, where the name has no other ending; see `write_points`."""
    return write_points(path, data, attributes, ".fcsv")


def _frame(ndim: int, attributes: Attributes, source: str) -> _Frame:
    """Where the points of a layer are; AnnotationError if they may be on several images."""
    origin = attributes.get("metadata", {}).get(POINTS_KEY)
    if isinstance(origin, PointsOrigin) and origin.annotations.grid.ndim == ndim:
        return _Frame(origin.annotations, origin.image_path, origin.matrix)
    viewer = napari.current_viewer()
    images = [] if viewer is None else [image for image in shown_images(viewer.layers) if image.layer.visible]
    images = [image for image in images if image.origin.geometry.grid.ndim == ndim]
    if not images:
        return _Frame(ImageAnnotations(None, Grid.without_image(ndim)), None, placement_matrix(attributes, ndim))
    first = images[0]
    if any(not _alike(first, image) for image in images[1:]):
        raise AnnotationError(
            f"{source} may belong to {' or '.join(repr(image.layer.name) for image in images)}: hide the other images."
        )
    geometry = first.origin.geometry
    return _Frame(ImageAnnotations(None, geometry.grid, geometry=geometry), first.origin.path, first.matrix)


def _alike(a: ShownImage, b: ShownImage) -> bool:
    """Whether two images show the same file, or make no difference as no file is known of them."""
    same_file = a.origin.path == b.origin.path
    return same_file and a.origin.geometry.grid == b.origin.geometry.grid and np.allclose(a.matrix, b.matrix)


def _entries(points: FloatArray, features: Any, before: ImageAnnotations, source: str) -> dict[str, tuple[Entry, ...]]:
    """The landmarks of a layer; those of the file that have lost their point are unplaced."""
    columns: dict[str, list[Any]] = {} if features is None else {str(key): list(features[key]) for key in features}
    column = next((columns[key] for key in NAME_FEATURES if key in columns), None)
    found: dict[str, dict[int, Entry]] = {name: _without_points(entries) for name, entries in before.entries.items()}
    new: set[tuple[str, int]] = set()
    for row, point in enumerate(points):
        label = row + 1 if column is None else _value(column[row])
        name = as_name("" if label is None else str(label), source)
        if not np.isfinite(point).all():
            raise AnnotationError(f"{source} has no place for '{name}': place or remove that point.")
        given = {key: _value(columns[key][row]) for key in _OTHER_FEATURES if key in columns}
        taken = {instance for other, instance in new if other == name}
        instance = as_instance(given.get("instance"), name, source)
        if instance in taken and "instance" not in columns:
            instance = max(taken) + 1
        if instance in taken:
            raise AnnotationError(
                f"{source} has two points called '{name}': give each its own name, or number them in 'instance'."
            )
        new.add((name, instance))
        was = before.entries.get(name, ())
        found.setdefault(name, {})[instance] = _entry(
            point, given, was[instance] if instance < len(was) else None, name, source
        )
    return {name: with_gaps(entries) for name, entries in found.items()}


def _entry(point: FloatArray, given: Mapping[str, Any], was: Entry | None, name: str, source: str) -> Entry:
    """What is said of one point; a person who moved a prediction has edited it."""
    status = as_status(given.get("status"), LandmarkStatus.CONFIRMED, name, source)
    score = as_score(given.get("score"), name, source)
    description = str(given.get("description") or "")
    if was is None:
        return Entry(point, status, score, description)
    unmoved = was.point is not None and bool(np.abs(was.point - point).max() < _UNMOVED_PX)
    if unmoved:
        return replace(was, status=status, score=score, description=description)
    if status is LandmarkStatus.PREDICTED and was.status is LandmarkStatus.PREDICTED:
        status, score = LandmarkStatus.EDITED, math.nan
    return Entry(point, status, score, description, was.locked)


def _without_points(entries: Sequence[Entry]) -> dict[int, Entry]:
    """What a file said of a landmark, without the places it had."""
    return {
        i: entry if entry.point is None else replace(entry, point=None, status=LandmarkStatus.UNPLACED, score=math.nan)
        for i, entry in enumerate(entries)
    }


def _with_others(target: Path, known: AnnotationFormat, now: ImageAnnotations) -> list[ImageAnnotations]:
    """The images to write: those that a table which is there already holds stay in it.

    Raises:
        AnnotationError: if it is not clear which of them the points belong to, or the table holds more than landmarks.
    """
    if not known.capabilities.several_images or known in _MERGING or not target.exists():
        return [now]
    if not known.recognises(target):  # no table of landmarks: the person chose to replace it
        return [now]
    try:
        there = read_annotation_file(target, lambda _: None, repeats=True)
    except AnnotationError as error:
        raise _kept(target, "holds a table that cannot be understood without its images") from error
    more = [words for one in there for words in one.unread]
    if more:
        raise _kept(target, f"also holds {more[0]}")
    if all(one.image is None for one in there):
        return [now]
    if now.image is None:
        raise _kept(target, "holds the landmarks of named images, and these points belong to none")
    at = find_image(now.image, [one.image or "" for one in there])
    return [*there, now] if at is None else [now if i == at else one for i, one in enumerate(there)]


def _kept(target: Path, reason: str) -> AnnotationError:
    return AnnotationError(f"{target} {reason}, so it was left as it is: save under another name.")


def _value(value: Any) -> Any:
    """A cell of the features as plain Python: None for a missing one, whole numbers as such."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or value in ("", "nan") or (isinstance(value, float) and math.isnan(value)):
        return None  # an array of text writes a missing value as "nan"
    return int(value) if isinstance(value, float) and value.is_integer() else value
