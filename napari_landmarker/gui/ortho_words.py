"""`OrthoWords`: what is written on a picture of a slice: its title, the sides of the patient, and the names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF
from qtpy.QtGui import QPainter

from napari_landmarker.engine.geometry import FloatArray
from napari_landmarker.gui.layers import CURRENT_FACTOR
from napari_landmarker.gui.looks import shortened
from napari_landmarker.gui.ortho_marks import write
from napari_landmarker.gui.ortho_names import ends
from napari_landmarker.gui.text_places import Surroundings, beside_points, boxes_of, choose

if TYPE_CHECKING:
    from napari_landmarker.gui.ortho_view import OrthoView

#: Room about a text, in screen pixels, and its height as a share of that of a line.
_MARGIN_PX, _HIGH = 4.0, 0.85
#: As wide as this, the lines of the crosshair across and down make names stand beside them.
_ACROSS_PX, _DOWN_PX = 0.5, 4.0


class OrthoWords:
    """The texts of one view; names stand where they cover neither points nor other texts, if there is such a place.

    Args:
        view: on which they are written.
        color: of the title.
    """

    def __init__(self, view: OrthoView, color: str) -> None:
        self.view, self.color = view, color
        self.sides: dict[str, int] = {}

    def fixed(self) -> list[tuple[str, FloatArray, str]]:
        """The title and the sides of the patient: what is written, its box ``(4,)``, and the colour."""
        view, metrics = self.view, self.view.fontMetrics()
        top, bottom = ends(view.views.image, view.row)[:: -1 if view.flipped else 1]
        left, right = ends(view.views.image, view.column)
        wide, high, width, height = metrics.horizontalAdvance("M"), metrics.height(), view.width(), view.height()
        title = metrics.horizontalAdvance(view.title)
        words = [
            (view.title, (6, 4, 6 + title, 4 + high), self.color),
            (top, ((width - wide) / 2, high + 4, (width + wide) / 2, 2 * high + 4), "#dddddd"),
            (bottom, ((width - wide) / 2, height - high - 4, (width + wide) / 2, height - 4), "#dddddd"),
            (left, (6, (height - high) / 2, 6 + wide, (height + high) / 2), "#dddddd"),
            (right, (width - wide - 6, (height - high) / 2, width - 6, (height + high) / 2), "#dddddd"),
        ]
        return [(text, np.array(box), color) for text, box, color in words if text]

    def paint(self, painter: QPainter, names: Sequence[str], at: FloatArray) -> None:
        """Write all.

        Args:
            painter: draws it.
            names: of the landmarks of this slice; none while names are not wanted.
            at: where they are drawn, ``(N, 2)``.
        """
        ascent = painter.fontMetrics().ascent()
        for name, box in self.name_boxes(names, at).items():
            top = (box[1] + box[3] - painter.fontMetrics().height()) / 2
            write(painter, QPointF(box[0] + _MARGIN_PX / 2, top + ascent), shortened(name), "white")
        for text, box, color in self.fixed():
            write(painter, QPointF(box[0], box[1] + ascent), text, color)

    def name_boxes(self, names: Sequence[str], at: FloatArray) -> dict[str, FloatArray]:
        """The box ``(4,)`` of each name that is written."""
        if not names:
            return {}
        view, metrics = self.view, self.view.fontMetrics()
        wide = [metrics.horizontalAdvance(shortened(name)) + _MARGIN_PX for name in names]
        sizes = np.stack([wide, np.full(len(names), metrics.height() * _HIGH)], axis=1)
        middles = at[:, None] + beside_points(sizes, view.views.size_px / 2 * CURRENT_FACTOR)
        cross = view.to_widget(view.views.cross)
        width, height = float(view.width()), float(view.height())
        lines = [(0, cross.y(), width, cross.y() + _ACROSS_PX), (cross.x(), 0, cross.x() + _DOWN_PX, height)]
        taken = [*boxes_of(at, view.views.size_px), *(box for _, box, _ in self.fixed()), *np.array(lines)]
        around = Surroundings(
            np.array(taken), np.zeros(len(names), int), np.zeros(len(taken), int), np.array([0.0, 0.0, width, height])
        )
        current = names.index(view.views.current) if view.views.current in names else -1
        before = np.array([self.sides.get(name, -1) for name in names])
        sides, written = choose(middles, sizes, around, before, current)
        self.sides |= dict(zip(names, sides.tolist(), strict=True))
        boxes = boxes_of(middles[np.arange(len(names)), sides], sizes)
        return {name: box for name, box, there in zip(names, boxes, written, strict=True) if there}
