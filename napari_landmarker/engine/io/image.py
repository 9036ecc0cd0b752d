"""An image in memory and what is known of where its pixels are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, Grid


@dataclass(frozen=True, eq=False)
class ImageGeometry:
    """What a file's header says of its pixels.

    Attributes:
        grid: geometry of the image as it is shown and annotated: in 3D its array axes ``(z, y, x)`` are turned and
            flipped to lie nearest to head, back and left (LPS).
        stored: map from that frame to array-order index coordinates of the image as stored in the file.
        notes: what a user should know of how the file was understood, one sentence each.
    """

    grid: Grid
    stored: AffineMap
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Image:
    """An image and its geometry.

    Attributes:
        array: ``(*space)`` grey or ``(*space, 3)`` colour, in the dtype of the file. It may be a view with other than
            contiguous, even negative, strides: copy before handing it to torch.
        grid: geometry of ``array``.
        stored: map from index coordinates of ``array`` to those of the image as stored in the file.
        notes: what a user should know of how the file was understood, one sentence each.
        display_range: values that the file asks to be drawn black and white, if it does.
    """

    array: npt.NDArray[Any]
    grid: Grid
    stored: AffineMap
    notes: tuple[str, ...] = ()
    display_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.array.shape[: self.grid.ndim] != self.grid.shape or self.array.ndim > self.grid.ndim + 1:
            raise GeometryError(f"An array of {self.array.shape} is no image on a grid of {self.grid.shape}.")

    @classmethod
    def from_array(cls, array: npt.NDArray[Any], grid: Grid | None = None, *, color: bool = False) -> Image:
        """An image that comes from no file; without a grid its spacing is unknown."""
        shape = array.shape[:-1] if color else array.shape
        grid = Grid(shape) if grid is None else grid
        return cls(array, grid, AffineMap.identity(grid.shape))

    @property
    def geometry(self) -> ImageGeometry:
        """Geometry without the pixels."""
        return ImageGeometry(self.grid, self.stored, self.notes)

    @property
    def is_color(self) -> bool:
        """Whether the last axis of the array holds colours."""
        return self.array.ndim == self.grid.ndim + 1

    def channels_first(self) -> npt.NDArray[np.float32]:
        """Float32 copy of shape ``(C, *space)``, C = 1 or 3, contiguous whatever the strides of ``array``."""
        planes = np.moveaxis(self.array, -1, 0) if self.is_color else self.array[None]
        return np.array(planes, dtype=np.float32, order="C")
