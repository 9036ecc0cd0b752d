"""Figures of an evaluation, as matplotlib `Figure` objects: nothing is shown, no style changed."""

from napari_landmarker.engine.visualize.case import case_figure
from napari_landmarker.engine.visualize.errors import cumulative_error_figure, error_by_landmark_figure
from napari_landmarker.engine.visualize.style import to_png, to_svg

__all__ = ["case_figure", "cumulative_error_figure", "error_by_landmark_figure", "to_png", "to_svg"]
