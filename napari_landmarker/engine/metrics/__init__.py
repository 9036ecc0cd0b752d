"""How far predictions lie from the truth: point errors, success detection rates, and both over a split."""

from napari_landmarker.engine.metrics.case import CaseResult, CaseScore, Unit, landmark_errors, worst_landmark
from napari_landmarker.engine.metrics.evaluation import (
    DEFAULT_RADII_MM,
    DEFAULT_RADII_PX,
    Evaluation,
    Summary,
    evaluate,
    radius_key,
)
from napari_landmarker.engine.metrics.points import PointCounts, point_counts, point_error, sdr, success_rate

__all__ = [
    "DEFAULT_RADII_MM",
    "DEFAULT_RADII_PX",
    "CaseResult",
    "CaseScore",
    "Evaluation",
    "PointCounts",
    "Summary",
    "Unit",
    "evaluate",
    "landmark_errors",
    "point_counts",
    "point_error",
    "radius_key",
    "sdr",
    "success_rate",
    "worst_landmark",
]
