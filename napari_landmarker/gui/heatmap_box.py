"""`HeatmapBox`: which heatmap is seen over the image, and how clearly."""

from __future__ import annotations

from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QCheckBox, QFormLayout, QGroupBox, QSlider, QWidget

from napari_landmarker.gui.heatmap_layer import ALL, CURRENT, HeatmapLayer
from napari_landmarker.gui.links import follow
from napari_landmarker.gui.scroll_panel import choice, wrapped
from napari_landmarker.state.session import Session


class HeatmapBox(QGroupBox):
    """Chooses what the heatmap layer shows.

    Args:
        session: what is open.
        viewer: where heatmaps are shown.
        parent: as in Qt.

    Attributes:
        layer: the overlay.
    """

    def __init__(self, session: Session, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("Heatmap", parent)
        self.session = session
        self.layer = HeatmapLayer(viewer, session)
        self.shown = QCheckBox("Show where the model sees the landmark")
        self.shown.setChecked(self.layer.visible)
        self.shown.setToolTip("The brighter the colour, the more likely the landmark lies there.")
        self.shown.toggled.connect(self._toggled)
        self.which = choice()
        self.which.setToolTip("Of which landmarks the heatmap is seen.")
        self.which.currentIndexChanged.connect(self._chosen)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setToolTip("How clearly the heatmap covers the image.")
        self.opacity.setRange(5, 100)
        self.opacity.setValue(round(100 * self.layer.opacity))
        self.opacity.valueChanged.connect(lambda value: self.layer.set_opacity(value / 100))
        self.none = wrapped("Predict this image to see its heatmaps.")
        form = QFormLayout(self)
        form.addRow(self.shown)
        form.addRow("Landmark", self.which)
        form.addRow("Opacity", self.opacity)
        form.addRow(self.none)
        follow(self, session.project_changed, self._project_changed)
        follow(self, session.current_changed, self._current_changed)
        follow(self, session.heatmaps_changed, self._heatmaps_changed)
        self._project_changed()
        self._refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Called by Qt: soon there may be heatmaps, which then are not to hold up the window."""
        super().showEvent(event)
        if self.session.model is not None:
            self.layer.prepare()

    def _project_changed(self) -> None:
        self.which.blockSignals(True)
        self.which.clear()
        self.which.addItem("all landmarks", ALL)
        self.which.addItem("the current landmark", CURRENT)
        for name in self.session.names:
            self.which.addItem(name, name)
        self.which.blockSignals(False)
        self._chosen()

    def _heatmaps_changed(self) -> None:
        self.layer.refresh()
        self._refresh()

    def _refresh(self) -> None:
        there = self.session.prediction is not None
        self.none.setVisible(not there)
        for widget in (self.shown, self.which, self.opacity):
            widget.setEnabled(there)

    def _current_changed(self, _: str) -> None:
        if self.layer.which == CURRENT:
            self.layer.refresh()

    def _toggled(self, visible: bool) -> None:
        self.layer.visible = visible
        self.layer.refresh()

    def _chosen(self) -> None:
        self.layer.which = str(self.which.currentData() or ALL)
        self.layer.refresh()
