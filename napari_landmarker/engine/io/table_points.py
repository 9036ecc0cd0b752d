"""Positions in tables: pixels of the image as stored, or millimetres in the world, and the frame they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import FloatArray, Grid
from napari_landmarker.engine.io.annotation_format import ImageAnnotations
from napari_landmarker.engine.io.image import ImageGeometry

#: Voxels and millimetres of one point may be rounded, but no farther apart than this.
_ROUNDED_PX = 1.0


@dataclass(frozen=True, eq=False)
class Position:
    """Where a table places a landmark; without either it is not placed.

    Attributes:
        place: the file and the line, for messages.
        px: x, y[, z] in pixels of the image as stored, ``(D,)``, or None.
        mm: x, y[, z] in the world in mm, ``(D,)``, in 3D LPS, or None.
    """

    place: str
    px: FloatArray | None
    mm: FloatArray | None

    @property
    def ndim(self) -> int | None:
        """The number of coordinates, or None where it is not placed."""
        given = self.mm if self.px is None else self.px
        return None if given is None else len(given)


def to_frame(
    positions: Sequence[Position], geometry: ImageGeometry | None, ndim: int
) -> tuple[Grid, list[FloatArray | None]]:
    """The frame of an image's points and their index coordinates in it.

    With the image, pixels count where both pixels and millimetres are given. Without it, points are in the world where
    all are given in millimetres (in 2D: in millimetres only), and else in pixels of an image of unknown size.

    Args:
        positions: of one image.
        geometry: of the image, where it is at hand.
        ndim: the number of dimensions where nothing is placed and the image is not at hand.

    Raises:
        AnnotationError: if a position does not fit the image or the others.
    """
    placed = [p for p in positions if p.ndim is not None]
    if geometry is not None:
        return geometry.grid, [_in_image(p, geometry) for p in positions]
    ndim = placed[0].ndim or ndim if placed else ndim
    for p in placed:
        if p.ndim != ndim:
            raise AnnotationError(f"{p.place} gives {p.ndim} coordinates where others have {ndim}: give all alike.")
    in_px, in_mm = all(p.px is not None for p in placed), all(p.mm is not None for p in placed)
    world = bool(placed) and in_mm and not (in_px and ndim == 2)
    if not world and not in_px:
        odd = next(p for p in placed if p.px is None)
        raise AnnotationError(f"{odd.place} is in millimetres while others are in pixels: give the image.")
    grid = Grid.without_image(ndim, world=world)
    return grid, [_reversed(p.mm if world else p.px) for p in positions]


def in_mm(annotations: ImageAnnotations) -> bool:
    """Whether points are written in millimetres: they are in the world, and how the image is stored is not known."""
    grid = annotations.grid
    flat = grid.has_image and grid.ndim == 2
    return annotations.geometry is None and grid.spacing is not None and not flat


def coordinates(annotations: ImageAnnotations, point: FloatArray, target: Path | str) -> FloatArray:
    """x, y[, z] of a point to be written to the file ``target``, in pixels of the image as stored or in mm (`in_mm`).

    Raises:
        AnnotationError: for a volume without spacing of which is not known how it is stored.
    """
    if in_mm(annotations):
        return annotations.grid.index_to_world(point)
    geometry, grid = annotations.geometry, annotations.grid
    if geometry is None and grid.ndim == 3 and grid.has_image:
        raise AnnotationError(
            f"{target} counts voxels as the image file stores them, which is not known of these points: "
            "write a .mrk.json file, or set the image's spacing first."
        )
    return (point if geometry is None else geometry.stored.apply(point))[::-1]


def _in_image(position: Position, geometry: ImageGeometry) -> FloatArray | None:
    """Index coordinates in the frame in which the image is shown."""
    grid, ndim = geometry.grid, position.ndim
    if ndim is not None and ndim != grid.ndim:
        cure = "leave the column 'z' empty" if grid.ndim == 2 else "fill in the column 'z'"
        raise AnnotationError(f"{position.place} gives {ndim} coordinates for an image in {grid.ndim}D: {cure}.")
    if position.px is not None:
        index = geometry.stored.inverse.apply(position.px[::-1])
        if position.mm is not None and ndim == 3 and grid.spacing is not None:
            apart = float(np.abs(grid.world_to_index(position.mm) - index).max())
            if apart > _ROUNDED_PX:
                raise AnnotationError(
                    f"{position.place} gives voxels and millimetres that lie {apart:.3g} voxels apart in its image: "
                    "check that the table belongs to it and whether its millimetres are RAS, or remove the wrong ones."
                )
        return index
    if position.mm is None:
        return None
    if grid.spacing is None:
        raise AnnotationError(f"{position.place} is in millimetres, but the image states no spacing: give pixels.")
    return grid.world_to_index(position.mm)


def _reversed(values: FloatArray | None) -> FloatArray | None:
    """Index coordinates in array order of x, y[, z] in a frame without an image."""
    return None if values is None else values[::-1].copy()
