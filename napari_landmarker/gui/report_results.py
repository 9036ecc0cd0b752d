"""`ReportResults`: what came of judging a model: sentences, tables and plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_landmarker.gui.error_table import CoverageTable, ErrorTable
from napari_landmarker.gui.line_plot import BLUE, LinePlot, Series
from napari_landmarker.gui.report_bars import LandmarkErrors
from napari_landmarker.gui.report_points import PointErrors
from napari_landmarker.gui.scroll_panel import wrapped

if TYPE_CHECKING:
    from napari_landmarker.engine.metrics import Evaluation


class ReportResults(QWidget):
    """The numbers of an evaluation; a landmark that is chosen in the table narrows the list of points to it."""

    opened = Signal(str, str)
    """A person chose a point: its case and landmark."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.headline = wrapped()
        self.headline.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = ErrorTable()
        self.table.landmark_chosen.connect(self._narrow)
        self.curve = LinePlot("", "", y_range=(0.0, 100.0))
        self.curve.setToolTip("How many percent of the points lie within a distance: the steeper the rise, the better.")
        self.by_landmark = LandmarkErrors()
        self.which = QLabel()
        self.all = QPushButton("Show all")
        self.all.setToolTip("List the points of all landmarks again.")
        self.all.clicked.connect(lambda: (self.table.clearSelection(), self._narrow("")))
        self.points = PointErrors()
        self.points.opened.connect(self.opened)
        self.regions = CoverageTable()
        self.regions_text = wrapped()
        above = QHBoxLayout()
        above.addWidget(self.which, 1)
        above.addWidget(self.all)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.headline)
        layout.addWidget(self.table)
        layout.addLayout(above)
        layout.addWidget(self.points)
        layout.addWidget(self.curve)
        layout.addWidget(self.by_landmark)
        layout.addWidget(self.regions_text)
        layout.addWidget(self.regions)

    def show_evaluation(
        self, evaluation: Evaluation, headline: str, remarks: tuple[str, ...], colors: Mapping[str, str]
    ) -> None:
        """Show the numbers.

        Args:
            evaluation: the numbers.
            headline: the result in a sentence or two.
            remarks: what a reader must know, a sentence each.
            colors: of the landmarks, ``#rrggbb``.
        """
        from napari_landmarker.engine.report.coverage import coverage_text

        self.headline.setText("<br>".join([f"<b>{headline}</b>", *remarks]))
        self.table.show_evaluation(evaluation)
        errors = evaluation.errors()
        found = np.sort(errors[np.isfinite(errors)])
        percent = 100 * np.arange(len(found) + 1) / max(1, len(errors))
        line = Series("points", BLUE, [0.0, *found], list(percent), steps=True)
        self.curve.show_series([line], f"Percent of points within a distance ({evaluation.unit})")
        self.by_landmark.show_evaluation(evaluation, colors)
        self.points.show_evaluation(evaluation)
        self._narrow("")
        said = coverage_text(evaluation)
        self.regions_text.setText(f"<b>Regions.</b> {said}" if said else "")
        self.regions_text.setVisible(bool(said))
        self.regions.setVisible(evaluation.coverage is not None)
        self.regions.show_evaluation(evaluation)

    def _narrow(self, landmark: str) -> None:
        """List the points of one landmark, or of all."""
        self.points.show_landmark(landmark or None)
        self.which.setText(f"Points of {landmark}, largest error first" if landmark else "Points, largest error first")
        self.all.setVisible(bool(landmark))
