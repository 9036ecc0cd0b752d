"""`Warp`: a chain of affine maps and deformations, by which an image and its landmarks move as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import AffineMap, FloatArray
from napari_landmarker.engine.transforms.deform import Deformation


@dataclass(frozen=True, eq=False)
class Warp:
    """An invertible map between the index coordinates of two frames, drawn in one go by `resample`.

    Attributes:
        steps: what is done, one after the other; neighbouring affine maps are joined into one.
        source_shape: shape of the frame that is mapped.
        swaps: rows of landmarks that change names with each other, as left and right do in a mirror.
    """

    steps: tuple[AffineMap | Deformation, ...]
    source_shape: tuple[int, ...]
    swaps: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        joined: list[AffineMap | Deformation] = []
        shape = tuple(self.source_shape)
        for step in self.steps:
            source, target = _shapes(step)
            if source != shape:
                raise GeometryError(f"A map from {source} cannot follow one to {shape}.")
            if joined and isinstance(step, AffineMap) and isinstance(joined[-1], AffineMap):
                joined[-1] = joined[-1].then(step)
            else:
                joined.append(step)
            shape = target
        object.__setattr__(self, "steps", tuple(joined))
        object.__setattr__(self, "source_shape", tuple(self.source_shape))

    @classmethod
    def identity(cls, shape: Sequence[int]) -> Warp:
        """The map that changes nothing."""
        return cls((), tuple(shape))

    @classmethod
    def of(cls, *steps: AffineMap | Deformation, swaps: Sequence[tuple[int, int]] = ()) -> Warp:
        """The map of one or more steps."""
        return cls(steps, _shapes(steps[0])[0], tuple(swaps))

    @property
    def ndim(self) -> int:
        """Number of spatial dimensions ``D``."""
        return len(self.source_shape)

    @property
    def target_shape(self) -> tuple[int, ...]:
        """Shape of the frame that results."""
        return _shapes(self.steps[-1])[1] if self.steps else self.source_shape

    @cached_property
    def affine(self) -> AffineMap:
        """The affine part: the map without its deformations."""
        out = AffineMap.identity(self.source_shape)
        for step in self.steps:
            if isinstance(step, AffineMap):
                out = out.then(step)
        return out

    @property
    def parts(self) -> tuple[list[tuple[AffineMap, Deformation]], AffineMap]:
        """Every deformation with the affine map before it, and the affine map after the last."""
        bends: list[tuple[AffineMap, Deformation]] = []
        current = AffineMap.identity(self.source_shape)
        for step in self.steps:
            if isinstance(step, AffineMap):
                current = current.then(step)
            else:
                bends.append((current, step))
                current = AffineMap.identity(step.shape)
        return bends, current

    @property
    def is_affine(self) -> bool:
        """Whether nothing is deformed."""
        return all(isinstance(step, AffineMap) for step in self.steps)

    def then(self, following: Warp) -> Warp:
        """This map followed by another, as one map."""
        if following.source_shape != self.target_shape:
            raise GeometryError(f"A map from {following.source_shape} cannot follow one to {self.target_shape}.")
        return Warp(self.steps + following.steps, self.source_shape, self.swaps + following.swaps)

    def apply(self, points: npt.ArrayLike) -> FloatArray:
        """Source index coordinates ``(..., D)`` to target index coordinates; NaN stays NaN."""
        points = np.array(points, dtype=np.float64)
        for step in self.steps:
            points = step.apply(points)
        return points

    def pull(self, points: npt.ArrayLike) -> FloatArray:
        """Target index coordinates ``(..., D)`` to source index coordinates; NaN stays NaN."""
        points = np.array(points, dtype=np.float64)
        for step in reversed(self.steps):
            points = step.inverse.apply(points) if isinstance(step, AffineMap) else step.pull(points)
        return points

    def landmarks(self, points: npt.ArrayLike) -> FloatArray:
        """Landmarks ``(L, D)`` or ``(L, M, D)`` in the target frame.

        Rows are swapped as in `swaps`, and a landmark beyond the outer pixel borders becomes missing (NaN).
        """
        points = self.apply(points)
        if not self.steps and not self.swaps:
            return points
        for first, second in self.swaps:
            points[[first, second]] = points[[second, first]]
        inside = np.all((points >= -0.5) & (points <= np.asarray(self.target_shape) - 0.5), axis=-1, keepdims=True)
        return np.where(inside, points, np.nan)


def _shapes(step: AffineMap | Deformation) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Source and target shape."""
    return (step.shape, step.shape) if isinstance(step, Deformation) else (step.source_shape, step.target_shape)
