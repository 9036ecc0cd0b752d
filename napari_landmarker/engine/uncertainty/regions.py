"""What a region is: the set of places that a model holds possible for one landmark in one image.

A region is the level set ``{y: s(y) <= q}`` of a score ``s`` at a threshold ``q`` (see `uncertainty.score`). It speaks
index coordinates of its image, in array order; only its `size` is in millimetres. It is never empty.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.errors import GeometryError
from napari_landmarker.engine.geometry import FloatArray, Grid

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


class Region(ABC):
    """Where a landmark may be.

    Attributes:
        grid: the image, of ``D`` dimensions.
        whole: whether the region is the whole image and so says nothing.
        reason: one sentence for the reader: why the region is the whole image; empty where it is not.
    """

    grid: Grid
    whole: bool = False
    reason: str = ""

    @abstractmethod
    def contains(self, points: npt.ArrayLike) -> BoolArray:
        """Whether index coordinates ``(..., D)`` lie inside, border included: ``(...)``; False for NaN."""

    @abstractmethod
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """The smallest box around the region: lower and upper index coordinates, ``(D,)`` each."""

    @property
    @abstractmethod
    def size_px(self) -> float:
        """Area in px² or volume in px³; what lies beyond the borders of the image counts too."""

    @abstractmethod
    def _contour(self, count: int) -> list[FloatArray]:
        """`contour` of a region in two dimensions."""

    @abstractmethod
    def _surface(self) -> tuple[FloatArray, IntArray]:
        """`surface` of a region in three dimensions."""

    @abstractmethod
    def _section(self, axis: int, at: float) -> list[FloatArray]:
        """`section` of a region in three dimensions."""

    @property
    def size(self) -> float:
        """Area or volume, in `unit`."""
        return self.size_px * float(np.prod(self.grid.spacing or 1.0))

    @property
    def unit(self) -> str:
        """Unit of `size`: ``"mm²"`` or ``"mm³"`` where the spacing is known, else ``"px²"`` or ``"px³"``."""
        return self.grid.unit + {2: "²", 3: "³"}[self.grid.ndim]

    def contour(self, count: int = 64) -> list[FloatArray]:
        """The outline of a region in two dimensions.

        Args:
            count: vertices of a smooth outline.

        Returns:
            Polygons ``(N, 2)`` in index coordinates; the last vertex joins the first and does not repeat it. Several
            where the region falls apart or has holes (the even-odd rule tells which), none where it has no border.

        Raises:
            GeometryError: if the region is a volume.
        """
        self._demand(2, "contour", "surface or section")
        return self._contour(count)

    def surface(self) -> tuple[FloatArray, IntArray]:
        """The skin of a region in three dimensions.

        Returns:
            Vertices ``(V, 3)`` in index coordinates and triangles ``(F, 3)`` of their rows, seen counter-clockwise
            from outside in the frame ``(z, y, x)``.

        Raises:
            GeometryError: if the region is an area.
        """
        self._demand(3, "surface", "contour")
        return self._surface()

    def section(self, axis: int, at: float) -> list[FloatArray]:
        """A region in three dimensions, cut by a plane.

        Args:
            axis: array axis at right angles to the plane.
            at: index coordinate of the plane on that axis.

        Returns:
            Polygons ``(N, 2)`` as in `contour`, in the two remaining axes; none where the plane misses the region.

        Raises:
            GeometryError: if the region is an area.
        """
        self._demand(3, "section", "contour")
        return self._section(range(3)[axis], float(at))

    def mask(self, lower: Sequence[int] | None = None, upper: Sequence[int] | None = None) -> BoolArray:
        """The pixels whose centres lie inside, in a box of the image.

        Args:
            lower: first pixel of the box; that of the region where None.
            upper: the pixel after the last one of the box; that of the region where None.

        Returns:
            Shape ``upper - lower``; an empty array where the box has no pixel.
        """
        first, last = self.pixel_bounds()
        start = np.array(first if lower is None else lower, dtype=np.int64)
        shape = np.maximum(np.array(last if upper is None else upper, dtype=np.int64) - start, 0)
        mask = np.empty(shape, dtype=np.bool_)
        slab = np.moveaxis(np.indices((1, *shape[1:])), 0, -1) + start  # coordinates take many times a mask's memory
        for row in range(shape[0]):
            mask[row] = self.contains(slab)[0]
            slab[..., 0] += 1
        return mask

    def pixel_bounds(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The pixels of the image that may lie inside: the first, and the one after the last, of each axis."""
        lower, upper = self.bounds()
        shape = np.asarray(self.grid.shape)
        first = np.clip(np.ceil(lower), 0, shape).astype(int)
        last = np.clip(np.floor(upper) + 1, first, shape).astype(int)
        return tuple(first.tolist()), tuple(last.tolist())

    def _demand(self, ndim: int, what: str, instead: str) -> None:
        if self.grid.ndim != ndim:
            raise GeometryError(f"A region in {self.grid.ndim} dimensions has no {what}: ask for its {instead}.")


def hull(vertices: FloatArray) -> tuple[FloatArray, IntArray]:
    """The convex surface through points ``(V, 3)``, with triangles that all face outwards (see `Region.surface`)."""
    from scipy.spatial import ConvexHull  # slow to load

    faces = ConvexHull(vertices).simplices.astype(np.int64)
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a - vertices.mean(axis=0)) < 0
    faces[inward] = faces[inward, ::-1]
    return vertices, faces
