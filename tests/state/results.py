"""What a predictor returns, and short ways to ask a session what it has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_landmarker.engine.geometry import AffineMap
from napari_landmarker.engine.landmarks import LandmarkSet, LandmarkStatus
from napari_landmarker.engine.project import Project
from napari_landmarker.state.session import Session

NAMES = ("A", "B", "C")
SHAPE = (40, 50)


@dataclass
class Result:
    """What a predictor returns."""

    landmarks: LandmarkSet
    heatmaps: np.ndarray
    names: tuple[str, ...]
    to_heatmap: AffineMap


def result(session: Session, **points: tuple[float, float]) -> Result:
    """A prediction of some landmarks, in an order of its own."""
    names = tuple(reversed(NAMES))
    grid = session.image.grid
    scores = dict.fromkeys(points, 0.75)
    landmarks = LandmarkSet.from_points(points, grid, names=names, status=LandmarkStatus.PREDICTED, score=scores)
    return Result(landmarks, np.zeros((3, 10, 10), np.float32), names, AffineMap.identity(SHAPE))


def on_disk(session: Session, case_id: str | None = None) -> LandmarkSet:
    """What another program would find."""
    return Project.open(session.project.root).annotations(case_id or session.case_id)


def words(session: Session) -> list[str]:
    """The statuses that are shown."""
    return [str(status) for status in session.shown.status]
