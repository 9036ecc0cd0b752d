"""How far predictions lie from the truth: point errors, success detection rates, and both over a split."""

from napari_landmarker.engine.metrics.bootstrap import Interval, Intervals, bootstrap_intervals, draw_weights
from napari_landmarker.engine.metrics.case import (
    CaseResult,
    CaseScore,
    Unit,
    landmark_errors,
    one_point_each,
    worst_landmark,
)
from napari_landmarker.engine.metrics.evaluation import (
    DEFAULT_RADII_MM,
    DEFAULT_RADII_PX,
    Evaluation,
    Summary,
    evaluate,
    radius_key,
)
from napari_landmarker.engine.metrics.frames import frame_map
from napari_landmarker.engine.metrics.instances import (
    InstanceErrors,
    Matches,
    match_points,
    multi_instance_point_error,
    transform_multi_instance_tensor,
)
from napari_landmarker.engine.metrics.measured import Measured, measurements_of
from napari_landmarker.engine.metrics.measurements import (
    MeasuredCase,
    MeasurementScore,
    angle_difference,
    distance_to_line,
    landmark_angle,
    landmark_distance,
    landmark_ratio,
    line_angle,
    measure,
    unit_of,
)
from napari_landmarker.engine.metrics.points import (
    CumulativeError,
    PointCounts,
    cumulative_error,
    point_counts,
    point_error,
    sdr,
    success_rate,
)

__all__ = [
    "DEFAULT_RADII_MM",
    "DEFAULT_RADII_PX",
    "CaseResult",
    "CaseScore",
    "CumulativeError",
    "Evaluation",
    "InstanceErrors",
    "Interval",
    "Intervals",
    "Matches",
    "Measured",
    "MeasuredCase",
    "MeasurementScore",
    "PointCounts",
    "Summary",
    "Unit",
    "angle_difference",
    "bootstrap_intervals",
    "cumulative_error",
    "distance_to_line",
    "draw_weights",
    "evaluate",
    "frame_map",
    "landmark_angle",
    "landmark_distance",
    "landmark_errors",
    "landmark_ratio",
    "line_angle",
    "match_points",
    "measure",
    "measurements_of",
    "multi_instance_point_error",
    "one_point_each",
    "point_counts",
    "point_error",
    "radius_key",
    "sdr",
    "success_rate",
    "transform_multi_instance_tensor",
    "unit_of",
    "worst_landmark",
]
