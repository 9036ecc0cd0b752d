"""`Ruler`: two clicks on a known length, which say how large a pixel is."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.viewer import Viewer
from psygnal import Signal

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.gui.layers import CaseLayers
from napari_landmarker.gui.line_layer import LineLayer
from napari_landmarker.gui.messages import tell, tell_warning
from napari_landmarker.state.session import Session

RULER_NAME = "Ruler"
_COLOR = "#ffe14d"
_FLAT_ONLY = (
    "The ruler is for plain images: on one slice of a volume nobody can see how far the slices are apart, "
    "so take the volume's spacing from where it was made."
)


class Ruler:
    """Takes the clicks on the image while it is in hand.

    Signals:
        changed: it was taken up or put away, or an end was set.
        measured: both ends are set.

    Attributes:
        active: whether it is in hand.
        ends: the ends that are set, in index coordinates.
    """

    changed = Signal()
    measured = Signal()

    def __init__(self, viewer: Viewer, session: Session, layers: CaseLayers) -> None:
        self.viewer = viewer
        self.session = session
        self.layers = layers
        self.active = False
        self.ends: tuple[FloatArray, ...] = ()
        self.lines = LineLayer(viewer, RULER_NAME, "ruler", _COLOR, 2.5)
        session.case_changed.connect(self.stop)
        viewer.cursor.events.position.connect(self._hover)

    def close(self) -> None:
        """Follow nothing any more."""
        self.session.case_changed.disconnect(self.stop)
        self.viewer.cursor.events.position.disconnect(self._hover)
        self.lines.close()

    def toggle(self) -> None:
        """Take it up, or put it away."""
        if self.active:
            self.stop()
        elif self.session.image is None:
            tell_warning("Open an image first, to measure on it.")
        elif self.session.image.grid.ndim != 2:
            tell_warning(_FLAT_ONLY)
        else:
            self.active, self.ends = True, ()
            self.changed.emit()
            tell("Click both ends of a length that you know, such as a ruler in the image. Esc puts the ruler away.")

    def stop(self) -> None:
        """Put it away."""
        if self.active:
            self.active, self.ends = False, ()
            self.lines.hide()
            self.changed.emit()

    def click(self, index: FloatArray) -> None:
        """Set an end."""
        if len(self.ends) == 1 and np.linalg.norm(index - self.ends[0]) < 1:
            tell_warning("Both ends are at the same place: click the other end of the length.")
            return
        self.ends = (index,) if len(self.ends) != 1 else (self.ends[0], index)
        self._draw(self.ends[-1])
        self.changed.emit()
        if len(self.ends) == 2:
            self.measured.emit()

    @property
    def length(self) -> float:
        """The length between both ends, in mm where the spacing is known, else in px."""
        assert self.session.image is not None
        return float(np.linalg.norm((self.ends[1] - self.ends[0]) * self._spacing))

    def spacing(self, length_mm: float) -> tuple[float, ...]:
        """The spacing of the image, mm per px, if the ruler is so long."""
        return tuple(float(value) for value in self._spacing * (length_mm / self.length))

    @property
    def _spacing(self) -> FloatArray:
        image = self.session.image
        assert image is not None
        return np.ones(image.grid.ndim) if image.grid.spacing is None else np.asarray(image.grid.spacing)

    def _hover(self, _: Any) -> None:
        """Draw the ruler to the mouse while the second end is looked for."""
        if self.active and len(self.ends) == 1 and self.layers.points is not None:
            self._draw(self.layers.index_of(self.viewer.cursor.position))

    def _draw(self, end: FloatArray) -> None:
        image = self.session.image
        if image is not None:
            self.lines.show(np.array([[self.ends[0], end]]), image.grid)
