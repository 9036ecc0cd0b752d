"""Figures (matplotlib `Figure`) and tables of an evaluation, a dataset or a model: nothing is shown or printed."""

from napari_landmarker.engine.visualize.case import case_figure
from napari_landmarker.engine.visualize.cpe import plot_cpe
from napari_landmarker.engine.visualize.detection import detection_report, multi_instance_detection_report
from napari_landmarker.engine.visualize.errors import cumulative_error_figure, error_by_landmark_figure
from napari_landmarker.engine.visualize.inspection import (
    inspection_plot,
    prediction_inspect_plot,
    prediction_inspect_plot_multi_instance,
)
from napari_landmarker.engine.visualize.reliability import reliability_figure
from napari_landmarker.engine.visualize.style import save_figure, to_png, to_svg

__all__ = [
    "case_figure",
    "cumulative_error_figure",
    "detection_report",
    "error_by_landmark_figure",
    "inspection_plot",
    "multi_instance_detection_report",
    "plot_cpe",
    "prediction_inspect_plot",
    "prediction_inspect_plot_multi_instance",
    "reliability_figure",
    "save_figure",
    "to_png",
    "to_svg",
]
