"""The exact border of a set of cells: polygons in two dimensions, triangles in three."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_landmarker.engine.geometry import FloatArray

IntArray = npt.NDArray[np.int64]


def outline(cells: npt.NDArray[np.bool_], rows: FloatArray, columns: FloatArray) -> list[FloatArray]:
    """The outlines of a set of cells, holes included.

    Each side of a cell that has no neighbour is walked with the cell on the right. Cells that only share a corner have
    outlines of their own.

    Args:
        cells: which cells are in the set, ``(H, W)``.
        rows: coordinates of the borders between rows, ascending, ``(H + 1,)``.
        columns: those between columns, ``(W + 1,)``.

    Returns:
        Polygons ``(N, 2)``, the corners only; outer outlines and holes run opposite ways round.
    """
    padded = np.pad(cells, 1)
    above_left, above_right = padded[:-1, :-1], padded[:-1, 1:]
    below_left, below_right = padded[1:, :-1], padded[1:, 1:]
    # which sides leave each corner: to the right, down, to the left, up
    leaves = [
        below_right & ~above_right,
        below_left & ~below_right,
        above_left & ~below_left,
        above_right & ~above_left,
    ]
    exists = np.stack(leaves, axis=-1).ravel()
    width = cells.shape[1] + 1
    sides = np.flatnonzero(exists)
    heading = sides % 4
    corner = sides - heading + 4 * np.array([1, width, -1, -width])[heading]  # where each side ends
    turns = [corner + (heading + turn) % 4 for turn in (1, 0, 3)]  # to the right first: it stays with its own cell
    following = np.where(exists[turns[0]], turns[0], np.where(exists[turns[1]], turns[1], turns[2]))
    polygons = []
    for loop in _loops(np.searchsorted(sides, following).tolist()):
        bends = np.array(loop)[heading[loop] != heading[np.roll(loop, 1)]]
        at = sides[bends] // 4
        polygons.append(np.stack([rows[at // width], columns[at % width]], axis=1))
    return polygons


def _loops(following: list[int]) -> list[list[int]]:
    """The cycles of a permutation."""
    seen = bytearray(len(following))
    loops = []
    for first in range(len(following)):
        loop, at = [], first
        while not seen[at]:
            seen[at] = 1
            loop.append(at)
            at = following[at]
        if loop:
            loops.append(loop)
    return loops


def block_skin(cells: npt.NDArray[np.bool_], edges: Sequence[FloatArray]) -> tuple[FloatArray, IntArray]:
    """The surface of a set of cells: two triangles for each face that has no neighbour.

    Args:
        cells: which cells are in the set, of three dimensions.
        edges: for each axis the coordinates of the borders between cells, ascending, one more than cells.

    Returns:
        Vertices ``(V, 3)`` and triangles ``(F, 3)`` of their rows, counter-clockwise from outside.
    """
    padded = np.pad(cells, 1).astype(np.int8)
    corners = tuple(count + 1 for count in cells.shape)
    quads = []
    for axis in range(3):
        u, v = np.eye(3, dtype=np.int64)[[(axis + 1) % 3, (axis + 2) % 3]]
        inner = tuple(slice(None) if a == axis else slice(1, -1) for a in range(3))
        step = np.diff(padded, axis=axis)[inner]
        for sign, around in ((-1, (0 * u, u, u + v, v)), (1, (v, u + v, u, 0 * u))):
            quads.append(np.argwhere(step == sign)[:, None] + np.array(around))
    flat = np.ravel_multi_index(tuple(np.moveaxis(np.concatenate(quads), -1, 0)), corners)
    used, faces = np.unique(flat, return_inverse=True)
    faces = faces.reshape(-1, 4)
    places = np.unravel_index(used, corners)
    vertices = np.stack([own[at] for own, at in zip(edges, places, strict=True)], axis=1)
    return vertices, np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]]).astype(np.int64)
