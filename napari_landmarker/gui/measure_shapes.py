"""What is drawn of a measurement: its lines, an arc for its angle, and where its value is written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.engine.landmarks import LandmarkSet
from napari_landmarker.engine.schema import Measurement

#: Pieces of an arc, and its radius as a share of the shorter side of the angle; so much larger for each arc within it.
_PIECES, _ARC, _STEP = 16, 0.3, 0.14
#: Where along a line a value is written, if others are written along it already.
_ALONG = (0.5, 0.3, 0.7, 0.4, 0.6)
#: Where along its line the value of a distance from it is written, from the upright's foot.
_BESIDE = 0.2
#: How far beyond its ends a line is followed to where it meets the other one, in lengths of the longer line.
_REACH = 0.6


@dataclass(frozen=True)
class Drawing:
    """Lines and the place of a label, in index coordinates.

    Attributes:
        segments: both ends of each line, ``(N, 2, D)``.
        label: where the value is written, ``(D,)``.
    """

    segments: FloatArray
    label: FloatArray


def place_of(measurement: Measurement) -> tuple[str, ...]:
    """What a value is written near: two measurements of the same place need different rings."""
    names = measurement.landmarks
    if measurement.kind == "distance_to_line":
        return ("line", *names[1:3])
    if measurement.kind == "angle" and len(names) == 4:
        return ("line", names[2])
    if measurement.kind in ("angle", "angle_difference"):
        return ("corner", names[1])
    return ("line", *names[:2])


def drawing(measurement: Measurement, landmarks: LandmarkSet, ring: int = 0) -> Drawing | None:
    """What is drawn of a measurement; None where one of its landmarks has no place.

    Lines and arcs are worked out in millimetres, so that an arc is round on the screen whatever the spacing is.

    Args:
        measurement: what is measured.
        landmarks: where the landmarks are.
        ring: how many others are drawn at the same place already.
    """
    if any(name not in landmarks.names for name in measurement.landmarks):
        return None
    spacing = landmarks.grid.spacing
    scale = np.ones(landmarks.grid.ndim) if spacing is None else np.asarray(spacing)
    points = np.stack([landmarks.point(name) for name in measurement.landmarks]) * scale
    if not np.isfinite(points).all():
        return None
    lines, label = _of_kind(measurement, points, ring)
    segments = [np.stack([line[:-1], line[1:]], axis=1) for line in lines]
    return Drawing(np.concatenate(segments) / scale, label / scale)


def _of_kind(measurement: Measurement, points: FloatArray, ring: int) -> tuple[list[FloatArray], FloatArray]:
    """Polylines ``(n, D)`` and the label's place, in mm."""
    if measurement.kind == "distance_to_line":
        return _to_line(points, ring)
    share, along = _ARC + _STEP * ring, _ALONG[ring % len(_ALONG)]
    if measurement.kind == "angle_difference":
        common, vertex, first, second = points
        arc, label = _arc(vertex, first, second, share + _ARC)
        return [np.stack([common, vertex]), np.stack([first, vertex, second]), arc], label
    if measurement.kind == "angle":
        if len(points) == 4:
            return _lines(*points, share, along)
        a, vertex, b = points
        arc, label = _arc(vertex, a, b, share)
        return [points, arc], label
    lines = [points[:2], points[2:]] if len(points) == 4 else [points]
    return lines, points[0] + along * (points[1] - points[0])


def _lines(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray, share: float, along: float
) -> tuple[list[FloatArray], FloatArray]:
    """Two lines; both are followed to where they meet if that is not far, and the arc is drawn there."""
    both = [np.stack([a, b]), np.stack([c, d])]
    meets = _meeting(a, b, c, d)
    if meets is None:
        return both, c + along * (d - c)
    ways = [np.stack([line[np.linalg.norm(line - meets, axis=1).argmin()], meets]) for line in both]
    shorter = min(np.linalg.norm(b - a), np.linalg.norm(d - c))
    arc, label = _arc(meets, meets + _unit(b - a) * shorter, meets + _unit(d - c) * shorter, share)
    return [*both, *ways, arc], label


def _to_line(points: FloatArray, ring: int) -> tuple[list[FloatArray], FloatArray]:
    """The upright from the point to the line, which is drawn as far as the upright's foot; the value is beside it."""
    point, a, b = points[:3]
    along = _unit(b - a)
    foot = a + along * ((point - a) @ along)
    places = np.stack([a, b, foot])
    ends = places[[np.argmin(places @ along), np.argmax(places @ along)]]
    end = ends[np.linalg.norm(ends - foot, axis=1).argmax()]
    return [ends, np.stack([point, foot])], foot + _BESIDE * (1 + ring) * (end - foot)


def _arc(vertex: FloatArray, a: FloatArray, b: FloatArray, share: float) -> tuple[FloatArray, FloatArray]:
    """An arc around the vertex from one side to the other, and the place of a label just outside its middle."""
    u, v = a - vertex, b - vertex
    radius = share * min(np.linalg.norm(u), np.linalg.norm(v))
    first = _unit(u)
    across = v - first * (v @ first)
    angle = np.arctan2(np.linalg.norm(across), v @ first)
    turns = np.linspace(0, angle, _PIECES + 1)[:, None]
    arc = vertex + radius * (np.cos(turns) * first + np.sin(turns) * _unit(across))
    return arc, vertex + 1.3 * (arc[_PIECES // 2] - vertex)


def _meeting(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray | None:
    """Where two lines meet (in 3D: halfway between where they are nearest); None if nowhere, or far from both."""
    u, v = b - a, d - c
    system = np.stack([u, -v], axis=1)
    if np.linalg.matrix_rank(system, tol=1e-6 * max(np.linalg.norm(u), np.linalg.norm(v))) < 2:
        return None
    s, t = np.linalg.lstsq(system, c - a, rcond=None)[0]
    place = np.asarray((a + s * u + c + t * v) / 2)
    reach = _REACH * max(np.linalg.norm(u), np.linalg.norm(v))
    for start, end in ((a, b), (c, d)):
        along = float(np.clip((place - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1))
        if np.linalg.norm(start + along * (end - start) - place) > reach:
            return None
    return place


def _unit(vector: FloatArray) -> FloatArray:
    """A vector of length 1; 0 for one of no length."""
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else vector
