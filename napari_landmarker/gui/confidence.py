"""Confidence as a colour: from orange, where the model is unsure, to blue, where it is sure.

Orange and blue are told apart with every kind of colour blindness, and both are seen on grey images.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from napari.utils.colormaps.standardize_color import transform_color
from qtpy.QtCore import QObject
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_landmarker.engine.landmarks import LandmarkStatus
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.links import follow

_STOPS = np.array([0.0, 0.5, 1.0])
_COLORS = np.array([[0.84, 0.37, 0.0], [0.97, 0.90, 0.72], [0.0, 0.45, 0.80]])
_UNKNOWN = (0.6, 0.6, 0.6)
#: How much is seen of a point of less confidence than is asked for.
_FAINT = 0.35


def confidence_colors(scores: npt.ArrayLike, threshold: float = 0.0) -> npt.NDArray[np.float64]:
    """The colours of confidences.

    Args:
        scores: ``(N,)`` in [0, 1]; grey where NaN.
        threshold: points of less are faint, as are those of unknown confidence.

    Returns:
        RGBA, ``(N, 4)`` in [0, 1].
    """
    given = np.asarray(scores, dtype=np.float64)
    known = np.isfinite(given)
    at = np.clip(np.where(known, given, 0.0), 0.0, 1.0)
    colors = np.stack([np.interp(at, _STOPS, channel) for channel in _COLORS.T], axis=-1)
    colors[~known] = _UNKNOWN
    alpha = np.where(known & (given >= threshold), 1.0, _FAINT if threshold > 0 else 1.0)
    return np.concatenate([colors, alpha[:, None]], axis=1)


class ConfidenceColors(QObject):
    """Draws predicted points in the colour of their confidence, as long as that is wanted.

    Args:
        layers: what the points are drawn with.
        parent: as in Qt.

    Attributes:
        threshold: points of less confidence are faint.
    """

    def __init__(self, layers: CaseLayers, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.layers = layers
        self.threshold = 0.0
        self._wanted = False
        follow(self, layers.seen_changed, self._paint)

    def set_wanted(self, wanted: bool) -> None:
        """Draw confidences, or the landmarks' own colours again."""
        self._wanted = wanted
        self._set(self._colors())

    def set_threshold(self, threshold: float) -> None:
        """Draw points of less confidence faintly."""
        self.threshold = threshold
        self._paint()

    def _paint(self, *_: object) -> None:
        if self._wanted:
            self._set(self._colors())

    def _colors(self) -> npt.NDArray[np.float64]:
        """The colour of each point, RGBA ``(N, 4)``: its confidence where that is wanted and it is predicted."""
        project, layer = self.layers.session.project, self.layers.points
        if project is None or layer is None or not self.layers.names:
            return np.empty((0, 4))
        colors = transform_color([project.schema.definition(name).color for name in self.layers.names]).astype(float)
        if self._wanted:
            rows = np.flatnonzero(np.asarray(layer.features["status"]) == LandmarkStatus.PREDICTED.value)
            scores = np.asarray(layer.features["score"], dtype=np.float64)
            colors[rows] = confidence_colors(scores[rows], self.threshold)
        return np.asarray(colors)

    def _set(self, colors: npt.NDArray[np.float64]) -> None:
        layer = self.layers.points
        if layer is not None and len(colors) and not np.allclose(colors, layer.face_color, atol=1e-6):
            layer.face_color = colors
            self.layers.look_changed.emit()


class ConfidenceBar(QWidget):
    """The colours of confidences from 0 to 1, above a slider."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.fontMetrics().height())
        self.setToolTip("Orange: the model is unsure of the point. Blue: it is sure.")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Called by Qt."""
        gradient = QLinearGradient(0, 0, self.width(), 0)
        for at, color in zip(_STOPS, _COLORS, strict=True):
            gradient.setColorAt(float(at), QColor.fromRgbF(*map(float, color)))
        painter = QPainter(self)
        quarter = self.height() // 4
        painter.fillRect(self.rect().adjusted(0, quarter, 0, -quarter), gradient)
        painter.end()
