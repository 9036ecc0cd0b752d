"""How point lists of 3D Slicer give positions: millimetres in LPS or RAS, or pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_landmarker.engine.errors import AnnotationError
from napari_landmarker.engine.geometry import FloatArray, Grid

_IS_RAS = {"LPS": False, "1": False, "RAS": True, "0": True}
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class WorldFrame:
    """What the positions of a list mean: millimetres per unit (None: pixels), and whether x and y are RAS."""

    scale: float | None
    is_ras: bool

    def to_index(self, position: FloatArray, grid: Grid) -> FloatArray:
        """A position ``(x, y, z)`` as index coordinates ``(z, y, x)`` of ``grid``."""
        if self.scale is None:
            return position[::-1]
        return grid.world_to_index(position * self.scale * (_RAS_TO_LPS if self.is_ras else 1.0))

    def from_index(self, index: FloatArray, grid: Grid) -> FloatArray:
        """Index coordinates ``(z, y, x)`` of ``grid`` as a position ``(x, y, z)``."""
        if self.scale is None:
            return index[::-1]
        return grid.index_to_world(index) * (_RAS_TO_LPS if self.is_ras else 1.0) / self.scale

    def covariance_to_index(self, covariance: FloatArray, grid: Grid) -> FloatArray:
        """A covariance ``(3, 3)`` of a position, in its unit squared, as one of index coordinates, px²."""
        if self.scale is None:
            return covariance[::-1, ::-1]
        turn = np.linalg.inv(self._steps(grid))
        return turn @ covariance @ turn.T

    def covariance_from_index(self, covariance: FloatArray, grid: Grid) -> FloatArray:
        """A covariance ``(3, 3)`` of index coordinates, px², as one of a position, in its unit squared."""
        if self.scale is None:
            return covariance[::-1, ::-1]
        turn = self._steps(grid)
        return turn @ covariance @ turn.T

    def _steps(self, grid: Grid) -> FloatArray:
        """How far a position moves for a step along each index axis, in the columns ``(3, 3)``."""
        return (self.from_index(np.eye(3), grid) - self.from_index(np.zeros((1, 3)), grid)).T


def require_volume(grid: Grid, path: Path) -> None:
    """Make sure that the points of a file of 3D Slicer are 3D; AnnotationError otherwise."""
    if grid.ndim != 3:
        raise AnnotationError(f"{path} is a 3D Slicer file, which holds 3D points: use a labelme .json file in 2D.")


def is_ras(system: object, source: Path | str) -> bool:
    """Whether a coordinate system, as a file states it by name or code, is RAS and not LPS.

    Raises:
        AnnotationError: if it is neither, such as IJK, the voxels of a volume that the file does not name.
    """
    found = _IS_RAS.get(str(system).strip().upper())
    if found is None:
        raise AnnotationError(f"{source} is in a coordinate system that is neither LPS nor RAS: save it in LPS.")
    return found
