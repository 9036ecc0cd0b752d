"""Turning a volume so that its array axes ``(z, y, x)`` lie nearest to head, back and left (LPS)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.geometry import AffineMap, Grid
from napari_landmarker.engine.io.image import ImageGeometry


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

    def geometry(self, grid: Grid) -> ImageGeometry:
        """Geometry of the turned image, for one stored on ``grid``."""
        turned = AffineMap.permute(grid.shape, self.axes)
        turned = turned.then(AffineMap.flip(turned.target_shape, self.flips))
        return ImageGeometry(turned.map_grid(grid), turned.inverse)

    def apply(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The turned array, in memory of its own; ``array`` is ``(*space)`` or ``(*space, C)``."""
        trailing = tuple(range(len(self.axes), array.ndim))
        turned = np.flip(np.transpose(array, (*self.axes, *trailing)), self.flips)
        return np.ascontiguousarray(turned)
