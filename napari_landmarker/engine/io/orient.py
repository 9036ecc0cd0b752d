"""Where a volume lies, and turning it so that its array axes ``(z, y, x)`` lie nearest to head, back and left (LPS)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import ImageError
from napari_landmarker.engine.geometry import AffineMap, FloatArray, Grid
from napari_landmarker.engine.io.image import Image, ImageGeometry

#: Stands among the notes of a volume whose file does not say how it lies in the patient.
NO_ORIENTATION = "The file does not say how the volume lies in the patient; it is shown as it is stored."
#: Stands among the notes of an image whose file gives sizes without a unit of length.
NO_UNIT = "The file gives sizes without a unit; they are taken as millimetres."


@dataclass(frozen=True)
class Reorientation:
    """A permutation of the array axes followed by flips; no value is interpolated.

    Attributes:
        axes: axis ``a`` of the turned array is axis ``axes[a]`` of the stored one.
        flips: axes of the turned array that are then reversed.
    """

    axes: tuple[int, ...]
    flips: tuple[int, ...]

    @classmethod
    def to_lps(cls, grid: Grid) -> Reorientation:
        """The turn that brings the axes of ``grid`` (as stored) nearest to world ``z, y, x``."""
        cosines = np.flipud(grid.direction)  # row t: along the world axis that target axis t should follow
        targets = range(grid.ndim)
        axes = max(permutations(targets), key=lambda order: sum(abs(cosines[t, order[t]]) for t in targets))
        return cls(axes, tuple(t for t in targets if cosines[t, axes[t]] < 0))

    @classmethod
    def as_stored(cls, ndim: int) -> Reorientation:
        """No turn: for pictures, and for volumes whose place in the patient is not known."""
        return cls(tuple(range(ndim)), ())

    def geometry(self, grid: Grid, notes: tuple[str, ...] = ()) -> ImageGeometry:
        """Geometry of the turned image, for one stored on ``grid``."""
        turned = AffineMap.permute(grid.shape, self.axes)
        turned = turned.then(AffineMap.flip(turned.target_shape, self.flips))
        return ImageGeometry(turned.map_grid(grid), turned.inverse, notes=notes)

    def apply(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The turned array, ``(*space)`` or ``(*space, C)``: a view of the same memory, maybe of negative strides."""
        trailing = tuple(range(len(self.axes), array.ndim))
        return np.flip(np.transpose(array, (*self.axes, *trailing)), self.flips)


@dataclass(frozen=True, eq=False)
class StoredGeometry:
    """What a header says of an image as it is stored.

    Attributes:
        grid: geometry of the array as stored, in array order.
        oriented: whether the file says how a volume lies in the patient, so that it may be turned.
        notes: what a user should know.
    """

    grid: Grid
    oriented: bool
    notes: tuple[str, ...] = ()

    @property
    def turn(self) -> Reorientation:
        """From the stored image to the one that is shown."""
        if self.oriented and self.grid.ndim == 3:
            return Reorientation.to_lps(self.grid)
        return Reorientation.as_stored(self.grid.ndim)

    def geometry(self) -> ImageGeometry:
        """Geometry of the image as it is shown."""
        unsaid = self.grid.ndim == 3 and not self.oriented
        return self.turn.geometry(self.grid, (*self.notes, NO_ORIENTATION) if unsaid else self.notes)

    def image(self, array: npt.NDArray[Any]) -> Image:
        """The image as it is shown, of ``array`` as stored: ``(*space)`` or ``(*space, 3)``; it shares its memory."""
        geometry = self.geometry()
        return Image(self.turn.apply(array), geometry.grid, geometry.stored, notes=geometry.notes)


def oriented_grid(
    shape: tuple[int, ...], axes: npt.ArrayLike, origin: npt.ArrayLike, path: Path, *, sized: bool = True
) -> Grid:
    """A grid from the steps between its pixels.

    Args:
        shape: ``(*space)``.
        axes: ``(D, D)``; column ``a`` is the step along array axis ``a`` in world coordinates (mm, LPS).
        origin: ``(D,)``, world coordinates of pixel 0.
        path: the file, for messages.
        sized: whether the file states how long the steps are.

    Raises:
        ImageError: if numbers are missing or infinite, an axis has no length, or axes are not at right angles.
    """
    steps: FloatArray = np.asarray(axes, dtype=np.float64)
    place: FloatArray = np.asarray(origin, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        spacing = np.linalg.norm(steps, axis=0)
    if not (np.isfinite(spacing).all() and np.isfinite(place).all() and (spacing > 0).all()):
        raise ImageError(f"{path} states no valid voxel size or place: export it again from the program that made it.")
    direction = steps / spacing
    if not np.allclose(direction.T @ direction, np.eye(len(shape)), atol=1e-3):
        raise ImageError(
            f"{path} has axes that are not at right angles (sheared): resample it to a regular "
            "grid, for example with Resample Scalar Volume in 3D Slicer, and choose the result."
        )
    return Grid(shape, tuple(spacing) if sized else None, place, direction)
