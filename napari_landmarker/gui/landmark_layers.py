"""An annotation file as layers of points for napari, each right over its image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Layer

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.io import AnnotationFormat, Image, ImageAnnotations, find_format, read_annotation_file
from napari_landmarker.engine.io.annotations import annotation_stem
from napari_landmarker.engine.io.fields import Entry
from napari_landmarker.engine.io.images import image_stem
from napari_landmarker.engine.io.paths import file_name
from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.engine.schema import PALETTE
from napari_landmarker.gui.contrast import text_colors
from napari_landmarker.gui.image_finder import FoundImage, ImageFinder
from napari_landmarker.gui.looks import GAP, layer_geometry, point_arguments, point_style
from napari_landmarker.gui.origin import POINTS_KEY, PointsOrigin, ShownImage, placement_matrix

LayerData = tuple[Any, dict[str, Any], str]

#: A file of more images is shown only as far as they are open.
MOST_LAYERS = 12
#: Diameter of a point as a share of the image.
_SIZE = 1 / 60

_Placed = tuple[ImageAnnotations, FoundImage | None]


def landmark_layers(
    path: Path, layers: Sequence[Layer] = (), selected: Layer | None = None
) -> tuple[list[LayerData], str]:
    """The landmarks of a file as layers of points, and a remark on where they were placed, which may be empty.

    Of a file of many images, those that are open are shown, or all if none is.

    Args:
        path: an annotation file of any format.
        layers: what is open, from bottom to top.
        selected: the active layer.

    Raises:
        AnnotationError: if the file cannot be read, places nothing, or holds too many images of which none is open.
    """
    fmt = find_format(path)
    placed = _chosen(path, fmt, layers, selected)
    shown = [(one, found) for one, found in placed if any(e.point is not None for e in _flat(one))]
    if not shown:
        raise AnnotationError(f"{path} places no landmark: there is nothing to show of it.")
    many = fmt.capabilities.several_images
    names = [
        image_stem(file_name(one.image)) if many and one.image is not None else annotation_stem(path)
        for one, _ in shown
    ]
    out = [points_layer(one, found, f"{name} landmarks") for (one, found), name in zip(shown, names, strict=True)]
    return out, _remark(path, *shown[0])


def points_layer(annotations: ImageAnnotations, found: FoundImage | None, name: str) -> LayerData:
    """The landmarks of one image as a layer; its features are ``name, status, score, instance, description``.

    Args:
        annotations: at least one point.
        found: the image, if it is at hand.
        name: of the layer.
    """
    grid = annotations.grid
    shown = None if found is None else found.shown
    annotations = replace(annotations, geometry=None if found is None else found.geometry)
    placement = layer_geometry(grid) if shown is None else shown.placement
    matrix = placement_matrix(placement, grid.ndim)
    rows = [(n, i, e) for n, es in annotations.entries.items() for i, e in enumerate(es) if e.point is not None]
    points = np.array([entry.point for _, _, entry in rows])
    status = np.array([entry.status.value for _, _, entry in rows])
    order = list(annotations.entries)
    colors = [PALETTE[order.index(name) % len(PALETTE)] for name, _, _ in rows]
    arguments = point_arguments(_text(annotations.entries))
    if shown is not None:
        arguments["text"]["color"] = _text_colors(shown, points)
    arguments |= {
        "name": name,
        "features": {
            "name": np.array([name for name, _, _ in rows], dtype=object),
            "status": status.astype(object),
            "score": np.array([entry.score for _, _, entry in rows]),
            "instance": np.array([instance + 1 for _, instance, _ in rows]),
            "description": np.array([entry.description for _, _, entry in rows], dtype=object),
        },
        # A point that is added is nobody's until a person names it.
        "feature_defaults": {
            "name": "",
            "status": LandmarkStatus.CONFIRMED.value,
            "score": np.nan,
            "instance": 1,
            "description": "",
        },
        "size": _size(grid, points, placement["scale"]),
        "metadata": {POINTS_KEY: PointsOrigin(annotations, None if found is None else found.path, matrix)},
        **point_style(colors, status),
        **placement,
    }
    return points, arguments, "points"


def _chosen(path: Path, fmt: AnnotationFormat, layers: Sequence[Layer], selected: Layer | None) -> list[_Placed]:
    """What the file says of the images that are open, or of all."""
    if fmt.capabilities.several_images:
        # The images beside the file are looked for only if none is open: there may be thousands.
        finder = ImageFinder(path, layers, selected, fmt.capabilities, in_folder=False)
        try:
            placed = _read(path, finder)
        except AnnotationError:  # such as a table that needs an image to be read
            placed = []
        on_screen = [(one, found) for one, found in placed if found is not None and not found.assumed]
        if on_screen:
            return on_screen
        if len(placed) > MOST_LAYERS:
            raise AnnotationError(
                f"{path} holds the landmarks of {len(placed)} images, and none of them is open: open an image first."
            )
    return _read(path, ImageFinder(path, layers, selected, fmt.capabilities))


def _read(path: Path, finder: ImageFinder) -> list[_Placed]:
    """All images of a file; an image that was only assumed is given up if the file does not fit it."""
    try:
        read = read_annotation_file(path, finder.geometry, repeats=True)
    except AnnotationError:
        if not finder.has_assumed:
            raise
        read = []
    if finder.has_assumed and not any(one.grid.contains(e.point) for one in read for e in _placed_entries(one)):
        finder.may_assume = False
        read = read_annotation_file(path, finder.geometry, repeats=True)
    return [(one, finder.find(one.image)) for one in read]


def _flat(annotations: ImageAnnotations) -> list[Entry]:
    return [entry for entries in annotations.entries.values() for entry in entries]


def _placed_entries(annotations: ImageAnnotations) -> list[Entry]:
    return [entry for entry in _flat(annotations) if entry.point is not None]


def _text(entries: Mapping[str, Sequence[Entry]]) -> str:
    """What is written beside a point: its name, and where names are only numbers, what they stand for."""
    given = [entry for of_name in entries.values() for entry in of_name]
    numbered = all(name.isdecimal() for name in entries) and all(entry.description for entry in given)
    return f"{GAP}{{name}} {{description}}" if numbered else f"{GAP}{{name}}"


def _text_colors(shown: ShownImage, points: FloatArray) -> Any:
    """Black or white, as can be read on the image; white where its pixels are not in memory."""
    layer, geometry = shown.layer, shown.origin.geometry
    if not isinstance(layer.data, np.ndarray):
        return "white"
    low, high = layer.contrast_limits
    return text_colors(Image(layer.data, geometry.grid, geometry.stored), points, (low, high))


def _size(grid: Grid, points: FloatArray, scale: Sequence[float]) -> float:
    """Diameter of the points, in pixels of the last axis."""
    extent = np.asarray(grid.shape) if grid.has_image else np.ptp(points, axis=0)
    return max(float(np.max(extent * np.asarray(scale))) / float(scale[-1]) * _SIZE, 1e-3) if extent.any() else 1.0


def _remark(path: Path, annotations: ImageAnnotations, found: FoundImage | None) -> str:
    """What a person should know of where the points are."""
    if found is not None and found.assumed and found.shown is not None:
        return f"{path.name} names no image, so its landmarks were placed on '{found.shown.layer.name}'."
    if found is None and annotations.grid.unit == "mm" and not annotations.grid.has_image:
        return (
            f"{path.name} is in millimetres and its image is not open, so its landmarks were placed in the world: "
            "open the image first to see them on it."
        )
    return ""
